"""A spiking network on its grid of integers, and its file."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from ..checkpoints.metadata import Architecture
from ..config.values import ExperimentName, Precision, WeightBits
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.records import Natural, Record, Sha256
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors, tensors_sha256
from ..files.typed import validate
from ..networks.geometry import Layer
from ..networks.graph import IMAGE, Graph
from ..networks.quantiser import MEMBRANE_BITS, MOST_STEPS, WEIGHT_BITS, quantiser_level
from ..runs.identity import Origin

KIND = "spiking network"

# Units are powers of two. Single precision's exponents reach from -149 to 128, and a unit lies up to 49 bits below a
# threshold, which lies as far again from it at the most; beyond this, no conversion has made it.
LARGEST_EXPONENT = 600

ReadoutExponent = Annotated[int, Field(ge=-LARGEST_EXPONENT, le=LARGEST_EXPONENT)]


class InputIntegers(Record):
    """What the images' integers are: x = p / 2^bits, |p| at most `peak`, of either sign where `signed`."""

    bits: Annotated[int, Field(ge=0, le=24)]
    peak: Annotated[int, Field(ge=1, lt=2**31)]
    signed: bool


class Widths(Record):
    """Bits of weights and of stored membranes, signs included, and what happens where a membrane does not fit.

    The first layer's membranes, sums of weights times pixels, have as many bits more as the largest pixel has.
    """

    weight_bits: WeightBits
    membrane_bits: Annotated[int, Field(ge=2, le=MEMBRANE_BITS)]
    overflow: Literal["refuse", "saturate"]


class GraphMetadata(Record):
    """What a network is that was converted from a person's own module: its graph, inputs, and where it came from.

    `k` is that of layers without a quantiser of their own, if there are any.
    """

    graph: Graph
    inputs: InputIntegers
    k: Annotated[int, Field(ge=0, le=99)] | None
    source: Annotated[str, Field(max_length=200)]
    source_sha256: Sha256
    readout_exponent: ReadoutExponent
    widths: Widths | None = None


class SpikingMetadata(Architecture):
    """Which network it is, what it was trained on, and the SHA-256 of the checkpoint that it was converted from."""

    experiment: ExperimentName
    budget: Origin
    precision: Precision
    seed: Natural | None
    readout_exponent: ReadoutExponent
    checkpoint_sha256: Sha256
    widths: Widths | None = None
    """Of a network that was made narrower than conversion gives it."""

    @model_validator(mode="after")
    def _has_levels(self) -> "SpikingMetadata":
        if self.precision == "fp32":
            raise ValueError("precision: fp32 has no levels that spikes could count")
        return self

    @property
    def k(self) -> int:
        """Level of the quantiser."""
        return quantiser_level(self.precision)

    @property
    def inputs(self) -> InputIntegers:
        """What the integers of the data set's images are."""
        encoding = self.data.encoding
        return InputIntegers(bits=encoding.bits, peak=encoding.peak(self.data.shape), signed=encoding.signed)


@dataclass(frozen=True)
class SpikingLayer:
    """One spiking layer: as the method gives it, in single precision, and on its grid of integers.

    weight (filters, C, kh, kw), threshold and base (filters,) are float32, computed in 32 bits.
    On the grid a channel's unit is 2^exponent: the integer weights are weight / 2^exponent, rounded;
    grid_threshold and grid_offset (filters,), int64, are in the same unit, the base being
    grid_offset - 1/2. The first layer's exponent includes the scale of its input, so that it takes
    pixels as the integers that they are.

    The weight is that of the layer's first input, of ones for an identity. Those of further inputs are in
    `branches`, (filters, channels of a group, kh, kw) int32 each, on the same grid already. With an `upper_stop`
    no neuron's net count exceeds it: a neuron that has it emits no positive spike, whatever its membrane.
    """

    weight: np.ndarray
    threshold: np.ndarray
    base: np.ndarray
    exponent: np.ndarray
    grid_threshold: np.ndarray
    grid_offset: np.ndarray
    branches: tuple[np.ndarray, ...] = ()
    upper_stop: int | None = None

    @property
    def grid_weight(self) -> np.ndarray:
        """Integer weights (filters, C, kh, kw) of the first input, int32."""
        return on_grid(self.weight, self.exponent[:, None, None, None])

    @property
    def grid_weights(self) -> tuple[np.ndarray, ...]:
        """Integer weights of each input, int32."""
        return (self.grid_weight, *self.branches)


