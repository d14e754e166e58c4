"""The lossless claim, checked for every neuron: net spike counts against the ANN's integer activations."""

from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..conversion.spiking_network import SpikingLayer, SpikingNetwork
from ..networks.geometry import Layer
from ..networks.graph import IMAGE, Pooling
from . import Trace

if TYPE_CHECKING:
    from .product_check import ProductCheck


@dataclass
class Certificate:
    """Collects comparisons, batch after batch.

    Where the simulator shows its membranes, most images are proven by a check of products (`product_check`). For the
    others, and those of other simulators, the ANN is computed, neuron by neuron. Both give the same certificate.
    """

    network: SpikingNetwork
    images: int = 0
    not_settled: int = 0
    mismatches: dict[str, int] = field(default_factory=dict)
    mismatches_settled: int = 0
    predictions_differ: int = 0
    ann_correct: int = 0
    first_offender: str | None = None
    threads: InitVar[int] = 1

    def __post_init__(self, threads: int) -> None:
        self._threads = threads

    @cached_property
    def _check(self) -> "ProductCheck":
        from .product_check import ProductCheck  # numba takes a second to import

        return ProductCheck(self.network, self._threads)

    def add(self, pixels: np.ndarray, labels: np.ndarray, trace: Trace) -> None:
        """Compare a simulated batch with the ANN's activations for the same integer pixels."""
        settled = trace.settled_step >= 0
        proven, predictions = np.zeros(len(pixels), bool), np.empty(len(pixels), np.int64)
        if trace.membranes is not None:
            proven, last = self._check.run(pixels, trace)
        if proven.any():
            predictions[proven] = _logits(self.network, last[proven]).argmax(axis=1)
        graph = self.network.graph
        self.mismatches = {f"{index + 1}:{graph.nodes[index].name}": 0 for index in graph.spiking} | self.mismatches
        if (others := np.flatnonzero(~proven)).size:
            predictions[others] = self._compare(others, pixels[others], settled[others], trace)
        self.ann_correct += int((predictions == labels).sum())
        misled = predictions != trace.predictions[:, -1]
        self.predictions_differ += int(misled.sum())
        if self.first_offender is None and (misled & settled).any():
            self.first_offender = f"image {self.images + int((misled & settled).argmax())}, its prediction"
        self.not_settled += int((~settled).sum())
        self.images += len(pixels)

    def _compare(self, images: np.ndarray, pixels: np.ndarray, settled: np.ndarray, trace: Trace) -> np.ndarray:
        """Compare these images of a batch with the ANN, neuron by neuron, and return its predictions."""
        activations = grid_activations(self.network, pixels)
        for name, count in zip(self.mismatches, trace.counts, strict=True):
            differs = next(activations) != count[images]
            self.mismatches[name] += int(differs.sum())
            offending = differs & settled[:, None, None, None]
            self.mismatches_settled += int(offending.sum())
            if self.first_offender is None and offending.any():
                image, channel, y, x = np.argwhere(offending)[0]
                self.first_offender = (
                    f"image {self.images + images[image]}, layer {name}, channel {channel}, row {y}, column {x}"
                )
        return next(activations).argmax(axis=1)

    def summary(self) -> dict[str, Any]:
        """What certificate.json says."""
        graph = self.network.graph
        neurons = sum(prod(graph.shape(index)) for index in graph.spiking)
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

    Layers of neurons and max poolings, in the graph's order:

        min(max(W a - offset, 0) // threshold, upper stop)

    by matrix products that know nothing of spikes. Integers all, held as 64-bit floats, whose products are many times
    faster, as long as they stay below 2^52.
    """
    graph = network.graph
    maps = {IMAGE: pixels.astype(np.float64)}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Pooling):
            maps[index] = pooled(maps[node.source], node, graph.geometry[index][0])
        else:
            received = [maps[source] for source in graph.sources(index)]
            maps[index] = _counts(received, network.layer(index), graph.geometry[index])
        if index in graph.spiking:
            yield maps[index]
    yield _logits(network, maps[graph.output.source])


def _logits(network: SpikingNetwork, received: np.ndarray) -> np.ndarray:
    """The output layer's sums (N, classes) of what it receives, (N, C, H, W)."""
    logits = weighted_sums([received], [network.grid_readout], network.graph.geometry[-1])[:, :, 0, 0]
    return logits if network.readout_offset is None else logits.astype(np.int64) + network.readout_offset


def _counts(received: list[np.ndarray], spiking: SpikingLayer, layers: tuple[Layer, ...]) -> np.ndarray:
    summand = np.abs(spiking.grid_offset).max() + spiking.grid_threshold.max()
    total = weighted_sums(received, spiking.grid_weights, layers, float(summand))
    offset, threshold = (a[:, None, None] for a in (spiking.grid_offset, spiking.grid_threshold))
    due = np.maximum(total - offset, 0)
    # The quotient of floats is rounded, but not across an integer: it is below 2^52.
    counts = np.floor(due / threshold) if due.dtype == np.float64 else due // threshold
    return counts if spiking.upper_stop is None else np.minimum(counts, spiking.upper_stop)


def pooled(values: np.ndarray, node: Pooling, layer: Layer) -> np.ndarray:
    """The largest or the sum of each window of counts (N, C, H, W), which are not below 0; (N, C, H', W')."""
    windows = _windows(values, layer)
    whole = windows.max(axis=(4, 5)) if node.pooling == "max" else windows.sum(axis=(4, 5))
    return whole.transpose(0, 3, 1, 2)


def _windows(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Each window of (N, C, H, W), padded with zeros: a view (N, H', W', C, kh, kw).

    Channels last is how products leave maps in memory: so padding copies what lies in a row.
    """
    padded = np.pad(values.transpose(0, 2, 3, 1), ((0, 0), *layer.padding, (0, 0)))
    windows = sliding_window_view(padded, layer.kernel, axis=(1, 2))
    return windows[:, :: layer.stride[0], :: layer.stride[1]]


def weighted_sums(
    received: Sequence[np.ndarray], weights: Sequence[np.ndarray], layers: tuple[Layer, ...], summand: float = 0.0
) -> np.ndarray:
    """Sum over the inputs of convolutions of integers (N, C, H, W) with int32 weights, exact, and a `summand` later on.

    64-bit floats, or 64-bit integers where those might not hold it.
    """
    reach = 0.0
    for values, weight, layer in zip(received, weights, layers, strict=True):
        peak = np.abs(values).max(axis=(0, 2, 3)).astype(np.float64).reshape(layer.groups, 1, -1)
        magnitudes = np.abs(weight.astype(np.float64)).sum(axis=(2, 3)).reshape(layer.groups, -1, peak.shape[2])
        reach += (magnitudes * peak).sum(axis=2).max()
    exact = np.float64 if reach + summand < 2.0**52 else np.int64
    first, *others = (
        _convolution(values.astype(exact, copy=False), weight.astype(exact), layer)
        for values, weight, layer in zip(received, weights, layers, strict=True)
    )
    return sum(others, first)


def _convolution(values: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    """Matrix products, one a group: (N, C, H, W) with (filters, C / groups, kh, kw) to (N, filters, H', W')."""
    # Rows of inputs in the order of the weights.
    inputs = _windows(values, layer).reshape(-1, layer.groups, prod(layer.weight_shape[1:])).transpose(1, 0, 2)
    total = inputs @ weight.reshape(layer.groups, -1, inputs.shape[2]).transpose(0, 2, 1)
    return total.transpose(1, 0, 2).reshape(len(values), *layer.out_shape[1:], -1).transpose(0, 3, 1, 2)
