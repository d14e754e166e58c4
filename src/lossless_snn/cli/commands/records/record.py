"""`lossless-snn record`."""

import sys

import click

from ....errors import LosslessError
from ....provenance.jobs import Job, expanded
from ....provenance.recording import recording


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("job")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND...", required=True)
@click.pass_context
def command(context: click.Context, job: str, words: tuple[str, ...]) -> None:
    """Run COMMAND, any other of this program, and record it as JOB: what the workflow's rules do.

    JOB is JSON: rule, wildcards, params, code, inputs, outputs. Output and exit status are COMMAND's. @FILE stands
    for the lines of a file.

    \b
    Example:
        lossless-snn record '{"rule": ...}' convert k1.safetensors --out k1.snn.safetensors
    """
    try:
        described = Job.parsed(job, words)
    except (ValueError, OSError) as error:
        raise LosslessError(f"record: JOB is no description of a job: {error}") from None
    with recording(described) as has_to_run:
        if not has_to_run:
            return
        status = context.find_root().command.main(expanded(words), "lossless-snn", standalone_mode=False)
        if status:
            sys.exit(status)
