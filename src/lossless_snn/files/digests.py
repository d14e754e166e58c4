"""Digests of files."""

import hashlib
from pathlib import Path


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: str | Path) -> str:
    """MD5 of a file, in hexadecimal digits: what DVC names its objects by, and no protection against forgery."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
