"""`lossless-snn sweep`."""

from functools import partial
from pathlib import Path

import click

from ....analysis.figures.style import render
from ....analysis.sweep_figure import draw
from ....analysis.sweeps import sweep_table, write_sweep
from ....config.energy import read_energies
from ....config.sweep import SweepFigure, load_sweep, sweep_points
from ....errors import LosslessError
from ....files.atomic import write_together
from ...results_options import energy_option, formats_option


@click.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="CSV to write; .parquet and .md beside it."
)
@click.option("--figure", type=click.Path(path_type=Path), metavar="STEM", help="STEM.svg, ...: draw --y against --x.")
@click.option("--y", help="The quantity to draw, a column of the table.")
@click.option("--x", help="The axis to draw it against.")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), help="Where the runs are.")
@formats_option
@energy_option
def command(name, out, figure, y, x, results, formats, energy) -> None:
    """Tabulate, or draw, the runs of sweep NAME, config/sweeps/NAME.yaml, which must be there.

    `snakemake sweep_NAME` makes the runs, the table and the figures.

    \b
    Example:
        lossless-snn sweep digits-width --figure accuracy --y snn_accuracy --x precision
    """
    if bool(figure) != bool(y and x) or not (out or figure):
        raise LosslessError("sweep: give --out for the table, or --figure, --y and --x for a figure")
    sweep, points = load_sweep(name), sweep_points(name)
    table = sweep_table(points, sweep.budget, read_energies(energy), results)
    if out:
        write_sweep(table, sweep.axes, name, sweep.budget, out)
    if figure:
        drawn = partial(draw, table, sweep, SweepFigure(y=y, x=x))
        write_together(figure.parent, render(drawn, sweep.style, figure.name, formats))
