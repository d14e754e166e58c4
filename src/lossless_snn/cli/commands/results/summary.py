"""`lossless-snn summary`."""

from functools import partial
from pathlib import Path

import click

from ....analysis.figures.style import render
from ....analysis.figures.summary import draw_summary
from ....analysis.tables.summary import load_all, summary_tables
from ....files.atomic import write_together
from ...results_options import energy_option, formats_option, published_option, runs_argument, style_option


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="summary.csv to write.")
@style_option
@formats_option
@published_option
@energy_option
def command(runs, out, style, formats, published, energy) -> None:
    """Write the results of several experiments' runs as one table (CSV, Markdown beside it) and one figure.

    \b
    Example:
        lossless-snn summary results/paper/*/logs/*/seed0 --out summary.csv
    """
    experiments = load_all(runs, published, energy)
    figure = render(partial(draw_summary, experiments), style, out.stem, formats)
    write_together(out.parent, summary_tables(experiments, out.stem) | figure)
