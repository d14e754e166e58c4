"""`lossless-snn figure`."""

import json
from functools import partial
from importlib import import_module
from pathlib import Path

import click

from ...analysis import figures
from ...analysis.figures.style import render
from ...analysis.results import load_results
from ...config.figure_style import FigureStyle
from ...errors import LosslessError
from ...files.atomic import write_all
from ...files.typed import validate
from ..results_options import energy_option, published_option, runs_argument


@click.command()
@click.argument("name", type=click.Choice(figures.FIGURES))
@runs_argument
@click.option(
    "--out", "stem", required=True, metavar="STEM", type=click.Path(path_type=Path), help="STEM.svg, STEM.png"
)
@click.option("--style", default="{}", metavar="JSON", help=f"Any of {', '.join(FigureStyle.model_fields)}.")
@published_option
@energy_option
def command(name, runs, stem, style, published, energy) -> None:
    """Draw figure NAME from one experiment's runs, as SVG and PNG."""
    figure_style, results = _style(style), load_results(runs, published, energy)
    draw = import_module(f"{figures.__name__}.{name}").draw
    write_all(render(partial(draw, results), figure_style, stem))


def _style(text: str) -> FigureStyle:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise LosslessError(f"--style: not JSON ({error})") from None
    return validate(FigureStyle, content, "--style")
