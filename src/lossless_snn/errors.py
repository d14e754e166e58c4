"""The one exception that a person is meant to read; input as a part of its message, and what may have been meant."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_QUOTATION = 200
# Beyond this a message is no line that anyone reads.
LONGEST_MESSAGE = 2000


class LosslessError(Exception):
    """A mistake that a person can mend: the message says what is wrong, where, and what to do.

    The message is one line whatever it quotes: control characters in it become escapes. The command line prints it
    and exits with status 1; everything else is a bug and keeps its traceback.
    """

    def __init__(self, message: object) -> None:
        super().__init__(quoted(message, LONGEST_MESSAGE))


def quoted(text: object, most: int = LONGEST_QUOTATION) -> str:
    """Text from outside as part of one line: at most `most` characters, what does not print as escapes."""
    start = str(text)[: most + 1]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in start)
    return escaped if len(escaped) <= most else escaped[: most - 3] + "..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on a name that is not among the known ones: the one that is most like it, if any is.

    Whether letters are capitals does not count.
    """
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""
