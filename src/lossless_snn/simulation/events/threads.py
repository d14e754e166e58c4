"""Compiled loops on several threads.

Not numba's own threads: its OpenMP layer changes PyTorch's number of threads on the way. A loop
compiled to run without the interpreter's lock needs no more than Python's threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

# Parts a thread, so that one that is done early helps the others.
_PARTS = 4


def in_parts(threads: int, count: int, loop: Callable[..., None], *arguments: object) -> None:
    """Call loop(first, last, *arguments) so that the parts [first, last) make up [0, count)."""
    if threads == 1:
        loop(0, count, *arguments)
        return
    parts = min(count, _PARTS * threads)
    bounds = [part * count // parts for part in range(parts + 1)]
    tasks = [_pool(threads).submit(loop, *part, *arguments) for part in pairwise(bounds)]
    for task in tasks:
        task.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "loop")
