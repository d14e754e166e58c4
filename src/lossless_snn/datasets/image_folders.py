"""Folders of pictures, NAME/train/CLASS/* and NAME/test/CLASS/*, as data sets.

Pictures are decoded once, one at a time, into IDX files that a manifest vouches for. Hidden files, and those
that file managers leave behind, count as not there.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from ..errors import LosslessError
from ..files.atomic import replacing, write_json, write_text
from ..files.digests import sha256
from . import idx
from .pictures import printable, read_picture
from .spec import DECODED_FILES, MANIFEST, ImageFolder, Split, decoded_paths

ALREADY_THERE = "already there"
SPLITS: tuple[Split, ...] = get_args(Split)
# Ten times what the largest picture takes that a description may ask for, without any compression.
LARGEST_FILE = 64 << 20
_LARGEST_MANIFEST = 1 << 20

_LEFT_BEHIND = {"thumbs.db", "desktop.ini"}
# Not in the manifest, because it differs from machine to machine.
_SEEN = ".seen"

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Counts = dict[str, Annotated[int, Field(ge=1)]]


class Manifest(BaseModel):
    """What the decoded files are of.

    Attributes:
        layout: Another number where the same pictures give other files.
        pictures: SHA-256 over the pictures' names and contents, see `content_digest`.
        listing: SHA-256 over their names and sizes, see `PictureFolder.listing`.
        shape: The shape (C, H, W) of each.
        classes: Names of the classes; an image's label is the place of its class.
        counts: Pictures of each class by split.
        files: SHA-256 of the decoded files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    layout: Literal[1] = 1
    pictures: _Digest
    listing: _Digest
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    counts: dict[Split, _Counts]
    files: dict[str, _Digest]


@dataclass(frozen=True)
class PictureFolder:
    """What lies in a folder of pictures.

    Attributes:
        path: The folder.
        classes: Names of the classes' folders in each split, sorted.
        files: Size in bytes and time of the last change in nanoseconds, by "split/class/name".
    """

    path: Path
    classes: dict[Split, list[str]] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    def listing(self) -> str:
        """SHA-256 over names and sizes: notices at once what was added, removed or replaced by another size."""
        folders = {f"{split}/{name}/": 0 for split, names in self.classes.items() for name in names}
        sizes = folders | {name: size for name, (size, _) in self.files.items()}
        return _digest(f"{sizes[name]}  {name}" for name in sorted(sizes))

    def state(self) -> str:
        """SHA-256 over names, sizes and times of change: the same for as long as nobody has written to a file."""
        return _digest(f"{size} {changed}  {name}" for name, (size, changed) in sorted(self.files.items()))

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def labels(self, split: Split) -> dict[str, int]:
        """The split's pictures and the places of their classes, in the order in which they are stored.

        By the SHA-256 of their names: so the first n of them, and the last, are a fair mixture.
        """
        names = in_order(name for name in self.files if name.startswith(f"{split}/"))
        return {name: self.classes[split].index(name.split("/")[1]) for name in names}


def in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())


def content_digest(digests: dict[str, str]) -> str:
    """SHA-256 over names and contents: of the lines that `sha256sum` prints for the files, sorted by name."""
    return _digest(f"{digests[name]}  {name}" for name in sorted(digests))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(os.fsencode(f"{line}\n") for line in lines)).hexdigest()


def prepare(spec: ImageFolder, destination: Path, local: Path | None = None) -> str:
    """Make the decoded pictures of a data set present and verified; returns where they came from.

    Pictures are decoded where no cache matches names and contents of all of them; a cache that is whole serves
    without pictures. Contents are compared once, and again after a time of change has moved: reading sixty
    thousand small files takes a minute where they are not in memory.

    Args:
        spec: The data set.
        destination: The folder below which the decoded files lie.
        local: Where the pictures may lie as well: they are in `destination`/NAME or in `local`/NAME, the first
            of them that exists.

    Raises:
        LosslessError: There is neither a cache nor a picture; or a picture, class or folder cannot be used.
    """
    try:
        return _prepare(spec, destination, local)
    except OSError as error:
        raise LosslessError(f"{printable(error.filename or destination)}: {error.strerror}") from None


