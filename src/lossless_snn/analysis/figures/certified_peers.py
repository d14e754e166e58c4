"""Implementations of the same networks, judged: accuracy, and neurons that differ, against time steps."""

from itertools import cycle
from math import ceil
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from ...config.figure_style import FigureStyle
from .. import captions
from ..comparison import load_certified
from ..results import Results
from .curves import STEPS, errors_axis, steps_axis
from .style import INK, MARKERS, add_key, colours, new_figure

# Of codes: spikes that add up, and rates.
_DASHES = {"sum": "-", "rate": (0, (4, 1.5))}
_ANN = {"color": INK, "linestyle": "-", "linewidth": 0.8}


def draw(results: Results, style: FigureStyle) -> Figure:
    """A column a precision: above, accuracy over the steps; below, the share of neurons that differ.

    Solid where spikes add up, dashed where the mean rate counts. Both axes are logarithmic; in the lower panels 0 lies
    on the axis.
    """
    table = load_certified(results)
    images, steps = int(table["images"].iloc[0]), int(table["time_step"].max())
    note = (
        f"The first {images:,} test images. A neuron differs where it is half a level or more from the quantised "
        "network's activation. Solid: spikes add up; dashed: mean rates."
    )
    figure = new_figure(style, "The same networks, judged", captions.first_seed_subtitle(results), [note])
    precisions = list(table["precision"].unique())
    names = list(table["implementation"].unique())
    columns = 2 if style.narrow else 4
    # In points, of which titles, ticks and notes leave three in five: the legend's lines, and what is left for panels.
    key = 1.4 * style.font_size * ceil((len(names) + 1) / columns)
    grid = figure.add_gridspec(3, len(precisions), height_ratios=(key, *[(0.6 * 72 * style.height - key) / 2] * 2))
    lines = _lines(table, style.palette)
    upper, lower = [], []
    for column, precision in enumerate(precisions):
        share = {"sharex": upper[0], "sharey": upper[0]} if upper else {}
        upper.append(figure.add_subplot(grid[1, column], **share))
        share = {"sharex": upper[0]} | ({"sharey": lower[0]} if lower else {})
        lower.append(figure.add_subplot(grid[2, column], **share))
        _column(upper[-1], lower[-1], table[table["precision"] == precision], lines)
        upper[-1].set(title=captions.precision_title(precision))
    for axes in upper + lower:
        axes.label_outer()
    upper[0].set_ylabel("accuracy (%)")
    lower[0].set_ylabel("neurons that\ndiffer (%)")
    lower[len(lower) // 2].set_xlabel("time step")
    highest = 100 * max(table["accuracy"].max(), table["ann_accuracy"].max())
    errors_axis(upper[0], highest, images)
    if highest == 100:
        _name_the_top(upper[0])
    least = 100 / table["neurons_compared"].max()
    lower[0].set_yscale("symlog", linthresh=10 * least, linscale=0.5)
    lower[0].set_ylim(0, 100)
    lower[0].yaxis.set_major_locator(FixedLocator([0, *(10.0**e for e in range(-9, 3) if 10.0**e > 20 * least)]))
    lower[0].yaxis.set_major_formatter("{x:g}")
    steps_axis(lower[0], steps, style)
    add_key(figure.add_subplot(grid[0, :]), _entries(lines), columns)
    return figure


def _name_the_top(axes: Axes) -> None:
    """Have the axis say 100 % where half an image wrong stands for none."""
    top = axes.get_ylim()[1]
    ticks = [tick for tick in axes.yaxis.get_majorticklocs() if tick < top]
    axes.yaxis.set_major_locator(FixedLocator([*ticks, top]))
    axes.yaxis.set_major_formatter(lambda tick, _: "100" if tick >= top else f"{tick:g}")


def _lines(table: pd.DataFrame, palette: str) -> dict[str, dict[str, Any]]:
    """Colour, dashes and marker of each implementation."""
    codes = table.groupby("implementation", sort=False)["code"].first()
    return {
        name: {"color": colour, "linestyle": _DASHES[codes[name]], "linewidth": 1.5, "marker": marker, "markersize": 4}
        for (name, colour), marker in zip(colours(list(codes.index), palette).items(), cycle(MARKERS), strict=False)
    }


def _column(above: Axes, below: Axes, table: pd.DataFrame, lines: dict[str, dict[str, Any]]) -> None:
    above.axhline(100 * table["ann_accuracy"].iloc[0], **_ANN)
    for name, curve in table.groupby("implementation", sort=False):
        marked = {**lines[name], "markevery": [step - 1 for step in STEPS if step <= len(curve)], "clip_on": False}
        above.plot(curve["time_step"], 100 * curve["accuracy"], **marked)
        below.plot(curve["time_step"], 100 * curve["neurons_that_differ"] / curve["neurons_compared"], **marked)


def _entries(lines: dict[str, dict[str, Any]]) -> list[Line2D]:
    """Of the legend: a line an implementation, and the quantised network's."""
    # Names are whatever --name said: no formulas, and shown where they begin with an underscore, too.
    handles = [Line2D([], [], label=name.replace("$", r"\$"), **line) for name, line in lines.items()]
    return [*handles, Line2D([], [], label="the quantised network", **_ANN)]
