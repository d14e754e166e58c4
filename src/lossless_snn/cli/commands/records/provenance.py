"""`lossless-snn provenance`."""

import os

import click

from ....provenance.lineage import Lineage


@click.command()
@click.argument("file")
def command(file: str) -> None:
    """Show how FILE was made: every step back to the raw data, with parameters and digests."""
    click.echo(Lineage().of(os.path.relpath(file)))
