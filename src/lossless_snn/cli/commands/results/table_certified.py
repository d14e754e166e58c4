"""`lossless-snn table-certified`."""

from pathlib import Path

import click

from ....analysis.results import load_results
from ....analysis.tables.certified_peers import write_certified_table
from ...results_options import energy_option, published_option, runs_argument


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The CSV file to write.")
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write what `certify-peers` gave for one experiment's runs as CSV, and as Markdown beside it.

    \b
    Example:
        lossless-snn table-certified results/paper/mnist-lenet/logs/k*/seed0 --out certified_peers.csv
    """
    write_certified_table(load_results(runs, published, energy), out)
