"""Accuracy over the time steps of the spiking networks, with FP32's accuracy as a line."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...config.figure_style import FigureStyle
from ..captions import marked_title
from ..results import Results
from .style import INK, MARKERS, MUTED, colours, new_figure

_LINE = {"linewidth": 1.7}
_FP32 = {"color": INK, "linestyle": "--", "linewidth": 1.2}
_FP32_PUBLISHED = {"color": MUTED, "linestyle": ":", "linewidth": 1.2}


def draw(results: Results, style: FigureStyle) -> Figure:
    """Above, the accuracies that the networks end with; below, the whole rise.

    A filled marker stands where an accuracy becomes final, a hollow one where it was published to.
    """
    figure = new_figure(results, style, "Accuracy of the spiking networks over time")
    close, whole = figure.subplots(2, sharex=True, height_ratios=(2.5, 1))
    curves = results.accuracy_curves.assign(accuracy=lambda frame: 100 * frame["accuracy"])
    precisions = list(curves["precision"].unique())
    palette = colours(precisions, style.palette)
    for axes in (close, whole):
        sns.lineplot(
            curves,
            x="time_step",
            y="accuracy",
            hue="precision",
            palette=palette,
            errorbar="sd",
            legend=False,
            ax=axes,
            **_LINE,
        )
    handles = _fp32(close, results)
    for i, (precision, colour) in enumerate(palette.items()):
        handles += _final(close, precision, results, colour, MARKERS[i % len(MARKERS)])
    close.set(ylim=_close_range(results.by_precision), ylabel="accuracy (%)")
    whole.set(ylim=(0, 104), yticks=(0, 50, 100), ylabel="accuracy (%)", xlabel="time step")
    last = max([curves["time_step"].max(), *results.by_precision["time_steps_published"].dropna()])
    whole.set_xlim(0.5, last + 0.5)
    whole.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    close.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, borderaxespad=0)
    return figure


def _fp32(axes: Axes, results: Results) -> list[Line2D]:
    """FP32's accuracy, ours and published, as lines; returns the legend's entries."""
    if "fp32" not in results.by_precision.index:
        return []
    row = results.by_precision.loc["fp32"]
    ours, theirs = row["ann_accuracy"], row["ann_accuracy_published"]
    lines = [axes.axhline(100 * ours, label=f"FP32: {ours:.2%}", **_FP32)]
    if pd.notna(theirs):
        lines.append(axes.axhline(100 * theirs, label=f"published: {theirs:.2%}", **_FP32_PUBLISHED))
    return lines


def _final(axes: Axes, precision: str, results: Results, colour: tuple, marker: str) -> list[Line2D]:
    """Where the accuracy became final, ours and published, as markers; returns the legend's entries."""
    row = results.by_precision.loc[precision]
    point = {"color": colour, "marker": marker, "markersize": 7, "clip_on": False}
    steps, accuracy = row["time_steps"], row["snn_accuracy"]
    axes.plot(steps, 100 * accuracy, markeredgecolor=INK, zorder=5, **point)
    text = f"{marked_title(results, precision)}: {accuracy:.2%}, {steps:.3g} steps"
    entries = [Line2D([], [], markeredgecolor=INK, label=text, **point, **_LINE)]
    if pd.notna(row["snn_accuracy_published"]):
        point |= {"markerfacecolor": "white", "markeredgewidth": 1.5, "linestyle": "none"}
        steps, accuracy = row["time_steps_published"], row["snn_accuracy_published"]
        axes.plot(steps, 100 * accuracy, zorder=4, **point)
        by_log = row["time_steps_from_log_published"]
        aside = f" (log: {by_log:.0f})" if pd.notna(by_log) and by_log != steps else ""
        entries.append(Line2D([], [], label=f"published: {accuracy:.2%}, {steps:.0f}{aside}", **point))
    return entries


def _close_range(table: pd.DataFrame) -> tuple[float, float]:
    """Limits, in per cent, with every final accuracy in the upper part and the last of the rise below."""
    finals = 100 * table[["ann_accuracy", "snn_accuracy", "ann_accuracy_published"]]
    least, most = finals.min(axis=None), finals.max(axis=None)
    spread = max(most - least, 0.4)
    return least - 2 * spread, min(most + 0.5 * spread, 100)
