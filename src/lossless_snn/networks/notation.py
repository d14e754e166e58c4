"""Networks in the paper's notation, and the geometry that follows from it.

`20C5-P2-50C5-P2-500` reads: convolution with 20 filters of 5 x 5; learned pooling (convolution
2 x 2, stride 2, as many filters as the layer before it); ...; 500 units, each connected to the
whole remaining map. A last linear layer to the classes is implied.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from ..errors import LosslessError

Shape = tuple[int, int, int]
"""Channels, height, width."""

_TOKEN = re.compile(
    r"(?P<filters>[1-9]\d{0,8})C(?P<kernel>[1-9]\d{0,8})|P(?P<pool>[1-9]\d{0,8})|(?P<units>[1-9]\d{0,8})", re.ASCII
)

# A multiplication counts as two additions, a multiply-accumulate therefore as three operations.
OPERATIONS_PER_MAC = 3


@dataclass(frozen=True)
class Layer:
    """One convolution: every layer of the method is one, fully connected layers included.

    `padding` is (before, after), the same for both axes; `stride` too is the same for both.
    """

    token: str
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int]
    stride: int
    padding: tuple[int, int]

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights: (filters, input channels, kernel height, kernel width)."""
        return (self.out_shape[0], self.in_shape[0], *self.kernel)

    @property
    def is_fully_connected(self) -> bool:
        """Whether the kernel covers the whole input map."""
        return self.kernel == self.in_shape[1:] and self.padding == (0, 0)

    @property
    def neurons(self) -> int:
        """Number of outputs."""
        return prod(self.out_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass, those on padding included (as published)."""
        return prod(self.out_shape[1:]) * prod(self.weight_shape)

    @cached_property
    def fan_out(self) -> np.ndarray:
        """Synapses that a spike at each input position crosses, int64, shape (H, W).

        Exact: fewer at the borders, none into padding. The same for every input channel.
        """
        rows, columns = (self._reach(axis) for axis in (0, 1))
        return np.outer(rows, columns) * self.out_shape[0]

    def _reach(self, axis: int) -> np.ndarray:
        """Number of output positions along `axis` whose window covers each input position."""
        covered = np.zeros(self.in_shape[1 + axis], dtype=np.int64)
        for position in range(self.out_shape[1 + axis]):
            start = position * self.stride - self.padding[0]
            covered[max(start, 0) : start + self.kernel[axis]] += 1
        return covered


def parse(network: str, input_shape: Shape, classes: int, padding: str = "valid") -> tuple[Layer, ...]:
    """Lay out `network` on inputs of `input_shape`; the last layer is the implied linear one.

    `padding` is that of the `nCk` layers: "valid", or "same" for a map of unchanged size.
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
        return Layer(token, shape, (channels, height // kernel, width // kernel), (kernel, kernel), kernel, (0, 0))
    filters, kernel = int(match["filters"]), int(match["kernel"])
    pad = ((kernel - 1) // 2, kernel // 2) if padding == "same" else (0, 0)
    if kernel > min(height, width):
        raise LosslessError(f"'{network}': the kernel of '{token}' is larger than its {height} x {width} map")
    shrink = kernel - 1 - sum(pad)
    return Layer(token, shape, (filters, height - shrink, width - shrink), (kernel, kernel), 1, pad)


def _fully_connected(token: str, shape: Shape, units: int) -> Layer:
    return Layer(token, shape, (units, 1, 1), shape[1:], 1, (0, 0))


def neuron_count(layers: tuple[Layer, ...]) -> int:
    """Neurons of the spiking network: outputs of all layers but the last."""
    return sum(layer.neurons for layer in layers[:-1])


def ann_operations(layers: tuple[Layer, ...]) -> int:
    """Operations of one forward pass of the ANN, the first layer (it encodes pixels) left out."""
    return OPERATIONS_PER_MAC * sum(layer.macs for layer in layers[1:])
