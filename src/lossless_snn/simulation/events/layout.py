"""The network's arrays in the order in which spikes need them.

Membranes lie channels last, (H, W, channels), and so do the weights of one input channel, with their kernels
mirrored: (kernel height, kernel width, channels), last row and column first. All that a spike reaches in one
row of the output map is then one contiguous stretch of membranes, and the weights that are added to it are
one contiguous stretch, too. That holds for a stride of 1, and for one of the kernel's size.
"""

from typing import NamedTuple

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ...networks.notation import Layer

# One record a layer, the output layer last. Sizes count array elements; a `*_start` says where the layer's part of
# an array begins: weights, channels and positions those of `Layout`, neurons those of the spiking layers one after
# the other.
LAYER = np.dtype(
    [
        ("in_channels", np.int64),
        ("out_channels", np.int64),
        ("neurons", np.int64),
        ("map_row", np.int64),  # the membranes of one row of the output map
        ("kernel_row", np.int64),  # the weights of one row of the kernel, for one input channel
        ("kernel", np.int64),  # the weights for one input channel
        ("weights_start", np.int64),
        ("channels_start", np.int64),
        ("neurons_start", np.int64),
        ("positions_start", np.int64),
        ("weight_sums_start", np.int64),
    ],
    align=True,
)

# One record an output channel of a spiking layer, in the units of the channel's grid.
CHANNEL = np.dtype([("threshold", np.int64), ("offset", np.int64)], align=True)

# One record a position (y, x) of a layer's input map: the membranes that a spike there reaches, which are `rows` rows
# of `row_length` contiguous ones. It is the same for every input channel.
POSITION = np.dtype(
    [
        ("first_neuron", np.int64),  # the first of them, counted within the layer
        ("rows", np.int64),
        ("row_length", np.int64),
        ("projective_field", np.int64),  # a number that positions share which reach the same membranes
        ("first_weight", np.int64),  # for the first of them, counted within the weights of an input channel
        ("fan_out", np.int64),  # the synapses that a spike crosses
    ],
    align=True,
)


class Layout(NamedTuple):
    """A spiking network as the kernel reads it. Layers follow one another in each array.

    No two fields have the same type: numba's cache tells named tuples apart by their fields' types alone, and
    would take code compiled for another order of the fields.

    Attributes:
        layers: (L,) LAYER, the output layer last.
        positions: (sum of H W of the layers' inputs,) POSITION.
        channels: (sum of the spiking layers' output channels,) CHANNEL.
        weights: int32, layer by layer (input channels, mirrored kernel height and width, output channels).
        weight_sums: float64, layer by layer (input channels, output channels): sums of absolute weights over
            the kernel.
    """

    layers: np.ndarray
    positions: np.ndarray
    channels: np.ndarray
    weights: np.ndarray
    weight_sums: np.ndarray

    @classmethod
    def of(cls, network: SpikingNetwork) -> "Layout":
        """Lay out `network`."""
        weights = [layer.grid_weight for layer in network.hidden] + [network.grid_readout]
        return cls(
            _layer_records(network.layers),
            np.concatenate([_position_records(layer) for layer in network.layers]),
            np.concatenate([_channel_records(layer.grid_threshold, layer.grid_offset) for layer in network.hidden]),
            np.concatenate([weight[:, :, ::-1, ::-1].transpose(1, 2, 3, 0).ravel() for weight in weights]),
            np.concatenate([np.abs(weight.astype(np.float64)).sum(axis=(2, 3)).T.ravel() for weight in weights]),
        )

    @classmethod
    def empty(cls) -> "Layout":
        """A layout of no layers, which has the types that the kernel is compiled for."""
        types = (LAYER, POSITION, CHANNEL, np.dtype(np.int32), np.dtype(np.float64))
        return cls(*(np.zeros(0, dtype) for dtype in types))


def _layer_records(layers: tuple[Layer, ...]) -> np.ndarray:
    records = np.zeros(len(layers), dtype=LAYER)
    for record, layer in zip(records, layers, strict=True):
        record["in_channels"], record["out_channels"] = layer.in_shape[0], layer.out_shape[0]
        record["neurons"] = layer.neurons
        record["map_row"] = layer.out_shape[2] * layer.out_shape[0]
        record["kernel_row"] = layer.kernel[1] * layer.out_shape[0]
        record["kernel"] = layer.kernel[0] * record["kernel_row"]
    sizes = {
        "weights_start": records["in_channels"] * records["kernel"],
        "channels_start": records["out_channels"],
        "neurons_start": records["neurons"],
        "positions_start": [layer.in_shape[1] * layer.in_shape[2] for layer in layers],
        "weight_sums_start": records["in_channels"] * records["out_channels"],
    }
    for start, size in sizes.items():
        records[start][1:] = np.cumsum(size)[:-1]
    return records


def _channel_records(threshold: np.ndarray, offset: np.ndarray) -> np.ndarray:
    records = np.empty(threshold.size, dtype=CHANNEL)
    records["threshold"], records["offset"] = threshold, offset
    return records


def _position_records(layer: Layer) -> np.ndarray:
    """Records of the positions of the layer's input map (H, W), as one row."""
    channels = layer.out_shape[0]
    (top, rows), (left, columns) = (_outputs_reached(layer, axis) for axis in (0, 1))
    # A spike at y reaches output row r by the kernel's row y + padding - r stride, which mirrored is
    # kernel - 1 - (y + padding - r stride): it grows with r.
    kernel_y, kernel_x = (
        layer.kernel[axis] - 1 - (np.arange(layer.in_shape[1 + axis]) + layer.padding[0] - first * layer.stride)
        for axis, first in enumerate((top, left))
    )
    records = np.empty(layer.in_shape[1:], dtype=POSITION)
    records["first_neuron"] = (top[:, None] * layer.out_shape[2] + left) * channels
    records["rows"] = rows[:, None]
    records["row_length"] = columns * channels
    records["first_weight"] = (kernel_y[:, None] * layer.kernel[1] + kernel_x) * channels
    records["fan_out"] = layer.fan_out
    records = records.ravel()
    field = np.stack([records[name] for name in ("first_neuron", "rows", "row_length")])
    records["projective_field"] = np.unique(field, axis=1, return_inverse=True)[1]
    return records


def _outputs_reached(layer: Layer, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """For each input row (axis 0) or column (axis 1): the first output that it reaches, and how many."""
    position = np.arange(layer.in_shape[1 + axis]) + layer.padding[0]
    first = np.maximum((position - layer.kernel[axis] + layer.stride) // layer.stride, 0)
    last = np.minimum(position // layer.stride, layer.out_shape[1 + axis] - 1)
    return first, last - first + 1
