"""The network's arrays in the order in which spikes need them.

Membranes lie channels last, (H, W, channels), and so do the weights of one input channel, (kernel height, kernel width,
channels of its group). Along each axis the kernel's places come by what they leave when divided by the stride, and
within that last first, since the outputs that an input reaches see it by places one stride apart: all that a spike
reaches in one row of the output map is then one contiguous stretch of membranes (with groups: one in each column), and
the weights that are added to it are one contiguous stretch, too.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ...networks.geometry import Layer
from ...networks.graph import IMAGE, Graph, Neurons

NEURONS, MAX_POOLING, SUM_POOLING, OUTPUT = range(4)

# One record a node of the graph, the output last. Sizes count array elements; a `*_start` says where the node's part of
# an array begins: channels and fan-outs those of `Layout`, neurons those of the nodes that spike one after the other.
NODE = np.dtype(
    [
        ("kind", np.int64),
        ("first_input", np.int64),  # of its inputs among `Layout.inputs`
        ("inputs", np.int64),
        ("from_image", np.int64),  # whether all of them are of the image
        ("channels", np.int64),
        ("neurons", np.int64),
        ("upper_stop", np.int64),  # 0 for none
        ("channels_start", np.int64),
        ("neurons_start", np.int64),
        ("fan_outs_start", np.int64),
    ],
    align=True,
)

# One record an input of a node: where it comes from, and its synapses.
INPUT = np.dtype(
    [
        ("source", np.int64),  # a node; -1 is the image
        ("in_channels", np.int64),
        ("in_height", np.int64),
        ("in_width", np.int64),
        ("in_group", np.int64),  # input channels of a group
        ("out_group", np.int64),  # output channels of a group
        ("map_row", np.int64),  # the membranes of one row of the output map
        ("kernel_height", np.int64),
        ("kernel_width", np.int64),
        ("stride_y", np.int64),
        ("stride_x", np.int64),
        ("pad_top", np.int64),
        ("pad_left", np.int64),
        ("weights_start", np.int64),
        ("positions_start", np.int64),
        ("weight_sums_start", np.int64),
    ],
    align=True,
)

# One record an output channel of a layer of neurons, in the units of the channel's grid; of the output, whose offset is
# what its bias subtracts.
CHANNEL = np.dtype([("threshold", np.int64), ("offset", np.int64)], align=True)

# One record a position (y, x) of an input's map: the membranes that a spike there reaches, which are `rows` rows
# of `row_length` contiguous ones. It is the same for every input channel, but that with groups each channel reaches
# those of its own group alone.
POSITION = np.dtype(
    [
        ("first_neuron", np.int64),  # the first of them, counted within the node
        ("rows", np.int64),
        ("row_length", np.int64),
        ("projective_field", np.int64),  # a number that positions share which reach the same membranes
        ("first_weight", np.int64),  # for the first of them, counted within the weights of an input channel
    ],
    align=True,
)


class Layout(NamedTuple):
    """A spiking network as the kernel reads it. Nodes follow one another in each array.

    No two fields have the same type: numba's cache tells named tuples apart by their fields' types alone, and
    would take code compiled for another order of the fields.

    Attributes:
        nodes: (L,) NODE, the output last.
        inputs: (I,) INPUT, node by node.
        positions: (sum of H W of the inputs' maps,) POSITION.
        channels: (sum of the output channels of neurons and output,) CHANNEL.
        weights: int32, input by input (input channels, kernel height and width, output channels of a group).
        weight_sums: float64, input by input (input channels, output channels): sums of absolute weights over
            the kernel.
        fan_outs: int64, node by node (H W,): the synapses that a spike of the node crosses.
    """

    nodes: np.ndarray
    inputs: np.ndarray
    positions: np.ndarray
    channels: np.ndarray
    weights: np.ndarray
    weight_sums: np.ndarray
    fan_outs: np.ndarray

    @classmethod
    def of(cls, network: SpikingNetwork) -> "Layout":
        """Lay out `network`."""
        graph = network.graph
        layers = [layer for layers in graph.geometry for layer in layers]
        weights = list(_weights(network))
        return cls(
            _node_records(network),
            _input_records(graph, layers, weights),
            np.concatenate([_position_records(layer) for layer in layers]),
            np.concatenate(list(_channel_records(network))),
            np.concatenate([_in_order(weight, layer) for weight, layer in zip(weights, layers, strict=True)]),
            np.concatenate([_weight_sums(weight, layer) for weight, layer in zip(weights, layers, strict=True)]),
            np.concatenate([fan_out.ravel() for fan_out in graph.fan_out]),
        )

    @classmethod
    def empty(cls) -> "Layout":
        """A layout of no nodes, which has the types that the kernel is compiled for."""
        types = (NODE, INPUT, POSITION, CHANNEL, np.dtype(np.int32), np.dtype(np.float64), np.dtype(np.int64))
        return cls(*(np.zeros(0, dtype) for dtype in types))


def _weights(network: SpikingNetwork) -> Iterator[np.ndarray | None]:
    """Integer weights of each input of each node; None for poolings."""
    for index, node in enumerate(network.graph.nodes):
        yield from network.layer(index).grid_weights if isinstance(node, Neurons) else (None,)
    yield network.grid_readout


def _channel_records(network: SpikingNetwork) -> Iterator[np.ndarray]:
    classes = len(network.readout)
    bias = np.zeros(classes, np.int64) if network.readout_offset is None else -network.readout_offset
    constants = [(layer.grid_threshold, layer.grid_offset) for layer in network.hidden]
    for threshold, offset in (*constants, (np.ones(classes, np.int64), bias)):
        records = np.empty(threshold.size, dtype=CHANNEL)
        records["threshold"], records["offset"] = threshold, offset
        yield records


def _node_records(network: SpikingNetwork) -> np.ndarray:
    graph = network.graph
    kinds = {"max": MAX_POOLING, "sum": SUM_POOLING, "average": SUM_POOLING}
    records = np.zeros(len(graph.nodes) + 1, dtype=NODE)
    for index, (record, layers) in enumerate(zip(records, graph.geometry, strict=True)):
        node = graph.nodes[index] if index < len(graph.nodes) else None
        neurons = isinstance(node, Neurons)
        record["kind"] = OUTPUT if node is None else NEURONS if neurons else kinds[node.pooling]
        record["inputs"], record["channels"] = len(layers), layers[0].out_shape[0]
        record["neurons"] = layers[0].neurons
        record["from_image"] = set(graph.sources(index)) == {IMAGE}
        record["upper_stop"] = network.layer(index).upper_stop or 0 if neurons else 0
    has_channels = (records["kind"] == NEURONS) | (records["kind"] == OUTPUT)
    spikes = (records["kind"] == NEURONS) | (records["kind"] == MAX_POOLING)
    sizes = {
        "first_input": records["inputs"],
        "channels_start": records["channels"] * has_channels,
        "neurons_start": records["neurons"] * spikes,
        "fan_outs_start": [layers[0].out_shape[1] * layers[0].out_shape[2] for layers in graph.geometry],
    }
    _start(records, sizes)
    return records


def _input_records(graph: Graph, layers: list[Layer], weights: list[np.ndarray | None]) -> np.ndarray:
    records = np.zeros(len(layers), dtype=INPUT)
    records["source"] = [source for index in range(len(graph.geometry)) for source in graph.sources(index)]
    for record, layer in zip(records, layers, strict=True):
        record["in_channels"], record["in_height"], record["in_width"] = layer.in_shape
        record["in_group"], record["out_group"] = (
            shape[0] // layer.groups for shape in (layer.in_shape, layer.out_shape)
        )
        record["map_row"] = layer.out_shape[2] * layer.out_shape[0]
        record["kernel_height"], record["kernel_width"] = layer.kernel
        record["stride_y"], record["stride_x"] = layer.stride
        record["pad_top"], record["pad_left"] = (pads[0] for pads in layer.padding)
    sizes = {
        "weights_start": [0 if weight is None else weight.size for weight in weights],
        "positions_start": records["in_height"] * records["in_width"],
        "weight_sums_start": [
            0 if weight is None else layer.in_shape[0] * layer.out_shape[0]
            for weight, layer in zip(weights, layers, strict=True)
        ],
    }
    _start(records, sizes)
    return records


def _start(records: np.ndarray, sizes: dict) -> None:
    """Set the fields of that name to where each record's part begins, from the parts' sizes."""
    for start, size in sizes.items():
        records[start][1:] = np.cumsum(size)[:-1]


def _by_group(weight: np.ndarray, layer: Layer) -> np.ndarray:
    """Weights (filters, C / groups, kh, kw) as (groups, filters of a group, C / groups, kh, kw)."""
    return weight.reshape(layer.groups, -1, *weight.shape[1:])


def _in_order(weight: np.ndarray | None, layer: Layer) -> np.ndarray:
    """Weights in the order of the module's description, as one row, int32."""
    if weight is None:
        return np.zeros(0, np.int32)
    rows, columns = (_places(layer, axis) for axis in (0, 1))
    return _by_group(weight, layer)[:, :, :, rows[:, None], columns].transpose(0, 2, 3, 4, 1).ravel()


def _weight_sums(weight: np.ndarray | None, layer: Layer) -> np.ndarray:
    if weight is None:
        return np.zeros(0)
    sums = np.zeros((layer.groups, layer.in_shape[0] // layer.groups, layer.groups, layer.out_shape[0] // layer.groups))
    for group, magnitudes in enumerate(np.abs(_by_group(weight, layer).astype(np.float64)).sum(axis=(3, 4))):
        sums[group, :, group] = magnitudes.T
    return sums.ravel()


def _places(layer: Layer, axis: int) -> np.ndarray:
    """The kernel's places along `axis` in the order of the module's description."""
    places = np.arange(layer.kernel[axis])
    return places[np.lexsort((-places, places % layer.stride[axis]))]


def _position_records(layer: Layer) -> np.ndarray:
    """Records of the positions of the input's map (H, W), as one row."""
    channels = layer.out_shape[0]
    (top, rows), (left, columns) = (_outputs_reached(layer, axis) for axis in (0, 1))
    # A spike at y reaches output row r by the kernel's row y + padding - r stride.
    kernel_y, kernel_x = (
        np.argsort(_places(layer, axis))[
            (np.arange(layer.in_shape[1 + axis]) + layer.padding[axis][0] - first * layer.stride[axis]).clip(
                0, layer.kernel[axis] - 1
            )
        ]
        for axis, first in enumerate((top, left))
    )
    records = np.empty(layer.in_shape[1:], dtype=POSITION)
    records["first_neuron"] = (top[:, None] * layer.out_shape[2] + left) * channels
    records["rows"] = rows[:, None]
    records["row_length"] = columns * channels
    records["first_weight"] = (kernel_y[:, None] * layer.kernel[1] + kernel_x) * (channels // layer.groups)
    records = records.ravel()
    field = np.stack([records[name] for name in ("first_neuron", "rows", "row_length")])
    records["projective_field"] = np.unique(field, axis=1, return_inverse=True)[1]
    return records


def _outputs_reached(layer: Layer, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """For each input row (axis 0) or column (axis 1): the first output that it reaches, and how many, 0 perhaps."""
    stride = layer.stride[axis]
    position = np.arange(layer.in_shape[1 + axis]) + layer.padding[axis][0]
    first = np.maximum((position - layer.kernel[axis] + stride) // stride, 0)
    last = np.minimum(position // stride, layer.out_shape[1 + axis] - 1)
    return first, np.maximum(last - first + 1, 0)
