"""Which artifacts are what the present code, parameters and inputs would give, decided from recorded digests."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ..datasets.catalogue import DATASETS
from ..errors import LosslessError
from ..files.digests import sha256
from .jobs import Job, decisive
from .records import read_record

DATA = Path("data")
_SHA256_DIGITS = 64


@dataclass
class Verdict:
    """On one job: why what it made cannot stand, if it cannot.

    `reasons` are the job's own; `follows` names the inputs that are to be made anew, `missing` the
    outputs that are not here, which alone refuses nothing.
    """

    job: Job
    reasons: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return not (self.reasons or self.follows)

    def __str__(self) -> str:
        """One line: what was made, and why it cannot stand."""
        reasons = self.reasons or [f"made from {several(self.follows)}, to be made anew"]
        return f"{several(self.job.outputs)}: {'; '.join(reasons)}"


def published_data() -> dict[str, str]:
    """Path and SHA-256 of every file of raw data that the catalogue knows by it: where chains begin."""
    files = {str(path): spec.files[name] for spec in DATASETS.values() for name, path in spec.paths().items()}
    return {path: digest for path, digest in files.items() if len(digest) == _SHA256_DIGITS}


class Contents:
    """SHA-256 of files, each read once; None where there is no file."""

    def __init__(self) -> None:
        self._digests: dict[str, str | None] = {}

    def __getitem__(self, path: str) -> str | None:
        if path not in self._digests:
            self._digests[path] = sha256(path) if Path(path).is_file() else None
        return self._digests[path]


def judge(jobs: Iterable[Job], contents: Contents) -> list[Verdict]:
    """A verdict on each job, in the order of the chain.

    A file that is not here counts as recorded, for as long as no job has to run that reads it: raw
    data and whatever was not pulled. What follows from a refused job is refused too.
    """
    ordered = in_order(jobs)
    needed: set[str] = set()
    while True:
        verdicts = _pass(ordered, contents, needed)
        refused = (verdict.job for verdict in verdicts if not verdict.accepted)
        lacking = {path for job in refused for path in job.inputs if contents[path] is None}
        if lacking <= needed:
            return verdicts
        needed |= lacking


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Jobs so that each comes after those that make its inputs, in the same order every time."""
    by_record = {str(job.record): job for job in sorted(jobs, key=lambda job: str(job.record))}
    makers = {path: record for record, job in by_record.items() for path in job.outputs}
    follows = {
        record: dict.fromkeys(makers[path] for path in job.inputs if path in makers)
        for record, job in by_record.items()
    }
    return [by_record[record] for record in TopologicalSorter(follows).static_order()]


def several(paths: Iterable[str]) -> str:
    """The first of the paths, and how many more there are."""
    first, *others = paths
    return f"{first} and {len(others)} more" if others else first


def _pass(jobs: list[Job], contents: Contents, needed: set[str]) -> list[Verdict]:
    state: dict[str, str | None] = dict(published_data())
    made_anew: set[str] = set()
    verdicts = []
    for job in jobs:
        verdict = Verdict(job)
        verdicts.append(verdict)
        try:
            record = read_record(job.record)
        except LosslessError as error:
            record, verdict.reasons = None, [str(error)]
        if record:
            verdict.follows = [path for path in job.inputs if path in made_anew]
            verdict.reasons = _objections(job, record, contents, {**state, **_as_recorded(record, verdict.follows)})
            verdict.missing = [path for path in job.outputs if contents[path] is None]
            verdict.reasons += [f"{path}: missing, and needed" for path in verdict.missing if path in needed]
        if verdict.accepted:
            state |= {path: record["outputs"][path]["sha256"] for path in job.outputs}
        else:
            made_anew |= set(job.outputs)
    return verdicts


def _objections(job: Job, record: dict[str, Any], contents: Contents, state: dict[str, str | None]) -> list[str]:
    """Why the job's outputs cannot stand, apart from jobs before it that have to run."""
    said = []
    if record["code"]["fingerprint"] != job.code:
        said.append(f"made by other code ({record['code']['fingerprint']}, now {job.code})")
    if changes := list(_changes(record["params"], job.params)):
        said.append(f"made with other parameters: {'; '.join(changes)}")
    elif not said and decisive(record["command"]) != decisive(job.command):
        said.append("made by another command")
    if sorted(record["inputs"]) != list(job.inputs):
        said.append(f"made from other inputs: {_difference(set(record['inputs']), set(job.inputs))}")
    if sorted(record["outputs"]) != list(job.outputs):
        said.append(f"made other outputs: {_difference(set(record['outputs']), set(job.outputs))}")
        return said
    for path in job.outputs:
        if contents[path] not in (None, record["outputs"][path]["sha256"]):
            said.append(f"{path}: altered since it was made")
    for path in sorted(set(job.inputs) & set(record["inputs"])):
        present = state[path] if path in state else contents[path]
        if present is None and not Path(path).is_relative_to(DATA):
            said.append(f"{path}, which it was made from, is missing")
        elif present not in (None, record["inputs"][path]["sha256"]):
            said.append(f"{path} is not the file that it was made from")
    return said


def _as_recorded(record: dict[str, Any], paths: Iterable[str]) -> dict[str, str]:
    """Digests of those inputs that say nothing of the job itself, because they are to be made anew."""
    return {path: record["inputs"][path]["sha256"] for path in paths if path in record["inputs"]}


def _changes(old: Any, new: Any, place: str = "") -> Iterable[str]:
    """What differs between two parameters, each difference by its place in them."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(name), new.get(name), f"{place}.{name}" if place else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, f"{place}.{index}")
    elif all(isinstance(value, list) and set(map(type, value)) == {str} for value in (old, new)):
        yield f"{place} {_difference(set(old), set(new))}"
    elif old != new:
        yield f"{place} {_short(old)}, now {_short(new)}"


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _difference(old: set[str], new: set[str]) -> str:
    apart = (("without", sorted(new - old)), ("with", sorted(old - new)))
    return ", ".join(f"{word} {several(names)}" for word, names in apart if names)
