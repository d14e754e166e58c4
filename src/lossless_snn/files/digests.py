"""Digests of files, and which of them need not be taken again."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import LosslessError
from .atomic import write_text

# A file that was written a moment ago may be written again within the same tick of a file system's clock.
_SETTLED = 2.0


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: str | Path) -> str:
    """MD5 of a file, in hexadecimal digits: what DVC names its objects by, and no protection against forgery."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class KnownDigests:
    """Digests that are taken again only of files whose size, times or inode are others than when they were taken.

    Args:
        memory: Where digests are kept from one run of a program to the next; None to take each of them now.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory, self._is_changed = memory, False
        self._entries: dict[str, list] = {}
        if memory is not None:
            with suppress(OSError, ValueError):
                content = json.loads(memory.read_text(encoding="utf-8"))
                self._entries = content if isinstance(content, dict) else {}

    def sha256(self, path: str | Path) -> str:
        """SHA-256 of a file, in hexadecimal digits."""
        return self._digest(sha256, path)

    def md5(self, path: str | Path) -> str:
        """MD5 of a file, in hexadecimal digits."""
        return self._digest(md5, path)

    def _digest(self, take: Callable[[str | Path], str], path: str | Path) -> str:
        status, key = os.stat(path), f"{take.__name__} {path}"
        hint = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        known = self._entries.get(key)
        if isinstance(known, list) and known[:-1] == hint:
            return known[-1]
        digest = take(path)
        if self._memory is not None and time.time() - status.st_ctime > _SETTLED:
            self._entries[key], self._is_changed = [*hint, digest], True
        return digest

    def keep(self) -> None:
        """Write what is known now for the next run, where that can be written."""
        if self._memory is not None and self._is_changed:
            with suppress(LosslessError):
                write_text(self._memory, json.dumps(self._entries))
