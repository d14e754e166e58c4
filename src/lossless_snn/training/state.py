"""What an epoch leaves behind for the next one, as a file: an interrupted training goes on from there."""

import os
import platform
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from .. import processor
from ..files.records import Record
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors
from ..files.typed import validate
from ..networks.quantised import QuantisedNetwork
from ..runs.history import EpochRecord

KIND = "training state"
# Environment variables by which the libraries that calculate use other instructions, or less precision.
_PROCESSOR_SETTINGS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS"),
)


class Optimiser(Protocol):
    """Moves a network's parameters along their gradients."""

    def step(self, learning_rate: float) -> None:
        """Move the parameters, and forget their gradients."""

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, by name; the tensors themselves."""


def decides_bits(device: torch.device, threads: int) -> dict[str, Any]:
    """What the bits of a training depend on beside its identity: another one of these gives other bits."""
    if device.type == "cuda":
        found = [platform.machine(), torch.cuda.get_device_name(device)]
    else:
        # PyTorch chooses instructions by its own measure; oneDNN, which convolves, and MKL, which asks for the maker,
        # by the processor's, unless they are told what to make of it.
        found = [processor.kind(), processor.maker(), torch.backends.cpu.get_cpu_capability()]
    told = [f"{name}={os.environ[name]}" for name in _PROCESSOR_SETTINGS if os.environ.get(name)]
    return {
        "device": device.type,
        "threads": threads,
        "processor": ", ".join([*found, *told]),
        "torch": torch.__version__,
        "numpy": np.__version__,
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


class _Progress(Record):
    """What a state's file says beside the training's identity."""

    history: Annotated[list[EpochRecord], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_each_epoch(self) -> "_Progress":
        if [row.epoch for row in self.history] != list(range(1, len(self.history) + 1)):
            raise ValueError("history: not one row an epoch")
        return self


class State:
    """A state that was read back.

    Attributes:
        history: A row for each finished epoch.

    Raises:
        LosslessError: Where the file is damaged, or has no history.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tensors, self._metadata = load_tensors(path, KIND)
        self.history = validate(_Progress, self._metadata, path).history

    def differs(self, identity: dict[str, Any]) -> list[str]:
        """What of the identity is another training's."""
        return [name for name in identity if self._metadata.get(name) != identity[name]]

    def copy_into(self, network: QuantisedNetwork, optimiser: Optimiser) -> None:
        """Set all tensors of both to what they were.

        Raises:
            LosslessError: Where the file's tensors are others, and where they are not finite.
        """
        parts = {**network.state_dict(), **optimiser.state()}
        specs = {name: TensorSpec(array.shape, str(array.dtype)) for name, array in arrays(parts).items()}
        check_tensors(self._tensors, specs, self._path)
        for name, tensor in parts.items():
            tensor.copy_(torch.from_numpy(self._tensors[name]))


def arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The tensors as NumPy arrays on the processor."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
