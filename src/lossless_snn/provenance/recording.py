"""Around a job: it runs the planned code on unaltered inputs, and its record is written before it ends."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import processor
from ..errors import LosslessError
from ..files.digests import sha256
from ..files.locks import locked
from ..files.store import Store
from .circumstances import Circumstances
from .code.fingerprint import PACKAGE
from .jobs import RESULTS, Job, decisive
from .plan import present_plan
from .records import Records, write_record
from .sources import keep_sources, present_code, require_own_folder, source_digests

# Those whose releases may change what a job gives.
_PACKAGES = ("torch", "numpy", "numba")
_SHA256_DIGITS = 64
STORE = "LOSSLESS_SNN_STORE"
"""Environment variable with the folder that clones share."""
# Steps that take long enough for their results to be shared.
_SHARED = ("train", "simulate")


@contextmanager
def recording(job: Job) -> Iterator[bool]:
    """Run the block as `job`, and write its record if the block succeeds; a failed job leaves none.

    Inputs are hashed before the block, outputs right after it. Yields whether the block has to run: not where
    another process was waited for that made all of it, or another clone has put it into the shared store.

    Raises:
        LosslessError: The code is not the job's, or was edited before all of it was loaded; an input is
            not what the job that made it left, or is no published raw data; an output is not there.
    """
    # A job outlives the workflow engine that was killed over it.
    lock = job.place.file.parent / "jobs" / f"{job.place.name}.lock"
    with locked(lock, "another process runs this job now; waiting for it") as waited:
        if waited and is_made(job):
            yield False
            return
        with _attempt(job) as circumstances:
            write_record(job.place, None)
            with _code_of(job):
                inputs = _described(job.inputs)
                _refuse_altered(job, inputs)
                with _shared(job, inputs) as is_taken:
                    circumstances.are_kept = not is_taken
                    if not is_taken:
                        _say_if_slow(job)
                    yield not is_taken
            outputs = _described(job.outputs)
            keep_sources(job.code, job.command)
            write_record(job.place, _record(job, inputs, outputs))


@contextmanager
def _attempt(job: Job) -> Iterator[Circumstances]:
    """Write the circumstances of the block, whether it succeeds or not."""
    circumstances = Circumstances()
    if circumstances.has_scheduler:
        # Attempts follow each other in the job's log.
        print(f"{job.place.name}: begun {circumstances.heading}", file=sys.stderr, flush=True)
    succeeded = False
    try:
        yield circumstances
        succeeded = True
    finally:
        circumstances.append(job.place, succeeded)


def _say_if_slow(job: Job) -> None:
    emulated = (job.params.get("recipe") or {}).get("arithmetic") == "bfloat16" and processor.lacks_bfloat16()
    if emulated and job.options().get("--device") != "cuda":
        print(
            f"{job.place.name}: takes many times as long on this processor, which has no instructions for its bfloat16"
            " products; see docs/training.md",
            file=sys.stderr,
            flush=True,
        )


def is_made(job: Job) -> bool:
    """Whether the record is of this very job, and all that it names is here unaltered."""
    try:
        record = Records()[job.place]
    except LosslessError:
        return False
    if (record["code"], record["params"], decisive(record["command"])) != (
        job.code,
        job.params,
        decisive(job.command),
    ):
        return False
    if (sorted(record["inputs"]), sorted(record["outputs"])) != (list(job.inputs), list(job.outputs)):
        return False
    files = {**record["inputs"], **record["outputs"]}
    return all(Path(path).is_file() and sha256(path) == entry["sha256"] for path, entry in files.items())


@contextmanager
def _shared(job: Job, inputs: Mapping[str, Mapping[str, Any]]) -> Iterator[bool]:
    """Take what the job makes from the store that clones share, or put it there after the block; whether it was taken.

    The key is of what decides the outputs, threads and device included.
    """
    folder = os.environ.get(STORE)
    if not folder or job.rule not in _SHARED:
        yield False
        return
    store, decides = Store(Path(folder)), [job.as_json(), job.command, inputs, compared_versions()]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    with store.held(key, f"another clone runs {job.place.name} now; waiting for it"):
        is_taken = store.take(key, job.outputs)
        if is_taken:
            print(f"{job.place.name}: taken from {folder}, where another clone has put it", flush=True)
        yield is_taken
        if not is_taken:
            store.keep(key, job.outputs)


def _record(job: Job, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": job.rule,
        "wildcards": job.wildcards,
        "params": job.params,
        "command": job.command,
        "code": job.code,
        "inputs": inputs,
        "outputs": outputs,
        **_execution(job),
        "versions": compared_versions(),
    }


@contextmanager
def _code_of(job: Job) -> Iterator[None]:
    """Let the block load no code but the job's."""
    require_own_folder()
    plan = present_plan()
    # Fingerprints take tenths of a second, and need not be taken where every byte is as planned.
    if not (plan and job.code in plan.code.values() and not plan.changes()):
        _require_code(job)
    watch = _Watch(job)
    sys.meta_path.insert(0, watch)
    try:
        yield
    finally:
        sys.meta_path.remove(watch)


