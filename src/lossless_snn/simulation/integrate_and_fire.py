"""The usual spiking network, to compare with: integrate-and-fire neurons whose firing rates are activations.

After Rueckauer et al. 2017 (Conversion of continuous-valued deep networks to efficient event-driven
networks for image classification, Frontiers in Neuroscience 11:682): reset by subtraction, thresholds
from a percentile of the activations, the input presented at every step, the output averaged.

Everything is in quantiser steps, 2^-k. A spiking layer's weights W, threshold theta and base b give
back what the ANN's batch norm made of an input a, because V = b + theta is where it passes 1/2:

    z = 2^k BN(a) = (W a - b) / theta - 1/2

A neuron of layer l has the threshold L_l, its rate 1 stands for an activation of L_l, and per step

    V += z(input);   s = 1 if V >= L_l, else 0;   V -= L_l s

with V = 0 at first (starting at half the threshold is a later refinement, not used here), with the
input L_(l-1) s of the layer before, or the image 2^k x. So L_l times the mean of s approaches
min(max(z, 0), L_l): the ANN *without* its quantisers, which is as near as this neuron can come.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..conversion.spiking_network import SpikingLayer, SpikingNetwork
from ..networks.geometry import Layer
from ..networks.quantised import convolve
from .trace import Trace

# Of all activations of a layer, zeros included: the robust choice of Rueckauer et al., instead of the maximum.
PERCENTILE = 99.9
# Images simulated at once: few enough for a processor's cache.
_TOGETHER = 50


class RateCodedSimulator:
    """The network of integrate-and-fire neurons with a spiking network's parameters, in 32-bit floats.

    `calibration` (N, C, H, W), integer pixels of training images, sets the thresholds: for each
    layer the value that 0.1 % of its activations exceed, and one quantiser step at the least.
    """

    def __init__(self, network: SpikingNetwork, calibration: np.ndarray, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        self._layers = network.layers
        self._input_scale = 2.0 ** (network.k - network.data.encoding.bits)
        self._hidden = [_Normalised.of(*pair) for pair in zip(self._layers, network.hidden, strict=False)]
        self._upper_stops = [layer.upper_stop or float("inf") for layer in network.hidden]
        self._readout = torch.from_numpy(network.readout)
        self._fan_out = [torch.from_numpy(layer.fan_out).float() for layer in self._layers[1:]]
        self.thresholds = self._percentiles(calibration)
        # What a layer receives is spikes, each of which stands for the threshold of the layer before.
        scales = [1.0, *self.thresholds]
        self._rated = [layer.scaled(scale) for layer, scale in zip(self._hidden, scales, strict=False)]

    @torch.inference_mode()
    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Classes (N,) int64 that the ANN without its quantisers predicts for integer `pixels` (N, C, H, W)."""
        *_, last = self._activations(pixels)
        return self._logits(last).argmax(1).numpy()

    @torch.inference_mode()
    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps.

        The prediction at t is the arg max of the mean over steps 0 to t of W_out L s. No image
        settles, because its input never ends; the trace's counts are spikes.
        """
        parts = [self._run(part, steps) for part in np.array_split(pixels, -(-len(pixels) // _TOGETHER))]
        records = (torch.cat(record).numpy() for record in zip(*parts, strict=True))
        predictions, fired, operations, *counts = records
        unsettled = np.full(len(pixels), -1)
        return Trace(predictions, fired, np.zeros_like(fired), operations, unsettled, tuple(counts))

    def _run(self, pixels: np.ndarray, steps: int) -> tuple[Tensor, ...]:
        """Predictions, spikes and operations (N, T), and the counts of each layer (N, C, H, W)."""
        images = len(pixels)
        predictions, fired, operations = torch.zeros((3, images, steps), dtype=torch.int64)
        membranes = [torch.zeros((images, *layer.out_shape)) for layer in self._layers[:-1]]
        counts, spikes = ([torch.zeros_like(membrane) for membrane in membranes] for _ in range(2))
        # The image is the same at every step, and so is what the first layer makes of it.
        injected = self._hidden[0](self._encode(pixels))
        for t in range(steps):
            for index, (membrane, threshold) in enumerate(zip(membranes, self.thresholds, strict=True)):
                membrane += self._rated[index](spikes[index - 1]) if index else injected
                torch.ge(membrane, threshold, out=spikes[index])
                membrane.sub_(spikes[index], alpha=threshold)
                counts[index] += spikes[index]
                by_place = spikes[index].sum(1)
                fired[:, t] += by_place.sum((1, 2)).long()
                operations[:, t] += (by_place * self._fan_out[index]).sum((1, 2)).long()
            # Neither the last threshold nor a division by t + 1 changes which logit is the greatest.
            predictions[:, t] = self._logits(counts[-1]).argmax(1)
        return predictions, fired, operations, *(count.int() for count in counts)

    def _encode(self, pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(pixels.astype(np.float32)) * self._input_scale

    def _activations(self, pixels: np.ndarray) -> Iterator[Tensor]:
        """max(z, 0) of each spiking layer, up to its upper stop, (N, C, H, W)."""
        activation = self._encode(pixels)
        for layer, stop in zip(self._hidden, self._upper_stops, strict=True):
            activation = layer(activation).relu_().clamp_(max=stop)
            yield activation

    def _logits(self, activation: Tensor) -> Tensor:
        return convolve(activation, self._readout, self._layers[-1]).flatten(1)

    @torch.inference_mode()
    def _percentiles(self, pixels: np.ndarray, batch_size: int = 100) -> list[float]:
        """The percentile of each layer, found among its largest values so far: no layer is kept whole."""
        kept = [1 + int(len(pixels) * layer.neurons * (1 - PERCENTILE / 100)) for layer in self._layers[:-1]]
        largest = [torch.zeros(0) for _ in kept]
        for start in range(0, len(pixels), batch_size):
            for index, activation in enumerate(self._activations(pixels[start : start + batch_size])):
                values = torch.cat([largest[index], activation.flatten()])
                largest[index] = values.topk(min(kept[index], len(values)), sorted=False).values
        return [max(values.min().item(), 1.0) for values in largest]


class _Normalised:
    """z of one layer: weights over the threshold, and what is left of the base."""

    def __init__(self, layer: Layer, weight: Tensor, bias: Tensor) -> None:
        self._layer, self._weight, self._bias = layer, weight, bias

    @classmethod
    def of(cls, layer: Layer, spiking: SpikingLayer) -> "_Normalised":
        threshold = torch.from_numpy(spiking.threshold)[:, None, None]
        bias = -torch.from_numpy(spiking.base)[:, None, None] / threshold - 0.5
        return cls(layer, torch.from_numpy(spiking.weight) / threshold[..., None], bias)

    def scaled(self, scale: float) -> "_Normalised":
        """The same layer for inputs in units of `scale`."""
        return _Normalised(self._layer, self._weight * scale, self._bias)

    def __call__(self, received: Tensor) -> Tensor:
        return convolve(received, self._weight, self._layer).add_(self._bias)
