"""All experiments: accuracy and time steps of each precision, ours and published."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...config.figure_style import FigureStyle
from ...datasets.catalogue import find
from .. import captions
from ..results import Results
from .style import INK, MUTED, ROUND, line_styles, new_figure

_PUBLISHED = {"linestyle": "none", "marker": "o", "markersize": 8, "markerfacecolor": "white"}
_PUBLISHED |= {"markeredgewidth": 1.3, "color": MUTED}
_OURS = {"linestyle": "none", "marker": "o", "markersize": 5.5, "markeredgecolor": INK}


def draw_summary(experiments: tuple[Results, ...], style: FigureStyle) -> Figure:
    """A row an experiment: accuracies on the left, time steps on the right; ours filled, published hollow.

    The style's width counts; the height is what so many rows need. Bars are standard deviations over the seeds.
    """
    notes = [note for results in experiments for note in captions.footnotes(results, named=True)]
    # In lines of text: each experiment's title, axis and precisions, and the notes.
    lines = sum(3.4 + 1.15 * len(results.by_precision) for results in experiments) + 4
    lines += (3 if style.narrow else 1.5) * len(notes)
    fitting = style.model_copy(update={"height": lines * 1.35 * style.font_size / 72})
    figure = new_figure(fitting, "All experiments", captions.budget(experiments[0]), notes)
    rows = figure.subplots(len(experiments), 2, squeeze=False, width_ratios=(3, 2))
    for (accuracy, steps), results in zip(rows, experiments, strict=True):
        table = results.by_precision
        lines = line_styles(list(table.index), style.palette)
        shown = _either(table, "")
        _points(accuracy, 100 * shown, 100 * _either(table, "_std"), 100 * _either(table, "_published"), lines)
        _points(steps, table["time_steps"], table["time_steps_std"], table["time_steps_published"], lines)
        accuracy.set_yticks(range(len(table)), [captions.marked_title(results, name) for name in table.index])
        steps.set_yticks(range(len(table)), [""] * len(table))
        left, right = accuracy.get_xlim()
        accuracy.set_xlim(max(left, 0), min(right, 100))
        accuracy.xaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
        steps.set_xlim(left=0)
        steps.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=ROUND))
        data = "" if style.narrow else f" ({find(results.first.dataset).title})"
        accuracy.set_title(f"{results.first.experiment}{data}, {captions.number_of_seeds(results)}", loc="left")
    rows[-1][0].set_xlabel("accuracy (%)")
    rows[-1][1].set_xlabel("time steps")
    spread = f" ({captions.DEVIATION})" if any(results.has_spread for results in experiments) else ""
    ours = Line2D([], [], color=INK, label=f"ours{spread}", **_OURS)
    handles = [ours, Line2D([], [], label="published", **_PUBLISHED)]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, borderaxespad=0)
    return figure


def _either(table: pd.DataFrame, ending: str) -> pd.Series:
    """The spiking network's accuracy, or what `ending` says of it; FP32's for FP32."""
    return table[f"snn_accuracy{ending}"].fillna(table[f"ann_accuracy{ending}"])


def _points(
    axes: Axes, ours: pd.Series, deviations: pd.Series, published: pd.Series, lines: dict[str, dict[str, Any]]
) -> None:
    for place, precision in enumerate(ours.index):
        # Published below ours: where both are the same, a ring is left.
        axes.plot(published[precision], place, **_PUBLISHED)
        deviation = deviations[precision]
        bar = None if pd.isna(deviation) else deviation
        point = {**_OURS, "color": lines[precision]["color"], "ecolor": INK, "capsize": 2.5, "zorder": 3}
        axes.errorbar(ours[precision], place, xerr=bar, **point)
    axes.set_ylim(len(ours) - 0.4, -0.6)
    axes.margins(x=0.12)
