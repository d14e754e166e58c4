"""Curves over several runs: their mean as a line, their spread as a band."""

from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes


def mean_and_spread(table: pd.DataFrame, x: str, spread: Literal["range", "deviation"]) -> pd.DataFrame:
    """Accuracies (%) at each value of column `x`, which is the index: `mean`, and the band from `least` to `most`.

    The band is the range over the rows, or the mean ± their standard deviation, cut off at 0 and 100 %;
    where there is one row, it is NaN.
    """
    groups = 100 * table.groupby(x)["accuracy"].agg(["mean", "std", "min", "max"])
    if spread == "range":
        least, most = (groups[name].where(groups["std"].notna()) for name in ("min", "max"))
    else:
        least, most = groups["mean"] - groups["std"], groups["mean"] + groups["std"]
    return pd.DataFrame({"mean": groups["mean"], "least": least.clip(lower=0), "most": most.clip(upper=100)})


def draw_curve(axes: Axes, curve: pd.DataFrame, **line: Any) -> None:
    """Draw what `mean_and_spread` gives."""
    axes.plot(curve.index, curve["mean"], **line)
    axes.fill_between(curve.index, curve["least"], curve["most"], color=line["color"], alpha=0.2, linewidth=0)
