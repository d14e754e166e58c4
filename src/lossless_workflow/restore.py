"""`make restore`: accept what is as the present code, parameters and inputs would make it; have the rest made anew.

First, what dvc.lock names is put into results/ (`pull`). What is accepted then is decided from recorded digests,
never from time stamps. What is accepted Snakemake takes as its own, whatever it knew before; what is not it will
run, the next time that it is asked. No result is touched but spiking networks, which do not travel: their
checkpoints say all of them. Raw data are fetched only where a job that is to run reads them.

Exit status 1 says that something is left out or altered. What was made by other code or parameters is neither.
"""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import click
from snakemake.exceptions import LockException

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.cli.options import full_option, strict_option
from lossless_snn.cli.usage import Command
from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LONGEST_MESSAGE, LosslessError, quoted
from lossless_snn.files.digests import KnownDigests
from lossless_snn.files.progress import progress
from lossless_snn.provenance.equivalence import Equivalences
from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.records import Records
from lossless_snn.provenance.verdicts import Contents, Verdict, by_probe, first_of, judge, published_data
from lossless_snn.provenance.verification import DIGESTS, artifacts

from .chain import Chain, chain, is_of_experiment, recorded_targets
from .lock import LOCK
from .processes import free_locks
from .program import program


@dataclass
class Outcome:
    """What was restored.

    Attributes:
        verdicts: One on each job.
        converted: Spiking networks that were made again.
        unavailable: Data sets that a job which is to run needs and that cannot be had.
        absent_data: Data sets that are not here, and that nothing needs now.
        orphans: A line on each recorded file that no rule makes.
        left_out: A line on each part of dvc.lock that is not in results/.
    """

    verdicts: list[Verdict]
    left_out: list[str]
    converted: list[str] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)
    absent_data: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing that was asked for is left out or altered."""
        return not (self.left_out or self.unavailable or any(verdict.damage for verdict in self.verdicts))

    def lines(self) -> list[str]:
        """A line on everything that is not as it should be, and one that sums up."""
        refused = [verdict for verdict in self.verdicts if not verdict.accepted]
        missing = sorted(path for verdict in self.verdicts if verdict.accepted for path in verdict.missing)
        summary = [f"{len(self.verdicts) - len(refused)} of {len(self.verdicts)} jobs accepted"]
        summary += by_probe(self.verdicts)
        if refused:
            summary.append(f"{len(refused)} to be made anew where asked for")
        if self.converted:
            summary.append(f"{len(self.converted)} spiking networks made again from their checkpoints")
        if missing:
            summary.append(f"not here, and made anew where asked for: {first_of(missing)}")
        if self.absent_data:
            # Snakemake takes fetching for a reason to run again everything that ever read the data.
            summary.append(
                f"raw data not here: {', '.join(self.absent_data)}; `lossless-snn fetch` each before a run that reads "
                "it, or all that is of it is made anew"
            )
        lines = [
            *self.left_out,
            *map(str, refused),
            *self.orphans,
            *(f"{name}: cannot be had; what is to be made anew from it will fail" for name in self.unavailable),
            "; ".join(summary),
        ]
        return [quoted(line, LONGEST_MESSAGE) for line in lines]


@click.command(cls=Command)
@click.argument("targets", nargs=-1)
@strict_option
@full_option
def main(targets: tuple[str, ...], strict: bool, full: bool) -> None:
    """Pull what dvc.lock names, and accept what stands of TARGETS, files of results/; all that is recorded if none is.

    What is accepted Snakemake takes as done. The exit status is 1 if anything is left out or altered.

    \b
    Example:
        python -m lossless_workflow.restore results/paper/mnist-lenet/figures/sops.svg
    """
    free_locks("restore")
    outcome = restore(list(targets), strict, full)
    print(*outcome.lines(), sep="\n")
    sys.exit(not outcome.complete)


def restore(targets: list[str], strict: bool = False, full: bool = False) -> Outcome:
    """Pull what dvc.lock names, and settle with Snakemake what stands of `targets`, or of all that is recorded.

    `strict` has made anew what other code made, even where a probe showed that it gives the same. `full` reads every
    file, also those of the size, times and inode that they had when last read.
    """
    left_out = []
    if LOCK.is_file():
        from .pull import pull_locked  # DVC takes a second to import

        left_out = pull_locked()
    present = (path for path in artifacts() if is_of_experiment(Path(path)))  # recorded or not
    targets = targets or sorted({*recorded_targets(), *present})
    if not targets:
        sys.exit("restore: no records in results/; nothing to restore")
    records, known = Records(), KnownDigests(None if full else DIGESTS)
    with chain(targets) as found:
        try:
            with found.workflow.persistence.lock():
                outcome = Outcome([], left_out, orphans=found.orphans)
                outcome.converted = convert_again(found.jobs.values(), records, known)
                contents = Contents(known)
                outcome.verdicts = judge(found.jobs.values(), contents, records, None if strict else Equivalences())
                outcome.unavailable = fetch_needed(found, outcome.verdicts, contents)
                settle(found, outcome.verdicts, records)
                known.keep()
        except LockException:
            sys.exit("restore: Snakemake is running here; wait for it")
        absent = [job.params.dataset for job in found.fetches if not all(Path(path).exists() for path in job.output)]
    outcome.absent_data = sorted(set(absent) - set(outcome.unavailable))
    return outcome


def convert_again(jobs: Iterable[Job], records: Records, known: KnownDigests) -> list[str]:
    """Make spiking networks that are not what their records say, where code and checkpoint still are."""
    converted = []
    for job in progress([job for job in jobs if job.rule == "convert"], "Convert again", unit="networks", delay=1):
        (checkpoint,), (network,) = job.inputs, job.outputs
        try:
            record = records[job.place]
            recorded = record["inputs"][checkpoint]["sha256"], record["outputs"][network]["sha256"]
        except (LosslessError, KeyError):
            continue  # which the verdict on it will say
        found = tuple(known.sha256(path) if Path(path).is_file() else None for path in (checkpoint, network))
        if record["code"] == job.code and found[0] == recorded[0] and found[1] != recorded[1]:
            convert(Checkpoint.load(checkpoint)).save(network)
            converted.append(network)
    return converted


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
        if subprocess.run(["lossless-snn", "fetch", job.params.dataset], stdout=sys.stderr).returncode:
            unavailable.append(job.params.dataset)
        else:
            accept(found.workflow, job, {})
    return unavailable


def settle(found: Chain, verdicts: list[Verdict], records: Records) -> None:
    """Tell Snakemake of each verdict, in its own records."""
    for verdict in verdicts:
        job = found.steps[verdict.job.place]
        if verdict.accepted:
            inputs = records[verdict.job.place]["inputs"]
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


if __name__ == "__main__":
    with program("restore"):
        main(prog_name="python -m lossless_workflow.restore")
