"""`lossless-snn provenance`."""

import json
import os
from pathlib import Path

import click

from ....provenance.lineage import Lineage
from ....provenance.ro_crate import write_ro_crate
from ....provenance.sources import require_own_folder
from ...options import json_option


@click.command()
@click.argument("file")
@click.option(
    "--ro-crate",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the steps, with the files that are here, as a Workflow Run RO-Crate.",
)
@json_option
def command(file: str, ro_crate: Path | None, as_json: bool) -> None:
    """Show how FILE was made: every step back to the raw data, with parameters and digests.

    As JSON: a list of the recorded jobs, each after those whose outputs it read; the last one made FILE.

    \b
    Example:
        lossless-snn provenance results/paper/mnist-lenet/figures/sops.svg
    """
    require_own_folder()
    lineage, path = Lineage(), os.path.relpath(file)
    tree = lineage.of(path)
    if ro_crate:
        packed = write_ro_crate(path, lineage.steps([path]), ro_crate)
        click.echo(f"{ro_crate}: Workflow Run RO-Crate of {path}, {packed} files packed", err=as_json)
        if not as_json:
            return
    click.echo(json.dumps(list(lineage.steps([path]).values()), indent=2) if as_json else tree)
