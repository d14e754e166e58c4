"""Progress of long jobs, for people at a terminal and for those who read a log."""

import sys
from collections.abc import Iterator

from tqdm import tqdm

# Seconds between two lines of a log; shorter jobs leave none.
_LOG_INTERVAL = 30


def batches(count: int, size: int, of: str, done: int = 0) -> Iterator[slice]:
    """Slices of `count` images, `size` at a time, with a progress bar that names what is made `of` them.

    The first `done` images, a whole number of slices, are left out.
    """
    at_terminal = sys.stderr.isatty()
    interval = 0.1 if at_terminal else _LOG_INTERVAL
    for start in tqdm(
        range(done, count, size), of, unit="batch", delay=0 if at_terminal else interval, mininterval=interval
    ):
        yield slice(start, min(start + size, count))
