"""The one exception that a person is meant to read, and what they may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


class LosslessError(Exception):
    """A mistake that a person can mend: the message says what is wrong, where, and what to do.

    The command line prints it as one line and exits with status 1; everything else is a bug
    and keeps its traceback.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on a name that is not among the known ones: the one that is most like it, if any is.

    Whether letters are capitals does not count.
    """
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""
