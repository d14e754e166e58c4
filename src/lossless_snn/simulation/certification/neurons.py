"""Implementations with published neurons: the method's own in two arithmetics, and three others in 32-bit floats.

All are factories of `certification`'s protocol, all have the same trained network. The three others see it in levels of
the quantiser: a layer's convolution gives z = 2^k BN(a) of inputs a in levels (`relu_network`).

qcfs    Integrate-and-fire with the shift of Bu et al. 2022 (Optimal ANN-SNN conversion for high-accuracy and
        ultra-low-latency spiking neural networks, ICLR): the image at every step, V = theta / 2 at first,
        s = 1 if V >= theta, V -= theta s. The quantiser has L levels up to theta; a level is 1 here, so theta = L,
        the largest activation of the calibration images, rounded up. After T = L steps the rate is in whole levels.
signed  The signed neuron with memory of Wang et al. 2022 (Signed neuron with memory: towards simple, accurate and
        high-efficient ANN-SNN conversion, IJCAI): the image at every step, V = 0 at first, theta a layer's largest
        activation, s = 1 if V >= theta, -1 if V <= -theta and its net count is above 0, V -= theta s.
stbif   The bipolar neuron with a spike tracer of You et al. 2024 (SpikeZIP-TF: conversion is all you need for
        transformer-based SNN, ICML): the image once, V = theta / 2 at first with theta one level, s = 1 if V >= theta,
        -1 if V < 0 and its net count is above 0, V -= theta s. Its activations have no upper bound here, as the
        network's have none.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn

from ...conversion.spiking_network import SpikingNetwork
from ...networks.quantiser import ROUNDING_SHIFT
from ..dense import DenseSimulator
from . import Implementation, Spikes

Rule = Callable[[Tensor, Tensor, float], Tensor]
"""Spikes of neurons of membranes V, net counts n and a threshold."""


def exact(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """The method on the grid of integers."""
    return _method(network, "exact")


def faithful(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """The method in the published code's arithmetic: rounded."""
    return _method(network, "faithful")


def qcfs(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """Integrate-and-fire with the shift of half a threshold."""
    theta = float(ceil(max(largest_activations(network, calibration))))
    thresholds = [theta] * len(network.hidden)
    return _rate_coded(network, thresholds, 0.5, lambda v, n, theta: (v >= theta).float())


def signed(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """The signed neuron with memory."""
    thresholds = largest_activations(network, calibration)
    return _rate_coded(
        network, thresholds, 0.0, lambda v, n, theta: (v >= theta).float() - ((v <= -theta) & (n > 0)).float()
    )


def stbif(network: SpikingNetwork, calibration: np.ndarray) -> Implementation:
    """The bipolar neuron with a spike tracer."""
    layers, later = relu_layers(network), relu_layers(network, biased=False)
    thresholds = [1.0] * len(layers)

    def rule(v: Tensor, n: Tensor, theta: float) -> Tensor:
        return (v >= theta).float() - ((v < 0) & (n > 0)).float()

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        return Spikes(_steps(layers, encode(network, pixels), steps, thresholds, 0.5, rule, later))

    return run


def _method(network: SpikingNetwork, arithmetic: str) -> Implementation:
    simulator = DenseSimulator(network, arithmetic=arithmetic)

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        by_step: list[list[np.ndarray]] = []
        simulator.run(pixels, steps, lambda spikes: by_step.append([s.to(torch.int8).numpy() for s in spikes]))
        return Spikes(by_step)

    return run


def _rate_coded(network: SpikingNetwork, thresholds: Sequence[float], initial: float, rule: Rule) -> Implementation:
    layers = relu_layers(network)

    def run(pixels: np.ndarray, steps: int) -> Spikes:
        return Spikes(
            _steps(layers, encode(network, pixels), steps, thresholds, initial, rule), levels=thresholds, rate=True
        )

    return run


@torch.inference_mode()
def _steps(
    layers: Sequence[nn.Conv2d],
    image: Tensor,
    steps: int,
    thresholds: Sequence[float],
    initial: float,
    rule: Rule,
    later: Sequence[nn.Conv2d] | None = None,
) -> Iterator[list[np.ndarray]]:
    """Step by step, the spikes of all layers; the image at each step or, with other layers for `later`, at the first.

    `initial` is the membrane at first, as a share of the threshold.
    """
    first = layers[0](image)
    membranes, counts = [], []
    for t in range(steps):
        spikes, spiked = [], first
        injected = first if t == 0 or later is None else torch.zeros_like(first)
        for index, (layer, theta) in enumerate(zip(later if later and t else layers, thresholds, strict=True)):
            received = layer(spiked) if index else injected
            if t == 0:
                membranes.append(torch.full_like(received, initial * theta))
                counts.append(torch.zeros_like(received))
            membranes[index] += received
            fired = rule(membranes[index], counts[index], theta)
            membranes[index].sub_(fired, alpha=theta)
            counts[index] += fired
            spiked = fired * theta
            spikes.append(fired.numpy())
        yield spikes
        if later and not any(fired.any() for fired in spikes):
            # Nothing arrives any more, and nothing is due.
            return


def encode(network: SpikingNetwork, pixels: np.ndarray) -> Tensor:
    """The image in levels, 2^k x: float32 (N, C, H, W) of integer `pixels`."""
    return torch.from_numpy(pixels.astype(np.float32)) * 2.0 ** (network.k - network.data.encoding.bits)


def relu_layers(network: SpikingNetwork, biased: bool = True) -> list[nn.Conv2d]:
    """The convolutions of the network's spiking layers, batch norm folded in, from levels to levels, float32.

    Where they are not `biased`, the bias is 0: for neurons that get it once, at the first step.

    V = b + theta is where 2^k BN(a) passes 1/2, so that z = 2^k BN(a) = (W a - b) / theta - 1/2. The quantiser adds
    1e-5 before it rounds, and so does this: no implementation is charged with that.
    """
    layers = []
    for layer, spiking in zip(network.layers, network.hidden, strict=False):
        filters, channels, *kernel = layer.weight_shape
        padding = "same" if any(map(any, layer.padding)) else 0
        convolution = nn.Conv2d(channels, filters, tuple(kernel), layer.stride, padding).requires_grad_(False)
        threshold = torch.from_numpy(spiking.threshold)
        convolution.weight.copy_(torch.from_numpy(spiking.weight) / threshold[:, None, None, None])
        bias = -torch.from_numpy(spiking.base) / threshold + (ROUNDING_SHIFT - 0.5)
        convolution.bias.copy_(bias if biased else torch.zeros_like(bias))
        layers.append(convolution)
    return layers


def relu_network(network: SpikingNetwork) -> nn.Sequential:
    """The network without its quantisers: convolution, ReLU, and so on, in levels; no output layer."""
    return nn.Sequential(*(module for layer in relu_layers(network) for module in (layer, nn.ReLU())))


@torch.inference_mode()
def largest_activations(network: SpikingNetwork, calibration: np.ndarray, together: int = 100) -> list[float]:
    """The largest max(z, 0) of each layer over images of integer pixels (N, C, H, W), one level at the least."""
    largest = [1.0] * len(network.hidden)
    for start in range(0, len(calibration), together):
        activation = encode(network, calibration[start : start + together])
        for index, layer in enumerate(relu_layers(network)):
            activation = layer(activation).relu_()
            largest[index] = max(largest[index], activation.max().item())
    return largest
