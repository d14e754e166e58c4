"""Files that are either whole or not there: written under a temporary name, then renamed.

What is there already is replaced only where it is a regular file; a symbolic link stays, and what it leads to is
replaced. Standard output, by a name such as /dev/stdout, and /dev/null take what is written once it is whole.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import LosslessError

# What a disk that takes no more says, of a file that is open already and so without its name.
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
# Where a process finds its open files: /dev/stdout is a link to 1 there.
_OPEN_FILES = ("/dev/fd", "/proc/self/fd")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name; put that file in the place of `path` only if the block succeeds.

    Raises LosslessError where the file cannot be written, or is there and no regular file.
    """
    if (descriptor := open_file(path)) is not None or _is_null(path):
        with _handing_over(Path(path), descriptor) as partial:
            yield partial
        return
    target = _target(Path(path))
    partial = _beside(target, "partial")
    make_folder(target.parent)
    try:
        with writing(path, partial):
            yield partial
            os.replace(partial, target)
    finally:
        _remove(partial)


def open_file(path: str | Path) -> int | None:
    """The descriptor that a name such as /dev/stdout or /dev/fd/1 stands for, also by links; None for other names."""
    path, folders = os.fspath(path), {os.path.realpath(folder) for folder in _OPEN_FILES}
    for _ in range(40):  # links; the system follows as many
        folder, name = os.path.split(os.path.abspath(path))
        if os.path.realpath(folder) in folders and name.isascii() and name.isdigit():
            return int(name)
        try:
            path = os.path.join(folder, os.readlink(path))
        except (OSError, ValueError):  # the latter for what cannot be a name here
            return None
    return None


def _is_null(path: str | Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(os.devnull)


@contextmanager
def _handing_over(path: Path, descriptor: int | None) -> Iterator[Path]:
    """Yield a temporary name; copy the file to what is open under `descriptor`, if anything, if the block succeeds."""
    if descriptor is not None and not _is_inherited(descriptor):
        raise LosslessError(f"{path}: not open; choose another name")
    with TemporaryDirectory() as folder:
        partial = Path(folder, "partial")
        with writing(path, partial):
            yield partial
            if descriptor is not None:
                with partial.open("rb") as whole, open(descriptor, "wb", closefd=False) as stream:
                    shutil.copyfileobj(whole, stream)


def _is_inherited(descriptor: int) -> bool:
    """Whether who started the program opened it; what the program opens itself is for nobody else to write to."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def _target(path: Path) -> Path:
    """What `path` leads to, by whatever links; raises LosslessError where that is there and no regular file."""
    try:
        target = path.resolve() if path.is_symlink() else path
        if target.is_symlink():
            raise LosslessError(f"{path}: a symbolic link in a circle; choose another name")
        if target.exists() and not target.is_file():
            raise LosslessError(f"{path}: is there, and no regular file; choose another name")
    except (OSError, RuntimeError) as error:  # the latter for a circle, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else "a symbolic link in a circle"
        raise LosslessError(f"{path}: cannot be written ({reason}); choose another name") from None
    return target


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{ending}")


@contextmanager
def writing(path: str | Path, *temporary: Path) -> Iterator[None]:
    """Turn what the system says about `temporary` files, that are to become `path`, into a LosslessError.

    So is whatever it says of a disk that takes no more: `path` is on it, or is a folder on it.
    """
    try:
        yield
    except OSError as error:
        if error.filename not in map(str, temporary) and error.errno not in DISK_ERRORS:
            raise
        raise LosslessError(f"{path}: cannot be written ({error.strerror}); free or choose another place") from None


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there; raises LosslessError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LosslessError(f"{folder}: no folder can be made here ({error.strerror}); choose another place") from None


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, in UTF-8."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON, atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_together(folder: str | Path, contents: Mapping[str, str | bytes]) -> None:
    """Write files that belong together, by their names in `folder`: all of them, or none.

    Where one cannot be written or renamed, the files that were there before are there again. Where
    the process is killed between two renames some are missing, which readers of the set refuse;
    a new file never stands beside an old one. Raises LosslessError where they cannot be written,
    or one of the names is there and no regular file.
    """
    folder = Path(folder)
    targets = {name: _target(folder / name) for name in contents}
    new = {name: _beside(target, "partial") for name, target in targets.items()}
    for target in targets.values():
        make_folder(target.parent)
    with writing(folder, folder, *new.values()), ExitStack() as undo:
        for name, content in contents.items():
            undo.callback(_remove, new[name])
            new[name].write_bytes(content if isinstance(content, bytes) else content.encode())
        old = {name: _beside(target, "old") for name, target in targets.items() if target.is_file()}
        for name, kept in old.items():
            os.replace(targets[name], kept)
            undo.callback(os.replace, kept, targets[name])
        for name, partial in new.items():
            os.replace(partial, targets[name])
            undo.callback(_remove, targets[name])
        undo.pop_all()
    for kept in old.values():
        kept.unlink()


def _remove(path: Path) -> None:
    """Remove a file that may not be there; where that cannot be done, nothing could be written either."""
    with suppress(OSError):
        path.unlink()
