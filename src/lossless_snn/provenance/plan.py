"""The code that one run of a workflow began with: what every job of it has to run, wherever it runs.

The workflow writes the plan when it begins, and names it to its jobs by the environment, which schedulers pass on.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LosslessError
from ..files.atomic import write_json
from .jobs import PROGRAM
from .sources import present_code, source_digests

VARIABLE = "LOSSLESS_SNN_PLAN"
"""Environment variable with the path of the run's plan."""


@dataclass(frozen=True)
class Plan:
    """What the sources are when a run begins.

    Attributes:
        files: SHA-256 of each source file, by its path in the package.
        code: Fingerprint of the code of each command, "convert" or "figure sops".
    """

    files: dict[str, str]
    code: dict[str, str]

    def changes(self) -> list[str]:
        """Source files that are not as planned now, sorted."""
        present = source_digests()
        return sorted(name for name in {*self.files, *present} if self.files.get(name) != present.get(name))


def make_plan(commands: Iterable[str], folder: Path) -> Path:
    """Write the plan of a run that begins now into `folder`, if it is not there.

    Args:
        commands: All commands that the workflow records, "figure sops" among them.
        folder: A folder that all machines see on which its jobs may run.

    Returns:
        Path of the plan, named by what it says of the sources.
    """
    files = source_digests()
    commands = sorted(commands)
    digest = hashlib.sha256(json.dumps([files, commands]).encode()).hexdigest()[:16]
    path = folder / f"plan-{digest}.json"
    if not path.is_file():
        code = {command: present_code(f"{PROGRAM} {command}") for command in commands}
        write_json(path, asdict(Plan(files, code)))
    return path


def read_plan(path: str | Path) -> Plan:
    """The plan at `path`.

    Raises:
        LosslessError: There is none, as on a machine that does not see the folder of the run.
    """
    try:
        return Plan(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise LosslessError(f"{path}: no plan of a run ({error}); begin the run anew") from None


def present_plan() -> Plan | None:
    """The plan of the run that this process is part of, None outside a run."""
    path = os.environ.get(VARIABLE)
    return read_plan(path) if path else None
