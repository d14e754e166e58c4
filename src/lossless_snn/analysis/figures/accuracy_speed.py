"""Accuracy over the time steps of the spiking networks, with FP32's accuracy as a line."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results
from .curves import draw_curve, mean_and_spread
from .style import INK, MUTED, ROUND, add_legend, line_styles, new_figure

_FP32 = {"color": INK, "linestyle": "-", "linewidth": 1}
_FP32_PUBLISHED = {"color": MUTED, "linestyle": ":", "linewidth": 1.4}
_PUBLISHED_CURVE = {"color": MUTED, "linestyle": "-", "linewidth": 0.8}
# Accuracies that are further apart than this, in points, need no close view.
_WIDE = 50


def draw(results: Results, style: FigureStyle) -> Figure:
    """Above, the accuracies that the networks end with; below, the whole rise; one panel where they are far apart.

    A filled marker stands where an accuracy becomes final, a hollow one where it was published to; a thin line is
    a published log.
    """
    subtitle = captions.figure_subtitle(results, captions.RANGE)
    notes = [*captions.footnotes(results), *captions.accuracy_deviations(results)]
    figure = new_figure(style, "Accuracy of the spiking networks over time", subtitle, notes)
    lines = line_styles(list(results.accuracy_curves["precision"].unique()), style.palette)
    curves = {
        precision: mean_and_spread(curve, "time_step", "range")
        for precision, curve in results.accuracy_curves.groupby("precision", sort=False)
    }
    limits = _close_limits(results.by_precision, curves)
    if limits[1] - limits[0] > _WIDE:
        panels, limits = [figure.subplots()], (0, 100)
    else:
        panels = list(figure.subplots(2, sharex=True, height_ratios=(2.5, 1)))
        panels[1].set(ylim=(0, 104), yticks=(0, 50, 100))
    for axes in panels:
        if axes is panels[0] or not style.narrow:
            axes.set_ylabel("accuracy (%)")
        for precision, curve in curves.items():
            draw_curve(axes, curve, **{**lines[precision], "marker": "", "linewidth": 1.7})
            if precision in results.published_logs:
                theirs = results.published_logs[precision].means(results.first.test_set)["accuracy"]
                axes.plot(range(1, len(theirs) + 1), 100 * theirs, **_PUBLISHED_CURVE)
    close, last = panels[0], panels[-1]
    close.set_ylim(limits)
    steps = max([curve.index.max() for curve in curves.values()])
    last.set_xlim(0.5, max([steps, *results.by_precision["time_steps_published"].dropna()]) + 0.5)
    last.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=ROUND))
    last.set_xlabel("time step")
    ours, published = _fp32(close, results, style)
    for precision, line in lines.items():
        of_precision = _final(close, precision, results, line, style)
        ours, published = ours + of_precision[0], published + of_precision[1]
    add_legend(close, ours + published, style, columns=2 if published else 1)
    return figure


Entries = tuple[list[Line2D], list[Line2D]]
"""Of the legend: ours, and published."""


def _fp32(axes: Axes, results: Results, style: FigureStyle) -> Entries:
    """FP32's accuracy, ours and published, as lines."""
    if "fp32" not in results.by_precision.index:
        return [], []
    row = results.by_precision.loc["fp32"]
    ours, theirs = row["ann_accuracy"], row["ann_accuracy_published"]
    published = []
    if pd.notna(theirs):
        label = _label("FP32, published", f"{theirs:.2%}", style)
        published.append(axes.axhline(100 * theirs, label=label, zorder=2.1, **_FP32_PUBLISHED))
    return [axes.axhline(100 * ours, label=_label("FP32", f"{ours:.2%}", style), zorder=2, **_FP32)], published


def _final(axes: Axes, precision: str, results: Results, line: dict[str, Any], style: FigureStyle) -> Entries:
    """Where the accuracy became final, ours and published, as markers."""
    row, title = results.by_precision.loc[precision], captions.marked_title(results, precision)
    point = {**line, "markersize": 6, "clip_on": False}
    steps, accuracy = row["time_steps"], row["snn_accuracy"]
    axes.plot(steps, 100 * accuracy, markeredgecolor=INK, zorder=5, **point)
    label = _label(title, f"{accuracy:.2%}, {steps:.3g} steps", style)
    ours = [Line2D([], [], markeredgecolor=INK, label=label, linewidth=1.7, **point)]
    if pd.isna(row["snn_accuracy_published"]):
        return ours, []
    point |= {"markerfacecolor": "white", "markeredgewidth": 1.5, "linestyle": "none"}
    steps, accuracy = row["time_steps_published"], row["snn_accuracy_published"]
    axes.plot(steps, 100 * accuracy, zorder=4, **point)
    by_log = row["time_steps_from_log_published"]
    aside = f" (log: {by_log:.0f})" if pd.notna(by_log) and by_log != steps else ""
    title = f"{captions.precision_title(precision)}, published"
    return ours, [Line2D([], [], label=_label(title, f"{accuracy:.2%}, {steps:.0f}{aside}", style), **point)]


def _label(title: str, values: str, style: FigureStyle) -> str:
    return title if style.narrow else f"{title}: {values}"


def _close_limits(table: pd.DataFrame, curves: dict[str, pd.DataFrame]) -> tuple[float, float]:
    """Limits, in per cent, with every final accuracy in the upper part and the last of the rise below."""
    ends = pd.concat([curve.iloc[-1] for curve in curves.values()])
    finals = 100 * table[["ann_accuracy", "ann_accuracy_published", "snn_accuracy_published"]].stack()
    finals = pd.concat([finals, ends])
    # Bands included, which may be highest before the end.
    most = max(finals.max(), *(curve[["mean", "most"]].max(axis=None) for curve in curves.values()))
    spread = max(most - finals.min(), 0.4)
    return max(finals.min() - 1.5 * spread, 0), min(most + 0.2 * spread, 100)
