"""Loss and error of each network over its epochs, from history.csv."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, Locator, LogLocator, MaxNLocator, NullFormatter

from ...config.figure_style import FigureStyle
from ...errors import LosslessError
from ...runs import history
from .. import captions
from ..results import Results
from ..tables.curves import training_curves
from .style import MUTED, ROUND, add_legend, line_styles, new_figure

_DOTTED = (0, (1, 1.4))
# Where an axis has no more than this, ticks stand at equal distances, not at 1, 2 and 5.
_DECADE = 10


def draw(results: Results, style: FigureStyle) -> Figure:
    """Above the cross-entropy, below the share of images predicted wrong, on logarithmic axes; mean and range of seeds.

    The legend's lines are of held-out images, dotted ones of training images, as seen while training. Errors are of
    held-out images alone, where there are such: those of training images fall to nothing, which has no place there.
    Raises LosslessError where a run has no history.
    """
    for run in results.runs:
        if not run.history():
            raise LosslessError(f"{run.path / history.FILE}: missing, or without an epoch; train again")
    curves = training_curves(results)
    curves["error"] = 100 * (1 - curves["accuracy"])
    shown = "validation" if "validation" in set(curves["images"]) else "training"
    figure = new_figure(style, "Training", captions.figure_subtitle(results, captions.RANGE))
    loss, error = figure.subplots(2, sharex=True)
    lines = line_styles(list(curves["precision"].unique()), style.palette)
    for (precision, images), of_networks in curves.groupby(["precision", "images"], sort=False):
        _draw(loss, of_networks, "loss", _line(lines[precision], images))
        if images == shown:
            _draw(error, of_networks, "error", _line(lines[precision], images))
    loss.set(ylabel="cross-entropy (nat)", yscale="log")
    error.set(ylabel="wrong (%)", yscale="log", xlabel="epoch", xlim=(0, curves["epoch"].max() + 1))
    _label(error, LogLocator(subs=(1, 2, 5)))
    for axes in (loss, error):
        if _is_short(axes):
            _label(axes, MaxNLocator(5, steps=ROUND))
    error.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=ROUND))
    add_legend(loss, _entries(curves, lines), style)
    return figure


def _is_short(axes: Axes) -> bool:
    low, high = axes.get_ylim()
    return high <= _DECADE * low


def _label(axes: Axes, locator: Locator) -> None:
    axes.yaxis.set_major_locator(locator)
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _line(line: dict[str, Any], images: str) -> dict[str, Any]:
    """How the curve of one precision is drawn over training or held-out images."""
    if images == "training":
        return {"color": line["color"], "linestyle": _DOTTED, "linewidth": 1.1}
    return {"color": line["color"], "linestyle": line["linestyle"], "linewidth": 1.6}


def _draw(axes: Axes, curves: pd.DataFrame, quantity: str, line: dict[str, Any]) -> None:
    """The mean over the seeds, of a single epoch a dot, and a band from the least to the most.

    What is 0 has no place on the axis.
    """
    seeds = curves[quantity].where(curves[quantity] > 0).groupby(curves["epoch"])
    axes.plot(seeds.mean(), **line, marker="o" if len(seeds) == 1 else "", markersize=5)
    if curves["seed"].nunique() > 1:
        axes.fill_between(seeds.min().index, seeds.min(), seeds.max(), color=line["color"], alpha=0.2, linewidth=0)


def _entries(curves: pd.DataFrame, lines: dict[str, dict[str, Any]]) -> list[Line2D]:
    """Of the legend: a line a precision, then what solid and dotted lines are of, where both are drawn."""
    images = list(curves["images"].unique())
    kind = "validation" if "validation" in images else "training"
    entries = [
        Line2D([], [], label=captions.precision_title(precision), **_line(line, kind))
        for precision, line in lines.items()
    ]
    if len(images) > 1:
        entries.append(Line2D([], [], color=MUTED, linewidth=1.6, label="held-out images"))
        entries.append(Line2D([], [], color=MUTED, linestyle=_DOTTED, linewidth=1.1, label="training images"))
    return entries
