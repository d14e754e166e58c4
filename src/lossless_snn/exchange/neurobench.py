"""A run's results by NeuroBench's names and definitions (Yik et al. 2025), as its own JSON files have them.

Footprint               bytes of weights, thresholds and bases, in single precision
ConnectionSparsity      share of weights that are 0 on the grid, to four decimals, as NeuroBench 2.3 rounds
ClassificationAccuracy  share of the images predicted right at the last step
ActivationSparsity      share of zeros in what all neurons emit over all steps; a spike of either sign is none
SynapticOperations      an image's mean: Effective_MACs are those of the pixels that are not 0, which come once,
                        Effective_ACs those of the spikes, Dense what all layers take at all steps

NeuroBench does not count a synapse whose weight is 0, and we do: where ConnectionSparsity is 0, the two are equal.
"""

from typing import Any

import numpy as np

from ..conversion.spiking_network import SpikingNetwork
from ..runs.snn import SnnRecord


def neurobench_results(network: SpikingNetwork, record: SnnRecord, pixels: np.ndarray) -> dict[str, Any]:
    """NeuroBench's metrics of one run.

    Args:
        network: The spiking network.
        record: What its simulation gave.
        pixels: The images that were simulated, as the network's integer inputs (N, C, H, W).

    Returns:
        The metrics by their names.
    """
    layers = network.layers
    weights = [*(layer.grid_weight for layer in network.hidden), network.grid_readout]
    zeros, synapses = (sum(count) for count in zip(*((np.sum(w == 0), w.size) for w in weights), strict=True))
    single = [array for layer in network.hidden for array in (layer.weight, layer.threshold, layer.base)]
    spikes = record.positive_spikes_per_image + record.negative_spikes_per_image
    encoding = (np.count_nonzero(pixels, axis=1) * layers[0].fan_out).sum() / len(pixels)
    return {
        "Footprint": sum(array.nbytes for array in [*single, network.readout]),
        "ConnectionSparsity": round(float(zeros / synapses), 4),
        "ClassificationAccuracy": record.accuracy,
        "ActivationSparsity": 1 - spikes / (record.neurons * record.simulated_steps),
        "SynapticOperations": {
            "Effective_MACs": float(encoding),
            "Effective_ACs": record.operations_per_image,
            "Dense": record.simulated_steps * sum(layer.macs for layer in layers),
        },
    }
