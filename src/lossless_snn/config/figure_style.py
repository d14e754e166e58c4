"""What a person may choose about a figure. Imports no plotting library."""

from typing import Annotated, Literal

from pydantic import Field

from ..files.typed import Strict


class FigureStyle(Strict):
    """Size, resolution and colours of one figure."""

    width: Annotated[float, Field(ge=4, le=30, description="inches")] = 7.5
    height: Annotated[float, Field(ge=2.5, le=30, description="inches")] = 4.8
    dpi: Annotated[int, Field(ge=50, le=1200, description="dots an inch of the PNG")] = 200
    font_size: Annotated[float, Field(ge=5, le=30, description="points")] = 9
    # Colour maps whose lightness rises throughout: their colours stay apart in grey and for colour-blind people.
    palette: Literal["viridis", "cividis", "mako", "rocket", "magma"] = "viridis"
