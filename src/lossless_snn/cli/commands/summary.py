"""`lossless-snn summary`."""

from pathlib import Path

import click

from ...analysis.figures.style import write
from ...analysis.figures.summary import draw_summary
from ...analysis.tables.summary import load_all, write_summary
from ...config.figure_style import FigureStyle
from ..results_options import energy_option, published_option, runs_argument


@click.command()
@runs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="summary.csv to write.")
@published_option
@energy_option
def command(runs, out, published, energy) -> None:
    """Write the results of several experiments' runs as one table (CSV, Markdown beside it) and one figure."""
    experiments, style = load_all(runs, published, energy), FigureStyle()
    write_summary(experiments, out)
    write(lambda: draw_summary(experiments, style), style, out.with_suffix(""))
