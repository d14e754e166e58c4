"""A spiking network on its grid of integers, and its file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..config.architecture import network_layers
from ..datasets.catalogue import find
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.tensors import load_tensors, save_tensors
from ..networks import notation

KIND = "spiking network"


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
    and `readout_exponent` the one unit of all of them, so that the greatest logit is found exactly.
    """

    hidden: tuple[SpikingLayer, ...]
    readout: np.ndarray
    readout_exponent: int
    metadata: dict[str, Any]

    @property
    def grid_readout(self) -> np.ndarray:
        """Integer output weights (classes, C, kh, kw), int32."""
        return on_grid(self.readout, self.readout_exponent)

    @property
    def data(self) -> DatasetSpec:
        return find(self.metadata["dataset"])

    @property
    def layers(self) -> tuple[notation.Layer, ...]:
        return network_layers(self.metadata)

    def save(self, path: str | Path) -> None:
        """Write the network atomically; the same content gives the same bytes."""
        tensors = {
            f"{index}.{name}": getattr(layer, name) for index, layer in enumerate(self.hidden) for name in _FIELDS
        }
        metadata = {**self.metadata, "readout_exponent": self.readout_exponent}
        save_tensors(path, KIND, {**tensors, "readout": self.readout}, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "SpikingNetwork":
        """Read a network back; raises LosslessError where the file is damaged or no spiking network."""
        tensors, metadata = load_tensors(path, KIND)
        count = len({name.split(".")[0] for name in tensors}) - 1
        try:
            hidden = tuple(
                SpikingLayer(**{name: tensors[f"{index}.{name}"] for name in _FIELDS}) for index in range(count)
            )
            return cls(hidden, tensors["readout"], metadata.pop("readout_exponent"), metadata)
        except KeyError as error:
            raise LosslessError(f"{path}: {error} is missing; convert the checkpoint again") from None


_FIELDS = tuple(field.name for field in fields(SpikingLayer))


def on_grid(values: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """values / 2^exponent, rounded half to even, int32; `values` float32, exact up to the rounding."""
    return np.rint(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int32)
