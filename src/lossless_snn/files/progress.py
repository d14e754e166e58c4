"""Progress of long jobs, for people at a terminal and for those who read a log."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

# Seconds between two lines of a log; shorter jobs leave none.
_LOG_INTERVAL = 30
# A thousand steps of ten hours fit beside the title.
_COLUMNS, _TITLE = 80, 24
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"


def progress(steps: Iterable[Any] | None, of: str, total: int | None = None, unit: str = "", **options: Any) -> tqdm:
    """`steps` with a bar: how far, how fast, how much longer, in 80 columns at most; without a terminal, nothing.

    Args:
        steps: What is gone through; None where the bar is moved by its `update`.
        of: What is made; of a longer text the end.
        total: How many steps there are, where `steps` do not say.
        unit: What a step is called.
        options: Of tqdm.
    """
    title = of if len(of) <= _TITLE else f"…{of[1 - _TITLE :]}"
    options = {"disable": not sys.stderr.isatty(), "leave": False, "ncols": _COLUMNS, "bar_format": _BAR} | options
    return tqdm(steps, title, total, unit=f" {unit}" if unit else "it", **options)


def batches(count: int, size: int, of: str, done: int = 0) -> Iterator[slice]:
    """Slices of `count` images, `size` at a time, with a progress bar that names what is made `of` them.

    The first `done` images, a whole number of slices, are left out. Without a terminal it is a line every half minute.
    """
    at_terminal = sys.stderr.isatty()
    often = {"leave": True} if at_terminal else {"mininterval": _LOG_INTERVAL, "delay": _LOG_INTERVAL, "disable": False}
    for start in progress(range(done, count, size), of, unit="batches", **often):
        yield slice(start, min(start + size, count))
