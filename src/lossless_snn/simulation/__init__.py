"""Simulation of a spiking network, in time steps, with every spike counted."""

from importlib.util import find_spec
from typing import Protocol

import numpy as np

from ..conversion.spiking_network import SpikingNetwork
from ..errors import LosslessError
from .trace import Trace

__all__ = ["ARITHMETICS", "ENGINES", "Simulator", "Trace", "compile_ahead", "simulator"]

ENGINES = ("auto", "event", "dense")
ARITHMETICS = ("exact", "faithful")


class Simulator(Protocol):
    """Runs a batch of images through a spiking network; in exact arithmetic every engine gives the same bytes."""

    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps."""


def simulator(
    network: SpikingNetwork,
    engine: str = "auto",
    threads: int = 1,
    device: str = "cpu",
    arithmetic: str = "exact",
    negative_spikes: bool = True,
) -> Simulator:
    """The engine asked for; "auto" is the event-driven one where it can be: on a CPU, with numba, exactly.

    Without `negative_spikes` the method's neuron fires upwards only, for comparison.
    Raises LosslessError where the event-driven engine is asked for faithful arithmetic (its sums are of integers)
    or for a GPU, and where there is no GPU.
    """
    if arithmetic == "faithful" and engine == "event":
        raise LosslessError("the event engine has exact arithmetic only; use --engine dense for the faithful one")
    if device != "cpu" and engine == "event":
        raise LosslessError(f"the event engine runs on a CPU; use --engine dense for --device {device}")
    if network.saturates and engine == "event":
        raise LosslessError("the event engine's membranes do not saturate; use --engine dense")
    eventful = not network.saturates and arithmetic == "exact" and device == "cpu" and find_spec("numba") is not None
    if engine == "event" or (engine == "auto" and eventful):
        from .events import EventSimulator  # numba takes a second to import

        return EventSimulator(network, threads, negative_spikes)
    from .dense import DenseSimulator  # and torch several

    return DenseSimulator(network, threads, device, arithmetic, negative_spikes)


def compile_ahead() -> None:
    """Fill numba's cache, which otherwise the first simulation does."""
    from . import product_check
    from .events import kernel

    kernel.compiled()
    product_check.compile_ahead()
