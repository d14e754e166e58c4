"""The code that a job ran, kept once for each fingerprint: what an uncommitted tree gave can still be repeated."""

import io
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock

from ..files.atomic import replacing
from .fingerprint import PACKAGE, Sources
from .jobs import RESULTS

# The command line itself, which every job enters by, and what the environment was made from.
_ENTRY = ("lossless_snn.__main__", "lossless_snn.cli.main")
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


def present_code(modules: Iterable[str]) -> str:
    """The fingerprint of `modules` as they are on disk now, whatever this process has read before."""
    return _fingerprint(tuple(modules), _contents())


def _contents() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(PACKAGE.rglob("*.py")))


@lru_cache(maxsize=64)
def _fingerprint(modules: tuple[str, ...], contents: tuple[bytes, ...]) -> str:
    return Sources(PACKAGE).fingerprint(*modules)


def keep_sources(code: str, modules: Iterable[str]) -> Path:
    """Store all modules that `modules` import, and what pins their environment, unless that was done before.

    The archive depends on the files alone: sorted, without owners or times.
    """
    path = archive_path(code)
    with _storing:
        if not path.exists():
            _pack(path, Sources(PACKAGE).files(*_ENTRY, *modules))
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
