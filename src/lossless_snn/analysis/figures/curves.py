"""Curves over several runs: their mean as a line, their spread as a band."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from ...config.figure_style import FigureStyle
from ..statistics import interval

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Time steps that a logarithmic axis has ticks at."""
_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9)


def mean_and_spread(table: pd.DataFrame, x: str, spread: Literal["range", "interval"]) -> pd.DataFrame:
    """Accuracies (%) at each value of column `x`, which is the index: `mean`, and the band from `least` to `most`.

    The band is the range over the rows, or the 95 % interval of their mean, cut off at 0 and 100 %; where there is
    one row, it is NaN.
    """
    values = 100 * table.set_index(x)["accuracy"]
    groups = values.groupby(level=0).agg(["mean", "std", "min", "max"])
    if spread == "range":
        least, most = (groups[name].where(groups["std"].notna()) for name in ("min", "max"))
    else:
        ends = values.groupby(level=0).apply(interval)
        least, most = ends.str[0], ends.str[1]
    return pd.DataFrame({"mean": groups["mean"], "least": least.clip(lower=0), "most": most.clip(upper=100)})


def draw_curve(axes: Axes, curve: pd.DataFrame, **line: Any) -> None:
    """Draw what `mean_and_spread` gives."""
    axes.plot(curve.index, curve["mean"], **line)
    axes.fill_between(curve.index, curve["least"], curve["most"], color=line["color"], alpha=0.2, linewidth=0)


def errors_axis(axes: Axes, highest: float, images: int) -> None:
    """Accuracies (%) on a logarithmic axis of the errors that are left.

    Where no image is wrong, half an image is drawn as wrong. `highest` is the highest accuracy.
    """
    least = 50 / images
    axes.set_yscale(
        "function", functions=(lambda y: -np.log10(np.maximum(100 - y, least)), lambda y: 100 - 10.0 ** -np.asarray(y))
    )
    axes.set_ylim(0, 100 - max(0.7 * (100 - highest), least))
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if tick <= axes.get_ylim()[1]]))
    axes.yaxis.set_major_formatter("{x:g}")


def steps_axis(axes: Axes, steps: int, style: FigureStyle) -> None:
    """Time steps from 1 to `steps` on a logarithmic axis."""
    axes.set_xscale("log")
    axes.set_xlim(1, max(steps, 2))
    ticks = (1, 10, 100) if style.narrow else STEPS
    axes.xaxis.set_major_locator(FixedLocator([step for step in ticks if step <= steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
