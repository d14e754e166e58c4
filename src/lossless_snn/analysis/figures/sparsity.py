"""Firing sparsity: positive and negative spikes an image, next to the number of neurons."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from ..results import Results
from .bars import add_key, count_axis, draw_pairs, spiking_rows
from .style import MUTED, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and published: positive spikes to the right, negative ones to the left."""
    figure = new_figure(results, style, "Firing sparsity: spikes of the whole network for one image")
    axes = figure.subplots()
    neurons, table = results.first.neurons, spiking_rows(results)
    for sign, direction in (("positive", 1), ("negative", -1)):
        draw_pairs(axes, results, style, f"{sign}_spikes_per_image", direction=direction)
    axes.axvline(0, color=MUTED, linewidth=1)
    most, least = (
        table[[f"{sign}_spikes_per_image", f"{sign}_spikes_per_image_published"]].max(axis=None)
        for sign in ("positive", "negative")
    )
    # Beyond the longest bars there must be room for their numbers.
    room = 0.16 * (max(most, neurons) + least)
    count_axis(axes, -least - room, max(most, neurons) + room, "← negative      spikes an image      positive →")
    axes.spines["left"].set_visible(False)
    add_key(axes, results, neurons, "neurons")
    return figure
