"""Computing operations: the spiking network's synaptic operations an image beside the ANN's operations."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results
from .bars import add_reference, count_scale, draw_pairs, scaled_axis, spiking_rows
from .style import new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and published, and the ANN's operations as a line."""
    results = results.by_logs()
    title = "Computing operations of the spiking networks, and their share of the ANN's"
    figure = new_figure(style, title, captions.figure_subtitle(results), captions.footnotes(results))
    axes = figure.subplots()
    ann = results.first.ann_operations
    draw_pairs(axes, results, style, "operations_per_image", lambda value: f"{value:,.0f} ({value / ann:.0%})")
    largest = spiking_rows(results)[["operations_per_image", "operations_per_image_published"]].max(axis=None)
    most = max(largest, ann)
    scale = count_scale(most)
    scaled_axis(axes, 0, 1.04 * most, scale.label("synaptic operations an image"), scale)
    add_reference(axes, results, style, ann, f"the ANN's operations: {ann:,}")
    return figure
