"""Locks between processes, also of several machines that share a file system."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import LosslessError


@contextmanager
def locked(path: Path, notice: str | None = None) -> Iterator[bool]:
    """Hold the lock that the file at `path` stands for; it goes when its process does, however that ends.

    The file itself stays: were it removed, two processes could hold two files of one name. It is none that is
    ever replaced. Yields whether another process held the lock before, and was waited for.

    Args:
        path: Where the lock's file is, or will be.
        notice: What to say before waiting for another process.

    Raises:
        LosslessError: The file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            waited = not _free(file)
            if waited:
                if notice:
                    print(f"{path}: {notice}", file=sys.stderr, flush=True)
                fcntl.lockf(file, fcntl.LOCK_EX)
        except OSError as error:
            raise LosslessError(
                f"{path}: cannot be locked ({error.strerror}); a file system with locks is needed"
            ) from None
        yield waited


def _free(file: IO[str]) -> bool:
    """Lock the file if nobody holds it; whether it is locked by this process now."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
