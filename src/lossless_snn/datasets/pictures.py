"""Folders of pictures, `train/<class>/*` and `test/<class>/*`, as arrays.

Hidden files, and those that file managers leave behind, count as not there.
"""

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
from tqdm import tqdm

from ..errors import LosslessError
from ..networks.notation import Shape
from .spec import ImageFolder, Split

SPLITS: tuple[Split, ...] = get_args(Split)
FORMATS = ("PNG", "JPEG")

_LEFT_BEHIND = {"thumbs.db", "desktop.ini"}
# What converts to the mode on the left without loss, where nothing is transparent.
_CONVERTIBLE = {"L": ("L", "LA"), "RGB": ("RGB", "RGBA", "P")}


@dataclass(frozen=True)
class Entry:
    """What lies below train/ or test/: `name` relative to the data set's folder, with "/" at the end of a folder's.

    Size in bytes and time of the last change in nanoseconds; 0 and 0 of a folder.
    """

    name: str
    size: int = 0
    changed: int = 0


def entries(folder: Path) -> list[Entry]:
    """All that lies in the folder's splits and in their classes, sorted by name.

    Raises LosslessError for what cannot be read.
    """
    try:
        return sorted(_entries(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise LosslessError(f"{error.filename}: {error.strerror}") from None


def _entries(folder: Path) -> Iterator[Entry]:
    for split in SPLITS:
        if not (folder / split).is_dir():
            continue
        for outer in _visible(folder / split):
            yield _entry(split, outer)
            if outer.is_dir():
                yield from (_entry(f"{split}/{outer.name}", inner) for inner in _visible(outer))


def _entry(parent: str, found: os.DirEntry) -> Entry:
    if found.is_dir():
        return Entry(f"{parent}/{found.name}/")
    status = found.stat()
    return Entry(f"{parent}/{found.name}", status.st_size, status.st_mtime_ns)


def _visible(folder: str | Path | os.DirEntry) -> list[os.DirEntry]:
    with os.scandir(folder) as found:
        return [e for e in found if not e.name.startswith(".") and e.name.lower() not in _LEFT_BEHIND]


def listing_digest(found: Iterable[Entry]) -> str:
    """SHA-256 over names and sizes: notices at once what was added, removed or replaced by another size."""
    return hashlib.sha256(b"".join(os.fsencode(f"{entry.size}  {entry.name}\n") for entry in found)).hexdigest()


def state_digest(found: Iterable[Entry]) -> str:
    """SHA-256 over names, sizes and times of change: the same for as long as nobody has written to a file."""
    lines = (os.fsencode(f"{entry.size} {entry.changed}  {entry.name}\n") for entry in found)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def content_digest(digests: dict[str, str]) -> str:
    """SHA-256 over names and contents: of the lines that `sha256sum` prints for the files, sorted by name."""
    return hashlib.sha256(b"".join(os.fsencode(f"{digests[n]}  {n}\n") for n in sorted(digests))).hexdigest()


def read_digests(folder: Path, found: Iterable[Entry]) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    names = [entry.name for entry in found if not entry.name.endswith("/")]
    return {name: hashlib.sha256(_content(folder, name)).hexdigest() for name in names}


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise LosslessError(f"{folder / name}: {error.strerror}") from None


@dataclass(frozen=True)
class Arrangement:
    """Class names, sorted, and for each split the names of its pictures, class by class."""

    classes: tuple[str, ...]
    pictures: dict[Split, dict[str, list[str]]]


def arrange(spec: ImageFolder, folder: Path, found: list[Entry]) -> Arrangement:
    """Pictures by split and class.

    Raises LosslessError, naming file or folder, where a split or a class is missing or empty, where
    the classes are not those of the description, and for what lies where no picture belongs.
    """
    pictures: dict[Split, dict[str, list[str]]] = {split: {} for split in SPLITS}
    for entry in found:
        split, name, *rest = entry.name.split("/")
        if not rest:
            raise LosslessError(f"{folder / entry.name}: lies in no folder of a class (expected {split}/<class>/*)")
        if rest == [""]:
            pictures[split][name] = []
        elif rest[-1] == "":
            raise LosslessError(f"{folder / entry.name}: a folder among the pictures of a class; take it out")
        else:
            pictures[split][name].append(entry.name)
    for split, classes in pictures.items():
        if not any(classes.values()):
            raise LosslessError(f"{folder / split}: no pictures (expected {split}/<class>/*)")
    names = sorted({name for classes in pictures.values() for name in classes})
    _check_classes(spec, folder, names)
    for split, classes in pictures.items():
        for name in names:
            if name not in classes:
                others = " and ".join(str(folder / other) for other in SPLITS if other != split)
                raise LosslessError(f"{folder / split / name}: no such folder, but {others} has this class")
            if not classes[name]:
                raise LosslessError(f"{folder / split / name}: a class without pictures")
    return Arrangement(tuple(names), pictures)


def _check_classes(spec: ImageFolder, folder: Path, names: list[str]) -> None:
    if spec.class_names is not None:
        for name in spec.class_names:
            if name not in names:
                raise LosslessError(f"{folder / 'train' / name}: no such folder, but {spec.description} has this class")
        for name in names:
            if name not in spec.class_names:
                raise LosslessError(f"{folder}: class '{name}' is not among the classes of {spec.description}")
    elif len(names) != spec.classes:
        shown = ", ".join(names if len(names) <= 12 else [*names[:12], "..."])
        raise LosslessError(f"{folder}: {len(names)} classes ({shown}), but {spec.description} says {spec.classes}")


def in_order(names: Iterable[str]) -> list[str]:
    """Pictures by the SHA-256 of their names, so that the first n of them, and the last, are a fair mixture."""
    return sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest())


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 (N, C, H, W), labels uint8 (N,), and the SHA-256 of each file by its name."""

    pixels: np.ndarray
    labels: np.ndarray
    digests: dict[str, str]


def decode(spec: ImageFolder, folder: Path, arrangement: Arrangement, split: Split) -> Decoded:
    """The pictures of one split, in their order; raises LosslessError for the first that is none or does not fit."""
    classes = arrangement.pictures[split]
    label_of = {name: arrangement.classes.index(label) for label, names in classes.items() for name in names}
    names = in_order(label_of)
    pixels, digests = np.empty((len(names), *spec.shape), np.uint8), {}
    for index, name in enumerate(tqdm(names, f"{spec.name}: {split}", unit=" pictures", disable=None, leave=False)):
        content = _content(folder, name)
        digests[name] = hashlib.sha256(content).hexdigest()
        pixels[index] = read_picture(content, spec.shape, folder / name)
    return Decoded(pixels, np.array([label_of[name] for name in names], np.uint8), digests)


def read_picture(content: bytes, shape: Shape, path: Path) -> np.ndarray:
    """The picture in a PNG or JPEG file's `content` as uint8 (C, H, W).

    Grey for C = 1, RGB for C = 3. A palette's colours, and an alpha channel that is opaque
    everywhere, convert without loss; whatever else has another mode is refused, and so is another
    size than that of `shape`: how to convert it is for its owner to decide. Raises LosslessError
    naming `path`.
    """
    from PIL import Image  # only where there is something to decode

    mode = "L" if shape[0] == 1 else "RGB"
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.size != (shape[2], shape[1]):
                found = f"{image.height} x {image.width} pixels (height x width)"
                raise LosslessError(f"{path}: {found}, but all pictures must be {shape[1]} x {shape[2]}")
            if image.mode not in _CONVERTIBLE[mode]:
                raise LosslessError(f"{path}: mode {image.mode}, but all pictures must be {_title(mode)}")
            image.load()
            if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
                raise LosslessError(f"{path}: has transparent pixels; put it on a background of your choice")
            pixels = np.asarray(image.convert(mode))
    except Image.UnidentifiedImageError:
        raise LosslessError(f"{path}: not a picture in PNG or JPEG format") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LosslessError(f"{path}: a damaged picture ({' '.join(str(error).split())})") from None
    return pixels.reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1)


def _title(mode: str) -> str:
    return {"L": "grey with 8 bits a pixel (mode L)", "RGB": "colour with 8 bits a channel (mode RGB)"}[mode]
