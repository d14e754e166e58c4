"""What both versions of the code do in a probe: commands, each in an empty project of its own."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.sources import LOCAL
from ...errors import LosslessError
from ...files.digests import sha256
from ..code.fingerprint import PACKAGE
from ..jobs import PROGRAM, Place
from ..records import Records
from ..verdicts import DATA


@dataclass(frozen=True)
class Procedure:
    """What both versions of the code do.

    Attributes:
        run: Does it by these sources in this folder, which these sources alone work in; SHA-256 of all that it gives,
            by names.
        described: How far it goes and by which commands, see `equivalence.Probe`.
    """

    run: Callable[[Path, Path], dict[str, str]]
    described: Mapping[str, Any]


def run_in_project(
    command: str, sources: Path, folder: Path, inputs: Iterable[str] = (), files: Mapping[str, Path] | None = None
) -> None:
    """Run a command by these sources, in a project without results.

    Args:
        command: The command line.
        sources: The folder that the package is in.
        folder: The project's, which need not be there.
        inputs: What the recorded job read: raw data among it that are here, the project has, too.
        files: What the project gets copies of, by their names there.

    Raises:
        LosslessError: The command fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (descriptions := Path("config/datasets")).is_dir():
        shutil.copytree(descriptions, folder / descriptions)
    for name, file in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)
    environment = {**os.environ, "PYTHONPATH": str(sources.resolve())}
    if all(Path(name).is_file() for name in inputs if Path(name).is_relative_to(DATA)):
        (folder / DATA).symlink_to(DATA.resolve())
    if LOCAL in environment:
        environment[LOCAL] = str(Path(environment[LOCAL]).resolve())
    words = shlex.split(command)
    run = subprocess.run(
        [sys.executable, "-m", PACKAGE.name, *words[words.index(PROGRAM) + 1 :]],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if run.returncode:
        *_, last = run.stderr.strip().splitlines() or ["no message"]
        raise LosslessError(f"probe by {sources}: {command} failed: {last}")


def is_here(record: Mapping[str, Any], path: str) -> bool:
    """Whether a network that the recorded job started from is here.

    Raises:
        LosslessError: Another one is in its place.
    """
    if not Path(path).is_file():
        return False
    if path not in record["inputs"] or sha256(path) != record["inputs"][path]["sha256"]:
        raise LosslessError(f"{path}: not the network that the recorded job started from; restore it")
    return True


def making(place: Place, path: str, rule: str) -> tuple[Place, Mapping[str, Any]]:
    """The record, with its place, that says how to make a network that the job of another record started from.

    Args:
        place: Where the other record is.
        path: The network's file.
        rule: What must have made it.

    Raises:
        LosslessError: No record says so.
    """
    made = Records().made(path)
    if made is None or made[1]["rule"] != rule:
        raise LosslessError(
            f"{place}: {path}, which it started from, has to be made for the probe, "
            f"and no record tells how to {rule} it; restore it"
        )
    return made
