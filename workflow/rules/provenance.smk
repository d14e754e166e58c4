# Every command that makes a part of results/ runs as `lossless-snn record JOB COMMAND...`: it sees that the code is the
# run's and that the inputs are unaltered, and writes the job's record before the job has ended.

import re

from lossless_snn.provenance.jobs import Job, in_project, keep_lines
from lossless_snn.provenance.plan import VARIABLE, make_plan, read_plan

commands = set()
LISTS = Path(".snakemake/lossless_snn/lists")
# Linux takes 128 KiB as one argument, which a rule's whole shell line is.
LONGEST_LIST = 50_000


def recorded(command, **decisive):
    """Params of the rule of a command ("convert", "figure sops").

    `decisive` decides, beside the inputs, what the command gives; `code` is the fingerprint of what it executes.
    `job` has all that a record says of the job.
    """
    commands.add(command)

    def job(wildcards, input, output):
        params = {name: value(wildcards) if callable(value) else value for name, value in decisive.items()}
        name = re.sub("[ -]", "_", command)
        files = [list(map(in_project, paths)) for paths in (input, output)]
        described = Job.described(name, dict(wildcards.items()), params, planned_code(command), *files)
        return on_command_line([described.as_json()])

    described = {"code": lambda wildcards: planned_code(command), "job": job}
    if "runs" in decisive:
        described["words"] = lambda wildcards: on_command_line(decisive["runs"](wildcards), " ")
    return {**decisive, **described}


def on_command_line(lines, between="\n"):
    """A list as words of a command line; where a system may not take as many, `@` and a file that has them."""
    if sum(map(len, lines)) + len(lines) < LONGEST_LIST:
        return between.join(lines)
    return f"@{keep_lines(lines, LISTS)}"


@cache
def planned_code(command):
    return read_plan(os.environ[VARIABLE]).code[command]
