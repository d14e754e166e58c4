"""Curves over several runs: their mean as a line, their spread as a band."""

from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes

from ..statistics import interval


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
