"""What all figures share: colours, sizes, titles, and files whose bytes depend on nothing but their content."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from textwrap import wrap

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

from ...config.figure_style import FigureStyle
from .. import captions
from ..results import Results

INK = "#1a1a1a"
MUTED = "#5f5f5f"
MARKERS = ("o", "s", "D", "^", "v", "P", "X")

# Darker or lighter than this, a colour is lost on black text or on white paper.
_DARKEST, _LIGHTEST = 0.1, 0.78
# Without dates and versions the same results give the same bytes.
_METADATA = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}


def render(draw: Callable[[FigureStyle], Figure], style: FigureStyle, stem: Path) -> dict[Path, bytes]:
    """Draw a figure; its content in every format, by path: STEM.svg and STEM.png."""
    contents = {}
    with mpl.rc_context(_settings(style)):
        figure = draw(style)
        for suffix, metadata in _METADATA.items():
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix[1:], metadata=metadata)
            contents[stem.with_name(stem.name + suffix)] = buffer.getvalue()
    return contents


def new_figure(results: Results, style: FigureStyle, title: str, *notes: str, of_logs: bool = True) -> Figure:
    """An empty figure of the style's size, titled with what it shows and for which experiment and budget.

    `notes` stand below it and, where it shows what the logs of the simulations say, those on
    precisions (not settled, ...).
    """
    # No pyplot: its figures would stay open, and it chooses a backend by the machine.
    figure = Figure(figsize=(style.width, style.height), dpi=style.dpi, layout="constrained")
    heading = [title, *_wrapped(captions.figure_subtitle(results), style)]
    figure.suptitle("\n".join(heading), x=0.01, ha="left", linespacing=1.4)
    notes = (*notes, *captions.footnotes(results)) if of_logs else notes
    footnotes = [line for footnote in notes for line in _wrapped(footnote, style)]
    if footnotes:
        figure.supxlabel("\n".join(footnotes), x=0.01, ha="left")
    return figure


def _wrapped(text: str, style: FigureStyle) -> list[str]:
    # A letter is 0.55 as wide as the font is high, on average; a point is 1/72 inch.
    return wrap(text, int(style.width * 72 / (0.55 * style.font_size)))


def colours(precisions: list[str], palette: str) -> dict[str, tuple[float, float, float]]:
    """A colour for each precision, from dark to light."""
    colour_map = sns.color_palette(palette, as_cmap=True)
    spacing = (_LIGHTEST - _DARKEST) / max(len(precisions) - 1, 1)
    return {precision: colour_map(_DARKEST + i * spacing)[:3] for i, precision in enumerate(precisions)}


def _settings(style: FigureStyle) -> dict[str, object]:
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
        "figure.labelsize": 0.9 * style.font_size,
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
    }
