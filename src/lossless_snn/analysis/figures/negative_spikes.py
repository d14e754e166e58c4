"""What negative spikes buy: accuracy over time of one network with three kinds of neuron, a panel a precision."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...config.figure_style import FigureStyle
from ...runs.neurons import NEURONS
from .. import captions
from ..comparison import load_comparison
from ..results import Results
from ..statistics import LEAST_SEEDS
from .curves import draw_curve, errors_axis, mean_and_spread, steps_axis
from .style import INK, add_key, colours, new_figure

_NAMES = {
    "signed": "with negative spikes",
    "unsigned": "without",
    "integrate-and-fire": "integrate-and-fire",
}
_DASHES = dict(zip(NEURONS, ("-", (0, (1.2, 1.2)), (0, (5, 1.5))), strict=True))
_ANN = {"color": INK, "linestyle": "-", "linewidth": 0.8}


def draw(results: Results, style: FigureStyle) -> Figure:
    """A panel a precision, a line a neuron, and the ANN's accuracy on the same images as a thin one.

    Steps are on a logarithmic axis, and so are the errors that are left: accuracies near 100 %
    are drawn further apart.
    """
    comparison = load_comparison(results)
    images, steps = int(comparison["images"].iloc[0]), int(comparison["time_step"].max())
    note = (
        f"The same {images:,} test images for all. Integrate-and-fire: reset by subtraction, the image at every "
        "step, the output averaged."
    )
    shown = captions.INTERVAL if comparison["seed"].nunique() >= LEAST_SEEDS else captions.RANGE
    subtitle = captions.figure_subtitle(results, shown)
    figure = new_figure(style, "What negative spikes buy", subtitle, [note])
    precisions = list(comparison["precision"].unique())
    # A legend of the figure's own would lie on its title.
    grid = figure.add_gridspec(2, len(precisions), height_ratios=(2 if style.narrow else 1, 18))
    key, first = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, 0])
    panels = [first]
    panels += [figure.add_subplot(grid[1, i], sharex=first, sharey=first) for i in range(1, len(precisions))]
    palette = colours(NEURONS, style.palette)
    highest = 0.0
    for axes, precision in zip(panels, precisions, strict=True):
        highest = max(highest, _panel(axes, comparison[comparison["precision"] == precision], palette))
        axes.set(title=captions.precision_title(precision))
        axes.label_outer()
    panels[len(panels) // 2].set_xlabel("time step")
    first.set_ylabel("accuracy (%)")
    steps_axis(first, steps, style)
    errors_axis(first, highest, images)
    handles = [Line2D([], [], color=palette[n], linestyle=_DASHES[n], linewidth=1.8, label=_NAMES[n]) for n in NEURONS]
    handles.append(Line2D([], [], label="the ANN", **_ANN))
    add_key(key, handles, 2 if style.narrow else 4)
    return figure


def _panel(axes: Axes, comparison: pd.DataFrame, palette: dict[str, tuple]) -> float:
    """Draw one precision; returns the highest accuracy in it, in per cent."""
    ann = 100 * comparison["ann_accuracy"].mean()
    axes.axhline(ann, **_ANN)
    highest = ann
    spread = "interval" if comparison["seed"].nunique() >= LEAST_SEEDS else "range"
    for neuron in NEURONS:
        curve = mean_and_spread(comparison[comparison["neuron"] == neuron], "time_step", spread)
        draw_curve(axes, curve, color=palette[neuron], linestyle=_DASHES[neuron], linewidth=1.8)
        highest = max(highest, curve[["mean", "most"]].max(axis=None))
    return highest
