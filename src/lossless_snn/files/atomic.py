"""Files that are either whole or not there: written under a temporary name, then renamed."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with replacing(path) as partial:
        partial.write_text(text)


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON, atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Write a set of files that belong together: readers never find old and new ones side by side.

    All are written under temporary names first; then what was there before is moved aside, and the new
    files take its place. After an error, which is raised, all are as they were.
    """
    partial, previous = (
        {path: path.with_name(f".{path.name}.{os.getpid()}.{kind}") for path in contents}
        for kind in ("partial", "previous")
    )
    aside, placed = [], []
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content if isinstance(content, bytes) else content.encode())
        for path in contents:
            if path.is_dir():  # which could be moved aside, too
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if path.exists():
                os.replace(path, previous[path])
                aside.append(path)
        for path in contents:
            os.replace(partial[path], path)
            placed.append(path)
    except BaseException:
        for path in placed:
            path.unlink()
        for path in aside:
            os.replace(previous[path], path)
        raise
    finally:
        for path in (*partial.values(), *previous.values()):
            path.unlink(missing_ok=True)
