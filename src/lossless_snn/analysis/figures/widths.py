"""What few bits cost: accuracy against the bits of weights, and against those of membranes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from ...runs.widths import FILE, read_widths
from .. import captions
from ..results import Results
from .curves import errors_axis
from .style import add_key, line_styles, new_figure


def draw(results: Results, style: FigureStyle) -> Figure:
    """Two panels: weights of so many bits with membranes that fit everything; membranes of so many that saturate.

    Solid, the spiking network; a thin line of the same colour, at full width.
    """
    first = min(run.ann.seed for run in results.spiking)
    tables = {
        run.ann.precision: pd.DataFrame([row.model_dump() for row in read_widths(run.path / FILE)])
        for run in results.spiking
        if run.ann.seed == first
    }
    images = int(next(iter(tables.values()))["images"].iloc[0])
    note = (
        f"The first {images:,} test images; post-training. Thin: at full width. Membranes of the "
        "first layer have the pixels' bits more."
    )
    figure = new_figure(style, "What few bits cost", captions.first_seed_subtitle(results), [note])
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 18))
    panels = [figure.add_subplot(grid[1, 0])]
    panels.append(figure.add_subplot(grid[1, 1], sharey=panels[0]))
    panels[1].tick_params(labelleft=False)
    weights = {name: table[table["overflow"] == "refuse"] for name, table in tables.items()}
    membranes = {name: table[table["overflow"] == "saturate"] for name, table in tables.items()}
    usual = int(next(iter(membranes.values()))["weight_bits"].iloc[0])
    handles = _panel(panels[0], weights, "weight_bits", style)
    _panel(panels[1], membranes, "membrane_bits", style)
    panels[0].set(xlabel="bits of a weight", ylabel="accuracy (%)", title="membranes\nthat fit all")
    panels[1].set(xlabel="bits of a membrane", title=f"weights of {usual} bits,\nmembranes saturate")
    highest = 100 * max(table[["accuracy", "full_accuracy"]].max(axis=None) for table in tables.values())
    errors_axis(panels[0], highest, images)
    add_key(figure.add_subplot(grid[0, :]), handles, len(handles))
    return figure


def _panel(axes: Axes, tables: dict[str, pd.DataFrame], bits: str, style: FigureStyle) -> list:
    handles = []
    for precision, line in line_styles(list(tables), style.palette).items():
        table = tables[precision]
        label = captions.precision_title(precision)
        handles += axes.plot(table[bits], 100 * table["accuracy"], linewidth=1.8, label=label, **line)
        axes.axhline(100 * table["full_accuracy"].iloc[0], color=line["color"], linewidth=0.8)
    axes.set_xticks(sorted({width for table in tables.values() for width in table[bits]}))
    return handles
