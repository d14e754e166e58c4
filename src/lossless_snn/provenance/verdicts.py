"""Which artifacts are what the present code, parameters and inputs would give, decided from recorded digests."""

import json
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from ..datasets.catalogue import DATASETS
from ..errors import LosslessError
from ..files.digests import KnownDigests
from .equivalence import Chain, Equivalences
from .jobs import Job, decisive
from .records import Records

DATA = Path("data")
_SHA256_DIGITS = 64


@dataclass
class Verdict:
    """On one job: why what it made cannot stand, if it cannot.

    Attributes:
        job: The job as it would run now.
        reasons: The job's own; none of them where it stands.
        damage: Those of the reasons that no change of code, parameters or inputs explains: outputs that are
            altered, records that are missing or damaged.
        follows: Inputs that are to be made anew.
        missing: Outputs that are not here, which alone refuses nothing.
        probed: By which equivalences it stands, where its code is not the recorded one.
    """

    job: Job
    reasons: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    probed: Chain | None = None

    @property
    def accepted(self) -> bool:
        return not (self.reasons or self.follows)

    def __str__(self) -> str:
        """One line: what was made, and why it cannot stand."""
        reasons = self.reasons or [f"made from {first_of(self.follows)}, to be made anew"]
        return f"{first_of(self.job.outputs)}: {'; '.join(reasons)}"


def published_data() -> dict[str, str]:
    """Path and SHA-256 of every file of raw data that the catalogue knows by it: where chains begin."""
    files = {str(path): spec.files[name] for spec in DATASETS.values() for name, path in spec.paths().items()}
    return {path: digest for path, digest in files.items() if len(digest) == _SHA256_DIGITS}


class Contents:
    """SHA-256 of files, each asked for once; None where there is no file.

    Args:
        known: What says which files need not be read again; all are read without it.
    """

    def __init__(self, known: KnownDigests | None = None) -> None:
        self._known = known or KnownDigests()
        self._digests: dict[str, str | None] = {}

    def __getitem__(self, path: str) -> str | None:
        if path not in self._digests:
            self._digests[path] = self._known.sha256(path) if Path(path).is_file() else None
        return self._digests[path]


def judge(
    jobs: Iterable[Job], contents: Contents, records: Records, equivalences: Equivalences | None = None
) -> list[Verdict]:
    """A verdict on each job, in the order of the chain.

    A file that is not here counts as recorded, for as long as no job has to run that reads it: raw
    data and whatever was not pulled. What follows from a refused job is refused too. Other code is accepted
    where `equivalences` are given and lead from it to the present one.
    """
    ordered = in_order(jobs)
    needed: set[str] = set()
    while True:
        verdicts = _judge_in_order(ordered, contents, records, equivalences, needed)
        refused = (verdict.job for verdict in verdicts if not verdict.accepted)
        lacking = {path for job in refused for path in job.inputs if contents[path] is None}
        if lacking <= needed:
            return verdicts
        needed |= lacking


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Jobs so that each comes after those that make its inputs, in the same order every time."""
    by_place = {job.place: job for job in sorted(jobs, key=lambda job: job.place)}
    makers = {path: place for place, job in by_place.items() for path in job.outputs}
    follows = {
        place: dict.fromkeys(makers[path] for path in job.inputs if path in makers) for place, job in by_place.items()
    }
    try:
        order = list(TopologicalSorter(follows).static_order())
    except CycleError as error:
        _, (first, *_) = error.args
        raise LosslessError(f"{first}: is made from what is made from it; `git checkout` the records") from None
    return [by_place[place] for place in order]


def first_of(paths: Iterable[str]) -> str:
    """The first of the paths, and how many more there are."""
    first, *others = paths
    return f"{first} and {len(others)} more" if others else first


def by_probe(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each way in which jobs are accepted that other code made."""
    ways = Counter(str(verdict.probed) for verdict in verdicts if verdict.accepted and verdict.probed)
    return [f"{count} jobs accepted {way}" for way, count in sorted(ways.items())]


