"""Records of jobs: what each claims to have made, from what and how. One file an experiment and budget, in git.

A record holds nothing that differs when the same job is run again: when and where it ran is in
`circumstances`. Jobs that run side by side, also on several machines, write to one file under a lock.
"""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError
from pydantic_core import PydanticCustomError

from ..errors import LosslessError
from ..files.atomic import write_json
from ..files.locks import locked
from ..files.reading import read_text_if_any
from .code.fingerprint import DIGITS
from .jobs import RESULTS, Job, Place
from .sources import present_code

FORMAT = 2
_MEND = "make what it belongs to again"


class _File(BaseModel):
    """One file by its content."""

    model_config = ConfigDict(strict=True)

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: NonNegativeInt


def _readable(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise PydanticCustomError("command_line", "{fault}", {"fault": str(error)}) from None
    return command


class _Wildcards(BaseModel):
    """What the job is for: its budget at the least, which says where the record is."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    budget: str


class _Record(BaseModel):
    """A record, docs/provenance.md."""

    model_config = ConfigDict(extra="forbid")

    rule: str
    wildcards: _Wildcards
    params: dict[str, Any]
    command: Annotated[str, Field(pattern="^lossless-snn "), AfterValidator(_readable)]
    code: Annotated[str, Field(pattern=f"^[0-9a-f]{{{DIGITS}}}$")]
    inputs: dict[str, _File]
    outputs: Annotated[dict[str, _File], Field(min_length=1)]
    arithmetic: str | None = None
    device: str | None = None
    threads: int | None = None
    processor: str | None = None
    versions: dict[str, str | None]


class Records:
    """All records that are asked for, each file read once."""

    def __init__(self) -> None:
        self._files: dict[Path, dict[str, Any] | LosslessError] = {}

    def __getitem__(self, place: Place) -> dict[str, Any]:
        """The record at `place`.

        Raises:
            LosslessError: It is missing, or no record.
        """
        jobs = self._jobs(place.file)
        if place.name not in jobs:
            raise LosslessError(f"{place}: no such record")
        return _checked(place, jobs[place.name])

    def places(self, files: Iterable[Path]) -> list[Place]:
        """Where the records of `files` are, sorted; raises LosslessError for a file that cannot be read."""
        return sorted(Place(file, name) for file in files for name in self._jobs(file))

    def made(self, path: str) -> tuple[Place, dict[str, Any]] | None:
        """The record that says that a file below results/ was made, with its place; None if none says so.

        Raises:
            LosslessError: No sound record says so, and a damaged one might.
        """
        parts, damage = Path(path).parts, []
        for file in (Path(*parts[:3], "provenance.json"), Path(*parts[:2], "provenance.json")):
            try:
                for place in self._claimants(file, path):
                    return place, self[place]
            except LosslessError as error:
                damage.append(error)
        if damage:
            raise damage[0]
        return None

    def _claimants(self, file: Path, path: str) -> list[Place]:
        """Places in `file` of records that name `path` as made, else of those that are too damaged to tell."""
        outputs = {
            name: record.get("outputs") if isinstance(record, dict) else None
            for name, record in self._jobs(file).items()
        }
        naming = [name for name, made in outputs.items() if isinstance(made, dict) and path in made]
        return [
            Place(file, name) for name in naming or (name for name in outputs if not isinstance(outputs[name], dict))
        ]

    def _jobs(self, file: Path) -> dict[str, Any]:
        if file not in self._files:
            try:
                self._files[file] = _read(file)
            except LosslessError as error:
                self._files[file] = error
        found = self._files[file]
        if isinstance(found, LosslessError):
            raise found
        return found


def record_files(places: Iterable[Path] = (RESULTS,)) -> list[Path]:
    """All files of records at or below `places`, sorted."""
    return sorted({path for place in places for path in [place, *place.rglob("*.json")] if _is_record_file(path)})


def write_record(place: Place, record: Mapping[str, Any] | None) -> None:
    """Put a record, or none, in place of the one that is there, and leave the others as they are.

    Raises:
        LosslessError: The file that is there is damaged, or its file system knows no locks.
    """
    # Not on the file itself, which is replaced.
    with locked(place.file.parent / "jobs" / "provenance.lock"):
        jobs = _read(place.file)
        if record is None and place.name not in jobs:
            return
        jobs.pop(place.name, None)
        if record is not None:
            jobs[place.name] = dict(record)
        if jobs:
            write_json(place.file, {"format": FORMAT, "jobs": dict(sorted(jobs.items()))})
        else:
            place.file.unlink()


def recorded_job(place: Place, record: Mapping[str, Any], code_of: Callable[[str], str] = present_code) -> Job:
    """The job that a record is of, with the fingerprint that its code would have now, by `code_of` its command line.

    Raises:
        LosslessError: There is no such command, or a parameter is no JSON and looks like it.
    """
    command = record["command"]
    try:
        return Job.described(
            record["rule"],
            record["wildcards"],
            record["params"],
            code_of(command),
            record["inputs"],
            record["outputs"],
            command,
        )
    except ValueError as error:
        part = "params" if isinstance(error, json.JSONDecodeError) else "command"
        raise LosslessError(f"{place}: {part}: {error}; {_MEND}") from None


def _is_record_file(path: Path) -> bool:
    return path.name == "provenance.json" and path.is_relative_to(RESULTS) and path.is_file()


def _read(file: Path) -> dict[str, Any]:
    """Records by their jobs' names, not checked one by one; none without the file."""
    text = read_text_if_any(file)
    if text is None:
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LosslessError(f"{file}: not JSON ({error}); `git checkout {file}`, or delete it") from None
    jobs = content.get("jobs") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(jobs, dict):
        raise LosslessError(f"{file}: no records of format {FORMAT}; `git checkout {file}`, or delete it")
    return jobs


def _checked(place: Place, record: Any) -> dict[str, Any]:
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        inside = ".".join(map(str, first["loc"]))
        raise LosslessError(f"{place}: {inside}: {first['msg']}; {_MEND}") from None
    if both := record["inputs"].keys() & record["outputs"].keys():
        raise LosslessError(f"{place}: {min(both)} is made from itself; {_MEND}")
    return record
