"""Computing operations: the spiking network's synaptic operations an image beside the ANN's operations."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from ..results import Results
from .bars import add_key, count_axis, draw_pairs, spiking_rows
from .style import new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and published, and the ANN's operations as a line."""
    figure = new_figure(results, style, "Computing operations of the spiking networks")
    axes = figure.subplots()
    ann = results.first.ann_operations
    draw_pairs(axes, results, style, "operations_per_image", whole=ann)
    table = spiking_rows(results)
    largest = table[["operations_per_image", "operations_per_image_published"]].max(axis=None)
    # Beyond the longest bar there must be room for its number.
    count_axis(axes, 0, max(1.3 * largest, 1.15 * ann), "synaptic operations an image (share of the ANN's operations)")
    add_key(axes, results, ann, "the ANN's operations")
    return figure
