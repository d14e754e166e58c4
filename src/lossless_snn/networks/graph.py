"""Networks as directed acyclic graphs of layers of neurons, poolings, and the synapses between them.

A node is a layer of neurons, which may receive from several nodes, or a pooling. Nodes stand in topological order: a
node receives from those before it, or from the image, whose number is `IMAGE`. What a neuron receives is a sum: of
convolutions (fully connected layers are convolutions, whose kernel covers the whole map), each with its own batch norm
and bias or without, and of identities, which is residual addition. The quantiser of an activation is

    n = min(max(floor(y / step + 1/2 + shift), 0), levels),        activation = step n

with y the normalised sum: n is what the spiking neuron's net spike count becomes. A graph is data, checked where it is
made: it is read from files and written to them as JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ..errors import LosslessError
from ..files.typed import Strict, validate
from .geometry import Layer, Padding, Shape, strided
from .quantiser import ROUNDING_SHIFT

IMAGE = -1
"""The image's number as a source."""

# A multiplication counts as two additions, a multiply-accumulate therefore as three operations.
OPERATIONS_PER_MAC = 3
NO_PADDING: Padding = ((0, 0), (0, 0))

_Size = Annotated[int, Field(ge=1, lt=2**31)]
_Width = Annotated[int, Field(ge=0, lt=2**31)]
_Sizes = tuple[_Size, _Size]
_Paddings = tuple[tuple[_Width, _Width], tuple[_Width, _Width]]
_Source = Annotated[int, Field(ge=IMAGE)]
_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w./-]+$")]


class Quantiser(Strict):
    """The quantiser of one layer, see the module: shift 0 rounds, -1/2 floors; without `levels` no upper stop."""

    step: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    levels: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    shift: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0


class Convolution(Strict):
    """Synapses with weights, by which a layer of neurons, or the output, receives from the node `source`."""

    source: _Source
    filters: _Size
    kernel: _Sizes
    stride: _Sizes = (1, 1)
    padding: _Paddings = NO_PADDING
    groups: _Size = 1
    bias: bool = False
    batch_norm: bool = True


class Identity(Strict):
    """Synapses from each neuron of the node `source` to the neuron at the same place, with a weight of 1."""

    source: _Source


class Neurons(Strict):
    """A layer of spiking neurons; its `quantiser`, if it is not the network's (2^-k, see `Graph.quantiser`)."""

    name: _Name
    inputs: Annotated[tuple[Convolution | Identity, ...], Field(min_length=1)]
    quantiser: Quantiser | None = None


class Pooling(Strict):
    """Windows of the node `source`'s map: their largest count, their sum, or their average.

    Sum and average keep no state, and spikes pass them in the step in which they come. The average is the sum; what
    receives it knows of the division.
    """

    name: _Name
    source: _Source
    pooling: Literal["max", "sum", "average"]
    kernel: _Sizes
    stride: _Sizes
    padding: _Paddings = NO_PADDING


Node = Neurons | Pooling


