"""`lossless-snn table`."""

from pathlib import Path

import click

from ..energy import ENERGY
from ..results import PUBLISHED, load_results
from ..tables import write_tables


@click.command()
@click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="results.csv to write.")
@click.option("--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values beside ours.")
@click.option("--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs.")
def command(runs, out, published, energy) -> None:
    """Write the results of one experiment's runs as CSV.

    Beside it come results.md for people, metrics.json with the main numbers, and the curves
    accuracy_by_step.csv and training.csv.
    """
    write_tables(load_results(runs, published, energy), out)
