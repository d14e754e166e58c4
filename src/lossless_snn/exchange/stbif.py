"""Spiking networks for SpikingJelly's ST-BIF neurons (You et al. 2024), whose spikes have a sign and a stop, too.

A `STBIFNode` (SpikingJelly 2; `STBIFNeuron` before) accumulates x / q_threshold on top of 1/2, emits q_threshold while
that exceeds 1 and the count is below `pos_max`, and -q_threshold while it is below 0 and the count above `neg_min`.
With q_threshold the quantiser's step, pos_max its levels and neg_min = 0 that is the method's neuron in a layer with

    y = W x + bias,    W = W_grid / theta_grid step / step_before,    bias = step (-(offset - 1/2) / theta_grid - 1/2)

where the bias and the image come at the first time step, and nothing but spikes afterwards. In 32-bit floats, so that
sums near a threshold may fall on its other side: what is certified of our network is not certified of theirs.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ..conversion.spiking_network import SpikingNetwork
from ..errors import LosslessError
from ..files.atomic import replacing
from ..networks.graph import Neurons

# Where there is no upper stop: the largest number below which 32-bit floats have every integer.
_NO_STOP = 2.0**24


def stbif_state(network: SpikingNetwork) -> dict[str, np.ndarray]:
    """The state of a network of convolutions, linear layers and `STBIFNode`s, float32, for a chain.

    Returns:
        For each layer i from 0 `layers.<i>.weight`, `layers.<i>.bias` and `neurons.<i>.q_threshold`, `.pos_max` and
        `.neg_min`; then `output.weight`, `output.bias`. A layer that covers its whole map is linear: (units, C H W).

    Raises:
        LosslessError: The network is no chain.
    """
    graph = network.graph
    for index, node in enumerate(graph.nodes):
        if not isinstance(node, Neurons) or graph.sources(index) != (index - 1,):
            raise LosslessError(f"{graph.place(index)}: a state of ST-BIF neurons is of layers one behind the other")
    layers = [geometry for geometry, *_ in graph.geometry]
    state: dict[str, np.ndarray] = {}
    # What a count of the layer before stands for; the image's integers are 2^-bits.
    before = 2.0**-network.inputs.bits
    for index, (layer, spiking) in enumerate(zip(layers, network.hidden, strict=False)):
        step = graph.quantiser(index, network.k).step
        threshold = spiking.grid_threshold.astype(np.float64)
        weight = spiking.grid_weight * (step / before / threshold[:, None, None, None])
        state[f"layers.{index}.weight"] = weight.reshape(len(weight), -1) if layer.is_fully_connected else weight
        state[f"layers.{index}.bias"] = step * (-(spiking.grid_offset - 0.5) / threshold - 0.5)
        state[f"neurons.{index}.q_threshold"] = np.array(step)
        state[f"neurons.{index}.pos_max"] = np.array(spiking.upper_stop or _NO_STOP)
        state[f"neurons.{index}.neg_min"] = np.array(0.0)
        before = step
    state["output.weight"] = network.readout.reshape(len(network.readout), -1)
    offset = 0.0 if network.readout_offset is None else network.readout_offset
    state["output.bias"] = np.zeros(len(network.readout)) + offset * 2.0**network.metadata.readout_exponent * before
    return {name: array.astype(np.float32) for name, array in state.items()}


def write_stbif(network: SpikingNetwork, path: str | Path) -> None:
    """Write `stbif_state` as safetensors, atomically: `load_state_dict(safetensors.torch.load_file(path))` takes it."""
    content = save(stbif_state(network), {"lossy": "32-bit floats: sums near a threshold may fall on its other side"})
    with replacing(path) as partial:
        partial.write_bytes(content)
