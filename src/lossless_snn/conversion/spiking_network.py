"""A spiking network on its grid of integers, and its file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from ..checkpoints.metadata import Architecture
from ..config.values import ExperimentName, Precision
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.records import Natural, Record, Sha256
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors, tensors_sha256
from ..files.typed import validate
from ..networks.notation import Layer
from ..networks.quantiser import MEMBRANE_BITS, MOST_STEPS, WEIGHT_BITS, quantiser_level
from ..runs.identity import Origin

KIND = "spiking network"

# Units are powers of two. Single precision's exponents reach from -149 to 128, and a unit lies up to 49 bits below a
# threshold, which lies as far again from it at the most; beyond this, no conversion has made it.
LARGEST_EXPONENT = 600


class Widths(Record):
    """Bits of weights and of stored membranes, signs included, and what happens where a membrane does not fit.

    The first layer's membranes, sums of weights times pixels, have as many bits more as the largest pixel has.
    """

    weight_bits: Annotated[int, Field(ge=2, le=24)]
    membrane_bits: Annotated[int, Field(ge=2, le=MEMBRANE_BITS)]
    overflow: Literal["refuse", "saturate"]


class SpikingMetadata(Architecture):
    """Which network it is, what it was trained on, and the SHA-256 of the checkpoint that it was converted from."""

    experiment: ExperimentName
    budget: Origin
    precision: Precision
    seed: Natural | None
    readout_exponent: Annotated[int, Field(ge=-LARGEST_EXPONENT, le=LARGEST_EXPONENT)]
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


@dataclass(frozen=True)
class SpikingLayer:
    """One spiking layer: as the method gives it, in single precision, and on its grid of integers.

    weight (filters, C, kh, kw), threshold and base (filters,) are float32, computed in 32 bits.
    On the grid a channel's unit is 2^exponent: the integer weights are weight / 2^exponent, rounded;
    grid_threshold and grid_offset (filters,), int64, are in the same unit, the base being
    grid_offset - 1/2. The first layer's exponent includes the scale of its input, so that it takes
    pixels as the integers that they are.
    """

    weight: np.ndarray
    threshold: np.ndarray
    base: np.ndarray
    exponent: np.ndarray
    grid_threshold: np.ndarray
    grid_offset: np.ndarray

    @property
    def grid_weight(self) -> np.ndarray:
        """Integer weights (filters, C, kh, kw), int32."""
        return on_grid(self.weight, self.exponent[:, None, None, None])


@dataclass(frozen=True)
class SpikingNetwork:
    """A spiking network that needs nothing of the ANN that it came from.

    `hidden` are its spiking layers; `readout` the output layer's weights (classes, C, kh, kw), float32,
    with one unit for all of them, 2^readout_exponent, so that the greatest logit is found exactly.
    """

    hidden: tuple[SpikingLayer, ...]
    readout: np.ndarray
    metadata: SpikingMetadata

    @property
    def k(self) -> int:
        """Level of the quantiser."""
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
        return self.data.encoding.peak(self.data.shape).bit_length()

    @property
    def grid_readout(self) -> np.ndarray:
        """Integer output weights (classes, C, kh, kw), int32."""
        return on_grid(self.readout, self.metadata.readout_exponent)

    @property
    def data(self) -> DatasetSpec:
        return self.metadata.data

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.metadata.layers

    def save(self, path: str | Path) -> None:
        """Write the network atomically; the same content gives the same bytes."""
        save_tensors(path, KIND, self.tensors(), self._content())

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that `save` writes, in hexadecimal digits."""
        return tensors_sha256(KIND, self.tensors(), self._content())

    def _content(self) -> dict[str, Any]:
        """The metadata as the file has it: with a digest over the tensors and all else."""
        metadata = self.metadata.model_dump()
        if metadata["widths"] is None:
            # As files have it that know of no widths.
            del metadata["widths"]
        return {**metadata, _DIGEST: tensors_sha256(KIND, self.tensors(), metadata)}

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors by their names in the file."""
        hidden = {
            f"{index}.{name}": getattr(layer, name) for index, layer in enumerate(self.hidden) for name in _FIELDS
        }
        return {**hidden, "readout": self.readout}

    @classmethod
    def load(cls, path: str | Path) -> "SpikingNetwork":
        """Read a network back.

        Raises LosslessError where the file is damaged, altered or no spiking network, and where the
        sums of a layer could leave the range in which nothing is lost.
        """
        tensors, content = load_tensors(path, KIND)
        metadata = validate(SpikingMetadata, content, path)
        layers = metadata.layers
        check_tensors(tensors, _tensor_specs(layers), path)
        hidden = tuple(
            SpikingLayer(**{name: tensors[f"{index}.{name}"] for name in _FIELDS}) for index in range(len(layers) - 1)
        )
        network = cls(hidden, tensors["readout"], metadata)
        try:
            network.check_range()
        except LosslessError as error:
            raise LosslessError(f"{path}: {error}") from None
        if content.get(_DIGEST) != network._content()[_DIGEST]:
            raise LosslessError(f"{path}: altered since it was converted, by its digest; convert the checkpoint again")
        return network

    def check_range(self) -> None:
        """Raise LosslessError, naming layer and channel, unless weights, membranes and logits fit their integers."""
        encoding, layers = self.data.encoding, self.layers
        peak = np.full(layers[0].in_shape[0], encoding.peak(self.data.shape), dtype=object)
        for index, (layer, spiking) in enumerate(zip(layers, self.hidden, strict=False)):
            where = f"layer {index + 1} ({layer.token})"
            _check_units(spiking, where)
            peak = largest_counts(spiking, peak, encoding.signed and index == 0, where)
        _check_weights(self.readout, np.array(self.metadata.readout_exponent), "output layer")
        if largest_logit(self.readout, self.metadata.readout_exponent, peak) >= 2**MEMBRANE_BITS:
            raise LosslessError(f"output layer: logits may need more than {MEMBRANE_BITS} bits")


_DIGEST = "content_sha256"
_FIELDS = tuple(field.name for field in fields(SpikingLayer))
_INTEGERS = {"exponent", "grid_threshold", "grid_offset"}


def _tensor_specs(layers: tuple[Layer, ...]) -> dict[str, TensorSpec]:
    """Name, shape and type of every tensor of a spiking network's file."""
    specs = {
        f"{index}.{name}": TensorSpec(
            layer.weight_shape if name == "weight" else layer.out_shape[:1],
            "int64" if name in _INTEGERS else "float32",
        )
        for index, layer in enumerate(layers[:-1])
        for name in _FIELDS
    }
    return {**specs, "readout": TensorSpec(layers[-1].weight_shape, "float32")}


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


