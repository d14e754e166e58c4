"""Records of jobs: written around the job, so that nothing can change between its end and its record."""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from .. import __version__
from ..errors import LosslessError
from ..files.atomic import write_json
from ..files.digests import sha256
from .jobs import RESULTS, Job
from .sources import keep_sources, present_code

FORMAT = 1
_PACKAGES = ("torch", "numpy", "numba")


class _File(BaseModel):
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: int


class _Code(BaseModel):
    fingerprint: str
    sources: Annotated[dict[str, str], Field(min_length=1)]


class _Git(BaseModel):
    commit: str
    dirty: bool


class _Record(BaseModel):
    """What is read from a record, docs/provenance.md; how the job computed may be added."""

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    command: str
    code: _Code
    inputs: dict[str, _File]
    outputs: Annotated[dict[str, _File], Field(min_length=1)]
    versions: dict[str, str | None]
    git: _Git | None
    started: str
    seconds: float


@contextmanager
def recording(job: Job) -> Iterator[None]:
    """Run the block as `job` and write the job's record if it succeeds; a failed job leaves none.

    Inputs are read before the block, outputs right after it. Code that was edited since the
    workflow took its fingerprint is not what the fingerprint says: then there is no record either.
    """
    job.record.unlink(missing_ok=True)
    before = {
        "inputs": _described(job.inputs),
        "git": _git_state(),
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    as_planned = present_code(job.command) == job.code
    sources = keep_sources(job.code, job.command) if as_planned else None
    clock = time.monotonic()
    yield
    if not as_planned:
        print(f"{job.record}: not written: the code was edited after the run began; run it again", file=sys.stderr)
        return
    write_json(
        job.record,
        {
            "format": FORMAT,
            "rule": job.rule,
            "wildcards": job.wildcards,
            "params": job.params,
            "command": job.command,
            "code": {"fingerprint": job.code, "sources": {str(sources): sha256(sources)}},
            "inputs": before["inputs"],
            "outputs": _described(job.outputs),
            **_manner(job),
            "versions": _versions(),
            "git": before["git"],
            "started": before["started"],
            "seconds": round(time.monotonic() - clock, 3),
        },
    )


def read_record(path: Path) -> dict[str, Any]:
    """The record at `path`; raises LosslessError where it is missing or no record."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise LosslessError(f"{path}: no such record") from None
    except ValueError as error:
        raise LosslessError(f"{path}: not JSON ({error}); make what it belongs to again") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise LosslessError(f"{path}: no record of format {FORMAT}; make what it belongs to again")
    try:
        _Record.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise LosslessError(f"{path}: {place}: {first['msg']}; make what it belongs to again") from None
    return content


def record_paths(places: Iterable[Path] = (RESULTS,)) -> list[Path]:
    """All records at or below `places`, sorted."""
    found = {path for place in places for path in [place, *place.rglob("*.json")]}
    return sorted(path for path in found if path.parent.name == "provenance" and path.suffix == ".json")


def recorded_job(record: dict[str, Any]) -> Job:
    """The job that a record tells of, with the fingerprint that its code would have now."""
    return Job.described(
        record["rule"],
        record["wildcards"],
        record["params"],
        record["command"],
        present_code(record["command"]),
        record["inputs"],
        record["outputs"],
    )


def _described(paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {path: {"sha256": sha256(path), "size": Path(path).stat().st_size} for path in sorted(paths)}


def _manner(job: Job) -> dict[str, Any]:
    """How the job computed, as far as it was told on the command line or says so in what it wrote."""
    options = job.options()
    told: dict[str, Any] = {name: options[f"--{name}"] for name in ("device", "threads") if f"--{name}" in options}
    if "threads" in told:
        told["threads"] = int(told["threads"])
    for path in job.outputs:
        if path.endswith(".json"):
            content = json.loads(Path(path).read_text())
            told |= {name: content[name] for name in ("arithmetic", "device") if name in content}
    return dict(sorted(told.items()))


def _versions() -> dict[str, str | None]:
    """Of the interpreter, the project, and the packages that compute; none of them is imported."""
    return {"python": platform.python_version(), "lossless-snn": __version__} | {
        name: _version(name) for name in _PACKAGES
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit, and whether anything but results and what DVC writes of them differs from it; None outside git."""
    commit = _git("rev-parse", "HEAD")
    others = [f":(exclude){path}" for path in (RESULTS, "artifacts", "dvc.lock")]
    changes = _git("status", "--porcelain", "--", ".", *others)
    return None if commit is None or changes is None else {"commit": commit, "dirty": bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()
