"""`lossless-snn prune`."""

import click

from ...provenance.records import read_record, record_paths
from ...provenance.sources import archives


@click.command()
def command() -> None:
    """Remove archives of sources that no record in results/ names any more. Not while jobs run."""
    named = {name for path in record_paths() for name in read_record(path)["code"]["sources"]}
    unused = [path for path in archives() if str(path) not in named]
    for path in unused:
        path.unlink()
        click.echo(f"{path}: removed")
    click.echo(f"archives of sources: {len(unused)} removed, {len(named)} in use")
