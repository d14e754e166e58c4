"""`lossless-snn summary`."""

from functools import partial
from pathlib import Path

import click

from ...analysis.figures.style import render
from ...analysis.figures.summary import draw_summary
from ...analysis.tables.summary import load_all, summary_tables
from ...config.figure_style import FigureStyle
from ...files.atomic import write_all
from ..results_options import energy_option, published_option, runs_argument


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="summary.csv to write.")
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write the results of several experiments' runs as one table (CSV, Markdown beside it) and one figure."""
    experiments = load_all(runs, published, energy)
    figure = render(partial(draw_summary, experiments), FigureStyle(), out.with_suffix(""))
    write_all(summary_tables(experiments, out) | figure)
