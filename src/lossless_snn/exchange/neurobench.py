"""A run's results by NeuroBench's names and definitions (Yik et al. 2025), as its own JSON files have them.

Footprint               bytes of weights, thresholds and bases, in single precision
ConnectionSparsity      share of weights that are 0 on the grid, to four decimals, as NeuroBench 2.3 rounds
ClassificationAccuracy  share of the images predicted right at the last step
ActivationSparsity      share of zeros in what all neurons emit over all steps; a spike of either sign is none
SynapticOperations      an image's mean: Effective_MACs are those of the pixels that are not 0, which come once,
                        Effective_ACs those of the spikes, Dense what all layers take at all steps

NeuroBench does not count a synapse whose weight is 0, nor one without a weight, of an identity or a pooling, and we
do: where there is neither, the two are equal.
"""

from typing import Any

import numpy as np

from ..conversion.spiking_network import SpikingNetwork
from ..networks.graph import IMAGE, Convolution

# Bytes of a number in single precision.
_SINGLE = 4


def neurobench_results(
    network: SpikingNetwork,
    pixels: np.ndarray,
    *,
    steps: int,
    accuracy: float,
    spikes_per_image: float,
    operations_per_image: float,
) -> dict[str, Any]:
    """NeuroBench's metrics of one run.

    Args:
        network: The spiking network.
        pixels: The images that were simulated, as the network's integer inputs (N, C, H, W).
        steps: Time steps that were simulated.
        accuracy: Share of the images predicted right at the last step.
        spikes_per_image: Spikes of either sign, of units of max pooling, too.
        operations_per_image: Synapses that they crossed.

    Returns:
        The metrics by their names.
    """
    graph = network.graph
    parts = [
        (part, layer)
        for index, layers in enumerate(graph.geometry)
        for part, layer in zip(graph.inputs(index), layers, strict=True)
    ]
    weights = [*_weights(network), network.grid_readout]
    zeros, synapses = (sum(count) for count in zip(*((np.sum(w == 0), w.size) for w in weights), strict=True))
    constants = sum(layer.threshold.size + layer.base.size for layer in network.hidden)
    offsets = 0 if network.readout_offset is None else network.readout_offset.size
    encoding = sum(layer.fan_out for part, layer in parts if part.source == IMAGE)
    units = graph.neuron_count + graph.max_pooling[0]
    return {
        "Footprint": _SINGLE * int(synapses + constants + offsets),
        "ConnectionSparsity": round(float(zeros / synapses), 4),
        "ClassificationAccuracy": accuracy,
        "ActivationSparsity": 1 - spikes_per_image / (units * steps),
        "SynapticOperations": {
            "Effective_MACs": float((np.count_nonzero(pixels, axis=1) * encoding).sum() / len(pixels)),
            "Effective_ACs": operations_per_image,
            "Dense": steps * sum(layer.macs for _, layer in parts),
        },
    }


def _weights(network: SpikingNetwork) -> list[np.ndarray]:
    """Integer weights of all convolutions into layers of neurons."""
    graph = network.graph
    return [
        weight
        for index, layer in zip(graph.neurons, network.hidden, strict=True)
        for part, weight in zip(graph.inputs(index), layer.grid_weights, strict=True)
        if isinstance(part, Convolution)
    ]
