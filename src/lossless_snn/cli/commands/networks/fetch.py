"""`lossless-snn fetch`: the files of a data set, verified, below data/."""

from pathlib import Path

import click

from ....datasets.catalogue import UnknownDataset, find
from ....datasets.sources import retrieve
from ...options import local_option

DESTINATION = Path("data")


def _dataset(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        find(value)
    except UnknownDataset as error:
        raise click.BadParameter(str(error)) from None
    return value


@click.command()
@click.argument("dataset", callback=_dataset)
@local_option
def command(dataset: str, local: Path | None) -> None:
    """Make the files of DATASET present below data/, from the first source that has them.

    DATASET is a built-in data set, or NAME of config/datasets/NAME.yaml, whose pictures are decoded.

    \b
    Example:
        lossless-snn fetch mnist --local /data
    """
    origins = retrieve(dataset, DESTINATION, local)
    folder = DESTINATION / find(dataset).folder
    click.echo(f"{dataset}: {folder} ({', '.join(dict.fromkeys(origins.values()))})")
