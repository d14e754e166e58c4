"""Threads of numba's loops."""

import numba

# The OpenMP layer shares its runtime with PyTorch, whose own number of threads it sets on the way.
numba.config.THREADING_LAYER = "workqueue"


def use_threads(threads: int) -> None:
    """Run loops on this many threads, or on as many as numba was started with."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
