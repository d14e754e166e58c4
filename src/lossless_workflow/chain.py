"""The jobs that the Snakefile, as it is now, would run for some targets: taken from Snakemake, run by nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.cli import parse_size_in_bytes
from snakemake.settings.types import DAGSettings, ExecutionSettings, OutputSettings, Quietness, ResourceSettings

from lossless_snn.config.experiment import experiment_file
from lossless_snn.errors import LosslessError
from lossless_snn.provenance.jobs import PROGRAM, RESULTS, Job
from lossless_snn.provenance.records import Records, record_files

PROFILE = Path("workflow/profiles/default/config.yaml")


class Chain:
    """Snakemake's jobs for some targets, and each as the library describes it.

    Snakemake's interface cannot list jobs or accept them: `workflow` is what that interface uses itself
    (Snakemake's release is pinned).

    Attributes:
        jobs: What is recorded of each job, by the place of its record.
        steps: Snakemake's own job, by the same.
        fetches: Snakemake's jobs that get raw data, which have no record.
        orphans: A line for each target that no rule makes.
    """

    def __init__(self, workflow, orphans: list[str]) -> None:
        self.workflow = workflow
        self.orphans = [
            f"{path}: no rule makes it any more; delete it, and the record that tells of it" for path in orphans
        ]
        recorded = [job for job in workflow.dag.jobs if (job.rule.shellcmd or "").startswith(f"{PROGRAM} record ")]
        self.steps = {Job.of_shell_line(job.shellcmd).place: job for job in recorded}
        self.jobs = {place: Job.of_shell_line(job.shellcmd) for place, job in self.steps.items()}
        self.fetches = [job for job in workflow.dag.jobs if job.output and job not in recorded]


@contextmanager
def chain(targets: list[str]) -> Iterator[Chain]:
    """The chain that leads to `targets`; whatever Snakemake has to say against it ends the program.

    Targets that no rule makes are left out; the chain names them.
    """
    profile = yaml.safe_load(PROFILE.read_text(encoding="utf-8"))
    settings = DAGSettings(
        max_checksum_file_size=parse_size_in_bytes(profile["max-checksum-file-size"]),
    )
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        dag = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile")).dag(settings)
        workflow = dag.workflow_api._workflow
        workflow.execution_settings = ExecutionSettings()
        made = {target for target in targets if any(rule.is_producer(target) for rule in workflow.rules)}
        workflow.dag_settings = replace(settings, targets=made)
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=False)
        workflow._build_dag()
        yield Chain(workflow, sorted(set(targets) - made))


def recorded_targets() -> list[str]:
    """All that records in results/ say was made, of experiments that there are."""
    targets, records = [], Records()
    for file in record_files():
        try:
            found = [records[place] for place in records.places([file])]
        except LosslessError:
            continue  # which verify says
        if is_of_experiment(file):
            targets += [path for record in found for path in record["outputs"]]
    return sorted(target for target in targets if Path(target).is_relative_to(RESULTS))


def is_of_experiment(path: Path) -> bool:
    """Whether a file results/BUDGET/EXPERIMENT/... is of an experiment that there is; others are of none, and there."""
    _, *inside, _ = path.relative_to(RESULTS).parts
    try:
        return not inside or experiment_file(inside[0]).is_file()
    except LosslessError:
        return False  # no name of one