class Graph(Strict):
    """A network: its nodes in topological order, and the linear output layer.

    `upper_bound` is that of all activations whose layer has no quantiser of its own.
    """

    input_shape: tuple[_Size, _Size, _Size]
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=10_000)]
    output: Convolution
    upper_bound: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _can_be_laid_out(self) -> "Graph":
        try:
            _check(self)
        except LosslessError as error:
            raise ValueError(str(error)) from None
        return self

    @cached_property
    def geometry(self) -> tuple[tuple[Layer, ...], ...]:
        """The synapses of each node, a `Layer` for each of its inputs; the output's last."""
        shapes: list[Shape] = []
        geometry = []
        for node in self.nodes:
            geometry.append(tuple(laid_out(part, node.name, self.input_shape, shapes) for part in _inputs(node)))
            shapes.append(geometry[-1][0].out_shape)
        return (*geometry, (laid_out(self.output, "output", self.input_shape, shapes),))

    @property
    def readout(self) -> Layer:
        """The output layer's synapses."""
        return self.geometry[-1][0]

    def shape(self, index: int) -> Shape:
        """Shape of a node's map; of the image for `IMAGE`."""
        return self.input_shape if index == IMAGE else self.geometry[index][0].out_shape

    def inputs(self, index: int) -> tuple[Convolution | Identity | Pooling, ...]:
        """The inputs of node `index`, of the output for the number of nodes; a pooling is its own."""
        return (self.output,) if index == len(self.nodes) else _inputs(self.nodes[index])

    def sources(self, index: int) -> tuple[int, ...]:
        """The nodes that node `index` receives from, of the output for the number of nodes."""
        return tuple(part.source for part in self.inputs(index))

    def place(self, index: int) -> str:
        """A node in the words of messages: its number, from 1, and its name."""
        return f"layer {index + 1} ({self.nodes[index].name})"

    @property
    def neurons(self) -> tuple[int, ...]:
        """The nodes that are layers of neurons."""
        return tuple(index for index, node in enumerate(self.nodes) if isinstance(node, Neurons))

    @property
    def spiking(self) -> tuple[int, ...]:
        """The nodes that emit spikes of their own: layers of neurons and max poolings."""
        return tuple(index for index, node in enumerate(self.nodes) if not passes_on(node))

    @property
    def fan_out(self) -> tuple[np.ndarray, ...]:
        """For each node the synapses that a spike at each position of its map crosses, int64 (H, W).

        Those into all nodes that receive from it. A spike that a sum or average passes on counts there again, for
        each window that it is in, once for each synapse after it.
        """
        totals = [np.zeros(self.shape(index)[1:], np.int64) for index in range(len(self.nodes))]
        for index in range(len(self.nodes), -1, -1):
            for source, layer in zip(self.sources(index), self.geometry[index], strict=True):
                if source != IMAGE:
                    totals[source] += layer.fan_out
                    if index < len(self.nodes) and passes_on(self.nodes[index]):
                        totals[source] += _spread(totals[index], layer)
        return tuple(totals)

    def quantiser(self, index: int, k: int | None) -> Quantiser:
        """The quantiser of the layer of neurons `index`, at the network's level k where it has none of its own.

        Raises LosslessError where the upper bound is no whole number of steps.
        """
        if own := self.nodes[index].quantiser:
            return own
        if k is None:
            raise LosslessError(f"{self.nodes[index].name}: has no quantiser of its own; convert with a level k")
        levels = None if self.upper_bound is None else self.upper_bound * 2**k
        if levels is not None and (levels != int(levels) or not 1 <= levels < 2**31):
            raise LosslessError(f"upper bound {self.upper_bound:g}: no multiple of the step 2^-{k} below 2^31 steps")
        return Quantiser(step=2.0**-k, levels=levels, shift=ROUNDING_SHIFT)

    @property
    def is_chain(self) -> bool:
        """Whether the paper's notation can say it: each layer with batch norm, from the one before alone."""
        expected = [
            Neurons(name=node.name, inputs=(node.inputs[0].model_copy(update=_PLAIN | {"source": index - 1}),))
            for index, node in enumerate(self.nodes)
            if isinstance(node, Neurons) and isinstance(node.inputs[0], Convolution)
        ]
        return list(self.nodes) == expected and not self.output.bias

    def chain(self, purpose: str = "this") -> tuple[Layer, ...]:
        """The layers of a chain, the output last; raises LosslessError, saying for what, where it is none."""
        if not self.is_chain:
            raise LosslessError(f"{purpose} is for networks in the paper's notation only, not for other graphs")
        return tuple(layers[0] for layers in self.geometry)

    @property
    def neuron_count(self) -> int:
        """Neurons of the spiking network; units of max pooling are none."""
        return sum(self.geometry[index][0].neurons for index in self.neurons)

    @property
    def max_pooling(self) -> tuple[int, int]:
        """Units of max pooling, and the integers that they keep: each input's net count, and their own."""
        layers = [self.geometry[i][0] for i in self.spiking if isinstance(self.nodes[i], Pooling)]
        units = sum(layer.neurons for layer in layers)
        return units, units + sum(int(np.prod(layer.in_shape)) for layer in layers)

    @property
    def ann_operations(self) -> int:
        """Operations of one forward pass of the ANN; layers that the image reaches (they encode pixels) left out.

        Three a multiply-accumulate; one for each value that a pooling sums or compares, and that an addition adds.
        """
        operations = 0
        for index, layers in enumerate(self.geometry):
            for part, layer in zip(self.inputs(index), layers, strict=True):
                if part.source != IMAGE:
                    operations += {Convolution: OPERATIONS_PER_MAC, Pooling: 1, Identity: 0}[type(part)] * layer.macs
            operations += (len(layers) - 1) * layers[0].neurons
        return operations


# What a layer of the paper's notation has not.
_PLAIN = {"groups": 1, "bias": False, "batch_norm": True}


def _inputs(node: Node) -> tuple[Convolution | Identity | Pooling, ...]:
    return node.inputs if isinstance(node, Neurons) else (node,)


def passes_on(node: Node) -> bool:
    """Whether a node keeps no state: a sum or an average, which spikes pass in the step in which they come."""
    return isinstance(node, Pooling) and node.pooling != "max"


