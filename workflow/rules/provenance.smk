# Each job that makes a part of results/ writes its own record as its last act: wrapped around the command of every
# such rule, so that no rule has to say so. Not declared as output: a record tells of its job, and no job reads one.

from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.records import recording
from snakemake.utils import format as filled_in

RECORDED = [step for step in workflow.rules if step.shellcmd and "budget" in step.wildcard_names]
# What a rule's command is compiled to takes these by position, and then more.
SEEN_BY_COMMANDS = ["input", "output", "params", "wildcards", "threads", "resources", "log"]


def described(step, command, seen):
    """One job of the rule `step` as the library records and judges it."""
    params = dict(seen["params"].items())
    fingerprint = params.pop("code")
    wildcards = dict(seen["wildcards"].items())
    return Job.described(step.name, wildcards, params, command, fingerprint, seen["input"], seen["output"])


def recorded(step, run):
    """`run`, the compiled command of the rule `step`, and its record."""

    def run_and_record(*arguments):
        seen = dict(zip(SEEN_BY_COMMANDS, arguments))
        with recording(described(step, filled_in(step.shellcmd, **seen), seen)):
            run(*arguments)

    return run_and_record


for step in RECORDED:
    step.run_func = recorded(step, step.run_func)
