"""Locks between processes, also of several machines that share a file system."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import LosslessError


@contextmanager
def locked(path: Path, busy: str | None = None) -> Iterator[None]:
    """Hold the lock that the file at `path` stands for; it goes when its process does, however that ends.

    The file itself stays: were it removed, two processes could hold two files of one name. It is none that is
    ever replaced.

    Args:
        path: Where the lock's file is, or will be.
        busy: What to say where another process holds the lock; without it, that is waited for.

    Raises:
        LosslessError: Another process holds the lock, or the file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except (BlockingIOError, PermissionError):
            raise LosslessError(f"{path}: {busy}") from None
        except OSError as error:
            raise LosslessError(
                f"{path}: cannot be locked ({error.strerror}); a file system with locks is needed"
            ) from None
        yield