def _judge_in_order(
    jobs: list[Job], contents: Contents, records: Records, equivalences: Equivalences | None, needed: set[str]
) -> list[Verdict]:
    state: dict[str, str | None] = dict(published_data())
    made_anew: set[str] = set()
    verdicts = []
    for job in jobs:
        verdict = Verdict(job)
        verdicts.append(verdict)
        try:
            record = records[job.place]
            if equivalences and record["code"] != job.code:
                verdict.probed = equivalences.chain(job, record["code"])
        except LosslessError as error:
            record, verdict.damage, verdict.reasons = None, [str(error)], [str(error)]
        if record:
            verdict.follows = [path for path in job.inputs if path in made_anew]
            verdict.missing = [path for path in job.outputs if contents[path] is None]
            verdict.damage = [*_altered_outputs(job, record, contents), *_other_sizes(record, contents)]
            verdict.reasons = [
                *_changed_definition(job, record, verdict.probed is not None),
                *verdict.damage,
                *_other_inputs(job, record, contents, ChainMap(_as_recorded(record, verdict.follows), state)),
                *(f"{path}: missing, and needed" for path in verdict.missing if path in needed),
            ]
        if verdict.accepted:
            state |= {path: record["outputs"][path]["sha256"] for path in job.outputs}
        else:
            made_anew |= set(job.outputs)
    return verdicts


def _changed_definition(job: Job, record: dict[str, Any], is_probed: bool) -> list[str]:
    """How the job differs from the recorded one, as far as no file's content says it."""
    reasons = []
    if record["code"] != job.code and not is_probed:
        reasons.append(f"made by other code ({record['code']}, now {job.code})")
    if changes := list(_changes(record["params"], job.params)):
        reasons.append(f"made with other parameters: {'; '.join(changes)}")
    elif not reasons and decisive(record["command"]) != decisive(job.command):
        reasons.append("made by another command")
    if sorted(record["inputs"]) != list(job.inputs):
        reasons.append(f"made from other inputs: {_difference(set(record['inputs']), set(job.inputs))}")
    if sorted(record["outputs"]) != list(job.outputs):
        reasons.append(f"made other outputs: {_difference(set(record['outputs']), set(job.outputs))}")
    return reasons


def _altered_outputs(job: Job, record: dict[str, Any], contents: Contents) -> list[str]:
    known = {path: record["outputs"][path]["sha256"] for path in job.outputs if path in record["outputs"]}
    return [
        f"{path}: altered since it was made" for path, sha256 in known.items() if contents[path] not in (None, sha256)
    ]


def _other_sizes(record: dict[str, Any], contents: Contents) -> Iterable[str]:
    """Files that are as they were, of which the record has another size."""
    for path, entry in {**record["inputs"], **record["outputs"]}.items():
        if contents[path] == entry["sha256"] and (size := Path(path).stat().st_size) != entry["size"]:
            yield f"{path}: {size:,} bytes, {entry['size']:,} by its record"


def _other_inputs(job: Job, record: dict[str, Any], contents: Contents, state: Mapping[str, str | None]) -> list[str]:
    """Inputs that are not those that the recorded job read, by `state` where the jobs before say what they are."""
    reasons = []
    for path in sorted(set(job.inputs) & set(record["inputs"])):
        present = state[path] if path in state else contents[path]
        if present is None and not Path(path).is_relative_to(DATA):
            reasons.append(f"{path}, which it was made from, is missing")
        elif present not in (None, record["inputs"][path]["sha256"]):
            reasons.append(f"{path} is not the file that it was made from")
    return reasons


def _as_recorded(record: dict[str, Any], paths: Iterable[str]) -> dict[str, str]:
    """Digests of those inputs that are no reason against the job itself, because they are to be made anew."""
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
    return ", ".join(f"{word} {first_of(names)}" for word, names in apart if names)
