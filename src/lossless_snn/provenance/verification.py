"""Everything that records name, hashed again, and the chain from raw data to figures."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import get_args

from ..config.values import BudgetName
from ..errors import LosslessError
from .jobs import RESULTS, Job
from .records import read_record, record_paths, recorded_job
from .verdicts import DATA, Contents, judge, published_data

_ARTIFACTS = ("checkpoints", "logs", "figures", "tables")


def verify(
    places: Iterable[Path] = (RESULTS,),
    expected: Mapping[Path, Job] | None = None,
    left_behind: Collection[Path] = (),
) -> tuple[list[str], str]:
    """(A line for each fault, what was checked in a sentence) of the records at or below `places`.

    `expected` gives jobs by their records, as the workflow would run them now; a record without one
    is held against its own parameters, and against the code as it is now. What is missing below folders
    `left_behind` is no fault.
    Raises LosslessError where there is no record at all, and for places outside results/.
    """
    places = tuple(places)
    if outside := [str(place) for place in places if not _within(place, (RESULTS,))]:
        raise LosslessError(f"{', '.join(outside)}: not below {RESULTS}/ of the project's folder, where this runs")
    paths = record_paths(places)
    if not paths:
        raise LosslessError(
            f"{', '.join(map(str, places))}: no records there; name a folder {RESULTS}/BUDGET/EXPERIMENT that was made"
        )
    faults, jobs, contents = [], dict(expected or {}), Contents()
    for path in paths:
        try:
            record = read_record(path)
            jobs.setdefault(path, recorded_job(record))
        except (LosslessError, ValueError) as error:
            faults.append(str(error) if isinstance(error, LosslessError) else f"{path}: incomplete record ({error})")
            continue
        kept = record["code"]["sources"]
        faults += [f"{name}: {_state(contents[name])}" for name, sha256 in kept.items() if contents[name] != sha256]
    verdicts = judge(jobs.values(), contents)
    for verdict in verdicts:
        faults += [] if verdict.accepted else [str(verdict)]
        faults += [
            f"{path}: missing"
            for path in verdict.missing
            if not (any(path in why for why in verdict.reasons) or _within(path, left_behind))
        ]
    data = {path for job in jobs.values() for path in job.inputs if Path(path).is_relative_to(DATA)}
    published = published_data()
    altered = [path for path in sorted(data & published.keys()) if contents[path] not in (None, published[path])]
    faults += [f"{path}: altered, not the published file" for path in altered]
    faults += _without_record(places, jobs)
    made = {path for job in jobs.values() for path in job.outputs}
    return list(dict.fromkeys(faults)), (
        f"{len(verdicts)} jobs, {len(made)} files made{_absent(made, contents)}, "
        f"{len(data)} files of raw data{_absent(data, contents)}"
    )


def told(faults: list[str], checked: str) -> str:
    """What `verify` found, as lines for a person."""
    return "\n".join([*faults, f"{len(faults) or 'No'} faults in {checked}"])


def _absent(paths: Iterable[str], contents: Contents) -> str:
    absent = sum(contents[path] is None for path in paths)
    return f" ({absent} not here: known by their recorded digests)" if absent else ""


def _within(path: str | Path, places: Iterable[Path]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _state(content: str | None) -> str:
    return "missing" if content is None else "altered"


def _without_record(places: Iterable[Path], jobs: Mapping[Path, Job]) -> list[str]:
    """Artifacts of the budgets that no record tells of."""
    known = {path for job in jobs.values() for path in job.outputs}
    made = [
        path
        for budget in get_args(BudgetName)
        for kind in _ARTIFACTS
        for path in sorted(RESULTS.glob(f"{budget}/*/{kind}/**/*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".training"
    ]
    return [
        f"{path}: no record tells how it was made" for path in made if _within(path, places) and str(path) not in known
    ]
