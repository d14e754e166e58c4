"""The lossless claim, checked for every neuron: net spike counts against the ANN's integer activations."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..conversion.spiking_network import SpikingNetwork
from ..networks.notation import Layer
from . import Trace


@dataclass
class Certificate:
    """Collects comparisons, batch after batch."""

    network: SpikingNetwork
    images: int = 0
    not_settled: int = 0
    mismatches: dict[str, int] = field(default_factory=dict)
    mismatches_settled: int = 0
    predictions_differ: int = 0
    ann_correct: int = 0
    first_offender: str | None = None

    def add(self, pixels: np.ndarray, labels: np.ndarray, trace: Trace) -> None:
        """Compare a simulated batch with the ANN's activations for the same integer pixels."""
        settled = trace.settled_step >= 0
        activations = grid_activations(self.network, pixels)
        for index, (layer, count) in enumerate(zip(self.network.layers[:-1], trace.counts, strict=True)):
            differs = next(activations) != count
            name = f"{index + 1}:{layer.token}"
            self.mismatches[name] = self.mismatches.get(name, 0) + int(differs.sum())
            offending = differs & settled[:, None, None, None]
            self.mismatches_settled += int(offending.sum())
            if self.first_offender is None and offending.any():
                image, channel, y, x = np.argwhere(offending)[0]
                self.first_offender = (
                    f"image {self.images + image}, layer {name}, channel {channel}, row {y}, column {x}"
                )
        predictions = next(activations).argmax(axis=1)
        self.ann_correct += int((predictions == labels).sum())
        misled = predictions != trace.predictions[:, -1]
        self.predictions_differ += int(misled.sum())
        if self.first_offender is None and (misled & settled).any():
            self.first_offender = f"image {self.images + int((misled & settled).argmax())}, its prediction"
        self.not_settled += int((~settled).sum())
        self.images += len(pixels)

    def summary(self) -> dict[str, Any]:
        """What certificate.json says."""
        neurons = sum(prod(layer.out_shape) for layer in self.network.layers[:-1])
        return {
            "images": self.images,
            "neurons_compared": self.images * neurons,
            "mismatches": sum(self.mismatches.values()),
            "mismatches_by_layer": self.mismatches,
            "predictions_that_differ": self.predictions_differ,
            "images_not_settled": self.not_settled,
            "mismatches_in_settled_images": self.mismatches_settled,
            "grid_ann_accuracy": self.ann_correct / self.images,
            "first_offender": self.first_offender,
        }


def grid_activations(network: SpikingNetwork, pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The ANN on the network's grid: the integer activations (N, C, H, W) of each layer, then logits (N, classes).

    max(W a - offset, 0) // threshold, by matrix products that know nothing of spikes. Integers all,
    held as 64-bit floats, whose products are many times faster, as long as they stay below 2^52.
    """
    activation = pixels.astype(np.float64)
    for layer, spiking in zip(network.layers, network.hidden, strict=False):
        summand = np.abs(spiking.grid_offset).max() + spiking.grid_threshold.max()
        total = _weighted_sums(activation, spiking.grid_weight, layer, float(summand))
        offset, threshold = (a[:, None, None] for a in (spiking.grid_offset, spiking.grid_threshold))
        due = np.maximum(total - offset, 0)
        # The quotient of floats is rounded, but not across an integer: it is below 2^52.
        activation = np.floor(due / threshold) if due.dtype == np.float64 else due // threshold
        yield activation
    yield _weighted_sums(activation, network.grid_readout, network.layers[-1])[:, :, 0, 0]


def _weighted_sums(activation: np.ndarray, weight: np.ndarray, layer: Layer, summand: float = 0.0) -> np.ndarray:
    """Convolution of integers (N, C, H, W) with int32 weights (filters, C, kh, kw), exact, and a `summand` later on.

    64-bit floats, or 64-bit integers where those might not hold it.
    """
    peak = np.abs(activation).max(axis=(0, 2, 3)).astype(np.float64)
    reach = (np.abs(weight.astype(np.float64)).sum(axis=(2, 3)) @ peak).max()
    exact = np.float64 if reach + summand < 2.0**52 else np.int64
    pads = ((0, 0), layer.padding, layer.padding, (0, 0))
    channels_last = np.pad(activation.transpose(0, 2, 3, 1), pads).astype(exact, copy=False)
    windows = sliding_window_view(channels_last, layer.kernel, axis=(1, 2))[:, :: layer.stride, :: layer.stride]
    # (N, H, W, C, kh, kw): rows of inputs in the order of the weights.
    inputs = windows.reshape(-1, prod(layer.weight_shape[1:]))
    total = inputs @ weight.reshape(len(weight), -1).T.astype(exact)
    return total.reshape(len(activation), *layer.out_shape[1:], -1).transpose(0, 3, 1, 2)
