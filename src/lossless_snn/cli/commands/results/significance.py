"""`lossless-snn significance`."""

import click

from ....analysis.results import load_results
from ....analysis.tables.significance import write_significance
from ...results_options import csv_option, energy_option, published_option, runs_argument


@click.command()
@runs_argument
@csv_option
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Test whether one experiment's spiking networks are less accurate than FP32, over seeds and image by image.

    Writes the tests over seeds as CSV, mcnemar.csv and a Markdown table beside it. Each run needs its predictions.csv
    (`lossless-snn predict`). It says what it finds, whichever way that is.

    \b
    Example:
        lossless-snn significance results/paper/mnist-lenet/logs/*/seed* --out significance.csv
    """
    results = load_results(runs, published, energy)
    write_significance(results, out)
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))