@dataclass(frozen=True, repr=False)
class SpikingNetwork:
    """A spiking network that needs nothing of the ANN that it came from.

    `hidden` are its spiking layers, in the order of the graph's layers of neurons; `readout` the output layer's
    weights (classes, C, kh, kw), float32, with one unit for all of them, 2^readout_exponent, so that the greatest logit
    is found exactly; `readout_offset`, int64 (classes,) in that unit, what its bias adds, if it has one.
    """

    hidden: tuple[SpikingLayer, ...]
    readout: np.ndarray
    metadata: SpikingMetadata | GraphMetadata
    readout_offset: np.ndarray | None = None

    def __repr__(self) -> str:
        of, graph = self.metadata, self.graph
        title = of.source if isinstance(of, GraphMetadata) else f"{of.experiment} {of.precision}"
        return f"SpikingNetwork({title}: {len(self.hidden)} layers, {graph.neuron_count:,} neurons)"

    @property
    def k(self) -> int | None:
        """Level of the quantiser; None where all layers have their own."""
        return self.metadata.k

    def membrane_bits(self, index: int) -> int:
        """Bits of the stored membranes of spiking layer `index`, from 0."""
        if self.metadata.widths is None:
            return MEMBRANE_BITS
        return self.metadata.widths.membrane_bits + (self._pixel_bits if index == 0 else 0)

    @property
    def saturates(self) -> bool:
        """Whether membranes stay at the largest value where they would not fit."""
        return self.metadata.widths is not None and self.metadata.widths.overflow == "saturate"

    @property
    def _pixel_bits(self) -> int:
        return self.inputs.peak.bit_length()

    @property
    def graph(self) -> Graph:
        return self.metadata.graph

    @property
    def inputs(self) -> InputIntegers:
        """What its images' integers are."""
        return self.metadata.inputs

    def layer(self, node: int) -> SpikingLayer:
        """The spiking layer of the graph's node of that number, a layer of neurons."""
        return self.hidden[self.graph.neurons.index(node)]

    @property
    def grid_readout(self) -> np.ndarray:
        """Integer output weights (classes, C, kh, kw), int32."""
        return on_grid(self.readout, self.metadata.readout_exponent)

    @property
    def data(self) -> DatasetSpec:
        return self.metadata.data

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a chain; raises LosslessError where the network is none."""
        return self.graph.chain()

    def save(self, path: str | Path) -> None:
        """Write the network atomically; the same content gives the same bytes."""
        save_tensors(path, KIND, self.tensors(), self.content())

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that `save` writes, in hexadecimal digits."""
        return tensors_sha256(KIND, self.tensors(), self.content())

    def content(self) -> dict[str, Any]:
        """The metadata as the file has it: with a digest over the tensors and all else."""
        metadata = self.metadata.model_dump()
        # As files have it that know of neither.
        for name in ("upper_bound", "widths"):
            if metadata.get(name, 0) is None:
                del metadata[name]
        return {**metadata, _DIGEST: tensors_sha256(KIND, self.tensors(), metadata)}

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors by their names in the file."""
        tensors = {}
        for index, layer in zip(self.graph.neurons, self.hidden, strict=True):
            tensors |= {f"{index}.{name}": getattr(layer, name) for name in _FIELDS}
            tensors |= {f"{index}.{number}.weight": weight for number, weight in enumerate(layer.branches, 1)}
        offset = {} if self.readout_offset is None else {"readout_offset": self.readout_offset}
        return {**tensors, "readout": self.readout, **offset}

    @classmethod
    def load(cls, path: str | Path) -> "SpikingNetwork":
        """Read a network back.

        Raises LosslessError where the file is damaged, altered or no spiking network, and where the
        sums of a layer could leave the range in which nothing is lost.
        """
        return cls.of(*load_tensors(path, KIND), path)

    @classmethod
    def of(cls, tensors: dict[str, np.ndarray], content: dict[str, Any], path: str | Path) -> "SpikingNetwork":
        """The network of these tensors, with what `content` gave of it; raises as `load` does, naming `path`."""
        metadata = validate(GraphMetadata if "graph" in content else SpikingMetadata, content, path)
        graph = metadata.graph
        check_tensors(tensors, _tensor_specs(graph), path)
        try:
            hidden = tuple(_read_layer(tensors, graph, index, metadata.k) for index in graph.neurons)
            network = cls(hidden, tensors["readout"], metadata, tensors.get("readout_offset"))
            network.check_range()
        except LosslessError as error:
            raise LosslessError(f"{path}: {error}") from None
        if content.get(_DIGEST) != network.content()[_DIGEST]:
            raise LosslessError(f"{path}: altered since it was converted, by its digest; convert the checkpoint again")
        return network

    def check_range(self) -> None:
        """Raise LosslessError, naming layer and channel, unless weights, membranes and logits fit their integers."""
        peaks = Peaks(self.graph, self.inputs)
        for index, spiking in zip(self.graph.neurons, self.hidden, strict=True):
            _check_units(spiking, self.graph.place(index))
            peaks.add(index, spiking)
        _check_weights(self.readout, np.array(self.metadata.readout_exponent), "output layer")
        logit = largest_logit(self.readout, self.metadata.readout_exponent, peaks.of_output)
        if logit + (0 if self.readout_offset is None else _largest(self.readout_offset)) >= 2**MEMBRANE_BITS:
            raise LosslessError(f"output layer: logits may need more than {MEMBRANE_BITS} bits")


_DIGEST = "content_sha256"
_FIELDS = ("weight", "threshold", "base", "exponent", "grid_threshold", "grid_offset")
_INTEGERS = {"exponent", "grid_threshold", "grid_offset"}


def _read_layer(tensors: dict[str, np.ndarray], graph: Graph, index: int, k: int | None) -> SpikingLayer:
    branches = tuple(tensors[f"{index}.{number}.weight"] for number in range(1, len(graph.inputs(index))))
    constants = {name: tensors[f"{index}.{name}"] for name in _FIELDS}
    return SpikingLayer(**constants, branches=branches, upper_stop=graph.quantiser(index, k).levels)


def _tensor_specs(graph: Graph) -> dict[str, TensorSpec]:
    """Name, shape and type of every tensor of a spiking network's file."""
    specs = {}
    for index in graph.neurons:
        layer, *others = graph.geometry[index]
        for name in _FIELDS:
            shape = layer.weight_shape if name == "weight" else layer.out_shape[:1]
            specs[f"{index}.{name}"] = TensorSpec(shape, "int64" if name in _INTEGERS else "float32")
        for number, other in enumerate(others, 1):
            specs[f"{index}.{number}.weight"] = TensorSpec(other.weight_shape, "int32")
    specs["readout"] = TensorSpec(graph.readout.weight_shape, "float32")
    if graph.output.bias:
        specs["readout_offset"] = TensorSpec(graph.readout.out_shape[:1], "int64")
    return specs