def present_listing(name: str, destination: Path, local: Path | None = None) -> str | None:
    """The digest of the pictures' names and sizes; of those that were decoded, where none are at hand."""
    folder = picture_folder(name, destination, local)
    if folder:
        return scan(folder).listing()
    manifest = read_manifest(decoded_paths(name, destination)[MANIFEST])
    return manifest and manifest.listing


def picture_folder(name: str, destination: Path, local: Path | None = None) -> Path | None:
    """Where the pictures of a data set lie; None if they are not at hand."""
    folders = (root / name for root in _roots(destination, local))
    return next((folder for folder in folders if any((folder / split).is_dir() for split in SPLITS)), None)


def _roots(destination: Path, local: Path | None) -> list[Path]:
    return [destination] if local is None else [destination, local.expanduser()]


def scan(path: Path) -> PictureFolder:
    """What lies in a folder of pictures; raises LosslessError for what does not belong there."""
    found = PictureFolder(path)
    try:
        for split in SPLITS:
            folders = sorted(_visible(path / split))
            found.classes[split] = [folder.name for folder in folders]
            for folder in folders:
                _check_class(folder, split)
                for file in _visible(folder):
                    found.files[f"{split}/{folder.name}/{file.name}"] = _size_and_change(file)
    except OSError as error:
        raise LosslessError(f"{printable(error.filename)}: {error.strerror}") from None
    return found


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none."""
    found = folder.iterdir() if folder.is_dir() else ()
    return [path for path in found if not path.name.startswith(".") and path.name.lower() not in _LEFT_BEHIND]


def _check_class(folder: Path, split: Split) -> None:
    if not folder.is_dir():
        raise LosslessError(f"{printable(folder)}: lies in no folder of a class (expected {split}/<class>/*)")
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        raise LosslessError(f"{printable(folder)}: a class whose name is no UTF-8; rename the folder") from None


def _size_and_change(file: Path) -> tuple[int, int]:
    status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        raise LosslessError(f"{printable(file)}: a folder among the pictures of a class; take it out")
    if not stat.S_ISREG(status.st_mode):
        raise LosslessError(f"{printable(file)}: no regular file among the pictures of a class; take it out")
    if status.st_size > LARGEST_FILE:
        raise LosslessError(f"{printable(file)}: {status.st_size:,} bytes; a picture has {LARGEST_FILE:,} at the most")
    return status.st_size, status.st_mtime_ns


def _prepare(spec: ImageFolder, destination: Path, local: Path | None) -> str:
    cached = _cached(spec, destination)
    path = picture_folder(spec.name, destination, local)
    if path is None:
        if cached:
            return ALREADY_THERE
        places = " and ".join(printable(root / spec.name) for root in _roots(destination, local))
        raise LosslessError(
            f"{spec.name}: no pictures: looked in {places} for train/<class>/* and test/<class>/*; put them there, or "
            "name the folder that their folder lies in in LOSSLESS_SNN_DATA or in data.root of the configuration"
        )
    found, seen = scan(path), spec.paths(destination)[MANIFEST].with_name(_SEEN)
    if cached and cached.listing == found.listing():
        stamp = _stamp(found, cached)
        if seen.is_file() and seen.read_bytes() == stamp.encode():
            return ALREADY_THERE
        if cached.pictures == content_digest({name: _content_sha256(found.read(name)) for name in found.files}):
            write_text(seen, stamp)
            return ALREADY_THERE
    _check_classes(spec, found)
    write_text(seen, _stamp(found, _decode(spec, found, destination)))
    return f"decoded from {printable(path)}"


def _stamp(found: PictureFolder, manifest: Manifest) -> str:
    """What stands for "these files, as they are, have these contents"."""
    return f"{found.state()} {manifest.pictures}\n"


def _content_sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_classes(spec: ImageFolder, found: PictureFolder) -> None:
    """Raise LosslessError, naming the folder, unless both splits have pictures of all classes of the description."""
    train, test = (found.path / split for split in SPLITS)
    full = {tuple(name.split("/")[:2]) for name in found.files}
    for split in SPLITS:
        if not any((split, name) in full for name in found.classes[split]):
            raise LosslessError(f"{printable(found.path / split)}: no pictures (expected {split}/<class>/*)")
    names = sorted({name for classes in found.classes.values() for name in classes})
    if spec.class_names is None and len(names) != spec.classes:
        shown = printable(", ".join(names if len(names) <= 12 else [*names[:12], "..."]))
        raise LosslessError(
            f"{printable(found.path)}: {len(names)} classes ({shown}), but {spec.description} says {spec.classes}"
        )
    for name in spec.class_names or ():
        if name not in names:
            raise LosslessError(f"{printable(train / name)}: no such folder, but {spec.description} has this class")
    for name in names:
        if name not in (spec.class_names or names):
            raise LosslessError(
                f"{printable(found.path)}: class '{printable(name)}' is not among the classes of {spec.description}"
            )
        for split, folder, other in (("train", train, test), ("test", test, train)):
            if name not in found.classes[split]:
                raise LosslessError(f"{printable(folder / name)}: no such folder, but {printable(other)} has this class")
            if (split, name) not in full:
                raise LosslessError(f"{printable(folder / name)}: a class without pictures")


def _decode(spec: ImageFolder, found: PictureFolder, destination: Path) -> Manifest:
    """Write the IDX files, one picture in memory at a time, and last the manifest; returns that."""
    paths, files, digests, counts = spec.paths(destination), {}, {}, {}
    for split in SPLITS:
        labels = found.labels(split)
        images, classes = (paths[name] for name in DECODED_FILES[split])
        with replacing(images) as partial, partial.open("wb") as stream:
            stream.write(idx.header((len(labels), *spec.shape)))
            for name in tqdm(labels, f"{spec.name}: {split}", unit=" pictures", disable=None, leave=False):
                content = found.read(name)
                digests[name] = _content_sha256(content)
                stream.write(read_picture(content, spec.shape, found.path / name).tobytes())
        with replacing(classes) as partial:
            idx.write(partial, np.array(list(labels.values()), np.uint8))
        files |= {path.name: sha256(path) for path in (images, classes)}
        counts[split] = _counts(list(labels.values()), found.classes[split])
    manifest = Manifest(
        pictures=content_digest(digests),
        listing=found.listing(),
        shape=spec.shape,
        classes=tuple(found.classes["train"]),
        counts=counts,
        files=files,
    )
    write_json(paths[MANIFEST], manifest.model_dump(mode="json"))
    return manifest


def _counts(labels: np.ndarray | list[int], classes: Iterable[str]) -> _Counts:
    return {name: int((np.asarray(labels) == label).sum()) for label, name in enumerate(classes)}


def _cached(spec: ImageFolder, destination: Path) -> Manifest | None:
    """The manifest, if it fits the description and all files are as it says; else None, having said what is damaged."""
    paths = spec.paths(destination)
    manifest = read_manifest(paths[MANIFEST])
    if manifest is None or manifest.shape != spec.shape or len(manifest.classes) != spec.classes:
        return None
    if spec.class_names not in (None, manifest.classes) or set(manifest.counts) != set(SPLITS):
        return None
    for name in [name for pair in DECODED_FILES.values() for name in pair]:
        if not paths[name].is_file() or sha256(paths[name]) != manifest.files.get(name):
            print(f"lossless-snn: {paths[name]}: missing or damaged, decoding the pictures again", file=sys.stderr)
            return None
    return manifest if all(_agrees(manifest, paths, split) for split in SPLITS) else None


def _agrees(manifest: Manifest, paths: dict[str, Path], split: Split) -> bool:
    """Whether a split's files have the images that the manifest counts."""
    images, labels = (paths[name] for name in DECODED_FILES[split])
    found, counts = idx.read(labels), manifest.counts[split]
    header = idx.header((len(found), *manifest.shape))
    with images.open("rb") as stream:
        fits = stream.read(len(header)) == header and found.shape == (sum(counts.values()),)
    return fits and _counts(found, manifest.classes) == counts


def read_manifest(path: Path) -> Manifest | None:
    """The manifest; None if it is missing, is no regular file, or holds anything else."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_MANIFEST:
            return None
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
