"""The first part of `make restore`: get what dvc.lock names from DVC's remotes, and put it into results/.

A remote that cannot be had ends the program before anything is put anywhere. What a remote has not got (nobody
pushed it) and what would take the place of files that DVC has not saved is named and left out. By itself,
`python -m lossless_workflow.pull`, exit status 1 if anything was.
"""

import logging
import sys
from collections.abc import Collection
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc_data.hashfile.hash import hash_file

from lossless_snn.errors import quoted

from .lock import LOCK, locked_stages
from .program import program


def main() -> None:
    left_out = pull_locked()
    print(*left_out, sep="\n", end="\n" if left_out else "")
    sys.exit(bool(left_out))


def pull_locked() -> list[str]:
    """Put what dvc.lock names into results/; a line for each output that was left out."""
    stages = locked_stages()
    if not stages:
        return []
    try:
        with Repo() as repo:
            return pull(repo, stages)
    except DvcException as error:
        sys.exit(f"restore: DVC: {' '.join(str(error).split())}")


def pull(repo: Repo, stages: Collection[str]) -> list[str]:
    """Put the outputs of the stages into results/, as far as they can be had; a line for each that cannot."""
    if not repo.config["core"].get("remote"):
        sys.exit("restore: DVC has no default remote; `dvc remote default embedded`, or one of yours")
    known = [stage for stage in repo.index.stages if stage.addressing in stages]
    outputs = [output for stage in known for output in stage.outs if output.use_cache]
    fetch(repo, known, outputs)
    lacking = [output for output in outputs if output.changed_cache()]
    refuse_missing_remote(repo, lacking)
    shown = (output for output in outputs if output not in lacking or not is_nowhere(repo, output))
    lines = [put_in_place(repo, output, output not in lacking) for output in shown]
    nameless = sorted(set(stages) - {stage.addressing for stage in known})
    lines += [f"{LOCK}: stage {quoted(name)}: left out, dvc.yaml has none of that name" for name in nameless]
    return [line for line in lines if line]


def is_nowhere(repo: Repo, output: Output) -> bool:
    """Whether the output's remote is DVC's own cache still: nobody has said where its files are."""
    return Path(repo.cache.local.path).is_relative_to(repo.cloud.get_remote(remote(repo, output)).path)


def remote(repo: Repo, output: Output) -> str:
    """The name of the remote that has the output."""
    return output.remote or repo.config["core"]["remote"]


def fetch(repo: Repo, stages: list[Stage], outputs: list[Output]) -> None:
    """Fill DVC's cache; results/ stays as it is."""
    errors = Errors()
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).handlers = [errors]
    addresses = [stage.addressing for stage in stages]
    try:
        repo.fetch(addresses)
        if drop_damaged(repo, outputs):
            repo.fetch(addresses)
    except Exception as error:  # whatever the libraries of a remote raise
        remotes = sorted({remote(repo, output) for output in outputs})
        refuse(f"{' or '.join(remotes)}: {errors.first or error}")


def drop_damaged(repo: Repo, outputs: list[Output]) -> bool:
    """Remove objects of the outputs from DVC's cache that are not what their names say; whether there were any.

    DVC itself trusts whatever it once made read-only.
    """
    whole = [output for output in outputs if not output.changed_cache()]
    digests = {output.hash_info.value for output in outputs if output.hash_info.value}
    digests |= {info.value for output in whole for used in output.get_used_objs().values() for info in used}
    cache = repo.cache.local
    damaged = [
        digest
        for digest in digests
        if cache.exists(digest)
        and hash_file(cache.oid_to_path(digest), cache.fs, cache.hash_name)[1].value != digest.removesuffix(".dir")
    ]
    for digest in damaged:
        cache.delete(digest)
    return bool(damaged)


def refuse_missing_remote(repo: Repo, lacking: list[Output]) -> None:
    """End the program if the default remote has not even a folder, which DVC takes for an empty one."""
    place = repo.cloud.get_remote()
    if any(remote(repo, output) == place.name for output in lacking) and not place.fs.exists(place.path):
        refuse(f"{place.name}: there is no {place.fs.unstrip_protocol(place.path)}")


def refuse(reason: str) -> None:
    sys.exit(f"restore: remote {reason}; results/ is as it was")


def put_in_place(repo: Repo, output: Output, complete: bool) -> str | None:
    """Put one output into results/, or return a line on why not."""
    path = Path(output.fs_path).relative_to(repo.root_dir)
    if not complete:
        return f"{path}: left out: remote {remote(repo, output)} has not got all of it unaltered"
    try:
        repo.checkout([str(path)])
    except DvcException:
        return f"{path}: left as it is: DVC has not saved all that is there (`dvc checkout --force {path}` replaces it)"
    return None


class Errors(logging.Handler):
    """Keeps the first error that is logged, as one line."""

    first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and self.first is None:
            cause = record.exc_info and record.exc_info[1]
            self.first = " ".join(f"{record.getMessage()}{f': {cause}' if cause else ''}".split())


if __name__ == "__main__":
    with program("restore"):
        main()