def _check_units(layer: SpikingLayer, where: str) -> None:
    """Raise LosslessError, naming the channel, unless a layer's numbers are such as a conversion gives."""
    for name, wrong in (
        ("threshold", layer.threshold <= 0),
        ("threshold on the grid", layer.grid_threshold < 1),
        ("unit's exponent", (layer.exponent < -LARGEST_EXPONENT) | (layer.exponent > LARGEST_EXPONENT)),
        ("base", (layer.grid_offset < -(2**MEMBRANE_BITS)) | (layer.grid_offset > 2**MEMBRANE_BITS)),
    ):
        if wrong.any():
            raise LosslessError(f"{where}, channel {int(wrong.argmax())}: its {name} is out of range; convert again")
    _check_weights(layer.weight, layer.exponent[:, None, None, None], where)
    for weight in layer.branches:
        if (beyond := (np.abs(weight.astype(np.int64)) > 2**WEIGHT_BITS).any(axis=(1, 2, 3))).any():
            raise LosslessError(
                f"{where}, channel {int(beyond.argmax())}: weights beyond {WEIGHT_BITS} bits; convert again"
            )


def _check_weights(weight: np.ndarray, exponent: np.ndarray, where: str) -> None:
    """Raise LosslessError, naming the channel, unless weights (filters, C, kh, kw) fit the grid's integers."""
    with np.errstate(over="ignore"):
        beyond = (np.abs(np.ldexp(weight.astype(np.float64), -exponent)) > 2.0**WEIGHT_BITS).any(axis=(1, 2, 3))
    if beyond.any():
        raise LosslessError(
            f"{where}, channel {int(beyond.argmax())}: weights beyond {WEIGHT_BITS} bits of its unit; convert again"
        )


