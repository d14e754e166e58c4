"""Folders of pictures, NAME/train/CLASS/* and NAME/test/CLASS/*, as data sets.

Pictures are decoded once, one at a time, into IDX files that a manifest vouches for. Hidden files, and those
that file managers leave behind, count as not there.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tqdm import tqdm

from ..errors import LosslessError, quoted
from ..files.atomic import replacing, write_json, write_text
from ..files.digests import sha256
from . import idx
from .pictures import read_picture
from .spec import DECODED_FILES, MANIFEST, ImageFolder, Split, decoded_paths

ALREADY_THERE = "already there"
SPLITS: tuple[Split, ...] = get_args(Split)
# Ten times what the largest picture takes that a description may ask for, without any compression.
LARGEST_FILE = 64 << 20
_LARGEST_MANIFEST = 1 << 20
# Another number where the same pictures give other files.
_LAYOUT = 1

_LEFT_BEHIND = {"thumbs.db", "desktop.ini"}
# Not in the manifest, because it differs from machine to machine.
_SEEN = ".seen"

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Counts = dict[str, Annotated[int, Field(ge=1)]]


class Manifest(BaseModel):
    """What the decoded files are of.

    Attributes:
        layout: `_LAYOUT`.
        pictures: SHA-256 over the pictures' names and contents, see `content_digest`.
        listing: SHA-256 over their names and sizes, see `PictureFolder.listing`.
        shape: The shape (C, H, W) of each.
        classes: Names of the classes; an image's label is the place of its class.
        counts: Pictures of each class by split.
        files: SHA-256 of the decoded files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    layout: Annotated[int, Field(ge=_LAYOUT, le=_LAYOUT)] = _LAYOUT
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
        files: Size in bytes and time of the last change in nanoseconds, by "split/class/name", sorted.
    """

    path: Path
    classes: dict[Split, list[str]]
    files: dict[str, tuple[int, int]]

    def listing(self) -> str:
        """SHA-256 over names and sizes: notices at once what was added, removed or replaced by another size."""
        folders = {f"{split}/{name}/": 0 for split, names in self.classes.items() for name in names}
        sizes = folders | {name: size for name, (size, _) in self.files.items()}
        return _digest(f"{sizes[name]}  {name}" for name in sorted(sizes))

    def state(self) -> str:
        """SHA-256 over names, sizes and times of change: the same for as long as nobody has written to a file."""
        return _digest(f"{size} {changed}  {name}" for name, (size, changed) in self.files.items())

    def read(self, name: str) -> tuple[bytes, str]:
        """A file's content and its SHA-256."""
        content = (self.path / name).read_bytes()
        return content, hashlib.sha256(content).hexdigest()

    def labels(self, split: Split) -> dict[str, int]:
        """The split's pictures and the places of their classes, in the order in which they are stored.

        By the SHA-256 of their names: so the first n of them, and the last, are a fair mixture.
        """
        names = [name for name in self.files if name.startswith(f"{split}/")]
        names.sort(key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
        return {name: self.classes[split].index(name.split("/")[1]) for name in names}


def content_digest(digests: dict[str, str]) -> str:
    """SHA-256 over names and contents: of the lines that `sha256sum` prints for the files, sorted by name."""
    return _digest(f"{digests[name]}  {name}" for name in sorted(digests))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256(b"".join(os.fsencode(f"{line}\n") for line in lines)).hexdigest()


def prepare(spec: ImageFolder, destination: Path, local: Path | None = None) -> str:
    """Make the decoded pictures of a data set present and verified.

    Pictures are decoded where no cache matches names and contents of all of them; a cache that is whole serves
    without pictures. Contents are compared once, and again after a time of change has moved: reading sixty
    thousand small files takes a minute where they are not in memory.

    Args:
        spec: The data set.
        destination: The folder below which the decoded files lie.
        local: A second folder, below which the pictures may lie as well.

    Returns:
        Where the files came from, for a person to read.

    Raises:
        LosslessError: There is neither a cache nor a picture, or a picture, class or folder cannot be used.
    """
    try:
        cached, path = _cached(spec, destination), picture_folder(spec.name, destination, local)
        if path is None and not cached:
            places = " and ".join(str(root / spec.name) for root in (destination, local) if root)
            raise LosslessError(
                f"{spec.name}: no pictures: looked in {places} for train/<class>/* and test/<class>/*; put them there, "
                "or name the folder that their folder lies in in LOSSLESS_SNN_DATA or in data.root of the configuration"
            )
        if path is None:
            return ALREADY_THERE
        found, seen = scan(path), spec.paths(destination)[MANIFEST].with_name(_SEEN)
        if cached and _is_of(cached, found, seen):
            return ALREADY_THERE
        manifest = _decode(spec, found, destination)
        write_text(seen, f"{found.state()} {manifest.pictures}\n")
        return f"decoded from {quoted(path)}"
    except OSError as error:
        raise LosslessError(f"{error.filename or destination}: {error.strerror}") from None


def present_listing(name: str, destination: Path, local: Path | None = None) -> str | None:
    """The digest of the pictures' names and sizes; of those that were decoded, where none are at hand."""
    if folder := picture_folder(name, destination, local):
        return scan(folder).listing()
    manifest = read_manifest(decoded_paths(name, destination)[MANIFEST])
    return manifest and manifest.listing


def picture_folder(name: str, destination: Path, local: Path | None = None) -> Path | None:
    """Where the pictures of a data set lie, `destination`/NAME or `local`/NAME; None if they are not at hand."""
    folders = [root.expanduser() / name for root in (destination, local) if root]
    return next((folder for folder in folders if any((folder / split).is_dir() for split in SPLITS)), None)


def scan(path: Path) -> PictureFolder:
    """What lies in a folder of pictures; raises LosslessError for what does not belong there."""
    classes, files = {}, {}
    try:
        for split in SPLITS:
            folders = _visible(path / split)
            classes[split] = [folder.name for folder in folders]
            for folder in folders:
                if not folder.is_dir():
                    raise LosslessError(f"{folder}: lies in no folder of a class")
                if folder.name != folder.name.encode(errors="replace").decode():
                    raise LosslessError(f"{folder}: the name of a class must be UTF-8")
                files |= {f"{split}/{folder.name}/{file.name}": _size_and_change(file) for file in _visible(folder)}
    except OSError as error:
        raise LosslessError(f"{error.filename}: {error.strerror}") from None
    return PictureFolder(path, classes, dict(sorted(files.items())))


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where there is none."""
    names = os.listdir(folder) if folder.is_dir() else ()
    return [folder / name for name in sorted(names) if name[0] != "." and name.lower() not in _LEFT_BEHIND]


def _size_and_change(file: Path) -> tuple[int, int]:
    status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        raise LosslessError(f"{file}: a folder among the pictures of a class; take it out")
    if not stat.S_ISREG(status.st_mode):
        raise LosslessError(f"{file}: no regular file; take it out")
    if status.st_size > LARGEST_FILE:
        raise LosslessError(f"{file}: {status.st_size:,} bytes; a picture has {LARGEST_FILE:,} at the most")
    return status.st_size, status.st_mtime_ns


def _check_classes(spec: ImageFolder, found: PictureFolder) -> list[str]:
    """The classes; raises LosslessError unless they are those of the description, with pictures in both splits."""
    present = sorted({*found.classes["train"], *found.classes["test"]})
    if spec.class_names is None and len(present) != spec.classes:
        shown = quoted(", ".join(present))
        raise LosslessError(
            f"{found.path}: {len(present)} classes ({shown}), but {spec.description} says {spec.classes}"
        )
    expected = list(spec.class_names or present)
    if unknown := [name for name in present if name not in expected]:
        raise LosslessError(
            f"{found.path}: class '{quoted(unknown[0])}' is not among the classes of {spec.description}"
        )
    full = {tuple(name.split("/")[:2]) for name in found.files}
    for split, name in product(SPLITS, expected):
        if name not in found.classes[split]:
            why = "no such folder; every class has one in train/ and in test/"
        elif (split, name) not in full:
            why = "a class without pictures"
        else:
            continue
        raise LosslessError(f"{found.path / split / name}: {why}")
    return expected


def _decode(spec: ImageFolder, found: PictureFolder, destination: Path) -> Manifest:
    """Write the IDX files, one picture in memory at a time, and last the manifest; returns that."""
    classes, paths = _check_classes(spec, found), spec.paths(destination)
    files, digests, counts = {}, {}, {}
    for split in SPLITS:
        labels, (images_name, labels_name) = found.labels(split), DECODED_FILES[split]
        with replacing(paths[images_name]) as partial, partial.open("wb") as stream:
            stream.write(idx.header((len(labels), *spec.shape)))
            for name in tqdm(labels, f"{spec.name}: {split}", unit=" pictures", disable=None, leave=False):
                content, digests[name] = found.read(name)
                stream.write(read_picture(content, spec.shape, found.path / name).tobytes())
        with replacing(paths[labels_name]) as partial:
            idx.write(partial, np.array(list(labels.values()), np.uint8))
        files |= {name: sha256(paths[name]) for name in DECODED_FILES[split]}
        counts[split] = _counts(np.array(list(labels.values())), classes)
    manifest = Manifest(
        pictures=content_digest(digests),
        listing=found.listing(),
        shape=spec.shape,
        classes=tuple(classes),
        counts=counts,
        files=files,
    )
    write_json(paths[MANIFEST], manifest.model_dump(mode="json"))
    return manifest


def _counts(labels: np.ndarray, classes: Iterable[str]) -> dict[str, int]:
    return {name: int((labels == label).sum()) for label, name in enumerate(classes)}


def _cached(spec: ImageFolder, destination: Path) -> Manifest | None:
    """The manifest, if it fits the description and all files are as it says; else None, having said what is damaged."""
    paths = spec.paths(destination)
    manifest = read_manifest(paths[MANIFEST])
    if manifest is None or manifest.shape != spec.shape or len(manifest.classes) != spec.classes:
        return None
    if spec.class_names not in (None, manifest.classes) or manifest.counts.keys() != set(SPLITS):
        return None
    for split, names in DECODED_FILES.items():
        for path in map(paths.__getitem__, names):
            if not path.is_file() or sha256(path) != manifest.files.get(path.name):
                print(f"lossless-snn: {path}: missing or damaged, decoding the pictures again", file=sys.stderr)
                return None
        images, labels = paths[names[0]], idx.read(paths[names[1]])
        header, counts = idx.header((len(labels), *spec.shape)), manifest.counts[split]
        with images.open("rb") as stream:
            has_header = stream.read(len(header)) == header
        if not has_header or labels.shape != (sum(counts.values()),) or _counts(labels, manifest.classes) != counts:
            return None
    return manifest


def _is_of(manifest: Manifest, found: PictureFolder, seen: Path) -> bool:
    """Whether a manifest is of these pictures, by what was `seen` last time or by their contents."""
    if manifest.listing != found.listing():
        return False
    stamp = f"{found.state()} {manifest.pictures}\n"
    if seen.is_file() and seen.read_bytes() == stamp.encode():
        return True
    if manifest.pictures != content_digest({name: found.read(name)[1] for name in found.files}):
        return False
    write_text(seen, stamp)
    return True


def read_manifest(path: Path) -> Manifest | None:
    """The manifest; None if it is missing, is no regular file, or holds anything else."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_MANIFEST:
            return None
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
