"""Graphs node by node, with shapes followed on the way."""

from typing import Literal

from ..files.typed import validate
from .geometry import Pair, Shape
from .graph import IMAGE, Convolution, Graph, Identity, Neurons, Node, Pooling, Quantiser


class GraphBuilder:
    """Collects the nodes of a graph; what its methods give is the number of the new node.

    A network of two layers, the second of which adds the first one's map to what it receives by its weights:

        build = GraphBuilder((1, 28, 28))
        first = build.neurons(build.convolution(IMAGE, 8, 3, padding=1))
        second = build.neurons(build.convolution(first, 8, 3, padding=1), Identity(source=first))
        graph = build.graph(build.linear(second, 10))

    Args:
        input_shape: Shape (C, H, W) of the images.
    """

    def __init__(self, input_shape: Shape) -> None:
        self._input_shape = tuple(input_shape)
        self._nodes: list[Node] = []
        self._shapes: dict[int, Shape] = {IMAGE: self._input_shape}

    def convolution(
        self,
        source: int,
        filters: int,
        kernel: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        groups: int = 1,
        bias: bool = False,
        batch_norm: bool = True,
    ) -> Convolution:
        """Synapses from node `source` by a convolution; a number stands for the same along both axes."""
        return Convolution(
            source=source, filters=filters, kernel=_pair(kernel), stride=_pair(stride),
            padding=tuple((pad, pad) for pad in _pair(padding)), groups=groups, bias=bias, batch_norm=batch_norm,
        )  # fmt: skip

    def linear(self, source: int, units: int, *, bias: bool = False, batch_norm: bool = False) -> Convolution:
        """Synapses from each neuron of node `source` to each of `units`."""
        return Convolution(
            source=source, filters=units, kernel=self._shapes[source][1:], bias=bias, batch_norm=batch_norm
        )

    def neurons(
        self, *inputs: Convolution | Identity, name: str | None = None, quantiser: Quantiser | None = None
    ) -> int:
        """A layer of neurons that receives the sum of `inputs`."""
        return self._add(Neurons(name=name or self._name("neurons"), inputs=inputs, quantiser=quantiser), inputs[0])

    def pooling(
        self,
        kind: Literal["max", "sum", "average"],
        source: int,
        kernel: int | Pair,
        *,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        name: str | None = None,
    ) -> int:
        """A pooling of node `source`, whose windows lie side by side if no `stride` is given."""
        node = Pooling(
            name=name or self._name(kind), source=source, pooling=kind, kernel=_pair(kernel),
            stride=_pair(kernel if stride is None else stride), padding=tuple((pad, pad) for pad in _pair(padding)),
        )  # fmt: skip
        return self._add(node, node)

    def shape(self, source: int) -> Shape:
        """Shape (C, H, W) of a node's map."""
        return self._shapes[source]

    def graph(self, output: Convolution, upper_bound: float | None = None) -> Graph:
        """The graph with this output layer; raises LosslessError where it cannot be laid out."""
        content = {"input_shape": self._input_shape, "nodes": self._nodes, "output": output, "upper_bound": upper_bound}
        return validate(Graph, content, "network")

    def _name(self, kind: str) -> str:
        return f"{kind}{len(self._nodes) + 1}"

    def _add(self, node: Node, part: Convolution | Identity | Pooling) -> int:
        channels, *size = self._shapes[part.source]
        if not isinstance(part, Identity):
            size = [
                (length + sum(pad) - window) // step + 1
                for length, window, step, pad in zip(size, part.kernel, part.stride, part.padding, strict=True)
            ]
            channels = part.filters if isinstance(part, Convolution) else channels
        self._nodes.append(node)
        self._shapes[len(self._nodes) - 1] = (channels, *size)
        return len(self._nodes) - 1


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else tuple(value)
