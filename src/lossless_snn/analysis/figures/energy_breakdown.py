"""Where the energy goes, under three costs of memory, and the cost at which spikes stop paying."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ...config.figure_style import FigureStyle
from .. import captions
from ..costs import (
    DENSE,
    DISCLAIMER,
    PARTS,
    QUANTISED,
    SPIKING,
    breakdown,
    load_activities,
    quantised_cost,
    required_hardware,
    spiking_cost,
    total,
)
from ..results import Results
from ..tables.column import three_digits
from .style import INK, MUTED, colours, line_styles, new_figure

_SHORT = {DENSE: "dense FP32", QUANTISED: "quantised", SPIKING: "spiking"}


def draw(results: Results, style: FigureStyle) -> Figure:
    """Bars by part for each precision and network: of all precisions the quantised ANN and the spiking network.

    A panel for arithmetic alone and for each memory; below, spiking energy over the ANN's against an access's cost.
    """
    table = breakdown(results)
    hardware = required_hardware(results)
    columns = {"arithmetic alone": "arithmetic_joules"} | {
        f"{name}, {pj:g} pJ an access": f"joules_{name}" for name, pj in hardware.memory.items()
    }
    note = f"{DISCLAIMER} The first {int(table['images'].iloc[0]):,} test images; {results.energies.technology}."
    figure = new_figure(style, "Where the energy goes", captions.first_seed_subtitle(results), [note])
    grid = figure.add_gridspec(2, len(columns), height_ratios=(5, 4))
    palette = colours(PARTS, style.palette)
    panels = []
    for column, (title, name) in enumerate(columns.items()):
        axes = figure.add_subplot(grid[0, column], **({"sharey": panels[0]} if panels else {}))
        _bars(axes, table[table["network"] != DENSE], name, palette)
        axes.set_title(title)
        axes.tick_params(axis="y", length=0, labelleft=not panels)
        panels.append(axes)
    handles = [Patch(facecolor=palette[part], edgecolor=INK, linewidth=0.5, label=part) for part in PARTS]
    panels[-1].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, borderaxespad=0)
    _ratio(figure.add_subplot(grid[1, :]), results, style)
    return figure


def _bars(axes: Axes, table, name: str, palette: dict[str, tuple]) -> None:
    bars = table.drop_duplicates(["precision", "network"])
    left = np.zeros(len(bars))
    for part in PARTS:
        values = 1e6 * table.loc[table["part"] == part, name].to_numpy()
        axes.barh(range(len(bars)), values, left=left, color=palette[part], edgecolor=INK, linewidth=0.5)
        left += values
    for place, value in enumerate(left):
        axes.annotate(
            three_digits(value), (value, place), xytext=(3, 0), textcoords="offset points", va="center", color=INK
        )
    titles = [f"{captions.precision_title(row.precision)} {_SHORT[row.network]}" for row in bars.itertuples()]
    axes.set_yticks(range(len(bars)), titles)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.2 * left.max())
    axes.grid(False, axis="y")
    axes.set_xlabel("µJ an image")


def _ratio(axes: Axes, results: Results, style: FigureStyle) -> None:
    hardware, records = required_hardware(results), load_activities(results)
    access = np.geomspace(1e-3, 200, 200)
    for precision, line in line_styles(list(records), style.palette).items():
        spiking, quantised = (total(cost(records[precision], hardware)) for cost in (spiking_cost, quantised_cost))
        ratio = [spiking.joules(pj) / quantised.joules(pj) for pj in access]
        line = {key: value for key, value in line.items() if key != "marker"}
        axes.plot(access, ratio, label=captions.precision_title(precision), linewidth=1.8, **line)
    axes.axhline(1, color=INK, linewidth=1, linestyle="--", label="break-even")
    for name, pj in hardware.memory.items():
        axes.axvline(pj, color=MUTED, linewidth=0.8)
        axes.annotate(
            name, (pj, 0.02), xycoords=("data", "axes fraction"), xytext=(3, 0), textcoords="offset points", color=MUTED
        )
    axes.set_xscale("log")
    axes.set_xlim(access[0], access[-1])
    axes.set_ylim(0, None)
    axes.set_xlabel("pJ an access to memory")
    axes.set_ylabel("spiking / quantised")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
