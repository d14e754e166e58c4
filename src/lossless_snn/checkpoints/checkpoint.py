"""Trained networks as files: parameters and all that is needed to rebuild the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.architecture import network_layers
from ..datasets.catalogue import find
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.tensors import load_tensors, save_tensors
from ..networks import notation
from ..networks.quantiser import quantiser_level

KIND = "checkpoint"
HIDDEN_PARAMETERS = ("weight", "gamma", "beta", "mean", "variance")


@dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    `parameters` holds, float32, `<i>.weight` (filters, channels, kh, kw) and `<i>.gamma`, `.beta`,
    `.mean`, `.variance` (filters,) for each hidden layer i, and the output layer's `<n>.weight`.
    `metadata` has experiment, precision, seed, budget, epochs, training_images and the recipe.
    """

    parameters: dict[str, np.ndarray]
    metadata: dict[str, Any]

    @property
    def k(self) -> int | None:
        """Level of the quantiser; None for FP32."""
        return quantiser_level(self.metadata["precision"])

    @property
    def data(self) -> DatasetSpec:
        return find(self.metadata["recipe"]["dataset"])

    @property
    def layers(self) -> tuple[notation.Layer, ...]:
        return network_layers(self.metadata["recipe"])

    def save(self, path: str | Path) -> None:
        """Write the checkpoint atomically; the same content gives the same bytes."""
        save_tensors(path, KIND, self.parameters, self.metadata)

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Read a checkpoint; raises LosslessError unless it is whole and fits its network."""
        parameters, metadata = load_tensors(path, KIND)
        checkpoint = cls(parameters, metadata)
        check_parameters(parameters, checkpoint.layers, path)
        return checkpoint


def parameter_shapes(layers: tuple[notation.Layer, ...]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a network, in the order of its layers."""
    shapes = {
        f"{index}.{name}": layer.weight_shape if name == "weight" else layer.out_shape[:1]
        for index, layer in enumerate(layers[:-1])
        for name in HIDDEN_PARAMETERS
    }
    return {**shapes, f"{len(layers) - 1}.weight": layers[-1].weight_shape}


def check_parameters(parameters: dict[str, np.ndarray], layers: tuple[notation.Layer, ...], source: str | Path) -> None:
    """Raise LosslessError, naming `source`, unless the parameters are those of `layers` and finite."""
    expected = parameter_shapes(layers)
    if unmatched := parameters.keys() ^ expected.keys():
        raise LosslessError(f"{source}: parameters missing or in excess: {', '.join(sorted(unmatched))}")
    for name, shape in expected.items():
        if parameters[name].shape != shape:
            raise LosslessError(f"{source}: {name} has shape {parameters[name].shape}, the network needs {shape}")
        if not np.isfinite(parameters[name]).all():
            raise LosslessError(f"{source}: {name} is not finite")
