"""Where the energy goes, under three costs of memory, and the cost at which spikes stop paying."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

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
from .bars import joule_scale
from .style import INK, MUTED, ROUND, add_key, colours, line_styles, new_figure

_SHORT = {DENSE: "dense FP32", QUANTISED: "quantised", SPIKING: "spiking"}


def draw(results: Results, style: FigureStyle) -> Figure:
    """Bars by part for each precision and network: of all precisions the quantised ANN and the spiking network.

    A panel for arithmetic alone and for each memory; below, spiking energy over the ANN's against an access's cost.
    On a narrow figure the bars' sums are left out.
    """
    table = breakdown(results)
    hardware = required_hardware(results)
    columns = {"arithmetic" if style.narrow else "arithmetic alone": "arithmetic_joules"} | {
        name if style.narrow else f"{name}, {pj:g} pJ an access": f"joules_{name}"
        for name, pj in hardware.memory.items()
    }
    note = f"{DISCLAIMER} The first {int(table['images'].iloc[0]):,} test images; {results.energies.technology}."
    figure = new_figure(style, "Where the energy goes", captions.first_seed_subtitle(results), [note])
    grid = figure.add_gridspec(4, len(columns), height_ratios=(3, 10, 3, 8) if style.narrow else (1, 10, 1, 8))
    palette = colours(PARTS, style.palette)
    panels = []
    for column, (title, name) in enumerate(columns.items()):
        axes = figure.add_subplot(grid[1, column], **({"sharey": panels[0]} if panels else {}))
        _bars(axes, table[table["network"] != DENSE], name, palette, style)
        axes.set_title(title)
        axes.tick_params(axis="y", length=0, labelleft=not panels)
        panels.append(axes)
    handles = [Patch(facecolor=palette[part], edgecolor=INK, linewidth=0.5, label=part) for part in PARTS]
    lines = _ratio(figure.add_subplot(grid[3, :]), results, style)
    for row, entries in ((0, handles), (2, lines)):
        add_key(figure.add_subplot(grid[row, :]), entries, 2 if style.narrow else len(entries))
    return figure


def _bars(axes: Axes, table, name: str, palette: dict[str, tuple], style: FigureStyle) -> None:
    bars = table.drop_duplicates(["precision", "network"])
    left, joules = np.zeros(len(bars)), table[table["part"].isin(PARTS)]
    scale = joule_scale(joules.groupby(["precision", "network"])[name].sum().max())
    for part in PARTS:
        values = joules.loc[joules["part"] == part, name].to_numpy() / scale.size
        axes.barh(range(len(bars)), values, left=left, color=palette[part], edgecolor=INK, linewidth=0.5)
        left += values
    for place, value in enumerate(() if style.narrow else left):
        axes.annotate(
            three_digits(value), (value, place), xytext=(3, 0), textcoords="offset points", va="center", color=INK
        )
    titles = [f"{captions.precision_title(row.precision)} {_SHORT[row.network]}" for row in bars.itertuples()]
    axes.set_yticks(range(len(bars)), titles)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, (1.05 if style.narrow else 1.35) * left.max())
    axes.xaxis.set_major_locator(MaxNLocator(2 if style.narrow else 4, steps=ROUND))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.grid(False, axis="y")
    axes.set_xlabel(f"{scale.unit} an image")


def _ratio(axes: Axes, results: Results, style: FigureStyle) -> list[Line2D]:
    """Draw a line a precision; returns the legend's entries."""
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
        place = {"xycoords": ("data", "axes fraction"), "xytext": (-3, 0), "textcoords": "offset points", "ha": "right"}
        axes.annotate(name, (pj, 0.02), color=MUTED, **place)
    axes.set_xscale("log")
    axes.set_xlim(access[0], access[-1])
    axes.set_ylim(0, None)
    axes.set_xlabel("pJ an access to memory")
    axes.set_ylabel("spiking / quantised")
    return axes.get_legend_handles_labels()[0]
