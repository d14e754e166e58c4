"""`lossless-snn provenance`."""

import json
import os

import click

from ....provenance.lineage import Lineage
from ...options import json_option


@click.command()
@click.argument("file")
@json_option
def command(file: str, as_json: bool) -> None:
    """Show how FILE was made: every step back to the raw data, with parameters and digests.

    As JSON: a list of the recorded jobs, each after those whose outputs it read; the last one made FILE.

    \b
    Example:
        lossless-snn provenance results/paper/mnist-lenet/figures/sops.svg
    """
    lineage, path = Lineage(), os.path.relpath(file)
    tree = lineage.of(path)
    click.echo(json.dumps(list(lineage.steps([path]).values()), indent=2) if as_json else tree)