def _require_code(job: Job) -> None:
    present = present_code(job.command)
    if present == job.code:
        return
    plan = present_plan()
    changes = plan.changes() if plan else []
    edited = f" (src/{PACKAGE.name}/{', '.join(changes)})" if changes else ""
    raise LosslessError(
        f"{job.place}: the code was edited after this run began{edited}: it is {present} now, planned was {job.code}; "
        "run it again"
    )


class _Watch(MetaPathFinder):
    """Sees that what is imported late in a job is what was there when the job began."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._digests = source_digests()

    def find_spec(self, fullname, path=None, target=None):
        """None, so that others find the module; raises LosslessError if the job's code was edited meanwhile."""
        if fullname.partition(".")[0] == PACKAGE.name:
            spec = PathFinder.find_spec(fullname, path)
            file = Path(spec.origin) if spec and spec.origin else None
            if file and self._digests.get(file.relative_to(PACKAGE).as_posix()) != sha256(file):
                _require_code(self._job)
        return None


def _refuse_altered(job: Job, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Stop at inputs that are not what they were when they were made."""
    records = Records()
    published = (job.params.get("dataset") or {}).get("files", {})
    for path, entry in inputs.items():
        if Path(path).is_relative_to(RESULTS):
            if (made := records.made(path)) is None:
                raise LosslessError(f"{path}: no record tells how it was made; `make restore`, or delete it")
            expected, why = made[1]["outputs"][path]["sha256"], f"{made[0]} says otherwise"
        else:
            expected, why = published.get(Path(path).name), "not the published file"
        if expected and len(expected) == _SHA256_DIGITS and expected != entry["sha256"]:
            raise LosslessError(f"{path}: altered since it was made ({why}); `make restore`, or delete it")


def _described(paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """SHA-256 and size of files."""
    try:
        return {path: {"sha256": sha256(path), "size": Path(path).stat().st_size} for path in sorted(paths)}
    except OSError as error:
        raise LosslessError(f"{error.filename}: {error.strerror}, which the job needs or should have made") from None


def _execution(job: Job) -> dict[str, Any]:
    """How the job computed, as far as its command line names it or what it wrote does."""
    options = job.options()
    found: dict[str, Any] = {name: options[f"--{name}"] for name in ("device", "threads") if f"--{name}" in options}
    if "threads" in found:
        found["threads"] = int(found["threads"])
    if job.rule == "train" and found.get("device") != "cuda":
        found["processor"] = processor.kind()  # another kind trains other bits, and no other job depends on it
    for path in job.outputs:
        if path.endswith(".json"):
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            found |= {name: content[name] for name in ("arithmetic", "device") if name in content}
    return dict(sorted(found.items()))


def compared_versions() -> dict[str, str | None]:
    """Of the language and of the packages that compute; none of them is imported."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
