"""`lossless-snn figure`."""

from functools import partial
from importlib import import_module
from pathlib import Path

import click

from ....analysis import figures
from ....analysis.figures.style import render
from ....analysis.results import load_results
from ....config.figure_style import FIGURES
from ....files.atomic import write_together
from ...options import OneOf
from ...results_options import energy_option, formats_option, published_option, runs_argument, style_option


@click.command()
@click.argument("name", type=OneOf(FIGURES), metavar="NAME")
@runs_argument
@click.option("--out", "stem", required=True, metavar="STEM", type=click.Path(path_type=Path), help="STEM.svg, ...")
@style_option
@formats_option
@published_option
@energy_option
def command(name, runs, stem, style, formats, published, energy) -> None:
    """Draw figure NAME from one experiment's runs, as SVG, PNG and PDF.

    NAME is one of the figures in docs/gallery.md: accuracy_speed, sparsity, sops, energy, ...

    \b
    Example:
        lossless-snn figure sops results/quick/digits-lenet/logs/*/seed0 --out sops --format svg
    """
    results = load_results(runs, published, energy)
    draw = import_module(f"{figures.__name__}.{name}").draw
    write_together(stem.parent, render(partial(draw, results), style, stem.name, formats))