def chain_graph(layers: Iterable[Layer], upper_bound: float | None = None) -> Graph:
    """The graph of a chain of convolutions, such as the paper's notation lays out; the last one is the output."""
    layers = tuple(layers)
    *hidden, output = (
        Convolution(
            source=index - 1,
            filters=layer.out_shape[0],
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
        )
        for index, layer in enumerate(layers)
    )
    nodes = tuple(Neurons(name=layer.token, inputs=(part,)) for layer, part in zip(layers, hidden, strict=False))
    output = output.model_copy(update={"batch_norm": False})
    content = {"input_shape": layers[0].in_shape, "nodes": nodes, "output": output, "upper_bound": upper_bound}
    return validate(Graph, content, "-".join(layer.token for layer in layers[:-1]))


BATCH_NORM_PARAMETERS = ("gamma", "beta", "mean", "variance")


def parameter_prefix(index: int, number: int) -> str:
    """What the names of a node's parameters begin with: "index." for its first input, "index.number." for others."""
    return f"{index}.{number}." if number else f"{index}."


def parameter_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of the network, in the order of its nodes.

    Returns:
        `weight` (filters, channels of a group, kh, kw), `gamma`, `beta`, `mean`, `variance` and `bias` (filters,) of
        each convolution, as far as it has them, after `parameter_prefix`; the output's number is that of the nodes.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for index, layers in enumerate(graph.geometry):
        for number, (part, layer) in enumerate(zip(graph.inputs(index), layers, strict=True)):
            if isinstance(part, Convolution):
                names = BATCH_NORM_PARAMETERS * part.batch_norm + ("bias",) * part.bias
                prefix = parameter_prefix(index, number)
                shapes[f"{prefix}weight"] = layer.weight_shape
                shapes |= {f"{prefix}{name}": layer.out_shape[:1] for name in names}
    return shapes


def laid_out(
    part: Convolution | Identity | Pooling, name: str, image: Shape, shapes: Sequence[Shape] | Mapping[int, Shape]
) -> Layer:
    """The geometry of a part, whose input is a map of shape `image`, or `shapes` of its node (C, H, W)."""
    shape = image if part.source == IMAGE else shapes[part.source]
    if isinstance(part, Identity):
        return Layer(name, shape, shape, (1, 1), groups=shape[0])
    filters, groups = (shape[0],) * 2 if isinstance(part, Pooling) else (part.filters, part.groups)
    return strided(name, shape, filters, part.kernel, part.stride, part.padding, groups)


def _check(graph: Graph) -> None:
    """Raise LosslessError, naming the node, unless the graph can be laid out."""
    received = set()
    for index, node in enumerate((*graph.nodes, graph.output)):
        name = "output" if node is graph.output else node.name
        for source in graph.sources(index):
            if source >= index:
                raise LosslessError(f"{name}: receives from node {source}, which does not come before it")
            received.add(source)
            if isinstance(node, Pooling) and source == IMAGE:
                raise LosslessError(f"{name}: pools the image; pool the data set's images instead")
    if graph.output.source == IMAGE:
        raise LosslessError("output: receives from the image; a layer of neurons has to come before it")
    for index, node in enumerate(graph.nodes):
        if index not in received:
            raise LosslessError(f"{node.name}: nothing receives from it")
    if graph.output.batch_norm or graph.output.groups != 1:
        raise LosslessError("output: is linear, without batch norm and groups")
    for index, layers in enumerate(graph.geometry):
        for layer in layers:
            _check_layer(layer)
        if len({layer.out_shape for layer in layers}) > 1:
            shapes = " and ".join(str(layer.out_shape) for layer in layers)
            raise LosslessError(f"{graph.nodes[index].name}: adds maps of different shapes: {shapes}")
    if not graph.readout.is_fully_connected:
        raise LosslessError(
            f"output: its kernel {graph.readout.kernel} has to cover the map, {graph.readout.in_shape[1:]}"
        )


def _check_layer(layer: Layer) -> None:
    if min(layer.out_shape) < 1:
        raise LosslessError(
            f"{layer.token}: its kernel {layer.kernel} is larger than its padded map {layer.in_shape[1:]}"
        )
    if layer.in_shape[0] % layer.groups or layer.out_shape[0] % layer.groups:
        raise LosslessError(f"{layer.token}: {layer.groups} groups do not divide its {layer.in_shape[0]} channels and "
                            f"{layer.out_shape[0]} filters")  # fmt: skip
    if any(pad >= window for pads, window in zip(layer.padding, layer.kernel, strict=True) for pad in pads):
        raise LosslessError(f"{layer.token}: padding {layer.padding} is as wide as its kernel {layer.kernel}")


def _spread(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Sum of `values` (H', W') over the windows of `layer` that cover each input position, (H, W)."""
    total = np.zeros(layer.in_shape[1:], np.int64)
    for y, x in np.ndindex(*values.shape):
        top, left = (at * step - pad[0] for at, step, pad in zip((y, x), layer.stride, layer.padding, strict=True))
        rows, columns = (slice(max(at, 0), at + size) for at, size in zip((top, left), layer.kernel, strict=True))
        total[rows, columns] += values[y, x]
    return total
