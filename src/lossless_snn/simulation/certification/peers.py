"""Adapters: implementations by other libraries, each as its authors recommend, for `certification`'s protocol.

They are imported where they are called, in an environment that has them (requirements/peers.in). Each library gets the
network with batch norm folded in (`neurons.relu_network`), sees the image at every step unless its neuron wants it
once, and is left to do the rest; the judgement applies the output layer to the spikes that come out.

spikingjelly   ann2snn's converter by its RateCodingRecipe, thresholds at the 99.9th percentile of the activations.
stbif          SpikingJelly's STBIFNode, of its recipe for SpikeZIP, which itself converts transformers only: the image
               and the biases at the first step, one level a threshold.
sinabs         from_torch.from_model with its defaults: several spikes a step, membranes of -1 at the least.
snntorch       Leaky with beta = 1, reset by subtraction with the delay of a step that it has as it comes; it converts
               no networks, so that thresholds are the largest activations.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from ...conversion.spiking_network import SpikingNetwork
from . import Implementation, Spikes
from .neurons import encode, largest_activations, relu_layers, relu_network

# Of STBIFNode, which needs an upper bound: above any activation.
_MOST_LEVELS = 2**20


def spikingjelly(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """SpikingJelly's ann2snn."""
    from spikingjelly.activation_based import ann2snn, functional, neuron

    images = encode(network, calibration).split(100)
    converted = ann2snn.Converter(ann2snn.RateCodingRecipe(images, mode="99.9%")).convert(relu_network(network))
    nodes = [module for module in converted.modules() if isinstance(module, neuron.IFNode)]
    scales = [module for name, module in converted.named_modules() if name.endswith("scaler1")]
    levels = [float(scale.scale) for scale in scales]

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        functional.reset_net(converted)
        image = encode(network, pixels)
        return Spikes((_outputs(converted, nodes, image) for _ in range(steps)), levels, rate=True)

    return run


def stbif(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """SpikingJelly's STBIF neuron."""
    from spikingjelly.activation_based import functional, neuron

    layers, silent = relu_layers(network), relu_layers(network, biased=False)
    nodes = [neuron.STBIFNode(1.0, level=_MOST_LEVELS) for _ in layers]
    first, later = (nn.Sequential(*chain.from_iterable(zip(part, nodes, strict=True))) for part in (layers, silent))

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        functional.reset_net(first)
        image = encode(network, pixels)
        return Spikes(_outputs(later if t else first, nodes, image * (t == 0)) for t in range(steps))

    return run


def sinabs(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """sinabs' from_torch."""
    from sinabs.from_torch import from_model
    from sinabs.layers import IAFSqueeze

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        converted = from_model(relu_network(network), batch_size=len(pixels)).spiking_model
        nodes = [module for module in converted.modules() if isinstance(module, IAFSqueeze)]
        image = encode(network, pixels)
        return Spikes((_outputs(converted, nodes, image) for _ in range(steps)), rate=True)

    return run


def snntorch(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """snnTorch's Leaky."""
    from snntorch import Leaky

    thresholds, layers = largest_activations(network, calibration), relu_layers(network)

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        nodes = [Leaky(beta=1.0, threshold=theta, init_hidden=True) for theta in thresholds]
        scaled = [nn.Identity(), *(_Scale(theta) for theta in thresholds)]
        stepped = nn.Sequential(*chain.from_iterable(zip(scaled, layers, nodes, strict=False)))
        image = encode(network, pixels)
        return Spikes((_outputs(stepped, nodes, image) for _ in range(steps)), thresholds, rate=True)

    return run


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@torch.inference_mode()
def _outputs(network: nn.Module, nodes: Sequence[nn.Module], image: Tensor) -> list[np.ndarray]:
    """One step of `network`: what each of `nodes` gave, first layer first."""
    given: list[np.ndarray] = []
    hooks = [node.register_forward_hook(lambda node, inputs, output: given.append(output.numpy())) for node in nodes]
    network(image)
    for hook in hooks:
        hook.remove()
    return given
