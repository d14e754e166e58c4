"""Trained networks as files: parameters and all that is needed to rebuild the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors, tensors_sha256
from ..files.typed import validate
from ..networks.geometry import Layer
from ..networks.graph import Graph, parameter_shapes
from .metadata import CheckpointMetadata

KIND = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    `parameters` holds, float32, `<i>.weight` (filters, channels, kh, kw) and `<i>.gamma`, `.beta`,
    `.mean`, `.variance` (filters,) for each hidden layer i, and the output layer's `<n>.weight`; of graphs that are
    no chains, see `networks.graph.parameter_shapes`.
    """

    parameters: dict[str, np.ndarray]
    metadata: CheckpointMetadata

    @property
    def k(self) -> int | None:
        """Level of the quantiser; None for FP32."""
        return self.metadata.k

    @property
    def data(self) -> DatasetSpec:
        return self.metadata.recipe.data

    @property
    def graph(self) -> Graph:
        return self.metadata.recipe.graph

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a chain; raises LosslessError where the network is none."""
        return self.graph.chain()

    def save(self, path: str | Path) -> None:
        """Write the checkpoint atomically; the same content gives the same bytes."""
        save_tensors(path, KIND, self.parameters, self._content())

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that `save` writes, in hexadecimal digits."""
        return tensors_sha256(KIND, self.parameters, self._content())

    def _content(self) -> dict[str, Any]:
        """The metadata as the file has it."""
        return self.metadata.model_dump(exclude_unset=True)

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Read a checkpoint; raises LosslessError unless it is whole and fits its network."""
        parameters, content = load_tensors(path, KIND)
        metadata = validate(CheckpointMetadata, content, path)
        check_parameters(parameters, metadata.recipe.graph, path)
        return cls(parameters, metadata)


def check_parameters(parameters: dict[str, np.ndarray], graph: Graph, source: str | Path) -> None:
    """Raise LosslessError, naming `source`, unless these are parameters of `graph`, finite, no variance negative."""
    expected = {name: TensorSpec(shape, "float32") for name, shape in parameter_shapes(graph).items()}
    check_tensors(parameters, expected, source)
    for name, array in parameters.items():
        if name.endswith(".variance") and (array < 0).any():
            raise LosslessError(f"{source}: {name} is negative")
