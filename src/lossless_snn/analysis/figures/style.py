"""What all figures share: colours, sizes, titles, and files whose bytes depend on nothing but their content."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from ...config.figure_style import FigureStyle

INK = "#1a1a1a"
MUTED = "#5f5f5f"
NOTES = 0.9
"""Size of the notes below a figure, of its other words'."""
ROUND = (1, 2, 2.5, 5, 10)
"""What the distance of two ticks begins with."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.2)), (0, (8, 2, 2, 2)))

# Darker or lighter than this, a colour is lost on black text or on white paper.
_DARKEST, _LIGHTEST = 0.1, 0.78
# Without dates and versions the same results give the same bytes.
_METADATA = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


FORMATS = tuple(_METADATA)

# Of positions, in shares of the figure's size; files have far fewer.
_DECIMALS = 12


class _Layout(ConstrainedLayoutEngine):
    """Constrained layout without its solver's last bits, which depend on where in memory its variables lie."""

    def execute(self, fig: Figure) -> None:
        super().execute(fig)
        for axes in fig.axes:
            axes.set_position(np.round(axes.get_position(original=True).bounds, _DECIMALS), which="original")
            axes.set_in_layout(True)  # what is placed by hand is left out otherwise


def render(
    draw: Callable[[FigureStyle], Figure], style: FigureStyle, stem: str, formats: Sequence[str] = FORMATS
) -> dict[str, bytes]:
    """Draw a figure; its content in each of the formats, by file name: STEM.svg, ..."""
    contents = {}
    with mpl.rc_context(settings(style)):
        figure = draw(style)
        for name in formats:
            buffer = BytesIO()
            figure.savefig(buffer, format=name, metadata=_METADATA[name])
            contents[f"{stem}.{name}"] = buffer.getvalue()
    return contents


def new_figure(style: FigureStyle, title: str, subtitle: str = "", notes: Sequence[str] = ()) -> Figure:
    """An empty figure of the style's size: title and subtitle above, where the style has them, the notes below."""
    # No pyplot: its figures would stay open, and it chooses a backend by the machine.
    figure = Figure(figsize=(style.width, style.height), dpi=style.dpi, layout=_Layout())
    if style.title:
        words = _wrapped([title, subtitle], style, style.font_size)
        figure.suptitle(words, x=0.01, ha="left", linespacing=1.4, parse_math=False)
    if notes:
        figure.supxlabel(_wrapped(notes, style, NOTES * style.font_size), x=0.01, ha="left", parse_math=False)
    return figure


def _wrapped(texts: Sequence[str], style: FigureStyle, font_size: float) -> str:
    """The texts, each in lines that the figure's width has room for; sizes in points, of which an inch has 72."""
    font, room = FontProperties(size=font_size), 0.97 * 72 * style.width
    lines = []
    for text in filter(None, texts):
        line, *words = text.split()
        for word in words:
            longer = f"{line} {word}"
            if text_to_path.get_text_width_height_descent(longer, font, ismath=False)[0] > room:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def colours(names: Sequence[str], palette: str) -> dict[str, tuple[float, float, float]]:
    """A colour for each name, from dark to light."""
    colour_map = sns.color_palette(palette, as_cmap=True)
    spacing = (_LIGHTEST - _DARKEST) / max(len(names) - 1, 1)
    return {name: colour_map(_DARKEST + i * spacing)[:3] for i, name in enumerate(names)}


def line_styles(precisions: Sequence[str], palette: str) -> dict[str, dict[str, Any]]:
    """Colour, dashes and marker of each precision, the same in all figures and different without colour, too."""
    spiking = [precision for precision in precisions if precision != "fp32"]
    lines = {"fp32": {"color": INK, "linestyle": "-", "marker": "x"}}
    for i, (precision, colour) in enumerate(colours(spiking, palette).items()):
        dashes, marker = _DASHES[i % len(_DASHES)], MARKERS[i % len(MARKERS)]
        lines[precision] = {"color": colour, "linestyle": dashes, "marker": marker}
    return {precision: lines[precision] for precision in precisions}


def add_legend(axes: Axes, handles: Sequence[Line2D], style: FigureStyle, columns: int = 2) -> None:
    """The legend beside the axes; on a narrow figure above them, in so many columns."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}
    if style.narrow:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1.02), "ncols": columns, "columnspacing": 1.2}
    axes.legend(handles=handles, frameon=False, borderaxespad=0, **place)


def add_key(axes: Axes, handles: Sequence[Artist], columns: int) -> None:
    """The legend of a figure of several panels, in axes of its own, which hold nothing else."""
    axes.set_axis_off()
    place = {"loc": "center left", "bbox_to_anchor": (0, 0.5)}
    legend = axes.legend(handles=handles, ncols=columns, frameon=False, borderpad=0, columnspacing=1.2, **place)
    # Longer than the panels on a narrow figure, it must not push them aside.
    legend.set_in_layout(False)


def settings(style: FigureStyle) -> dict[str, object]:
    """Matplotlib's settings for one style, with which figures are drawn and saved."""
    return {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("paper"),
        "font.size": style.font_size,
        "axes.titlesize": style.font_size,
        "axes.labelsize": style.font_size,
        "xtick.labelsize": style.font_size,
        "ytick.labelsize": style.font_size,
        "legend.fontsize": style.font_size,
        "figure.titlesize": style.font_size,
        "figure.titleweight": "normal",
        "figure.labelsize": NOTES * style.font_size,
        # The first comes with Matplotlib, so that the layout is the same everywhere; the
        # others are for a browser without it.
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#e3e3e3",
        "grid.linewidth": 0.7,
        "hatch.linewidth": 0.7,
        "svg.fonttype": "none",
        "svg.hashsalt": "lossless-snn",
        # TrueType, which publishers take and editors edit; the default, Type 3, is neither.
        "pdf.fonttype": 42,
    }
