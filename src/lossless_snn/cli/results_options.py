"""What the commands that read results take: runs, and what to put beside them."""

import json
from pathlib import Path
from typing import get_args

import click

from ..config.energy import ENERGY
from ..config.figure_style import FigureFormat, FigureStyle
from ..config.settings import PUBLISHED
from ..errors import LosslessError
from ..files.records import each_key_once
from ..files.typed import validate
from .options import OneOf


def _style(context: click.Context, parameter: click.Parameter, value: str) -> FigureStyle:
    try:
        content = json.loads(value, object_pairs_hook=each_key_once)
    except ValueError as error:
        raise LosslessError(f"--style: not JSON ({error})") from None
    return validate(FigureStyle, content, "--style")


runs_argument = click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
csv_option = click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The CSV file to write."
)
published_option = click.option(
    "--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values beside ours."
)
energy_option = click.option(
    "--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs."
)
style_option = click.option(
    "--style",
    default="{}",
    metavar="JSON",
    callback=_style,
    help=f"How figures are drawn: any of {', '.join(FigureStyle.model_fields)}.",
)
formats_option = click.option(
    "--format",
    "formats",
    multiple=True,
    type=OneOf(get_args(FigureFormat)),
    default=get_args(FigureFormat),
    help="Format of the figure; all if none is given.",
)
