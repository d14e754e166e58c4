"""When, where and in what state of the project a job ran: beside the job's log, and not in git.

Nothing of it decides what a job gives, and all of it differs when the same job is run again.
"""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import processor
from .jobs import RESULTS, Place

# Variables in which schedulers tell a job its number.
_SCHEDULERS = {"slurm": "SLURM_JOB_ID", "lsf": "LSB_JOBID", "pbs": "PBS_JOBID", "sge": "JOB_ID"}


class Circumstances:
    """Those of one attempt, from its start on.

    Keys of what is written, one line of JSON an attempt: started (UTC), seconds, succeeded, commit and dirty
    (whether anything but results differs from it; neither outside git), processor, load (processes waiting or
    running, a mean over the last minute), scheduler and scheduler_job where there is one, processor_seconds and
    memory (MB, the most that was occupied) of the process and of those that it started.
    """

    def __init__(self) -> None:
        self._clock = time.monotonic()
        # What was taken from elsewhere has cost nothing that says anything of the job.
        self.are_kept = True
        self._content: dict[str, Any] = {
            "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **_git_state(),
            "processor": processor.model(),
            "load": round(os.getloadavg()[0], 2),
            **_scheduler(),
        }

    @property
    def heading(self) -> str:
        """When the attempt began, and as which job of a scheduler, in words."""
        job = f", {self._content['scheduler']} job {self._content['scheduler_job']}" if self.has_scheduler else ""
        return f"{self._content['started']}{job}"

    @property
    def has_scheduler(self) -> bool:
        """Whether a scheduler runs this process."""
        return "scheduler" in self._content

    def append(self, place: Place, succeeded: bool) -> None:
        """Add the attempt to those of the job whose record is at `place`, if it is to be kept."""
        if not self.are_kept:
            return
        seconds = round(time.monotonic() - self._clock, 3)
        content = self._content | {"seconds": seconds, "succeeded": succeeded, **_usage()}
        path = circumstances_path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")


def circumstances_path(place: Place) -> Path:
    """Where those of the job whose record is at `place` are."""
    return place.file.parent / "jobs" / f"{place.name}.circumstances.jsonl"


def last_circumstances(place: Place) -> dict[str, Any] | None:
    """Those of the last attempt that succeeded, None where nothing is known of it: elsewhere, or long ago."""
    try:
        lines = circumstances_path(place).read_text(encoding="utf-8").splitlines()
        attempts = [json.loads(line) for line in lines]
    except (FileNotFoundError, ValueError):
        return None
    return next((attempt for attempt in reversed(attempts) if attempt.get("succeeded")), None)


def measured(budget: str, experiment: str, rule: str) -> list[dict[str, Any]]:
    """The last attempt that succeeded of each job of one rule that ran here, and whose cost was measured."""
    folder = RESULTS / budget / experiment
    names = (path.name.partition(".")[0] for path in sorted((folder / "jobs").glob(f"{rule}-*.circumstances.jsonl")))
    attempts = (last_circumstances(Place(folder / "provenance.json", name)) for name in names)
    return [attempt for attempt in attempts if attempt and "processor_seconds" in attempt]


def git(*arguments: str) -> str | None:
    """What git prints; None where it fails, or is not there."""
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, check=True, encoding="utf-8")
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.rstrip()


def _git_state() -> dict[str, Any]:
    commit = git("rev-parse", "HEAD")
    others = [f":(exclude){path}" for path in (RESULTS, "artifacts", "dvc.lock")]
    changes = git("status", "--porcelain", "--", ".", *others)
    return {} if commit is None or changes is None else {"commit": commit, "dirty": bool(changes)}


def _usage() -> dict[str, float]:
    """What this process has cost so far, with those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    # In kB, but in bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "processor_seconds": round(sum(usage.ru_utime + usage.ru_stime for usage in used), 3),
        "memory": round(max(usage.ru_maxrss for usage in used) / unit, 1),
    }


def _scheduler() -> dict[str, str]:
    for name, variable in _SCHEDULERS.items():
        if number := os.environ.get(variable):
            return {"scheduler": name, "scheduler_job": number}
    return {}
