"""`lossless-snn fetch`: the files of a data set, verified, below data/."""

from pathlib import Path

import click

from ..datasets.catalogue import DATASETS
from ..datasets.sources import retrieve
from ..options import local_option

DESTINATION = Path("data")


@click.command()
@click.argument("dataset", type=click.Choice(list(DATASETS)))
@local_option
def command(dataset: str, local: Path | None) -> None:
    """Make the files of DATASET present below data/, from the first source that has them."""
    origins = retrieve(dataset, DESTINATION, local)
    folder = DESTINATION / DATASETS[dataset].folder / "raw"
    click.echo(f"{dataset}: {folder} ({', '.join(dict.fromkeys(origins.values()))})")
