"""The engine: layout in, trace out."""

from math import prod

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ..trace import Trace
from .kernel import Recording, compiled
from .layout import Layout
from .threads import in_parts


class EventSimulator:
    """A spiking network, laid out for event-driven simulation.

    Args:
        network: the spiking network.
        threads: threads that images are shared out to.
        negative_spikes: without them a neuron fires upwards only: s = +1 if d > theta, else 0.
    """

    def __init__(self, network: SpikingNetwork, threads: int = 1, negative_spikes: bool = True) -> None:
        self._threads = threads
        self._negative_spikes = negative_spikes
        self._shapes = [network.graph.shape(index) for index in network.graph.spiking]
        self._layout = Layout.of(network)
        self._simulate = compiled()

    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps."""
        images = len(pixels)
        channels_last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1), dtype=np.int32).reshape(images, -1)
        recording = Recording.zeros(images, steps, sum(map(prod, self._shapes)))
        in_parts(self._threads, images, self._simulate, channels_last, self._layout, self._negative_spikes, recording)
        *by_step, settled_step, net_counts, membranes = recording
        return Trace(*by_step, settled_step, self._by_layer(net_counts), self._by_layer(membranes))

    def _by_layer(self, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """Values (N, neurons), channels last within a layer, as one (N, C, H, W) a layer."""
        split = np.split(values, np.cumsum([prod(shape) for shape in self._shapes])[:-1], axis=1)
        return tuple(
            part.reshape(len(part), height, width, channels).transpose(0, 3, 1, 2)
            for part, (channels, height, width) in zip(split, self._shapes, strict=True)
        )
