"""How long jobs took and what they cost, by step: from the circumstances that jobs leave beside their logs.

Circumstances are not versioned: of results that were restored they are known only where the jobs ran.
"""

from dataclasses import dataclass

from lossless_snn.errors import LosslessError
from lossless_snn.provenance.circumstances import last_circumstances
from lossless_snn.provenance.records import Records, record_files


@dataclass(frozen=True)
class RunTimes:
    """Jobs of one step of one experiment at one budget.

    `seconds` are of those whose time is known here, `processor_seconds` and `memory` (MB, at the most) of those whose
    cost was measured.
    """

    experiment: str
    budget: str
    step: str
    jobs: int
    seconds: tuple[float, ...]
    processors: tuple[str, ...]
    processor_seconds: tuple[float, ...]
    memory: tuple[float, ...]


def run_times() -> list[RunTimes]:
    """Those of all recorded jobs, in the order of experiments, budgets and steps."""
    records = Records()
    groups: dict[tuple[str, str, str], list[dict | None]] = {}
    for file in record_files():
        try:
            places = records.places([file])
            jobs = [(records[place], last_circumstances(place)) for place in places]
        except LosslessError:
            continue  # which verify says
        for record, circumstances in jobs:
            wildcards = record["wildcards"]
            step = "figures" if record["rule"].startswith("figure_") else record["rule"].replace("_", " ")
            key = wildcards.get("experiment", ""), wildcards.get("budget", ""), step
            groups.setdefault(key, []).append(circumstances)
    return [_of_step(*key, groups[key]) for key in sorted(groups)]


def _of_step(experiment: str, budget: str, step: str, jobs: list[dict | None]) -> RunTimes:
    known = [circumstances for circumstances in jobs if circumstances]
    processors = tuple(sorted({circumstances["processor"] for circumstances in known}))
    seconds, *costs = (
        tuple(each[name] for each in known if name in each) for name in ("seconds", "processor_seconds", "memory")
    )
    return RunTimes(experiment, budget, step, len(jobs), seconds, processors, *costs)
