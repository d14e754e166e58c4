"""Which processes run the Snakefile in this folder: whether a lock that Snakemake left is anyone's.

Snakemake's locks name files and no process. Each Snakemake that reads the Snakefile to run jobs enters itself
here, by machine, number and start; who was killed is still entered, and lives no more.
"""

import atexit
import os
import shutil
import socket
import sys
from pathlib import Path

import psutil

from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import write_json
from lossless_snn.files.records import Positive, Record, read_json

_ENTRIES = Path(".snakemake/lossless_snn/processes")
_LOCKS = Path(".snakemake/locks")
# Seconds that two readings of when a process started may differ, where the clock was set meanwhile.
_TOLERANCE = 2


class _Entry(Record):
    """A process that runs, or ran, the project: its machine, number, and start in seconds since 1970."""

    host: str
    pid: Positive
    started: float


def enter(folder: Path) -> None:
    """Enter this process as one that runs the project in `folder`, until it ends."""
    process = psutil.Process()
    host = socket.gethostname()
    path = folder.resolve() / _ENTRIES / f"{host}-{process.pid}.json"
    write_json(path, {"host": host, "pid": process.pid, "started": process.create_time(), "command": process.cmdline()})
    # A forked child ends, too, and is not the process that is entered.
    atexit.register(lambda: os.getpid() == process.pid and path.unlink(missing_ok=True))


def free_locks(program: str) -> None:
    """Remove the locks of a Snakemake that was killed; end the program where one that lives may hold them.

    Args:
        program: Who says so.
    """
    if not any(_LOCKS.glob("*.lock")):
        return
    entries = {path: _read(path) for path in sorted(_ENTRIES.glob("*.json"))}
    living = [entry for entry in entries.values() if entry and _may_live(entry)]
    if living:
        holders = ", ".join(f"{entry.pid} on {entry.host}" for entry in living)
        elsewhere = [path for path, entry in entries.items() if entry and entry.host != socket.gethostname()]
        gone = f"; where a machine is no more, delete {', '.join(map(str, elsewhere))}" if elsewhere else ""
        sys.exit(f"{program}: Snakemake is running here (process {holders}); wait for it, or end it{gone}")
    if not entries:
        sys.exit(
            f"{program}: Snakemake is running here, started in an unknown way; wait for it (or `snakemake --unlock`)"
        )
    for path in entries:
        path.unlink(missing_ok=True)
    shutil.rmtree(_LOCKS)


def _read(path: Path) -> _Entry | None:
    """An entry; None of a process that never came to write it, as where the machine went down."""
    try:
        return read_json(_Entry, path, "entered anew by the next run")
    except LosslessError:
        return None


def _may_live(entry: _Entry) -> bool:
    """Whether the process lives, or is on a machine of which that cannot be seen from here.

    One that has ended, and whose parent has not heard of it, lives no more: a job of its own may keep that waiting.
    """
    if entry.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(entry.pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - entry.started) <= _TOLERANCE
    except (psutil.NoSuchProcess, OverflowError):
        return False
