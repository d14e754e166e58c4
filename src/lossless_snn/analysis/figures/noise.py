"""Robustness to input noise: accuracy against the noise ratio, for every precision."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results
from .curves import draw_curve, mean_and_spread
from .style import INK, add_legend, line_styles, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A line a precision, with the 95 % interval of its mean as a band.

    Draws on one network vary less than networks do: with several seeds, the mean over the draws of each is one value.
    """
    tests = results.noise_curves
    draws = tests["noise_seed"].nunique()
    seeds = tests.groupby("precision")["seed"].nunique()
    sample = f"over {draws} draws of the noise, the same for all networks"
    if (seeds > 1).any():
        tests = tests.groupby(["precision", "seed", "ratio"], sort=False, as_index=False)["accuracy"].mean()
        sample = f"over {captions.number_of_seeds(results)}, each the mean {sample}"
    note = f"Lines: means, bands: their 95 % intervals by Student's t, {sample}."
    figure = new_figure(style, "Robustness to input noise", captions.figure_subtitle(results, "mean"), [note])
    axes = figure.subplots()
    handles = []
    for precision, line in line_styles(list(tests["precision"].unique()), style.palette).items():
        edge = {"markeredgewidth": 1.5} if precision == "fp32" else {"markeredgecolor": INK}
        line = {**line, **edge, "linewidth": 1.7, "markersize": 6}
        curve = mean_and_spread(tests[tests["precision"] == precision], "ratio", "interval")
        draw_curve(axes, curve, clip_on=False, **line)
        values = "" if style.narrow else f": {curve['mean'].iloc[0]:.2f}% → {curve['mean'].iloc[-1]:.2f}%"
        handles.append(Line2D([], [], label=captions.precision_title(precision) + values, **line))
    ratios = sorted(tests["ratio"].unique())
    axes.set(xlabel="noise ratio r (pixels times 1 + u, u uniform in ±r/2)", ylabel="accuracy (%)", xticks=ratios)
    axes.set_ylim(max(axes.get_ylim()[0], 0), min(axes.get_ylim()[1], 100))
    add_legend(axes, handles, style, columns=len(handles))
    return figure
