"""`lossless-snn summary`."""

from pathlib import Path

import click

from ..energy import ENERGY
from ..figures.options import FigureStyle
from ..figures.style import write
from ..figures.summary import draw_summary
from ..results import PUBLISHED
from ..summary import load_all, write_summary


@click.command()
@click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="summary.csv to write.")
@click.option("--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values beside ours.")
@click.option("--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs.")
def command(runs, out, published, energy) -> None:
    """Write the results of several experiments' runs as one table (CSV, Markdown beside it) and one figure."""
    experiments, style = load_all(runs, published, energy), FigureStyle()
    write_summary(experiments, out)
    write(lambda: draw_summary(experiments, style), style, out.with_suffix(""))
