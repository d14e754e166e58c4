"""`lossless-snn prune`."""

import click

from ....provenance.records import Records, record_files
from ....provenance.sources import archives, require_own_folder


@click.command()
def command() -> None:
    """Remove archives of sources that no record in results/ names any more. Not while jobs run.

    \b
    Example:
        lossless-snn prune
    """
    require_own_folder()
    records = Records()
    named = {records[place]["code"] for place in records.places(record_files())}
    kept = archives()
    unused = [path for path in kept if path.name.removesuffix(".tar.xz") not in named]
    for path in unused:
        path.unlink()
        click.echo(f"{path}: removed")
    click.echo(f"archives of sources: {len(unused)} removed, {len(kept) - len(unused)} in use")
