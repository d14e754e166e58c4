"""The one exception that a person is meant to read."""


class LosslessError(Exception):
    """A mistake that a person can mend: the message says what is wrong, where, and what to do.

    The command line prints it as one line and exits with status 1; everything else is a bug
    and keeps its traceback.
    """
