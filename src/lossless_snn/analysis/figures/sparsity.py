"""Firing sparsity: positive and negative spikes an image, next to the number of neurons."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results
from .bars import add_reference, count_scale, draw_pairs, scaled_axis, spiking_rows
from .style import MUTED, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and published: positive spikes to the right, negative ones to the left."""
    results = results.by_logs()
    title = "Firing sparsity: spikes of the whole network for one image"
    figure = new_figure(style, title, captions.figure_subtitle(results), captions.footnotes(results))
    axes = figure.subplots()
    neurons, table = results.first.neurons, spiking_rows(results)
    for sign, direction in (("positive", 1), ("negative", -1)):
        draw_pairs(axes, results, style, f"{sign}_spikes_per_image", "{:,.0f}".format, direction)
    axes.axvline(0, color=MUTED, linewidth=1)
    most, least = (
        table[[f"{sign}_spikes_per_image", f"{sign}_spikes_per_image_published"]].max(axis=None)
        for sign in ("positive", "negative")
    )
    most = max(most, neurons)
    # Beyond the longest negative bar there must be room for its number.
    room = (0.28 if style.narrow else 0.14) * (most + least)
    scale = count_scale(most)
    label = f"← negative    {scale.label('spikes an image')}    positive →"
    scaled_axis(axes, -least - room, 1.04 * most, label, scale)
    axes.spines["left"].set_visible(False)
    add_reference(axes, results, style, neurons, f"neurons: {neurons:,}")
    return figure
