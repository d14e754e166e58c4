"""`make verify`: hash again all that records and dvc.lock name, and hold it against code, parameters and data of now.

A clone has the checkpoints and logs that dvc.lock names. Of others it has only the records, or not even the
figures and tables that they name: that is said, and no fault.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from lossless_snn.cli.options import full_option, strict_option
from lossless_snn.cli.usage import Command
from lossless_snn.files.digests import KnownDigests
from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.verdicts import first_of
from lossless_snn.provenance.verification import DIGESTS, report, verify

from .chain import chain, recorded_targets
from .lock import lock_faults, locked_stages, of_other_remotes
from .program import program


@click.command(cls=Command)
@strict_option
@full_option
def main(strict: bool, full: bool) -> None:
    """Hash again all that records and dvc.lock name, and hold it against code, parameters and data of now.

    A line for each fault; the exit status is 1 if there is any.

    \b
    Example:
        python -m lossless_workflow.verify --full
    """
    with chain(recorded_targets()) as found:
        expected, orphans = found.jobs, found.orphans
    stages = locked_stages()
    absent = left_behind(expected.values(), stages)
    faults, checked = verify(expected=expected, left_behind=absent, strict=strict, full=full)
    known = KnownDigests(None if full else DIGESTS)
    faults += [*orphans, *lock_faults(stages, known)]
    known.keep()
    if absent:
        print(f"{first_of(map(str, absent))}: not here, nor in the default remote")
    print(report(faults, checked))
    sys.exit(bool(faults))


def left_behind(jobs: Iterable[Job], stages: dict) -> list[Path]:
    """Folders of artifacts that are not here at all, and that dvc.lock does not name, or of a remote of their own."""
    outputs, elsewhere = [output["path"] for stage in stages.values() for output in stage["outs"]], of_other_remotes()
    named = {Path(path) for path in outputs if not elsewhere.fullmatch(path)}
    folders = {Path(*Path(path).parts[:4]) for job in jobs if "experiment" in job.wildcards for path in job.outputs}
    return sorted(folder for folder in folders - named if not folder.exists())


if __name__ == "__main__":
    with program("verify"):
        main(prog_name="python -m lossless_workflow.verify")
