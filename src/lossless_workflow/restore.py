"""`make restore`: accept what is as the present code, parameters and inputs would make it; have the rest made anew.

Decided from recorded digests, never from time stamps. What is accepted Snakemake takes as its own,
whatever it knew before; what is not it will run, the next time that it is asked. No result is
touched but spiking networks, which do not travel: their checkpoints tell all of them. Raw data are
fetched only where a job that is to run reads them.
"""

import subprocess
import sys
from itertools import groupby
from pathlib import Path

from snakemake.exceptions import LockException

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LosslessError
from lossless_snn.files.digests import sha256
from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.records import read_record
from lossless_snn.provenance.verdicts import Contents, Verdict, judge, published_data, several

from .chain import Chain, chain, recorded_targets


def main(targets: list[str]) -> None:
    targets = targets or recorded_targets()
    if not targets:
        sys.exit("restore: no records in results/; nothing to restore")
    with chain(targets) as found:
        try:
            with found.workflow.persistence.lock():
                for job in found.jobs.values():
                    if job.rule == "convert":
                        convert_again(job)
                contents = Contents()
                verdicts = judge(found.jobs.values(), contents)
                lacking = fetch_needed(found, verdicts, contents)
                settle(found, verdicts)
        except LockException:
            sys.exit("restore: Snakemake is running here; wait for it (or `snakemake --unlock` if it was killed)")
    report(verdicts)
    for orphan in found.orphans:
        print(orphan)
    for dataset in lacking:
        print(f"{dataset}: cannot be had; what is to be made anew from it will fail until it can")
    others = [job for job in found.fetches if job.params.dataset not in lacking]
    for folder in sorted({str(Path(path).parent) for job in others for path in job.output}):
        if not Path(folder).is_dir():
            print(
                f"{folder}: not here, and nothing needs it now; after an edit run `make restore` again before "
                "`snakemake`, which would make anew all that ever read it"
            )


def convert_again(job: Job) -> None:
    """Make a spiking network that is not what its record says, if code and checkpoint still are."""
    (checkpoint,), (network,) = job.inputs, job.outputs
    try:
        record = read_record(job.record)
        recorded = record["inputs"][checkpoint]["sha256"], record["outputs"][network]["sha256"]
    except (LosslessError, KeyError):
        return  # which the verdict on it will say
    found = tuple(sha256(path) if Path(path).is_file() else None for path in (checkpoint, network))
    if record["code"]["fingerprint"] == job.code and found[0] == recorded[0] and found[1] != recorded[1]:
        convert(Checkpoint.load(checkpoint)).save(network)
        print(f"{network}: made again from its checkpoint")


def fetch_needed(found: Chain, verdicts: list[Verdict], contents: Contents) -> list[str]:
    """Fetch data sets that refused jobs read and that are not here, and those that are here but damaged.

    Left to Snakemake, fetching would be a reason to run again everything that ever read them. Returns those
    that cannot be had: what else there is can be restored without them.
    """
    unavailable = []
    needed = {path for verdict in verdicts if not verdict.accepted for path in verdict.job.inputs}
    published = published_data()
    for job in found.fetches:
        lacking = {path for path in job.output if contents[path] is None}
        damaged = {path for path in job.output if contents[path] not in (None, published.get(path, contents[path]))}
        if not (lacking & needed or damaged):
            continue
        # The Snakefile has set the path to the command, and where to look for data.
        if subprocess.run(["lossless-snn", "fetch", job.params.dataset]).returncode:
            unavailable.append(job.params.dataset)
        else:
            accept(found.workflow, job, {})
    return unavailable


def settle(found: Chain, verdicts: list[Verdict]) -> None:
    """Tell Snakemake of each verdict, in its own records."""
    for verdict in verdicts:
        job = found.steps[verdict.job.record]
        if verdict.accepted:
            inputs = read_record(verdict.job.record)["inputs"]
            accept(found.workflow, job, {path: entry["sha256"] for path, entry in inputs.items()})
        else:
            # As if it had been cut off: Snakemake runs it anew (`rerun-incomplete` in the profile).
            found.workflow.persistence.started(job)


def accept(workflow, job, digests: dict[str, str]) -> None:
    """Let Snakemake take `job` as done now; inputs that are not here count with their recorded digests."""
    persistence = workflow.persistence
    workflow.async_run(persistence.finished(job))
    persistence.deactivate_cache()  # which would give what was known before
    for path in job.output:
        record = persistence.metadata(path)
        record.input_checksums = {name: f"sha256:{sha256}" for name, sha256 in digests.items()}
        persistence._write_record(persistence._get_key(path), record)


def report(verdicts: list[Verdict]) -> None:
    refused = [verdict for verdict in verdicts if not verdict.accepted]
    missing = sorted(path for verdict in verdicts if verdict.accepted for path in verdict.missing)
    for verdict in refused:
        print(verdict)
    for _, paths in groupby(missing, lambda path: Path(path).parts[:3]):  # results, budget, experiment
        print(f"{several(paths)}: not here; made anew, with all that follows, where asked for")
    print(f"{len(verdicts) - len(refused)} of {len(verdicts)} jobs accepted", end="")
    print(f"; {len(refused)} to be made anew where asked for" if refused else "")


if __name__ == "__main__":
    main(sys.argv[1:])
