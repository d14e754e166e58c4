"""Which layer spikes when: rates of positive and negative spikes by layer and time step."""

import numpy as np
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..costs import layer_rates
from ..results import Results
from .style import new_figure

_SIGNS = {"positive_rate": "positive", "negative_rate": "negative"}
# A rate below this is drawn as none.
_LEAST = 1e-5


def draw(results: Results, style: FigureStyle) -> Figure:
    """A column a precision, a row a sign; each a map of layers by time steps, on one logarithmic scale of rates."""
    table = layer_rates(results)
    precisions = list(table["precision"].unique())
    note = f"Spikes a neuron and step; white: fewer than {_LEAST:g}."
    figure = new_figure(style, "Which layer spikes when", captions.first_seed_subtitle(results), [note])
    panels = figure.subplots(2, len(precisions), sharex=True, sharey=True, squeeze=False)
    scale = LogNorm(_LEAST, 1)
    palette = sns.color_palette(style.palette, as_cmap=True).reversed().with_extremes(bad="white", under="white")
    for column, precision in enumerate(precisions):
        of_precision = table[table["precision"] == precision]
        for row, (rate, sign) in enumerate(_SIGNS.items()):
            axes = panels[row, column]
            by_layer = of_precision.pivot(index="layer", columns="time_step", values=rate)
            by_layer = by_layer.loc[list(of_precision["layer"].unique())]
            shown = np.ma.masked_less(by_layer.to_numpy(), _LEAST)
            steps, layers = by_layer.shape[1], by_layer.shape[0]
            extent = (0.5, steps + 0.5, layers - 0.5, -0.5)
            image = axes.imshow(shown, norm=scale, cmap=palette, aspect="auto", extent=extent, interpolation="nearest")
            axes.set_yticks(range(layers), by_layer.index)
            axes.grid(False)
            if row == 0:
                axes.set_title(captions.precision_title(precision))
            if column == 0:
                axes.set_ylabel(sign)
    panels[1, len(precisions) // 2].set_xlabel("time step")
    figure.colorbar(image, ax=list(panels.flat), label="spikes a neuron and step", pad=0.01)
    return figure
