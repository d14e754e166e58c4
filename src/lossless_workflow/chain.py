"""The jobs that the Snakefile, as it is now, would run for some targets: taken from Snakemake, run by nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.cli import parse_size_in_bytes
from snakemake.settings.types import DAGSettings, ExecutionSettings, OutputSettings, Quietness, ResourceSettings

from lossless_snn.errors import LosslessError
from lossless_snn.provenance.jobs import RESULTS, Job
from lossless_snn.provenance.records import read_record, record_paths

PROFILE = Path("workflow/profiles/default/config.yaml")


class Chain:
    """Snakemake's jobs for the targets, and each as the library describes it, both by the job's record.

    `fetches` are the jobs that get raw data, which have no record; `orphans` has a line on each target
    that no rule makes.

    Snakemake's interface cannot tell jobs or accept them: `workflow` is what that interface uses itself
    (Snakemake's release is pinned).
    """

    def __init__(self, workflow, orphans: list[str]) -> None:
        self.workflow = workflow
        self.orphans = [
            f"{path}: no rule makes it any more; delete it, and the record that tells of it" for path in orphans
        ]
        recorded = workflow.globals["RECORDED"]
        pairs = [(self._described(job), job) for job in workflow.dag.jobs if job.rule in recorded]
        self.jobs = {described.record: described for described, _ in pairs}
        self.steps = {described.record: job for described, job in pairs}
        self.fetches = [job for job in workflow.dag.jobs if job.output and job.rule not in recorded]

    def _described(self, job) -> Job:
        described, seen = (self.workflow.globals[name] for name in ("described", "SEEN_BY_COMMANDS"))
        return described(job.rule, job.shellcmd, {name: getattr(job, name) for name in seen})


@contextmanager
def chain(targets: list[str]) -> Iterator[Chain]:
    """The chain that leads to `targets`; whatever Snakemake has to say against it ends the program.

    Targets that no rule makes are left out; the chain names them.
    """
    profile = yaml.safe_load(PROFILE.read_text())
    settings = DAGSettings(
        max_checksum_file_size=parse_size_in_bytes(profile["max-checksum-file-size"]),
    )
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        dag = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile")).dag(settings)
        workflow = dag.workflow_api._workflow
        workflow.execution_settings = ExecutionSettings()
        made = {target for target in targets if any(rule.is_producer(target) for rule in workflow.rules)}
        workflow.dag_settings = replace(settings, targets=made)
        workflow.globals["LOGS_NEEDED"] = False
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=False)
        workflow._build_dag()
        yield Chain(workflow, sorted(set(targets) - made))


def recorded_targets() -> list[str]:
    """All that records in results/ say was made, of experiments that there are."""
    targets = []
    for path in record_paths():
        try:
            record = read_record(path)
        except LosslessError:
            continue
        experiment = record["wildcards"].get("experiment")
        if experiment is None or Path("config/experiments", f"{experiment}.yaml").is_file():
            targets += record["outputs"]
    return sorted(target for target in targets if Path(target).is_relative_to(RESULTS))
