"""Where the code of this process lies, what it is now, and where the code of an old record is found again.

Sources of a clean tree are in git. Those of a tree that differs from its commit are archived, once for each
fingerprint, so that what it gave can still be repeated.
"""

import io
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import LosslessError
from ..files.atomic import replacing
from ..files.digests import sha256
from .circumstances import git
from .code.entries import code_in, entries
from .code.fingerprint import PACKAGE, Sources
from .jobs import RESULTS, Place

# What `python -m lossless_snn` runs, and what the environment was made from.
_START = "lossless_snn.__main__"
_PROJECT_FILES = ("pyproject.toml", "requirements.lock")
_ARCHIVES = RESULTS / "sources"
# How many commits are looked through for the sources of a record, each in some tenths of a second.
_COMMITS = 200


def require_own_folder(folder: Path = Path()) -> None:
    """See that the code of this process is that of the project in `folder`, where a project is.

    Raises:
        LosslessError: Another checkout's code was loaded, by its virtual environment or by PYTHONPATH.
    """
    own = folder.resolve() / "src" / PACKAGE.name
    if own.is_dir() and own != PACKAGE.resolve():
        raise LosslessError(
            f"{folder.resolve()}: the code that runs is that of {PACKAGE.resolve().parents[1]}; use this folder's "
            f"environment (`make setup`), or PYTHONPATH={own.parent}"
        )


def source_digests() -> dict[str, str]:
    """SHA-256 of every source file of the package, by its path in it, as they are on disk now."""
    return {path.relative_to(PACKAGE).as_posix(): sha256(path) for path in sorted(PACKAGE.rglob("*.py"))}


def present_code(command: str) -> str:
    """The fingerprint of a command line's code as it is on disk now, whatever this process has read before."""
    return _fingerprint(entries(command), tuple(source_digests().items()))


def present_codes() -> Callable[[str], str]:
    """What gives the fingerprint of each command line's code as it is on disk now, and reads that once."""
    digests = tuple(source_digests().items())
    return lambda command: _fingerprint(entries(command), digests)


@lru_cache(maxsize=64)
def _fingerprint(starts: tuple[str, ...], digests: tuple[tuple[str, str], ...]) -> str:
    return _sources(digests).fingerprint(*starts)


@lru_cache(maxsize=1)
def _sources(digests: tuple[tuple[str, str], ...]) -> Sources:
    return Sources(PACKAGE)


def archive_path(code: str) -> Path:
    """Where the sources with fingerprint `code` are archived, if they are."""
    return _ARCHIVES / f"{code}.tar.xz"


def archives() -> list[Path]:
    """All archives of sources, sorted."""
    return sorted(_ARCHIVES.glob("*.tar.xz"))


def keep_sources(code: str, command: str) -> None:
    """Archive the sources of a command line, with what pins their environment, unless git or an archive has them.

    The archive depends on the files alone: sorted, without owners or times.
    """
    if archive_path(code).exists():
        return
    files = Sources(PACKAGE).files(_START, *entries(command))
    files += [path for name in _PROJECT_FILES if (path := Path(name)).is_file()]
    if not _committed(files):
        _pack(archive_path(code), files)


def unpack_sources(place: Place, code: str, command: str, folder: Path) -> str:
    """Put the sources that a record's job ran into `folder`, as a project has them.

    They are taken from the archive, or else from the newest commit that wrote the file of records, or else
    from the newest that changed the sources, of those whose sources have the fingerprint.

    Args:
        place: Where the record is.
        code: The fingerprint that the sources must have.
        command: The record's command line.
        folder: An empty folder.

    Returns:
        Where they were found: an archive, or a commit.

    Raises:
        LosslessError: Neither archive nor history has them, or the archive is damaged.
    """
    archive = archive_path(code)
    if archive.is_file():
        try:
            with tarfile.open(archive) as content:
                _extract(content, folder)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise LosslessError(f"{archive}: no archive of sources ({error}); `git checkout {archive}`") from None
        if code_in(folder, command) != code:
            raise LosslessError(f"{archive}: not the sources with that fingerprint; `git checkout {archive}`")
        return str(archive)
    for commit in _commits(place.file):
        with TemporaryDirectory() as tree:
            if _checkout(commit, Path(tree)) and code_in(Path(tree), command) == code:
                _checkout(commit, folder)
                return f"commit {commit[:12]}"
    raise LosslessError(f"{place}: neither {archive} nor git's history has the sources with fingerprint {code}")


def archive_fault(code: str, command: str) -> str | None:
    """What is wrong with the archive of a record's sources, if there is one and something is."""
    if not archive_path(code).is_file():
        return None
    with TemporaryDirectory() as folder:
        try:
            unpack_sources(Place(Path(), ""), code, command, Path(folder))
        except LosslessError as error:
            return str(error)
    return None


def _committed(files: Iterable[Path]) -> bool:
    """Whether git's HEAD has all the files as they are."""
    paths = [path.resolve() for path in files]
    if not all(path.is_relative_to(Path.cwd().resolve()) for path in paths):
        return False
    return git("status", "--porcelain", "--untracked-files=all", "--", *map(str, paths)) == ""


def _commits(file: Path) -> Iterator[str]:
    """Commits in which the sources of a record in `file` may be, those that wrote it first."""
    logs = (
        git("log", f"--max-count={_COMMITS}", "--format=%H", "--", place)
        for place in (str(file), f"src/{PACKAGE.name}")
    )
    commits = chain.from_iterable((log or "").split() for log in logs)
    seen = set()
    for commit in commits:
        tree = git("rev-parse", f"{commit}:src/{PACKAGE.name}")
        if tree is not None and tree not in seen:
            seen.add(tree)
            yield commit


def _checkout(commit: str, folder: Path) -> bool:
    """Put the sources of a commit into `folder`; whether it has any."""
    names = git("ls-tree", "--name-only", commit, f"src/{PACKAGE.name}", *_PROJECT_FILES)
    if not names:
        return False
    command = ["git", "archive", "--format=tar", commit, *names.splitlines()]
    packed = subprocess.run(command, capture_output=True, check=False)
    if packed.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as content:
        _extract(content, folder)
    return True


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    # Early releases of Python 3.11 know no filters.
    archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # noqa: S202


def _pack(path: Path, files: Iterable[Path]) -> None:
    named = {}
    for file in files:
        inside = file.is_relative_to(PACKAGE)
        named[f"src/{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}" if inside else file.as_posix()] = file
    with replacing(path) as partial, tarfile.open(partial, "w:xz") as archive:
        for name in sorted(named):
            content = named[name].read_bytes()
            entry = tarfile.TarInfo(name)  # mode 644, time 0, no owner
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
