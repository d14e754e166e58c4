"""Implementations of the same networks, judged: accuracy, and neurons that differ, against time steps."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from ...config.figure_style import FigureStyle
from .. import captions
from ..comparison import load_certified
from ..results import Results
from .curves import errors_axis, steps_axis
from .style import INK, colours, new_figure

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
    grid = figure.add_gridspec(3, len(precisions), height_ratios=(5, 18, 18))
    palette = colours(names, style.palette)
    upper, lower = [], []
    for column, precision in enumerate(precisions):
        share = {"sharex": upper[0], "sharey": upper[0]} if upper else {}
        upper.append(figure.add_subplot(grid[1, column], **share))
        share = {"sharex": upper[0]} | ({"sharey": lower[0]} if lower else {})
        lower.append(figure.add_subplot(grid[2, column], **share))
        _column(upper[-1], lower[-1], table[table["precision"] == precision], palette)
        upper[-1].set(title=captions.precision_title(precision))
    for axes in upper + lower:
        axes.label_outer()
    upper[0].set_ylabel("accuracy (%)")
    lower[0].set_ylabel("neurons that differ (%)")
    lower[len(lower) // 2].set_xlabel("time step")
    highest = 100 * max(table["accuracy"].max(), table["ann_accuracy"].max())
    errors_axis(upper[0], highest, images)
    least = 100 / table["neurons_compared"].max()
    lower[0].set_yscale("symlog", linthresh=10 * least, linscale=0.5)
    lower[0].set_ylim(0, 100)
    lower[0].yaxis.set_major_locator(FixedLocator([0, *(10.0**e for e in range(-9, 3) if 10.0**e > 20 * least)]))
    lower[0].yaxis.set_major_formatter("{x:g}")
    steps_axis(lower[0], steps, style)
    _key(figure.add_subplot(grid[0, :]), table, palette, style)
    return figure


def _column(above: Axes, below: Axes, table: pd.DataFrame, palette: dict[str, tuple]) -> None:
    above.axhline(100 * table["ann_accuracy"].iloc[0], **_ANN)
    for name, curve in table.groupby("implementation", sort=False):
        line = {"color": palette[name], "linestyle": _DASHES[curve["code"].iloc[0]], "linewidth": 1.5}
        above.plot(curve["time_step"], 100 * curve["accuracy"], **line)
        below.plot(curve["time_step"], 100 * curve["neurons_that_differ"] / curve["neurons_compared"], **line)


def _key(axes: Axes, table: pd.DataFrame, palette: dict[str, tuple], style: FigureStyle) -> None:
    codes = table.groupby("implementation", sort=False)["code"].first()
    handles = [
        Line2D([], [], color=palette[name], linestyle=_DASHES[code], linewidth=1.5, label=name)
        for name, code in codes.items()
    ]
    handles.append(Line2D([], [], label="the quantised network", **_ANN))
    axes.set_axis_off()
    columns = 2 if style.narrow else 4
    place = {"loc": "center left", "bbox_to_anchor": (0, 0.5)}
    legend = axes.legend(handles=handles, ncols=columns, frameon=False, borderpad=0, columnspacing=1.2, **place)
    # Longer than the panels on a narrow figure, it must not push them aside.
    legend.set_in_layout(False)
