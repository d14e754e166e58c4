"""Image folders as data sets: pictures decoded once, into IDX files that a manifest vouches for."""

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import LosslessError
from ..files.atomic import replacing, write_json, write_text
from ..files.digests import sha256
from . import idx
from .pictures import (
    SPLITS,
    Entry,
    arrange,
    content_digest,
    decode,
    entries,
    listing_digest,
    read_digests,
    state_digest,
)
from .spec import DECODED_FILES, MANIFEST, ImageFolder, decoded_paths

ALREADY_THERE = "already there"

# Another number where the same pictures give other files.
_LAYOUT = 1
# Not in the manifest, because it differs from machine to machine.
_SEEN = ".seen"
_ENTRIES = ["layout", "pictures", "listing", "shape", "classes", "counts", "files"]


def prepare(spec: ImageFolder, destination: Path, local: Path | None = None) -> str:
    """Make the decoded pictures of a data set present and verified below `destination`; returns their origin.

    The pictures lie in `destination`/NAME or in `local`/NAME, the first of them that exists. They are
    decoded where no cache matches names and contents of all of them; a cache that is whole
    serves without pictures. Contents are compared once, and again after a time of change has moved:
    reading sixty thousand small files takes a minute where they are not in memory. Raises
    LosslessError where there is neither, and for pictures that cannot be used, see `pictures`.
    """
    cached = _cached(spec, destination)
    folder = picture_folder(spec.name, destination, local)
    if folder is None:
        if cached:
            return ALREADY_THERE
        places = " and ".join(map(str, _candidates(spec.name, destination, local)))
        raise LosslessError(
            f"{spec.name}: no pictures: looked in {places} for train/<class>/* and test/<class>/*; put them there, or "
            "name the folder that their folder lies in in LOSSLESS_SNN_DATA or in data.root of the configuration"
        )
    found = entries(folder)
    seen = spec.paths(destination)[MANIFEST].with_name(_SEEN)
    if cached and _are_decoded(folder, found, cached, seen):
        return ALREADY_THERE
    write_text(seen, _stamp(found, _decode(spec, folder, found, destination)))
    return f"decoded from {folder}"


def _candidates(name: str, destination: Path, local: Path | None) -> list[Path]:
    roots = [destination] if local is None else [destination, local.expanduser()]
    return [root / name for root in roots]


def picture_folder(name: str, destination: Path, local: Path | None = None) -> Path | None:
    """Where the pictures of a data set lie; None if they are not at hand."""
    candidates = _candidates(name, destination, local)
    return next((folder for folder in candidates if any((folder / split).is_dir() for split in SPLITS)), None)


def present_listing(name: str, destination: Path, local: Path | None = None) -> str | None:
    """The digest of the pictures' names and sizes; of those that were decoded, where none are at hand."""
    folder = picture_folder(name, destination, local)
    if folder:
        return listing_digest(entries(folder))
    return (_read_manifest(decoded_paths(name, destination)[MANIFEST]) or {}).get("listing")


def _decode(spec: ImageFolder, folder: Path, found: list[Entry], destination: Path) -> dict[str, Any]:
    """Write the IDX files, one split in memory at a time, and last the manifest; returns that."""
    arrangement = arrange(spec, folder, found)
    paths, files, digests = spec.paths(destination), {}, {}
    for split in SPLITS:
        decoded = decode(spec, folder, arrangement, split)
        digests |= decoded.digests
        for name, array in zip(DECODED_FILES[split], (decoded.pixels, decoded.labels), strict=True):
            with replacing(paths[name]) as partial:
                idx.write(partial, array)
                files[name] = sha256(partial)
    manifest = {
        "layout": _LAYOUT,
        "pictures": content_digest(digests),
        "listing": listing_digest(found),
        "shape": list(spec.shape),
        "classes": list(arrangement.classes),
        "counts": {s: {name: len(names) for name, names in arrangement.pictures[s].items()} for s in SPLITS},
        "files": files,
    }
    write_json(paths[MANIFEST], manifest)
    return manifest


def _are_decoded(folder: Path, found: list[Entry], manifest: dict[str, Any], seen: Path) -> bool:
    """Whether the manifest is of these pictures, by what was `seen` last time or by their contents."""
    if manifest["listing"] != listing_digest(found):
        return False
    stamp = _stamp(found, manifest)
    if seen.is_file() and seen.read_text() == stamp:
        return True
    if manifest["pictures"] != content_digest(read_digests(folder, found)):
        return False
    write_text(seen, stamp)
    return True


def _stamp(found: list[Entry], manifest: dict[str, Any]) -> str:
    """What stands for "these files, as they are, have these contents"."""
    return f"{state_digest(found)} {manifest['pictures']}\n"


def _cached(spec: ImageFolder, destination: Path) -> dict[str, Any] | None:
    """The manifest, if it fits the description and all files are as it says; else None, having said what is damaged."""
    paths = spec.paths(destination)
    manifest = _read_manifest(paths[MANIFEST])
    if manifest is None or manifest["layout"] != _LAYOUT or manifest["shape"] != list(spec.shape):
        return None
    classes = tuple(manifest["classes"])
    if len(classes) != spec.classes or spec.class_names not in (None, classes):
        return None
    for name in [name for pair in DECODED_FILES.values() for name in pair]:
        if not paths[name].is_file() or sha256(paths[name]) != manifest["files"].get(name):
            print(f"lossless-snn: {paths[name]}: missing or damaged, decoding the pictures again", file=sys.stderr)
            return None
    return manifest


def _read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest; None if it is missing or not whole."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and list(content) == _ENTRIES else None