def _check_weights(weight: np.ndarray, exponent: np.ndarray, where: str) -> None:
    """Raise LosslessError, naming the channel, unless weights (filters, C, kh, kw) fit the grid's integers."""
    with np.errstate(over="ignore"):
        beyond = (np.abs(np.ldexp(weight.astype(np.float64), -exponent)) > 2.0**WEIGHT_BITS).any(axis=(1, 2, 3))
    if beyond.any():
        raise LosslessError(
            f"{where}, channel {int(beyond.argmax())}: weights beyond {WEIGHT_BITS} bits of its unit; convert again"
        )


def largest_counts(layer: SpikingLayer, peak: np.ndarray, signed: bool, where: str) -> np.ndarray:
    """The largest net spike count that a layer's neurons can reach, Python integers (filters,).

    Bounded without looking at data: V is at most its positive weights (all of them, where inputs are
    `signed`) times the inputs' largest absolute values `peak` (C,), and a neuron fires upwards only
    below V. That bound grows from layer to layer; no count exceeds the number of steps.

    Raises LosslessError, naming `where` and the channel, if a sum might leave the membranes' range.
    """
    weight = layer.grid_weight.astype(np.int64)
    threshold, offset = layer.grid_threshold.astype(object), layer.grid_offset.astype(object)
    reach = np.abs(weight).sum(axis=(2, 3)).astype(object) @ peak
    highest = reach if signed else np.maximum(weight, 0).sum(axis=(2, 3)).astype(object) @ peak
    if (over := reach + abs(offset) + threshold >= 2**MEMBRANE_BITS).any():
        raise LosslessError(
            f"{where}, channel {int(over.argmax())}: sums may need more than {MEMBRANE_BITS} bits, "
            "and nothing is lost only if they fit"
        )
    return np.minimum(np.maximum(highest - offset, 0) // threshold, MOST_STEPS)


def largest_logit(readout: np.ndarray, exponent: int, peak: np.ndarray) -> int:
    """The largest absolute value of a logit, in units of 2^exponent, for counts up to `peak` (C,)."""
    return (np.abs(on_grid(readout, exponent).astype(np.int64)).sum(axis=(2, 3)).astype(object) @ peak).max()


def on_grid(values: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """values / 2^exponent, rounded half to even, int32; `values` float32, exact up to the rounding."""
    return np.rint(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int32)
