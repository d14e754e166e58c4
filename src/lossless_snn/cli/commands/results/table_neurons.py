"""`lossless-snn table-neurons`."""

import click

from ....analysis.results import load_results
from ....analysis.tables.negative_spikes import write_comparison_table
from ...results_options import csv_option, energy_option, published_option, runs_argument


@click.command()
@runs_argument
@csv_option
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write what `compare-neurons` gave for one experiment's runs as CSV, and as Markdown beside it.

    \b
    Example:
        lossless-snn table-neurons results/paper/mnist-lenet/logs/*/seed* --out negative_spikes.csv
    """
    write_comparison_table(load_results(runs, published, energy), out)
