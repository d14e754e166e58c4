"""What an epoch leaves behind for the next one, as a file: an interrupted training goes on from there."""

import platform
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..files.tensors import load_tensors, save_tensors
from ..networks.quantised import QuantisedNetwork
from ..runs.history import EpochRecord

KIND = "training state"


class Optimiser(Protocol):
    """Moves a network's parameters along their gradients."""

    def step(self, learning_rate: float) -> None:
        """Move the parameters, and forget their gradients."""

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, by name; the tensors themselves."""


def decides_bits(device: torch.device, threads: int) -> dict[str, Any]:
    """What the bits of a training depend on beside its identity: another one of these gives other bits."""
    processor = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else torch.cuda.get_device_name(device)
    return {
        "device": device.type,
        "threads": threads,
        "processor": f"{platform.machine()} {processor}",
        "torch": torch.__version__,
    }


def save(
    path: Path,
    network: QuantisedNetwork,
    optimiser: Optimiser,
    identity: dict[str, Any],
    history: list[EpochRecord],
) -> None:
    """Write the state after an epoch, atomically."""
    tensors = {**network.state_dict(), **optimiser.state()}
    save_tensors(path, KIND, arrays(tensors), {**identity, "history": [row.model_dump() for row in history]})


class State:
    """A state that was read back.

    Attributes:
        history: A row for each finished epoch.
    """

    def __init__(self, path: Path) -> None:
        self._tensors, self._metadata = load_tensors(path, KIND)
        self.history = [EpochRecord.model_validate(row) for row in self._metadata["history"]]

    def differs(self, identity: dict[str, Any]) -> list[str]:
        """What of the identity is another training's."""
        return [name for name in identity if self._metadata.get(name) != identity[name]]

    def copy_into(self, network: QuantisedNetwork, optimiser: Optimiser) -> None:
        """Set all tensors of both to what they were."""
        for name, tensor in {**network.state_dict(), **optimiser.state()}.items():
            tensor.copy_(torch.from_numpy(self._tensors[name]))


def arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The tensors as NumPy arrays on the processor."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
