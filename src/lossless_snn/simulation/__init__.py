"""Simulation of a spiking network, in time steps, with every spike counted."""

from importlib.util import find_spec
from typing import Protocol

import numpy as np

from ..conversion import SpikingNetwork
from .trace import Trace

__all__ = ["ENGINES", "Simulator", "Trace", "simulator"]

ENGINES = ("auto", "event", "dense")


class Simulator(Protocol):
    """Runs a batch of images through a spiking network; every engine gives the same bytes."""

    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps."""


def simulator(network: SpikingNetwork, engine: str = "auto", threads: int = 1, device: str = "cpu") -> Simulator:
    """The engine asked for; "auto" is the event-driven one where numba is there and no GPU is asked for."""
    if engine == "event" or (engine == "auto" and device == "cpu" and find_spec("numba")):
        from .events import EventSimulator  # numba takes a second to import

        return EventSimulator(network, threads)
    from .dense import DenseSimulator  # and torch several

    return DenseSimulator(network, threads, device)
