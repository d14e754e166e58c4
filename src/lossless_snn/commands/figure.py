"""`lossless-snn figure`."""

import json
from importlib import import_module
from pathlib import Path

import click

from .. import figures
from ..energy import ENERGY
from ..errors import LosslessError
from ..figures.options import FigureStyle
from ..figures.style import render
from ..results import PUBLISHED, load_results
from ..yaml_files import validate


@click.command()
@click.argument("name", type=click.Choice(figures.FIGURES))
@click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", "stem", required=True, metavar="STEM", type=click.Path(path_type=Path), help="STEM.svg, STEM.png"
)
@click.option("--style", default="{}", metavar="JSON", help=f"Any of {', '.join(FigureStyle.model_fields)}.")
@click.option("--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values beside ours.")
@click.option("--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs.")
def command(name, runs, stem, style, published, energy) -> None:
    """Draw figure NAME from one experiment's runs, as SVG and PNG."""
    looks, results = _style(style), load_results(runs, published, energy)
    render(import_module(f"{figures.__name__}.{name}").draw, results, looks, stem)


def _style(text: str) -> FigureStyle:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise LosslessError(f"--style: not JSON ({error})") from None
    return validate(FigureStyle, content, "--style")
