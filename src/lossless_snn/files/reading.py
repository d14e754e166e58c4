"""Reading files: regular ones only, since others hang or never end; and every failure is one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import LosslessError


@contextmanager
def reading(path: str | Path, missing: str = "is its name right?") -> Iterator[Path]:
    """Read the file at `path` in the block, which gets that path.

    Args:
        path: The file.
        missing: What to do where there is none.

    Raises:
        LosslessError: It is not there, no regular file (a folder, a pipe, a device), or not to be read; or the block
            takes it for UTF-8, which it is not.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise LosslessError(f"{path}: no regular file; name one")
        yield path
    except FileNotFoundError:
        raise LosslessError(f"{path}: no such file; {missing}") from None
    except UnicodeDecodeError as error:
        raise LosslessError(f"{path}: no text in UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise LosslessError(f"{path}: cannot be read ({error.strerror or error}); make it readable") from None


def read_text(path: str | Path, missing: str = "is its name right?") -> str:
    """The text of a regular file, in UTF-8; raises LosslessError as `reading` does."""
    with reading(path, missing) as file:
        return file.read_text(encoding="utf-8")


def read_text_if_any(path: str | Path) -> str | None:
    """The same, and None where there is no file."""
    with reading(path) as file:
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


def read_bytes(path: str | Path, missing: str = "is its name right?") -> bytes:
    """The content of a regular file; raises LosslessError as `reading` does."""
    with reading(path, missing) as file:
        return file.read_bytes()
