"""Where PyTorch calculates, and how: on so many threads, the same bits each time."""

import ctypes
import os

import torch

from ..errors import LosslessError

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare(name: str, threads: int) -> torch.device:
    """Set PyTorch up for reproducible work on `threads` threads; returns the device that `name` stands for.

    "auto" is a GPU where there is one. Raises LosslessError for "cuda" where there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise LosslessError("device: no CUDA device here; use --device cpu or auto")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Of the deterministic mode, only this: to fill what is about to be written takes a fifth of a training.
    torch.utils.deterministic.fill_uninitialized_memory = False
    # cuBLAS is deterministic only with a workspace of fixed size, and reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.allow_tf32 = False
    _keep_freed_memory()
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of freed tensors, instead of asking the system for zeroed pages every time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library, which has ways of its own
        return
    for parameter in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
        mallopt(parameter, 1 << 30)
