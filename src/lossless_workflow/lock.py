"""dvc.lock: which checkpoints and logs belong to the commit that is checked out, and whether that holds together."""

import configparser
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, NonNegativeInt, model_validator

from lossless_snn.errors import LosslessError
from lossless_snn.files.digests import KnownDigests
from lossless_snn.files.typed import read_yaml, validate
from lossless_snn.provenance.records import Records

STAGES, LOCK = Path("dvc.yaml"), Path("dvc.lock")
_CACHE = Path(".dvc/cache")
# Made again from checkpoints rather than versioned, see .dvcignore.
_UNVERSIONED = (".snn.safetensors", ".training", ".simulation")


class _Output(BaseModel):
    """A file, or a folder as a list of files."""

    path: Annotated[str, Field(min_length=1)]
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
    size: NonNegativeInt
    nfiles: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _counts_files(self) -> "_Output":
        if self.md5.endswith(".dir") != (self.nfiles is not None):
            raise ValueError("nfiles: of a folder, and of nothing else")
        return self


class _Stage(BaseModel):
    """What one run of a stage left. What it depended on, DVC alone compares: `dvc status`."""

    cmd: Any
    deps: Annotated[list[Any], Field(min_length=1)]
    outs: Annotated[list[_Output], Field(min_length=1)]


class _Lock(BaseModel):
    """dvc.lock."""

    stages: dict[str, _Stage]


def locked_stages() -> dict[str, Any]:
    """The stages of dvc.lock by name, none without the file.

    Raises:
        LosslessError: The file cannot be read, or names anything but stages with their outputs.
    """
    if not LOCK.is_file():
        return {}
    try:
        content = read_yaml(LOCK)
    except LosslessError as error:
        raise LosslessError(f"{error}; if a merge left it so, `git checkout --ours {LOCK}` or `--theirs`") from None
    try:
        validate(_Lock, content, LOCK)
    except LosslessError as error:
        raise LosslessError(f"{error}; `git checkout {LOCK}`") from None
    return content["stages"]


def lock_faults(stages: Mapping[str, Any], known: KnownDigests) -> list[str]:
    """What is wrong with the outputs that dvc.lock names: a line for each.

    Digests and sizes are held against the objects of the default remote, where that is a folder, or of DVC's
    cache, and every file against the record of the job that made it; `known` says which need not be read again.
    Of what has a remote of its own, and is not here, the records alone tell.
    """
    folders = [folder for folder in (_default_remote(), _CACHE) if folder]
    records, elsewhere = Records(), of_other_remotes()
    return [
        fault
        for stage in stages.values()
        for output in stage["outs"]
        if not (elsewhere.fullmatch(output["path"]) and _object(output["md5"], folders, known) is None)
        for fault in (_folder_faults if output["md5"].endswith(".dir") else _file_faults)(
            output, folders, records, known
        )
    ]


def _file_faults(output: Mapping[str, Any], _: list[Path], records: Records, known: KnownDigests) -> Iterator[str]:
    """A file that git has."""
    path = Path(output["path"])
    if not path.is_file():
        yield f"{LOCK}: {path}: missing"
    elif (known.md5(path), path.stat().st_size) != (output["md5"], output["size"]):
        yield f"{LOCK}: {path}: digest or size is not the file's"


def _folder_faults(
    output: Mapping[str, Any], folders: list[Path], records: Records, known: KnownDigests
) -> Iterator[str]:
    """A folder that DVC has, as a list of files."""
    path, listing = Path(output["path"]), _object(output["md5"], folders, known)
    if listing is None:
        yield f"{LOCK}: {path}: {' and '.join(map(str, folders))} have no unaltered {output['md5']}"
        return
    files = {str(path / entry["relpath"]): entry["md5"] for entry in json.loads(listing.read_bytes())}
    size = 0
    for name, digest in sorted(files.items()):
        content = _object(digest, folders, known)
        if content is None:
            yield f"{LOCK}: {name}: {' and '.join(map(str, folders))} have no unaltered {digest}"
            return
        size += content.stat().st_size
        try:
            made = records.made(name)
        except LosslessError:
            continue  # which `verify` says of the record
        if made is None:
            yield f"{LOCK}: {name}: no record tells how it was made"
        elif known.sha256(content) != made[1]["outputs"][name]["sha256"]:
            yield f"{LOCK}: {name}: not the file that {made[0]} names"
    if (size, len(files)) != (output.get("size"), output.get("nfiles")):
        yield f"{LOCK}: {path}: size or number of files is not that of its files ({size}, {len(files)})"
    for name in sorted(_recorded_below(path, records) - files.keys()):
        yield f"{name}: recorded, but {LOCK} does not name it"


def _recorded_below(path: Path, records: Records) -> set[str]:
    """Files below a folder that records of its experiment name and DVC versions."""
    try:
        places = records.places([path.parent / "provenance.json"])
        outputs = {name for place in places for name in records[place]["outputs"]}
    except LosslessError:
        return set()
    return {name for name in outputs if Path(name).is_relative_to(path) and not name.endswith(_UNVERSIONED)}


def _object(digest: str, folders: list[Path], known: KnownDigests) -> Path | None:
    """The file with that MD5 in one of the folders, None where it is in none or altered."""
    for folder in folders:
        path = folder / "files" / "md5" / digest[:2] / digest[2:]
        if path.is_file() and known.md5(path) == digest.removesuffix(".dir"):
            return path
    return None


def of_other_remotes() -> re.Pattern:
    """The outputs that dvc.yaml gives a remote of their own; what it fills in may be any part of a path."""
    stages = yaml.safe_load(STAGES.read_text(encoding="utf-8"))["stages"] if STAGES.is_file() else {}
    outputs = [output for stage in stages.values() for output in stage["outs"] if isinstance(output, dict)]
    paths = [path for output in outputs for path, options in output.items() if "remote" in options]
    return re.compile("|".join("[^/]+".join(map(re.escape, re.split(r"\$\{.*?\}", path))) for path in paths))


def _default_remote() -> Path | None:
    """The folder that is DVC's default remote, None where that is no folder of this machine."""
    config = configparser.ConfigParser()
    config.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
    section = f"'remote \"{config.get('core', 'remote', fallback='')}\"'"
    url = config.get(section, "url", fallback="://")
    return None if "://" in url else Path(".dvc", url)
