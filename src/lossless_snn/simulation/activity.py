"""What every layer does in every step, counted for estimates of energy.

Of the spiking network, over all images and by time step:

spikes      positive and negative ones that a layer emits.
operations  synapses that they cross into the next layer; into the first layer, at the first step, what the pixels that
            are not 0 cross: multiply-accumulates, all others additions.
updates     neurons whose membrane an event-driven machine compares with its threshold: all of them at the first step,
            then those that a spike reaches and those that fired in the step before, which may be due again.

Of its ANN, by layer: inputs that are not 0, the synapses that they cross, and the largest input, which says how many
bits they need.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from ..conversion.spiking_network import SpikingNetwork
from ..datasets import Images
from ..files.progress import batches
from ..networks.geometry import Layer
from ..networks.quantised import convolve
from ..runs.activity import ActivityRecord, LayerActivity
from .certificate import grid_activations
from .dense import DenseSimulator


def measure_activity(
    network: SpikingNetwork,
    images: Images,
    steps: int,
    batch_size: int,
    *,
    threads: int = 1,
    title: str = "Count activity",
) -> ActivityRecord:
    """Simulate `images` for `steps` time steps, and count what every layer does in each.

    Args:
        network: The spiking network.
        images: Test images as stored, uint8 (N, C, H, W), and their classes.
        steps: Time steps of the simulation.
        batch_size: Images simulated at once.
        threads: Of the simulation.
        title: Of the progress bar.
    """
    simulator, counts = DenseSimulator(network, threads), _Counts(network, steps)
    correct, settled = np.zeros(steps, np.int64), np.zeros(steps + 1, np.int64)
    for batch in batches(len(images), batch_size, title):
        pixels = network.data.encoding.integers(images.pixels[batch])
        counts.begin(pixels)
        trace = simulator.run(pixels, steps, counts.add_step)
        correct += (trace.predictions == images.labels[batch, None]).sum(axis=0)
        settled += np.bincount(trace.settled_step[trace.settled_step >= 0], minlength=steps + 1)
    return ActivityRecord(
        images=len(images),
        correct=correct.tolist(),
        settled=settled.tolist(),
        layers=counts.layers(),
    )


class _Counts:
    """Sums over the images; (layers, T) each, or (layers,)."""

    def __init__(self, network: SpikingNetwork, steps: int) -> None:
        self._network, self._layers = network, network.layers
        self._fan_out = [torch.from_numpy(layer.fan_out) for layer in self._layers]
        shape = (len(self._layers), steps)
        self._operations, self._positive, self._negative, self._updates = np.zeros((4, *shape), np.int64)
        self._active, self._active_macs, self._largest = np.zeros((3, len(self._layers)), np.int64)

    def begin(self, pixels: np.ndarray) -> None:
        """Start with a batch: count what its pixels cross, and the ANN's activations."""
        self._step, self._fired = 0, [None] * (len(self._layers) - 1)
        self._pixels = torch.from_numpy(pixels)
        *activations, _ = grid_activations(self._network, pixels)
        for index, array in enumerate([pixels, *activations]):
            active = array != 0
            self._active[index] += active.sum()
            self._active_macs[index] += (active.sum(axis=1) * self._layers[index].fan_out).sum()
            self._largest[index] = max(self._largest[index], int(np.abs(array).max()))

    def add_step(self, emitted: Sequence[Tensor]) -> None:
        """Count one step, given the spikes of every spiking layer, (N, C, H, W) each."""
        t, received = self._step, self._pixels if self._step == 0 else torch.zeros_like(self._pixels)
        for index, spikes in enumerate(emitted):
            self._receive(index, t, received)
            self._positive[index, t] += int((spikes > 0).sum())
            self._negative[index, t] += int((spikes < 0).sum())
            looked_at = _reached(received, self._layers[index]).expand_as(spikes)
            if t > 0:
                looked_at = looked_at | self._fired[index]
            self._updates[index, t] += spikes.numel() if t == 0 else int(looked_at.sum())
            self._fired[index] = spikes != 0
            received = spikes
        self._receive(len(emitted), t, received)
        self._step += 1

    def _receive(self, index: int, t: int, received: Tensor) -> None:
        self._operations[index, t] += int(((received != 0).sum(1) * self._fan_out[index]).sum())

    def layers(self) -> list[LayerActivity]:
        """What was counted, layer by layer."""
        return [
            LayerActivity(
                token=layer.token,
                neurons=layer.neurons,
                inputs=prod(layer.in_shape),
                macs=layer.macs,
                active_inputs=int(self._active[index]),
                active_macs=int(self._active_macs[index]),
                largest_input=int(self._largest[index]),
                operations=self._operations[index].tolist(),
                positive=self._positive[index].tolist(),
                negative=self._negative[index].tolist(),
                updates=self._updates[index].tolist(),
            )
            for index, layer in enumerate(self._layers)
        ]


def _reached(received: Tensor, layer: Layer) -> Tensor:
    """Which places of the layer's map an input that is not 0 reaches, (N, 1, H', W')."""
    places = (received != 0).any(1, keepdim=True).float()
    return convolve(places, torch.ones(1, 1, *layer.kernel), layer) > 0
