"""Spiking networks as NIR files, and back.

NIR (Pedersen et al. 2024) has no neuron that spikes with a sign, so that what other programs read is another network:
integrate-and-fire neurons of threshold 1, which receive in each step what the method's neuron is due, in thresholds,

    W_grid / theta_grid  and  -(offset - 1/2) / theta_grid - 1/2,

in 32-bit floats, for inputs in counts (the image: x). The file says so. Beside it, as metadata, is the network itself:
all tensors of its own file and what describes it, from which `read_nir` gives back the network, bit for bit.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..conversion.spiking_network import SpikingLayer, SpikingNetwork
from ..errors import LosslessError
from ..files.atomic import replacing
from ..networks.geometry import Layer
from ..networks.graph import IMAGE, Convolution, Neurons, Pooling
from .optional import required

LOSSY = (
    "Lossy: nodes IF have neither negative spikes nor the method's base, so that rates only come near the activations. "
    "The exact network is in this graph's metadata; lossless_snn.exchange.nir_file.read_nir reads it."
)


def write_nir(network: SpikingNetwork, path: str | Path) -> None:
    """Write a network as a NIR file, atomically; see above for what is lost, and what is kept.

    Raises:
        LosslessError: The package nir is missing, the network has what NIR cannot say (max pooling, padding that is not
            the same on both sides), or the file cannot be written.
    """
    nir = required("nir")
    graph = _Graph(nir, network).graph()
    with replacing(path) as partial, partial.open("w+b") as file:
        nir.write(file, graph)


def read_nir(path: str | Path) -> SpikingNetwork:
    """The network that `write_nir` wrote, bit for bit.

    Raises:
        LosslessError: The package nir is missing, or the file is damaged, altered, or of another program.
    """
    nir = required("nir")
    try:
        metadata = nir.read(Path(path)).metadata
        content = json.loads(metadata["lossless_snn"])
    except KeyError:
        raise LosslessError(f"{path}: written by another program, whose neurons have no signed spikes") from None
    except (OSError, ValueError, TypeError) as error:
        raise LosslessError(f"{path}: damaged, or no NIR file ({error})") from None
    tensors = {name.removeprefix(_TENSOR): array for name, array in metadata.items() if name.startswith(_TENSOR)}
    return SpikingNetwork.of(tensors, content, path)


# Tensors of the network's own file among the graph's metadata.
_TENSOR = "tensor "


class _Graph:
    """Collects nodes and edges; the neurons of the graph's node i are the node `neurons<i>`."""

    def __init__(self, nir: Any, network: SpikingNetwork) -> None:
        self._nir, self._network, self._graph = nir, network, network.graph
        self._nodes: dict[str, Any] = {"input": nir.Input(np.array(self._graph.input_shape))}
        self._edges: list[tuple[str, str]] = []

    def graph(self) -> Any:
        """The whole graph, with the exact network as its metadata."""
        for index, node in enumerate(self._graph.nodes):
            (self._neurons if isinstance(node, Neurons) else self._pooling)(index)
        last, output = self._network, len(self._graph.nodes)
        offset = np.zeros(len(last.grid_readout)) if last.readout_offset is None else last.readout_offset
        scale = 2.0**last.metadata.readout_exponent
        name = self._synapses(output, 0, last.grid_readout * scale, offset * scale)
        self._add("output", self._nir.Output(np.array([len(last.grid_readout)])), name)
        tensors = {f"{_TENSOR}{name}": array for name, array in last.tensors().items()}
        content = {"lossless_snn": json.dumps(last.content()), "lossy": LOSSY, **tensors}
        return self._nir.NIRGraph(self._nodes, self._edges, metadata=content, type_check=False)

    def _neurons(self, index: int) -> None:
        spiking = self._network.layer(index)
        threshold = spiking.grid_threshold.astype(np.float64)
        bias = -(spiking.grid_offset - 0.5) / threshold - 0.5
        names = []
        for number, weight in enumerate(spiking.grid_weights):
            scaled = weight / threshold[:, None, None, None]
            if self._graph.sources(index)[number] == IMAGE:
                scaled = scaled * 2.0**self._network.inputs.bits
            names.append(self._synapses(index, number, scaled, bias if number == 0 else np.zeros_like(bias)))
        shape = _shape(self._graph.geometry[index][0])
        ones = np.ones(shape, np.float32)
        self._add(_name(index), self._nir.IF(r=ones, v_threshold=ones, metadata=_described(spiking)), *names)

    def _synapses(self, index: int, number: int, weight: np.ndarray, bias: np.ndarray) -> str:
        """A convolution, or after flattening an affine map; an identity is a convolution 1 x 1.

        Groups are written out, with zeros between them: NIR takes the second size of weights for the input's channels.
        """
        part, layer = self._graph.inputs(index)[number], self._graph.geometry[index][number]
        source, name = _name(part.source), f"synapses{index}.{number}"
        weight, bias = _ungrouped(weight, layer).astype(np.float32), bias.astype(np.float32)
        if isinstance(part, Convolution) and layer.is_fully_connected:
            if part.source not in self._graph.neurons or len(_shape(self._graph.geometry[part.source][0])) > 1:
                flat = f"flat{index}.{number}"
                if flat not in self._nodes:
                    self._add(flat, self._nir.Flatten({"input": np.array(layer.in_shape)}, 0, -1), source)
                source = flat
            return self._add(name, self._nir.Affine(weight.reshape(len(weight), -1), bias), source)
        padding = tuple(pads[0] for pads in layer.padding)
        if any(before != after for before, after in layer.padding):
            raise LosslessError(f"{layer.token}: pads {layer.padding}; NIR pads both sides alike")
        node = self._nir.Conv2d(layer.in_shape[1:], weight, layer.stride, padding, (1, 1), 1, bias)
        return self._add(name, node, source)

    def _pooling(self, index: int) -> None:
        node: Pooling = self._graph.nodes[index]
        if node.pooling == "max" or any(before != after for before, after in node.padding):
            raise LosslessError(f"{self._graph.place(index)}: NIR has no max pooling, and pads both sides alike")
        # A sum, too, where it averages: what receives it knows of the division.
        window = (np.array(size) for size in (node.kernel, node.stride, [pads[0] for pads in node.padding]))
        self._add(_name(index), self._nir.SumPool2d(*window), _name(node.source))

    def _add(self, name: str, node: Any, *sources: str) -> str:
        self._nodes[name] = node
        self._edges += [(source, name) for source in sources]
        return name


