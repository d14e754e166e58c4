"""`lossless-snn table-certified`."""

import click

from ....analysis.results import load_results
from ....analysis.tables.certified_peers import write_certified_table
from ...results_options import csv_option, energy_option, published_option, runs_argument


@click.command()
@runs_argument
@csv_option
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write what `certify-peers` gave for one experiment's runs as CSV, and as Markdown beside it.

    \b
    Example:
        lossless-snn table-certified results/paper/mnist-lenet/logs/k*/seed0 --out certified_peers.csv
    """
    write_certified_table(load_results(runs, published, energy), out)
