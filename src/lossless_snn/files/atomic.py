"""Files that are either whole or not there: written under a temporary name, then renamed."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..errors import LosslessError

# What a disk that takes no more says, of a file that is open already and so without its name.
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` only if the block succeeds.

    Raises LosslessError where the file cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _make_folder(path.parent)
    try:
        with _writing(path, partial):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path, *temporary: Path) -> Iterator[None]:
    """Turn what the system says about `temporary` files, that are to become `path`, into a LosslessError."""
    try:
        yield
    except OSError as error:
        if error.filename not in map(str, temporary) and error.errno not in _DISK_ERRORS:
            raise
        raise LosslessError(f"{path}: cannot be written ({error.strerror}); free or choose another place") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LosslessError(f"{folder}: no folder can be made here ({error.strerror}); choose another place") from None


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON, atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_together(folder: str | Path, contents: Mapping[str, str | bytes]) -> None:
    """Write files that belong together, by their names in `folder`: all of them, or none.

    Where one cannot be written or renamed, the files that were there before are there again. Where
    the process is killed between two renames some are missing, which readers of the set refuse;
    a new file never stands beside an old one. Raises LosslessError where they cannot be written.
    """
    folder = Path(folder)
    new = {name: folder / f".{name}.{os.getpid()}.partial" for name in contents}
    _make_folder(folder)
    with _writing(folder, folder, *new.values()), ExitStack() as undo:
        for name, content in contents.items():
            undo.callback(new[name].unlink, missing_ok=True)
            new[name].write_bytes(content if isinstance(content, bytes) else content.encode())
        old = {name: folder / f".{name}.{os.getpid()}.old" for name in contents if (folder / name).is_file()}
        for name, kept in old.items():
            os.replace(folder / name, kept)
            undo.callback(os.replace, kept, folder / name)
        for name, partial in new.items():
            os.replace(partial, folder / name)
            undo.callback((folder / name).unlink, missing_ok=True)
        undo.pop_all()
    for kept in old.values():
        kept.unlink()
