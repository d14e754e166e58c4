"""Energy: an estimate for the spiking network, an image, beside the ANN's."""

from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results
from .bars import add_reference, draw_pairs, joule_scale, scaled_axis, spiking_rows
from .style import new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """A pair of bars a precision, ours and from the published operations, and the ANN's energy as a line."""
    results = results.by_logs()
    title = "Energy of the spiking networks, estimated from their operations, and their share of the ANN's"
    notes = [f"{results.energies.terms}.", *captions.footnotes(results)]
    figure = new_figure(style, title, captions.figure_subtitle(results), notes)
    axes = figure.subplots()
    ann = results.energies.of_ann(results.first.ann_operations)
    largest = spiking_rows(results)[["snn_energy_joules", "snn_energy_joules_published"]].max(axis=None)
    most = max(largest, ann)
    scale = joule_scale(most)
    draw_pairs(
        axes,
        results,
        style,
        "snn_energy_joules",
        lambda value: f"{scale.number(value)} {scale.unit} ({value / ann:.0%})",
    )
    scaled_axis(axes, 0, 1.04 * most, scale.label("energy an image"), scale)
    meaning = f"the ANN: {scale.number(ann)} {scale.unit}"
    add_reference(axes, results, style, ann, meaning, theirs="from published operations")
    return figure
