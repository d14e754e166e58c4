"""Networks in the paper's notation, and the geometry that follows from it.

`20C5-P2-50C5-P2-500` reads: convolution with 20 filters of 5 x 5; learned pooling (convolution
2 x 2, stride 2, as many filters as the layer before it); ...; 500 units, each connected to the
whole remaining map. A last linear layer to the classes is implied.
"""

import re

from ..errors import LosslessError
from .geometry import Layer, Padding, Shape, strided

_TOKEN = re.compile(
    r"(?P<filters>[1-9]\d{0,8})C(?P<kernel>[1-9]\d{0,8})(?P<padding>[sv]?)|P(?P<pool>[1-9]\d{0,8})|"
    r"(?P<units>[1-9]\d{0,8})",
    re.ASCII,
)
_VALID: Padding = ((0, 0), (0, 0))


def parse(network: str, input_shape: Shape, classes: int, padding: str = "valid") -> tuple[Layer, ...]:
    """Lay out `network` on inputs of `input_shape`; the last layer is the implied linear one.

    `padding` is that of the `nCk` layers: "valid", or "same" for a map of unchanged size; `nCkv` and `nCks` have
    their own.
    Raises LosslessError, naming the token and the map size at that point, where a token is
    unknown, a kernel is larger than its map, or a pooling does not divide it.
    """
    layers: list[Layer] = []
    shape = tuple(input_shape)
    for token in network.split("-"):
        layers.append(_layer(token, shape, padding, network))
        shape = layers[-1].out_shape
    layers.append(_fully_connected("output", shape, classes))
    return tuple(layers)


def scaled(network: str, factor: float) -> str:
    """`network` with `factor` times as many filters and units in each layer, rounded, one at the least.

    Tokens that are none are left for `parse` to refuse.
    """

    def _scaled(token: str) -> str:
        match = _TOKEN.fullmatch(token)
        if match is None or match["pool"]:
            return token
        count = match["filters"] or match["units"]
        return f"{max(round(int(count) * factor), 1)}{token.removeprefix(count)}"

    return "-".join(map(_scaled, network.split("-")))


def _layer(token: str, shape: Shape, padding: str, network: str) -> Layer:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise LosslessError(f"'{network}': unknown token '{token}' (expected nCk, Pk or n)")
    channels, height, width = shape
    if match["units"]:
        return _fully_connected(token, shape, int(match["units"]))
    if match["pool"]:
        kernel = int(match["pool"])
        if height % kernel or width % kernel:
            raise LosslessError(f"'{network}': '{token}' does not divide the {height} x {width} map that it pools")
        return Layer(token, shape, (channels, height // kernel, width // kernel), (kernel, kernel), (kernel, kernel))
    filters, kernel = int(match["filters"]), int(match["kernel"])
    same = (match["padding"] or padding[0]) == "s"
    pad = (((kernel - 1) // 2, kernel // 2),) * 2 if same else _VALID
    if kernel > min(height, width):
        raise LosslessError(f"'{network}': the kernel of '{token}' is larger than its {height} x {width} map")
    return strided(token, shape, filters, (kernel, kernel), (1, 1), pad, 1)


def _fully_connected(token: str, shape: Shape, units: int) -> Layer:
    return Layer(token, shape, (units, 1, 1), shape[1:])
