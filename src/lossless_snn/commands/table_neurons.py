"""`lossless-snn table-neurons`."""

from pathlib import Path

import click

from ..comparison_table import write_comparison_table
from ..energy import ENERGY
from ..results import PUBLISHED, load_results


@click.command()
@click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The CSV file to write.")
@click.option("--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values of the runs.")
@click.option("--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs.")
def command(runs, out, published, energy) -> None:
    """Write what `compare-neurons` gave for one experiment's runs as CSV, and as Markdown beside it."""
    write_comparison_table(load_results(runs, published, energy), out)
