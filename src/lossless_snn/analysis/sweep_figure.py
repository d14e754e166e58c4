"""A sweep: any column of its table against any of its axes, with the interval over the seeds as a band."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from ..config.figure_style import FigureStyle
from ..config.sweep import Sweep, SweepFigure
from ..errors import LosslessError
from .figures.style import add_legend, line_styles, new_figure
from .quantities import QUANTITIES
from .sweeps import INTERVAL, axis_label, axis_title
from .tables.column import COUNT
from .tables.results import COLUMNS

# From this ratio of its greatest to its least value on, an axis of three numbers or more is logarithmic.
_WIDE = 20


def draw(table: pd.DataFrame, sweep: Sweep, chosen: SweepFigure, style: FigureStyle) -> Figure:
    """A line for each combination of the axes that are not drawn against; words stand at equal distances.

    Args:
        table: What `sweeps.sweep_table` gives.
        sweep: What it is of.
        chosen: Column and axis.
        style: Of the figure.

    Raises:
        LosslessError: The table has no such quantity, or the sweep no such axis.
    """
    if chosen.y not in {quantity.name for quantity in QUANTITIES}:
        raise LosslessError(
            f"'{chosen.y}': no quantity (expected {', '.join(quantity.name for quantity in QUANTITIES)})"
        )
    if chosen.x not in sweep.axes:
        raise LosslessError(f"'{chosen.x}': no axis of this sweep (expected {', '.join(sweep.axes)})")
    others = [axis for axis in sweep.axes if axis != chosen.x and table[axis].nunique(dropna=False) > 1]
    heading, unit = _named(chosen.y)
    least, most = table["seeds"].min(), table["seeds"].max()
    note = f"Lines: means over {f'{least} to ' if least < most else ''}{most} seeds." if most > 1 else "One seed."
    if f"{chosen.y}_low" in table and table[f"{chosen.y}_low"].notna().any():
        note += f" Bands: {INTERVAL}."
    figure = new_figure(
        style, f"{heading[0].upper()}{heading[1:]} by {axis_title(chosen.x)}", f"{sweep.budget} budget", [note]
    )
    axes = figure.subplots()
    places = _places(table[chosen.x])
    groups = dict(list(table.groupby(others, sort=False, dropna=False))) if others else {(): table}
    for rows, line in zip(groups.values(), _lines(groups, others, style), strict=True):
        x = rows[chosen.x].map(lambda value: places[_hashable(value)]).to_numpy(float)
        order = np.argsort(x, kind="stable")
        mean, low, high = (
            rows.get(f"{chosen.y}{ending}", pd.Series(np.nan, rows.index)).to_numpy(float)[order] * unit.scale
            for ending in ("", "_low", "_high")
        )
        axes.plot(x[order], mean, markersize=6, linewidth=1.7, **line)
        axes.fill_between(x[order], low, high, color=line["color"], alpha=0.18, linewidth=0)
    _scale_x(axes, chosen.x, places)
    axes.set_ylabel(f"{heading} ({unit.symbol})" if unit.symbol else heading)
    if unit.symbol == "%":
        axes.set_ylim(max(axes.get_ylim()[0], 0), min(axes.get_ylim()[1], 100.5))
    if others:
        lines = _lines(groups, others, style)
        labels = [", ".join(_label(axis, value) for axis, value in zip(others, key, strict=True)) for key in groups]
        handles = [Line2D([], [], label=label, **line) for label, line in zip(labels, lines, strict=True)]
        add_legend(axes, handles, style)
    return figure


def _named(quantity: str):
    """A quantity's heading and unit, as tables have them."""
    column = COLUMNS.get(quantity)
    return (column.heading, column.unit) if column else (quantity.replace("_", " "), COUNT)


def _label(axis: str, value: object) -> str:
    return (
        axis_label(axis, value)
        if axis in ("precision", "experiment")
        else f"{axis_title(axis)} {axis_label(axis, value)}"
    )


def _hashable(value: object) -> object:
    return None if pd.isna(value) else value


def _places(values: pd.Series) -> dict[object, float]:
    """Where each value of an axis is drawn: at its number, or words and what is not set at 0, 1, 2, ..."""
    distinct = [_hashable(value) for value in values.drop_duplicates()]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct):
        return {value: float(value) for value in distinct}
    return {value: float(index) for index, value in enumerate(distinct)}


def _scale_x(axes, name: str, places: dict[object, float]) -> None:
    """Ticks at the values, named as they are; a logarithmic axis for numbers far apart, with 0 at its beginning."""
    positions = sorted(places.values())
    labels = {place: axis_label(name, value) for value, place in places.items()}
    above_0 = [place for place in positions if place > 0]
    numbers = all(value == place for value, place in places.items())
    if numbers and positions[0] >= 0 and len(above_0) > 2 and above_0[-1] / above_0[0] >= _WIDE:
        axes.set_xscale("symlog", linthresh=above_0[0]) if positions[0] == 0 else axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(positions))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([labels[place] for place in positions])
    axes.set_xlabel(axis_title(name))
    axes.margins(x=0.08)


def _lines(groups: dict, others: list[str], style: FigureStyle) -> list[dict]:
    """A line style a group: that of the precision where precisions alone tell the groups apart."""
    names = [key[0] if others == ["precision"] else f"k{index}" for index, key in enumerate(groups)]
    return list(line_styles(names, style.palette).values())
