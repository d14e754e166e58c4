"""The first part of `make restore`: get what dvc.lock names from DVC's remotes, and put it into results/.

A remote that cannot be had ends the program before anything is put anywhere. What a remote has not got (nobody
pushed it) and what would take the place of files that DVC has not saved is named and left out.
"""

import logging
import sys
from pathlib import Path

import yaml
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo

LOCK = Path("dvc.lock")


def main() -> None:
    if not LOCK.is_file():
        return
    stages = list(yaml.safe_load(LOCK.read_text())["stages"])
    with Repo() as repo:
        # Those of dvc.yaml alone, which is to say of experiments that there still are.
        known = [stage for stage in repo.index.stages if stage.addressing in stages]
        outputs = [output for stage in known for output in stage.outs if output.use_cache]
        fetch(repo, [stage.addressing for stage in known], sorted({remote(repo, output) for output in outputs}))
        lacking = [output for output in outputs if output.changed_cache()]
        refuse_missing_remote(repo, lacking)
        for output in outputs:
            put_in_place(repo, output, output not in lacking)


def remote(repo: Repo, output: Output) -> str:
    """The name of the remote that has the output."""
    return output.remote or repo.config["core"]["remote"]


def fetch(repo: Repo, stages: list[str], remotes: list[str]) -> None:
    """Fill DVC's cache; results/ stays as it is."""
    errors = Errors()
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).handlers = [errors]
    try:
        repo.fetch(stages)
    except Exception as error:  # whatever the libraries of a remote raise
        refuse(f"{' or '.join(remotes)}: {errors.first or error}")


def refuse_missing_remote(repo: Repo, lacking: list[Output]) -> None:
    """End the program if the default remote has not even a folder, which DVC takes for an empty one."""
    place = repo.cloud.get_remote()
    if any(remote(repo, output) == place.name for output in lacking) and not place.fs.exists(place.path):
        refuse(f"{place.name}: there is no {place.fs.unstrip_protocol(place.path)}")


def refuse(reason: str) -> None:
    sys.exit(f"restore: remote {reason}; results/ is as it was")


def put_in_place(repo: Repo, output: Output, complete: bool) -> None:
    """Put one output into results/, or say why not."""
    path = Path(output.fs_path).relative_to(repo.root_dir)
    if not complete:
        print(f"{path}: left out: remote {remote(repo, output)} has not got all of it unaltered")
        return
    try:
        repo.checkout([str(path)])
    except DvcException:
        print(f"{path}: left as it is: DVC has not saved all that is there (`dvc checkout --force {path}` replaces it)")


class Errors(logging.Handler):
    """Keeps the first error that is logged, as one line."""

    first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and self.first is None:
            cause = record.exc_info and record.exc_info[1]
            self.first = " ".join(f"{record.getMessage()}{f': {cause}' if cause else ''}".split())


if __name__ == "__main__":
    main()
