"""`make verify`: hash again all that records name, and hold it against the code, parameters and data of now.

A clone has the checkpoints and logs that dvc.lock names. Of others it has only the records: that is told, and no fault.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from lossless_snn.errors import LosslessError
from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.verification import told, verify

from .chain import chain, recorded_targets
from .lock import locked_stages


def main() -> None:
    with chain(recorded_targets()) as found:
        expected, orphans = found.jobs, found.orphans
    absent = left_behind(expected.values())
    try:
        faults, checked = verify(expected=expected, left_behind=absent)
    except LosslessError as error:
        sys.exit(f"verify: {error}")
    faults += orphans
    for folder in absent:
        print(f"{folder}: not here, nor named by dvc.lock")
    print(told(faults, checked))
    sys.exit(bool(faults))


def left_behind(jobs: Iterable[Job]) -> list[Path]:
    """Folders of checkpoints and logs that are not here at all, and that dvc.lock does not name."""
    named = {Path(output["path"]) for stage in locked_stages().values() for output in stage.get("outs", ())}
    folders = {Path(*Path(path).parts[:4]) for job in jobs for path in job.outputs}
    versioned = {folder for folder in folders if folder.name in ("checkpoints", "logs")}
    return sorted(folder for folder in versioned - named if not folder.exists())


if __name__ == "__main__":
    main()
