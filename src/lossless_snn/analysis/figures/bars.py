"""Pairs of horizontal bars, ours and published, for every spiking precision."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from ...config.figure_style import FigureStyle
from ..captions import marked_title
from ..results import Results
from .style import INK, MUTED, colours

_HEIGHT = 0.37
_PUBLISHED = {"facecolor": "white", "edgecolor": MUTED, "hatch": "////", "linewidth": 0.8}
_COUNT = "{:,.0f}".format


def spiking_rows(results: Results) -> pd.DataFrame:
    """The rows of `Results.by_precision` that have a spiking network."""
    return results.by_precision.loc[list(dict.fromkeys(run.ann.precision for run in results.spiking))]


def draw_pairs(
    axes: Axes,
    results: Results,
    style: FigureStyle,
    quantity: str,
    whole: float | None = None,
    direction: int = 1,
    form: Callable[[float], str] = _COUNT,
) -> None:
    """Draw `quantity`, a pair of bars a precision from the top down, with its number at each bar's end.

    The number, in the format `form`, is followed by its share of `whole`, if that is given.
    `direction` -1 draws to the left.
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
    _label(axes, ours, table[quantity], form, whole, INK)
    if len(theirs):
        bars = axes.barh(places[theirs.index] + _HEIGHT / 2, theirs * direction, _HEIGHT, **_PUBLISHED)
        _label(axes, bars, theirs, form, whole, MUTED)
    axes.set_yticks(places, [marked_title(results, precision) for precision in table.index])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(len(table) - 0.45, -0.55)


def _label(
    axes: Axes,
    bars: BarContainer,
    values: pd.Series,
    form: Callable[[float], str],
    whole: float | None,
    colour: str,
) -> None:
    labels = [form(value) + (f" ({value / whole:.0%})" if whole else "") for value in values]
    # On white, so that a number stays legible where it crosses a line.
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.bar_label(bars, labels, padding=4, color=colour, bbox=background)


def count_axis(axes: Axes, least: float, most: float, label: str, unit: str = "") -> None:
    """The axis that counts, without signs, from `least` to `most`; `unit` stands at each of its numbers."""
    prefixed = EngFormatter(unit, sep=" ")
    axes.set_xlim(least, most)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(lambda value, position: prefixed(abs(value)))
    axes.set_xlabel(label)


def add_key(
    axes: Axes,
    results: Results,
    reference: float,
    meaning: str,
    form: Callable[[float], str] = _COUNT,
    theirs: str = "published",
) -> None:
    """A dashed line across all bars at `reference`, and above the axes the legend for it and for the bars.

    `theirs` is what the second bar of each pair shows.
    """
    line = axes.axvline(reference, color=INK, linestyle="--", linewidth=1.2, label=f"{meaning}: {form(reference)}")
    handles = [line]
    if not results.published.empty:
        handles = [Patch(facecolor=MUTED, edgecolor=INK, label="ours"), Patch(label=theirs, **_PUBLISHED), line]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.2)
