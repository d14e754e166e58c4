"""Pairs of horizontal bars, ours and published, for every spiking precision, and their numbers beside the axes."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from ...config.figure_style import FigureStyle
from ..captions import marked_title
from ..results import Results
from .style import INK, MUTED, ROUND, colours

_HEIGHT = 0.37
_PUBLISHED = {"facecolor": "white", "edgecolor": MUTED, "hatch": "////", "linewidth": 0.8}
_COUNTS = ((1e9, "billions"), (1e6, "millions"), (1e4, "thousands"))
_JOULES = ((1, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"), (1e-12, "pJ"))


class Scale(NamedTuple):
    """The one unit of an axis and of the numbers at it."""

    unit: str
    size: float
    decimals: int = 0

    def label(self, quantity: str) -> str:
        """The axis's label."""
        return f"{quantity} ({self.unit})" if self.unit else quantity

    def number(self, value: float) -> str:
        """A value in this unit, without it."""
        return f"{value / self.size:,.{self.decimals}f}"


def count_scale(most: float) -> Scale:
    """For an axis that counts up to `most`."""
    words = [(size, word) for size, word in _COUNTS if most >= size]
    size, word = words[0] if words else (1, "")
    return Scale(word, 1e3 if word == "thousands" else size)


def joule_scale(most: float) -> Scale:
    """For an axis of energies up to `most`, which gets three or four digits."""
    size, unit = next((pair for pair in _JOULES if most >= pair[0]), _JOULES[-1])
    return Scale(unit, size, 3 if most < 10 * size else 2 if most < 100 * size else 1)


def spiking_rows(results: Results) -> pd.DataFrame:
    """The rows of `Results.by_precision` that have a spiking network."""
    return results.by_precision.loc[list(dict.fromkeys(run.ann.precision for run in results.spiking))]


def draw_pairs(
    axes: Axes,
    results: Results,
    style: FigureStyle,
    quantity: str,
    number: Callable[[float], str],
    direction: int = 1,
) -> None:
    """Draw `quantity`, a pair of bars a precision from the top down, and the `number` of each.

    Numbers stand right of the axes, where they cross nothing. `direction` -1 draws to the left, and has them at the
    bars' ends.
    """
    table = spiking_rows(results)
    palette = colours(list(table.index), style.palette)
    places = pd.Series(range(len(table)), index=table.index, dtype=float)
    theirs = table[f"{quantity}_published"].dropna()
    # Where nothing was published, our bar stands in the middle.
    shift = _HEIGHT / 2 * places.index.isin(theirs.index)
    ours = axes.barh(
        places - shift,
        table[quantity] * direction,
        _HEIGHT,
        xerr=table[f"{quantity}_std"].fillna(0) if results.has_spread else None,
        color=[palette[precision] for precision in table.index],
        edgecolor=INK,
        linewidth=0.8,
        error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
    )
    published = axes.barh(places[theirs.index] + _HEIGHT / 2, theirs * direction, _HEIGHT, **_PUBLISHED)
    for bars, values, colour in ((ours, table[quantity], INK), (published, theirs, MUTED)):
        texts = [number(value) for value in values]
        if direction < 0:
            axes.bar_label(bars, texts, padding=3, color=colour)
            continue
        width = max((TextPath((0, 0), text, size=style.font_size).get_extents().width for text in texts), default=0)
        for bar, text in zip(bars, texts, strict=True):
            axes.annotate(
                text,
                (1, bar.get_y() + bar.get_height() / 2),
                xycoords=axes.get_yaxis_transform(),
                xytext=(6 + width, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=colour,
            )
    axes.set_yticks(places, [marked_title(results, precision) for precision in table.index])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(len(table) - 0.45, -0.55)


def scaled_axis(axes: Axes, least: float, most: float, label: str, scale: Scale) -> None:
    """The axis of the bars, from `least` to `most`, in one unit and without signs."""
    axes.set_xlim(least, most)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    axes.xaxis.set_major_formatter(lambda value, position: f"{abs(value) / scale.size:,.6g}")
    axes.set_xlabel(label)


def add_reference(
    axes: Axes, results: Results, style: FigureStyle, reference: float, meaning: str, theirs: str = "published"
) -> None:
    """A dashed line across all bars at `reference`, and above the axes the legend for it and for the bars.

    `theirs` is what the second bar of each pair shows.
    """
    handles = [axes.axvline(reference, color=INK, linestyle="--", linewidth=1.2)]
    labels = [meaning]
    if not results.published.empty:
        palette = colours(list(spiking_rows(results).index), style.palette)
        ours = tuple(Patch(facecolor=colour, edgecolor=INK, linewidth=0.8) for colour in palette.values())
        handles, labels = [ours, Patch(**_PUBLISHED), *handles], ["ours", theirs, *labels]
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2 if style.narrow else 3,
        columnspacing=1.2,
        frameon=False,
        borderaxespad=0.2,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
    )