class Peaks:
    """The largest net spike count that neurons can reach, by node and channel, without looking at data.

    V is at most the positive weights (all of them, where inputs are signed) times the inputs' largest absolute values,
    and a neuron fires upwards only below V, and below its upper stop. That bound grows from layer to layer; no count
    exceeds the number of steps. A sum reaches as many times the largest count as it has inputs.

    Args:
        graph: The network.
        inputs: Its images' integers.
    """

    def __init__(self, graph: Graph, inputs: InputIntegers) -> None:
        self._graph, self._signed = graph, inputs.signed
        # Python integers (channels,), which no sum overflows.
        self._peaks = {IMAGE: np.full(graph.input_shape[0], inputs.peak, dtype=object)}

    def of(self, index: int) -> np.ndarray:
        """The largest absolute value that each channel of a node can have, Python integers (C,)."""
        if index not in self._peaks:
            node = self._graph.nodes[index]  # a pooling, whose source has been added
            inputs = 1 if node.pooling == "max" else prod(node.kernel)
            self._peaks[index] = self.of(node.source) * inputs
        return self._peaks[index]

    @property
    def of_output(self) -> np.ndarray:
        """That of the node which the output receives from."""
        return self.of(self._graph.output.source)

    def add(self, index: int, layer: SpikingLayer) -> None:
        """Take up a layer of neurons, whose sources have been; those that poolings are of follow by themselves.

        Raises LosslessError, naming the layer and the channel, if a sum might leave the membranes' range.
        """
        threshold, offset = layer.grid_threshold.astype(object), layer.grid_offset.astype(object)
        reach = highest = 0
        for source, geometry, weight in zip(
            self._graph.sources(index), self._graph.geometry[index], layer.grid_weights, strict=True
        ):
            summed = sums(weight, self.of(source), geometry)
            reach = reach + summed
            signed = source == IMAGE and self._signed
            highest = highest + (summed if signed else sums(np.maximum(weight, 0), self.of(source), geometry))
        if (over := reach + abs(offset) + threshold >= 2**MEMBRANE_BITS).any():
            raise LosslessError(
                f"{self._graph.place(index)}, channel {int(over.argmax())}: sums may need more than {MEMBRANE_BITS} "
                "bits, and nothing is lost only if they fit"
            )
        most = MOST_STEPS if layer.upper_stop is None else min(layer.upper_stop, MOST_STEPS)
        self._peaks[index] = np.minimum(np.maximum(highest - offset, 0) // threshold, most)


def sums(weight: np.ndarray, peak: np.ndarray, layer: Layer) -> np.ndarray:
    """For each filter the sum of absolute weights (filters, C / groups, kh, kw) times its inputs' `peak` (C,)."""
    magnitudes = np.abs(weight.astype(np.int64)).sum(axis=(2, 3)).astype(object)
    if layer.groups == 1:
        return magnitudes @ peak
    by_group = magnitudes.reshape(layer.groups, -1, magnitudes.shape[1]) * peak.reshape(layer.groups, 1, -1)
    return by_group.sum(axis=2).ravel()


def _largest(values: np.ndarray) -> int:
    return int(abs(values.astype(object)).max())


def largest_logit(readout: np.ndarray, exponent: int, peak: np.ndarray) -> int:
    """The largest absolute value of a logit, in units of 2^exponent, for counts up to `peak` (C,)."""
    return (np.abs(on_grid(readout, exponent).astype(np.int64)).sum(axis=(2, 3)).astype(object) @ peak).max()


def on_grid(values: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """values / 2^exponent, rounded half to even, int32; `values` float32, exact up to the rounding."""
    return np.rint(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int32)
