"""The code that a job ran, kept once for each fingerprint: what an uncommitted tree gave can still be repeated."""

import io
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock

from ..files.atomic import replacing
from .entries import entries
from .fingerprint import PACKAGE, Sources
from .jobs import RESULTS

# What `python -m lossless_snn` runs, and what the environment was made from.
_START = "lossless_snn.__main__"
_PROJECT_FILES = ("pyproject.toml", "requirements.lock")
_ARCHIVES = RESULTS / "sources"

# Jobs of one run are recorded by threads of one process.
_storing = Lock()


def archive_path(code: str) -> Path:
    """Where the sources with fingerprint `code` are kept."""
    return _ARCHIVES / f"{code}.tar.xz"


def archives() -> list[Path]:
    """All that are kept, sorted."""
    return sorted(_ARCHIVES.glob("*.tar.xz"))


def present_code(command: str) -> str:
    """The fingerprint of the code that a command line runs, as it is on disk now, whatever was read before."""
    return _sources(_contents()).fingerprint(*entries(command))


def _contents() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(PACKAGE.rglob("*.py")))


@lru_cache(maxsize=1)
def _sources(contents: tuple[bytes, ...]) -> Sources:
    return Sources(PACKAGE)


def keep_sources(code: str, command: str) -> Path:
    """Store all modules that a command line's code imports, and what pins their environment, unless that was done.

    The archive depends on the files alone: sorted, without owners or times.
    """
    path = archive_path(code)
    with _storing:
        if not path.exists():
            _pack(path, Sources(PACKAGE).files(_START, *entries(command)))
    return path


def _pack(path: Path, sources: Iterable[Path]) -> None:
    files = {f"src/{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file for file in sources}
    files |= {name: Path(name) for name in _PROJECT_FILES if Path(name).is_file()}
    with replacing(path) as partial, tarfile.open(partial, "w:xz") as archive:
        for name in sorted(files):
            content = files[name].read_bytes()
            entry = tarfile.TarInfo(name)  # mode 644, time 0, no owner
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
