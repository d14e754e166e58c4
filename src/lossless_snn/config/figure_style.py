"""The figures of an experiment, and what a person may choose about one. Imports no plotting library."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..files.typed import Strict

# For a publication, whose captions say what titles say on a screen: inches and points.
_IN_PRINT = {
    "page": {"width": 7.0, "height": 3.6, "font_size": 8, "title": False},
    "column": {"width": 3.4, "height": 2.8, "font_size": 7, "title": False},
}


FIGURES_ALWAYS = ("accuracy_speed", "sparsity", "sops", "energy", "training_curves")
FIGURES_ON_REQUEST = (
    "noise",
    "negative_spikes",
    "certified_peers",
    "energy_breakdown",
    "energy_time",
    "layer_rates",
    "widths",
)
FIGURES = FIGURES_ALWAYS + FIGURES_ON_REQUEST
FigureFormat = Literal["svg", "png", "pdf"]


# A quarter of a gigabyte while it is drawn: 30 x 20 inches at 300 dots an inch, 7 x 5 at 1,200.
MOST_PIXELS = 60_000_000


class FigureStyle(Strict):
    """Size, resolution and colours of one figure.

    `size` sets width, height, font_size and title, as far as they are not given: "screen", the values below; "page",
    as wide as the text of a page; "column", as wide as one of its two columns.
    """

    size: Literal["screen", "page", "column"] = "screen"
    width: Annotated[float, Field(ge=2.5, le=30, description="inches")] = 7.5
    height: Annotated[float, Field(ge=1.5, le=30, description="inches")] = 4.8
    dpi: Annotated[int, Field(ge=50, le=1200, description="dots an inch of the PNG")] = 200
    font_size: Annotated[float, Field(ge=5, le=30, description="points")] = 9
    title: Annotated[bool, Field(description="whether title and subtitle stand above")] = True
    # Colour maps whose lightness rises throughout: their colours stay apart in grey and for colour-blind people.
    palette: Literal["viridis", "cividis", "mako", "rocket", "magma"] = "viridis"

    @model_validator(mode="before")
    @classmethod
    def _of_size(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and content.get("size") in ("page", "column"):
            return {**_IN_PRINT[content["size"]], **content}
        return content

    @model_validator(mode="after")
    def _is_no_poster(self) -> "FigureStyle":
        if (pixels := self.width * self.height * self.dpi**2) > MOST_PIXELS:
            raise ValueError(f"width, height, dpi: {pixels:,.0f} pixels, more than {MOST_PIXELS:,}")
        return self

    @property
    def narrow(self) -> bool:
        """Whether there is no room for a legend beside the axes."""
        return self.width < 5
