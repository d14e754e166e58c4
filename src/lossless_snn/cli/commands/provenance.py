"""`lossless-snn provenance`."""

import os

import click

from ...provenance.lineage import Story


@click.command()
@click.argument("file")
def command(file: str) -> None:
    """Tell how FILE was made: every step back to the raw data, with parameters and digests."""
    click.echo(Story().of(os.path.relpath(file)))
