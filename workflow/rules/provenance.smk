# Every command that makes a part of results/ runs as `lossless-snn record JOB COMMAND...`: it sees that the code is the
# run's and that the inputs are unaltered, and writes the job's record before the job has ended.

import re

from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.plan import VARIABLE, make_plan, read_plan

commands = set()


def recorded(command, **decisive):
    """Params of the rule of a command ("convert", "figure sops").

    `decisive` decides, beside the inputs, what the command gives; `code` is the fingerprint of what it executes.
    `job` has all that a record says of the job.
    """
    commands.add(command)

    def job(wildcards, input, output):
        params = {name: value(wildcards) if callable(value) else value for name, value in decisive.items()}
        name = re.sub("[ -]", "_", command)
        return Job.described(name, dict(wildcards.items()), params, planned_code(command), input, output).as_json()

    return {**decisive, "code": lambda wildcards: planned_code(command), "job": job}


@cache
def planned_code(command):
    return read_plan(os.environ[VARIABLE]).code[command]
