"""The figure of `make bench`: all contenders beside one another, and what ours cost against steps, images and k."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter

from lossless_snn.analysis.captions import precision_title
from lossless_snn.analysis.figures.style import INK, MUTED, ROUND, colours, new_figure
from lossless_snn.config.figure_style import FigureStyle

_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_STUDIES = (
    ("steps", "steps", "time steps"),
    ("images", "count", "images"),
    ("k", "precision", "quantiser (40 time steps)"),
)


def draw(
    frame: pd.DataFrame, table: pd.DataFrame, titles: Mapping[str, str], caption: str, style: FigureStyle
) -> Figure:
    """Points are medians, bars and bands whole ranges over the repetitions.

    Args:
        frame: Every measurement, a row each.
        table: The comparison, a row a contender, indexed by its title.
        titles: The contenders' titles by their names; ours are marked by "lossless-snn".
        caption: Machine, threads and repetitions.
        style: Size and colours.
    """
    title = "Run time: mnist-lenet, k = 1, on 1,000 test images for 20 time steps; below, ours against each of these"
    figure = new_figure(style, title, f"{caption}; medians and whole ranges")
    above, below = figure.subfigures(2, height_ratios=(1.6, 1))
    ours = colours(("ours", "others"), style.palette)["ours"]
    _contenders(above.subplots(), frame[frame.study == "compare"], table, titles, ours)
    for axes, (study, column, label) in zip(below.subplots(1, 3), _STUDIES, strict=True):
        _scaling(axes, frame[frame.study == study], column, ours)
        axes.set(xlabel=label, ylabel="seconds" if study == "steps" else "")
    return figure


def _contenders(
    axes: Axes, frame: pd.DataFrame, table: pd.DataFrame, titles: Mapping[str, str], ours: tuple[float, ...]
) -> None:
    seconds = frame.groupby(frame["contender"].map(titles))["seconds"].agg(["median", "min", "max"]).loc[table.index]
    for place, (title, (median, least, most)) in enumerate(seconds.iterrows()):
        colour = ours if "lossless-snn" in title else MUTED
        axes.errorbar(
            median,
            place,
            xerr=[[median - least], [most - median]],
            marker="o",
            color=colour,
            markerfacecolor=colour if colour == ours else "white",
            ecolor=INK,
            capsize=2,
        )
        text = f"{median:.2f} s, {table.at[title, 'of ours, event-driven']:.2g} times ours"
        place_of_text = {"xycoords": axes.get_yaxis_transform(), "xytext": (6, 0), "textcoords": "offset points"}
        axes.annotate(text, (1, place), va="center", color=INK if colour == ours else MUTED, **place_of_text)
    axes.set_yticks(range(len(seconds)), seconds.index)
    axes.set_ylim(len(seconds) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds")


def _scaling(axes: Axes, frame: pd.DataFrame, column: str, colour: tuple[float, ...]) -> None:
    seconds = frame.groupby(column)["seconds"].agg(["median", "min", "max"])
    places = range(len(seconds)) if column == "precision" else seconds.index
    axes.plot(places, seconds["median"], marker="o", color=colour)
    axes.fill_between(places, seconds["min"], seconds["max"], color=colour, alpha=0.2, linewidth=0)
    axes.set_ylim(0, 1.08 * seconds["max"].max())
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=ROUND))
    if column == "precision":
        axes.set_xticks(places, [precision_title(precision) for precision in seconds.index])
        axes.margins(x=0.15)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND))
        axes.xaxis.set_major_formatter("{x:,.0f}")
