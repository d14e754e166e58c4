"""Images through a spiking network with every spike kept, and membranes from these."""

from itertools import count

import numpy as np

from ..conversion.spiking_network import SpikingNetwork
from ..networks.graph import IMAGE
from .certificate import pooled, weighted_sums
from .dense import DenseSimulator

Spikes = dict[int, np.ndarray]
"""Of each node that spikes, by its number: the spike of each unit in each step, int8 (T, N, C, H, W)."""


def record_spikes(network: SpikingNetwork, pixels: np.ndarray, steps: int) -> Spikes:
    """Every spike of a simulation.

    Args:
        network: The spiking network.
        pixels: Images as its integer inputs, (N, C, H, W).
        steps: Time steps T.

    Raises:
        LosslessError: Sums are beyond what 64-bit floats hold.
    """
    graph = network.graph
    kept = {node: np.zeros((steps, len(pixels), *graph.shape(node)), np.int8) for node in graph.spiking}
    step = count()

    def keep(spikes: list) -> None:
        at = next(step)
        for record, emitted in zip(kept.values(), spikes, strict=True):
            record[at] = emitted.cpu().numpy()

    DenseSimulator(network).run(pixels, steps, observe=keep)
    return kept


def thresholds_passed(network: SpikingNetwork, pixels: np.ndarray, spikes: Spikes, layer: int) -> np.ndarray:
    """Membranes of a layer of neurons after each step, (V - b) / theta, float64 (T, N, C, H, W).

    Its floor, where that is not below 0, is the net count that the neuron is due, up to its upper stop.

    Args:
        network: The spiking network.
        pixels: The images, as its integer inputs (N, C, H, W).
        spikes: What `record_spikes` gave for them.
        layer: The number of the layer's node.
    """
    graph, spiking = network.graph, network.layer(layer)
    steps, images = next(iter(spikes.values())).shape[:2]

    def counts(node: int) -> np.ndarray:
        """Net counts of a node after each step, all steps as one batch: (T N, C, H, W)."""
        if node == IMAGE:
            return np.tile(pixels, (steps, 1, 1, 1)).astype(np.float64)
        if node in spikes:
            return spikes[node].cumsum(axis=0, dtype=np.int64).reshape(steps * images, *graph.shape(node)).astype(float)
        return pooled(counts(graph.nodes[node].source), graph.nodes[node], graph.geometry[node][0])

    received = [counts(source) for source in graph.sources(layer)]
    total = weighted_sums(received, spiking.grid_weights, graph.geometry[layer])
    offset, threshold = (constants[:, None, None] for constants in (spiking.grid_offset, spiking.grid_threshold))
    return ((total - offset + 0.5) / threshold).reshape(steps, images, *graph.shape(layer))
