"""`lossless-snn table`."""

from pathlib import Path

import click

from ....analysis.results import load_results
from ....analysis.tables.results import write_tables
from ...results_options import energy_option, published_option, runs_argument


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="results.csv to write.")
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write the results of one experiment's runs as CSV.

    Beside it come results.md for people, metrics.json with the main numbers, and the curves
    accuracy_by_step.csv and training.csv.

    \b
    Example:
        lossless-snn table results/quick/digits-lenet/logs/*/seed0 --out tables/results.csv
    """
    write_tables(load_results(runs, published, energy), out)
