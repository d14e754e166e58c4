"""`lossless-snn summary`."""

from pathlib import Path

import click

from ..figures.options import FigureStyle
from ..figures.style import write
from ..figures.summary import draw_summary
from ..results_options import energy_option, published_option, runs_argument
from ..summary import load_all, write_summary


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
