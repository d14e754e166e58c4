"""`lossless-snn table-steps`."""

import click

from ....analysis.results import load_results
from ....analysis.tables.steps import write_step_tables
from ...results_options import csv_option, energy_option, published_option, runs_argument


@click.command()
@runs_argument
@csv_option
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write one experiment's runs beside published step logs as CSV, and the largest deviations as Markdown beside it.

    Published logs lie beside the published values, in published/EXPERIMENT/PRECISION/: the four log files, no other.

    \b
    Example:
        lossless-snn table-steps results/paper/mnist-lenet/logs/k*/seed0 --out steps.csv
    """
    write_step_tables(load_results(runs, published, energy), out)
