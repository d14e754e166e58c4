"""Energy: an estimate for the spiking network, an image, beside the ANN's."""

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from ...config.figure_style import FigureStyle
from ..results import Results
from .bars import add_key, count_axis, draw_pairs, spiking_rows
from .style import new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and from the published operations, and the ANN's energy as a line."""
    title = "Energy of the spiking networks, estimated from their operations"
    figure = new_figure(results, style, title, f"{results.energies.terms}.")
    axes = figure.subplots()
    joules = EngFormatter("J", places=2, sep=" ")
    ann = results.energies.of_ann(results.first.ann_operations)
    draw_pairs(axes, results, style, "snn_energy_joules", whole=ann, form=joules)
    largest = spiking_rows(results)[["snn_energy_joules", "snn_energy_joules_published"]].max(axis=None)
    # Beyond the longest bar there must be room for its number.
    count_axis(axes, 0, max(1.3 * largest, 1.15 * ann), "energy an image (share of the ANN's)", unit="J")
    add_key(axes, results, ann, "the ANN", form=joules, theirs="from the published operations")
    return figure
