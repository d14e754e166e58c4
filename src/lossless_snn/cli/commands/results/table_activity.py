"""`lossless-snn table-activity`."""

from pathlib import Path

import click

from ....analysis.results import load_results
from ....analysis.tables.activity import write_activity_tables
from ...results_options import energy_option, published_option, runs_argument


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write tables of what `activity` counted for one experiment's runs: energy_breakdown and layer_rates.

    \b
    Example:
        lossless-snn table-activity results/paper/mnist-lenet/logs/*/seed* --out tables
    """
    write_activity_tables(load_results(runs, published, energy), out)
