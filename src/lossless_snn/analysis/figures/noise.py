"""Robustness to input noise: accuracy against the noise ratio, for every precision."""

import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...config.figure_style import FigureStyle
from ..captions import precision_title
from ..results import Results
from .style import INK, MARKERS, colours, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A line a precision, FP32's dashed, with a band of a standard deviation over the draws of the noise."""
    curves = results.noise_curves.assign(accuracy=lambda frame: 100 * frame["accuracy"])
    precisions = list(curves["precision"].unique())
    lines = {"fp32": {"color": INK, "linestyle": "--", "marker": "x", "markeredgewidth": 1.5}}
    palette = colours([precision for precision in precisions if precision != "fp32"], style.palette)
    for i, (precision, colour) in enumerate(palette.items()):
        lines[precision] = {"color": colour, "marker": MARKERS[i % len(MARKERS)], "markeredgecolor": INK}
    draws = curves["noise_seed"].nunique()
    note = f"Lines: means, bands: ± standard deviation, over {draws} draws of the noise, the same for all networks."
    figure = new_figure(results, style, "Robustness to input noise", note, of_logs=False)
    axes = figure.subplots()
    handles = []
    for precision in precisions:
        line = {"linewidth": 1.7, "markersize": 6, **lines[precision]}
        tests = curves[curves["precision"] == precision]
        # Its own white edges would hide the crosses.
        line.setdefault("markeredgecolor", line["color"])
        sns.lineplot(tests, x="ratio", y="accuracy", errorbar="sd", legend=False, ax=axes, **line)
        means = tests.groupby("ratio")["accuracy"].mean()
        text = f"{precision_title(precision)}: {means.iloc[0]:.2f}% → {means.iloc[-1]:.2f}%"
        handles.append(Line2D([], [], label=text, **line))
    axes.set(xlabel="noise ratio r (pixels times 1 + u, u uniform in ±r/2)", ylabel="accuracy (%)")
    axes.set_xticks(sorted(curves["ratio"].unique()))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, borderaxespad=0)
    return figure