def _ungrouped(weight: np.ndarray, layer: Layer) -> np.ndarray:
    """Weights (filters, C / groups, kh, kw) as (filters, C, kh, kw), 0 between filters and channels of other groups."""
    full = np.zeros((len(weight), layer.in_shape[0], *layer.kernel))
    filters, channels = len(weight) // layer.groups, weight.shape[1]
    for group in range(layer.groups):
        rows, columns = (slice(group * size, (group + 1) * size) for size in (filters, channels))
        full[rows, columns] = weight[rows]
    return full


def _name(index: int) -> str:
    return "input" if index == IMAGE else f"neurons{index}"


def _shape(layer: Layer) -> tuple[int, ...]:
    return layer.out_shape[:1] if layer.is_fully_connected else layer.out_shape


def _described(layer: SpikingLayer) -> dict[str, Any]:
    """What the neuron is in truth, for readers of the file."""
    constants = {
        "neuron": "signed spikes: V += W s; d = max(V, b) - Q; s = sign of d beyond (0, theta); Q += s theta; n += s",
        "base": layer.grid_offset - 0.5,
        "threshold": layer.grid_threshold,
        "unit_exponent": layer.exponent,
    }
    return constants | ({} if layer.upper_stop is None else {"upper_stop": layer.upper_stop})
