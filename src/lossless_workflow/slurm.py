"""Snakemake's executor for SLURM, with what it lacks: quick looks at jobs, and the reason why one failed.

The plugin (its release is pinned) looks ten seconds later after each look in vain, up to three minutes, and can only
name a reason where the cluster keeps accounts. What SLURM writes into a job's log says it anywhere.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry


class Cause(NamedTuple):
    """Why a job ended: in words, and the resource that it lacked, if it was one."""

    words: str
    resource: str | None = None


# In the order in which they are looked for, in SLURM's state of the job and then in its log.
_CAUSES = {
    r"OUT_OF_MEMORY|oom.kill|Exceeded job memory limit|exceeded memory limit": Cause("out of memory", "mem_mb"),
    r"TIMEOUT|DUE TO TIME LIMIT|DEADLINE": Cause("out of time", "runtime"),
    r"NODE_FAIL|DUE TO NODE FAILURE|BOOT_FAIL": Cause("its node was lost"),
    r"PREEMPTED|DUE TO PREEMPTION": Cause("put off for another job"),
    r"CANCELLED|Killed|SIGKILL|exit status -?9\b|signal 9": Cause("killed"),
}
_UNITS = {"mem_mb": "MB", "runtime": "min"}
_EXAMINED = 20_000  # bytes at the end of a job's log


def cause_of(state: str, log: Path | None) -> Cause:
    """Why a job failed, by SLURM's state of it and by what its log ends with."""
    said = ""
    if log is not None and log.is_file():
        said = log.read_bytes()[-_EXAMINED:].decode(errors="replace")
    # The state alone cannot tell what the log can: a step that was out of memory makes its job FAILED.
    for text in (said, state):
        for pattern, cause in _CAUSES.items():
            if re.search(pattern, text):
                return cause
    return Cause("failed by itself; its log says why")


def advice(name: str, rule: str, cause: Cause, asked: dict[str, Any], attempt: int, attempts: int) -> str:
    """One line: what failed and why, and what comes next or what to set.

    Args:
        name: The job, for a person.
        rule: Its rule, or those of its group joined by commas.
        cause: Why it failed.
        asked: What it asked for, by the names of resources.
        attempt: Which attempt it was, from 1.
        attempts: How many there are.
    """
    lacked = f" ({asked.get(cause.resource)} {_UNITS[cause.resource]} asked for)" if cause.resource else ""
    line = f"{name}: {cause.words}{lacked}, attempt {attempt} of {attempts}"
    if attempt < attempts:
        return f"{line}; submitted again" + (" with more of it" if cause.resource else "")
    if cause.resource:
        wanted = " ".join(
            f"{each}:{cause.resource}={2 * int(asked.get(cause.resource) or 1)}" for each in rule.split(",")
        )
        return f"{line}; ask for more: snakemake --set-resources {wanted}, or its cost in config/costs.yaml"
    return f"{line}; run it again: what was trained and simulated so far is kept"


def keep_logs(job: Any) -> None:
    """Copy the logs of an attempt that failed to NAME.attempt<N>.log: Snakemake deletes them before the next one."""
    for step in job.jobs if job.is_group() else [job]:
        for log in map(Path, step.log):
            if log.is_file():
                shutil.copy2(log, log.with_suffix(f".attempt{job.attempt}.log"))


def adapt() -> None:
    """Let Snakemake use this executor where it is asked for SLURM's; nothing without the plugin."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return
    import snakemake_executor_plugin_slurm as plugin

    class Executor(plugin.Executor):
        """The plugin's, see above."""

        final: list[str]

        def __post_init__(self, test_mode: bool = False) -> None:
            self.final = []
            super().__post_init__(test_mode)

        def get_job_args(self, job):
            """With the cores that the job asks for, however many there are where Snakemake runs."""
            return f"{super().get_job_args(job)} --cores {job.threads}"  # of two, the last counts

        def additional_general_args(self):
            """A job's Snakemake runs its steps itself, not each by `srun` and another Snakemake.

            Those take longer to start than a short step does, and `srun` needs SLURM's configuration on the node.
            """
            return "--executor local"

        async def check_active_jobs(self, active_jobs):
            """Look at jobs; the next time soon again."""
            async for job in super().check_active_jobs(active_jobs):
                yield job
            longest = 3 * self.workflow.executor_settings.init_seconds_before_status_checks
            self.next_seconds_between_status_checks = min(self.next_seconds_between_status_checks, longest)

        def report_job_error(self, job_info, msg=None, **kwargs):
            """Say why a job failed before it is submitted again or given up."""
            line = self._line(job_info, msg or "")
            self.logger.error(line)
            if job_info.job.attempt > job_info.job.restart_times:
                self.final.append(line)
            keep_logs(job_info.job)
            super().report_job_error(job_info, msg=msg, **kwargs)

        def _line(self, job_info, msg: str) -> str:
            job = job_info.job
            log = (job_info.aux or {}).get("slurm_logfile")
            state = re.search(r"SLURM status is: '(\w+)'", msg)
            if state is None:
                return f"{job.name}: SLURM did not take it: {' '.join(msg.split())}"
            steps = sorted(job.jobs, key=str) if job.is_group() else [job]
            rules = ",".join(dict.fromkeys(step.rule.name for step in steps))
            outputs = [str(path) for step in steps for path in step.output]
            name = outputs[0] + (f" and {len(outputs) - 1} more" if len(outputs) > 1 else "")
            asked = {name: job.resources.get(name) for name in _UNITS}
            return advice(name, rules, cause_of(state[1], log), asked, job.attempt, 1 + job.restart_times)

        def shutdown(self) -> None:
            """Say at the end what was given up."""
            super().shutdown()
            for line in self.final:
                self.logger.error(line)

    ExecutorPluginRegistry().plugins["slurm"].executor = Executor
