"""Everything that records name, hashed again, and the chain from raw data to figures."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from ..config.values import BudgetName
from ..errors import LONGEST_MESSAGE, LosslessError, quoted
from ..files.digests import KnownDigests
from .equivalence import Equivalences
from .jobs import RESULTS, Job, Place
from .records import Records, record_files, recorded_job
from .sources import archive_fault, present_codes, require_own_folder
from .verdicts import DATA, Contents, by_probe, judge, published_data

DIGESTS = Path(".snakemake/lossless_snn/digests.json")
"""Where digests are kept with what tells whether a file is as it was."""
_ARTIFACTS = ("checkpoints", "logs", "figures", "tables")
# Of what was interrupted.
_STATES = (".training", ".simulation")


def verify(
    places: Iterable[Path] = (RESULTS,),
    expected: Mapping[Place, Job] | None = None,
    left_behind: Collection[Path] = (),
    strict: bool = False,
    full: bool = False,
) -> tuple[list[str], str]:
    """Hash again what the records at or below `places` name, and hold each against what its job would be now.

    Args:
        places: Folders below results/, or files of records.
        expected: Jobs by their records, as the workflow would run them now. A record without one is held
            against its own parameters, and against the code as it is now.
        left_behind: Folders in which what is missing is no fault.
        full: Whether to read every file, also those of the size, times and inode that they had when last read.
        strict: Whether to refuse what other code made even where a probe showed that it gives the same.

    Returns:
        (A line for each fault, what was checked in a sentence).

    Raises:
        LosslessError: There is no record at all, a place is outside results/, or this process runs another
            folder's code.
    """
    require_own_folder()
    places = tuple(places)
    if outside := [str(place) for place in places if not _within(place, (RESULTS,))]:
        raise LosslessError(f"{', '.join(outside)}: not below {RESULTS}/ of the project's folder, where this runs")
    files = record_files(places)
    if not files:
        raise LosslessError(
            f"{', '.join(map(str, places))}: no records there; name a folder {RESULTS}/BUDGET/EXPERIMENT that was made"
        )
    known = KnownDigests(None if full else DIGESTS)
    jobs, contents, records = dict(expected or {}), Contents(known), Records()
    faults = _damaged_records(files, records, jobs)
    verdicts = judge(jobs.values(), contents, records, None if strict else Equivalences())
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
    known.keep()
    made = {path for job in jobs.values() for path in job.outputs}
    return list(dict.fromkeys(faults)), (
        f"{len(verdicts)} jobs, {len(made)} files made{_absent(made, contents)}, "
        + "; ".join([f"{len(data)} files of raw data{_absent(data, contents)}", *by_probe(verdicts)])
    )


def report(faults: list[str], checked: str) -> str:
    """What `verify` found, as lines for a person, one a fault whatever names it quotes."""
    lines = [quoted(fault, LONGEST_MESSAGE) for fault in faults]
    return "\n".join([*lines, f"{len(faults) or 'No'} faults in {checked}"])


def _damaged_records(files: Iterable[Path], records: Records, jobs: dict[Place, Job]) -> list[str]:
    """What is wrong with records and archived sources; adds jobs that only a record tells of to `jobs`."""
    faults, sources, code_of = [], {}, present_codes()
    for file in files:
        try:
            places = records.places([file])
        except LosslessError as error:
            faults.append(str(error))
            continue
        for place in places:
            try:
                record = records[place]
                recorded = recorded_job(place, record, code_of)
                if place not in jobs:
                    jobs[place] = recorded
                if fault := _contradiction(place, record, recorded):
                    faults.append(f"{place}: {fault}")
            except LosslessError as error:
                faults.append(str(error))
            else:
                sources.setdefault(record["code"], record["command"])
    archived = (archive_fault(code, command) for code, command in sources.items())
    return faults + [fault for fault in archived if fault]


def _contradiction(place: Place, record: Mapping[str, Any], job: Job) -> str | None:
    """What a record says of its job that its own name or command line does not."""
    if job.place != place:
        return f"is the record of another job, {job.place}"
    options = job.options()
    for name in ("device", "threads"):
        said, asked = record.get(name), options.get(f"--{name}")
        if said is not None and asked not in (None, "auto", str(said)):
            return f"{name} {quoted(said)}, but its command has {asked}"
    return None


def _absent(paths: Iterable[str], contents: Contents) -> str:
    absent = sum(contents[path] is None for path in paths)
    return f" ({absent} not here: known by their recorded digests)" if absent else ""


def _within(path: str | Path, places: Iterable[Path]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _without_record(places: Iterable[Path], jobs: Mapping[Place, Job]) -> list[str]:
    """Artifacts that no record tells of."""
    known = {path for job in jobs.values() for path in job.outputs}
    return [f"{path}: no record tells how it was made" for path in artifacts(places) if path not in known]


def artifacts(places: Iterable[Path] = (RESULTS,)) -> list[str]:
    """What is there of what jobs of the budgets make, at or below `places`, sorted; no states of unfinished jobs."""
    return sorted(
        str(path)
        for budget in get_args(BudgetName)
        for kind in _ARTIFACTS
        for path in RESULTS.glob(f"{budget}/*/{kind}/**/*")
        if path.is_file() and not path.name.startswith(".") and path.suffix not in _STATES and _within(path, places)
    )
