"""All experiments: accuracy and time steps of each precision, ours and published."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...config.figure_style import FigureStyle
from ...datasets.catalogue import find
from ..captions import precision_title
from ..results import Results
from .style import INK, MUTED, colours

_OURS = {"linestyle": "none", "markersize": 7, "marker": "o"}
_PUBLISHED = {**_OURS, "markerfacecolor": "white", "markeredgewidth": 1.5, "color": MUTED, "markersize": 9}


def draw_summary(experiments: tuple[Results, ...], style: FigureStyle) -> Figure:
    """A row an experiment: accuracies on the left, time steps on the right; ours filled, published hollow."""
    height = 0.9 + 0.95 * len(experiments)
    figure = Figure(figsize=(style.width, height), dpi=style.dpi, layout="constrained")
    budget = experiments[0].first.budget
    note = " (trained for less than published)" if budget == "quick" else ""
    figure.suptitle(f"All experiments, {budget} budget{note}", x=0.01, ha="left")
    rows = figure.subplots(len(experiments), 2, squeeze=False, width_ratios=(3, 2))
    for (accuracy, steps), results in zip(rows, experiments, strict=True):
        table = results.by_precision
        palette = colours(list(table.index), style.palette)
        shown = table["snn_accuracy"].fillna(table["ann_accuracy"])
        published = table["snn_accuracy_published"].fillna(table["ann_accuracy_published"])
        _points(accuracy, 100 * shown, 100 * published, palette)
        _points(steps, table["time_steps"], table["time_steps_published"], palette)
        steps.set_xlim(left=0)
        steps.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        accuracy.set_title(f"{results.first.experiment} ({find(results.first.dataset).title})", loc="left")
    rows[-1][0].set_xlabel("accuracy (%)")
    rows[-1][1].set_xlabel("time steps")
    key = [Line2D([], [], color=INK, label="ours", **_OURS), Line2D([], [], label="published", **_PUBLISHED)]
    figure.legend(handles=key, loc="upper right", ncols=2, frameon=False, borderaxespad=0)
    return figure


def _points(axes: Axes, ours: pd.Series, published: pd.Series, palette: dict[str, tuple]) -> None:
    for place, precision in enumerate(ours.index):
        # Published below ours: where both are the same, a ring is left.
        axes.plot(published[precision], place, **_PUBLISHED)
        axes.plot(ours[precision], place, color=palette[precision], markeredgecolor=INK, **_OURS)
    axes.set_yticks(range(len(ours)), [precision_title(precision) for precision in ours.index])
    axes.set_ylim(len(ours) - 0.4, -0.6)
    axes.margins(x=0.12)
