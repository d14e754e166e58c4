"""Freivalds' check of a simulation: which images' net spike counts are the ANN's activations, without computing these.

The simulator shows its membranes, m = V - offset, and nothing of them is believed. For each layer of neurons, a being
the counts of the layers that it receives from, two things are asked:

    n = min(max(m, 0) // threshold, upper stop)    of each neuron
    m = W a - offset                               of each position, for all of its filters f at once

By induction from the image on, counts that pass both in every layer are the activations. The second is a product that
is given and need only be checked (R. Freivalds, Probabilistic machines can use less running time, 1977): with a random
multiplier r_f of 64 bits for each filter, modulo 2^64,

    sum_f r_f (m_f + offset_f) = sum_j u_j a_j    with u_j = sum_f r_f W_fj,

which is the convolution of one filter in place of hundreds. If m is wrong by d != 0 at some filter, |d| < 2^53, both
sides are equal for at most 2^52 of its 2^64 multipliers, whatever the others are. There are four, drawn anew by each
process from the operating system's randomness: a wrong membrane passes with a probability of 2^-48 at most, and mostly
of far less, 2^-256 for odd d.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from secrets import token_bytes

import numpy as np

from ..conversion.spiking_network import SpikingLayer, SpikingNetwork
from ..networks.geometry import Layer
from ..networks.graph import IMAGE, Pooling
from .certificate import pooled
from .events.kernel import compile_loop
from .events.threads import in_parts
from .trace import Trace

MULTIPLIERS = 4
# Membranes lie below it, either way, and errors below twice of it.
_MOST = 2**52


@dataclass(frozen=True)
class _Products:
    """The products of one layer of neurons.

    Attributes:
        layers: The geometry of each input.
        kernels: u of each input, int64 (MULTIPLIERS, kernel height, kernel width, channels).
        weight_sums: Of each input the largest sum of a filter's absolute weights.
        multipliers: r, int64 (MULTIPLIERS, filters).
        constants: sum_f r_f offset_f, int64 (MULTIPLIERS,).
        threshold: int64 (filters,).
        upper_stop: The most counts, or more than any.
        summand: The largest absolute offset.
    """

    layers: tuple[Layer, ...]
    kernels: list[np.ndarray]
    weight_sums: list[float]
    multipliers: np.ndarray
    constants: np.ndarray
    threshold: np.ndarray
    upper_stop: int
    summand: float

    @classmethod
    def of(cls, spiking: SpikingLayer, layers: tuple[Layer, ...]) -> "_Products":
        filters = layers[0].out_shape[0]
        multipliers = np.frombuffer(token_bytes(8 * MULTIPLIERS * filters), np.int64).reshape(MULTIPLIERS, filters)
        offset, threshold = (np.ascontiguousarray(a, np.int64) for a in (spiking.grid_offset, spiking.grid_threshold))
        magnitudes = (np.abs(weight.astype(np.float64)).sum(axis=(1, 2, 3)).max() for weight in spiking.grid_weights)
        return cls(
            layers,
            [_contracted(multipliers, *given) for given in zip(spiking.grid_weights, layers, strict=True)],
            [float(magnitude) for magnitude in magnitudes],
            multipliers.copy(),
            multipliers @ offset,
            threshold,
            spiking.upper_stop or 2**62,
            float(np.abs(offset.astype(np.float64)).max()),
        )


def _contracted(multipliers: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    """u = sum_f r_f W_f, (MULTIPLIERS, kernel height, kernel width, channels), from (filters, C / groups, kh, kw)."""
    by_group = weight.astype(np.int64).reshape(layer.groups, -1, *weight.shape[1:])
    sums = np.einsum("mgf,gfcyx->myxgc", multipliers.reshape(MULTIPLIERS, layer.groups, -1), by_group)
    return np.ascontiguousarray(sums.reshape(MULTIPLIERS, *layer.kernel, layer.in_shape[0]))


class ProductCheck:
    """The check of one network's simulations.

    Args:
        network: The spiking network.
        threads: Threads that images are shared out to.
    """

    def __init__(self, network: SpikingNetwork, threads: int = 1) -> None:
        self._graph, self._threads = network.graph, threads
        self._products = {
            index: _Products.of(network.layer(index), network.graph.geometry[index])
            for index, node in enumerate(network.graph.nodes)
            if not isinstance(node, Pooling)
        }

    def run(self, pixels: np.ndarray, trace: Trace) -> tuple[np.ndarray, np.ndarray]:
        """Check a batch.

        Args:
            pixels: Images as integers (N, C, H, W).
            trace: Their simulation, with its membranes.

        Returns:
            Whether all counts of an image are shown to be the ANN's activations, (N,) bool; and the map that the output
            layer receives, int32 (N, C, H, W), which is the ANN's for these images. An image that is not shown to be
            right may be so, where its sums are too large for the check.
        """
        graph = self._graph
        proven = np.ones(len(pixels), bool)
        maps = {IMAGE: np.array(pixels, np.int32)}
        peaks = {IMAGE: np.abs(maps[IMAGE].astype(np.int64)).max(axis=(1, 2, 3))}
        recorded = dict(zip(graph.spiking, zip(trace.counts, trace.membranes or (), strict=True), strict=True))
        for index, node in enumerate(graph.nodes):
            if isinstance(node, Pooling):
                whole = pooled(maps[node.source], node, graph.geometry[index][0])
                peaks[index] = whole.max(axis=(1, 2, 3))
                proven &= peaks[index] < 2**31
                maps[index] = whole.astype(np.int32)
                if index in recorded:
                    proven &= (maps[index] == recorded[index][0]).all(axis=(1, 2, 3))
            else:
                products, sources = self._products[index], graph.sources(index)
                maps[index], membranes = recorded[index]
                peaks[index] = np.zeros(len(pixels), np.int64)
                reach = products.summand + sum(
                    peaks[source] * weight_sum for source, weight_sum in zip(sources, products.weight_sums, strict=True)
                )
                proven &= reach < _MOST
                sums = self._sums(products, [maps[source] for source in sources])
                channels_last = (array.transpose(0, 2, 3, 1) for array in (membranes, maps[index]))
                constants = products.threshold, products.upper_stop, products.multipliers
                self._in_parts(_agree, *channels_last, *constants, sums, proven, peaks[index])
                # Products of counts and thresholds must not wrap.
                proven &= peaks[index] < 2**61 // products.threshold.max()
        return proven, maps[graph.output.source]

    def _sums(self, products: _Products, received: Sequence[np.ndarray]) -> np.ndarray:
        """sum_j u_j a_j - sum_f r_f offset_f at each position, int64 (N, H, W, MULTIPLIERS)."""
        sums = np.empty((len(received[0]), *products.layers[0].out_shape[1:], MULTIPLIERS), np.int64)
        sums[:] = -products.constants
        for values, kernel, layer in zip(received, products.kernels, products.layers, strict=True):
            (top, _), (left, _) = layer.padding
            self._in_parts(_add_products, values.transpose(0, 2, 3, 1), kernel, *layer.stride, top, left, sums)
        return sums

    def _in_parts(self, loop: Callable[..., None], images: np.ndarray, *arguments: object) -> None:
        in_parts(self._threads, len(images), _compiled(loop), images, *arguments)


def _add_products(first, last, values, kernel, stride_y, stride_x, top, left, sums):
    """Add sum_j u_j a_j of one input, maps (N, H, W, C), to `sums` (N, H', W', MULTIPLIERS)."""
    height, width, channels = values.shape[1:]
    rows, columns = kernel.shape[1:3]
    u_a, u_b, u_c, u_d = kernel[0].ravel(), kernel[1].ravel(), kernel[2].ravel(), kernel[3].ravel()
    for image in range(first, last):
        received = np.ascontiguousarray(values[image]).ravel()
        for y in range(sums.shape[1]):
            for x in range(sums.shape[2]):
                a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
                above, before = y * stride_y - top, x * stride_x - left
                start, end = max(0, -before), min(columns, width - before)
                if end > start:
                    length = (end - start) * channels
                    for row in range(max(0, -above), min(rows, height - above)):
                        first_input = ((above + row) * width + before + start) * channels
                        first_weight = (row * columns + start) * channels
                        inputs = received[first_input : first_input + length]
                        w_a, w_b = u_a[first_weight : first_weight + length], u_b[first_weight : first_weight + length]
                        w_c, w_d = u_c[first_weight : first_weight + length], u_d[first_weight : first_weight + length]
                        for i in range(length):
                            value = np.int64(inputs[i])
                            a += value * w_a[i]
                            b += value * w_b[i]
                            c += value * w_c[i]
                            d += value * w_d[i]
                sums[image, y, x, 0] += a
                sums[image, y, x, 1] += b
                sums[image, y, x, 2] += c
                sums[image, y, x, 3] += d


def _agree(first, last, membranes, counts, threshold, upper_stop, multipliers, sums, proven, peaks):
    """Clear `proven` of images whose counts do not follow from membranes, or these not from `sums`; and their peaks.

    Maps are (N, H, W, filters).
    """
    filters = threshold.size
    for image in range(first, last):
        m, n = np.ascontiguousarray(membranes[image]).ravel(), np.ascontiguousarray(counts[image]).ravel()
        sum_of = sums[image].reshape(-1, 4)
        peak = np.int64(0)
        for position in range(sum_of.shape[0]):
            here = slice(position * filters, (position + 1) * filters)
            membrane, count = m[here], n[here]
            a, b, c, d = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            wrong = np.int64(0)
            for f in range(filters):
                v, k = membrane[f], np.int64(count[f])
                a += v * multipliers[0, f]
                b += v * multipliers[1, f]
                c += v * multipliers[2, f]
                d += v * multipliers[3, f]
                left = v - k * threshold[f]
                enough = (left >= 0) | (k == 0)
                none_due = (left < threshold[f]) | (k == upper_stop)
                possible = (k >= 0) & (k <= upper_stop) & (v > -_MOST) & (v < _MOST)
                wrong |= np.int64(not (enough & none_due & possible))
                peak = max(peak, k)
            s = sum_of[position]
            if wrong or a != s[0] or b != s[1] or c != s[2] or d != s[3]:
                proven[image] = False
        peaks[image] = peak


def compile_ahead() -> None:
    """Fill numba's cache, which otherwise the first check does."""
    for loop in (_add_products, _agree):
        _compiled(loop)


@cache
def _compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """`loop`, compiled for maps of any strides, or loaded from numba's cache."""
    membranes, counts = (np.zeros((2, 2, 2, 4, 2), dtype)[..., 0] for dtype in (np.int64, np.int32))
    kernel, sums = np.zeros((MULTIPLIERS, 1, 1, 4), np.int64), np.zeros((0, 1, 1, MULTIPLIERS), np.int64)
    threshold, proven, peaks = np.zeros(4, np.int64), np.zeros(0, bool), np.zeros(0, np.int64)
    arguments = {
        _add_products: (counts, kernel, 1, 1, 0, 0, sums),
        _agree: (membranes, counts, threshold, 1, kernel[:, 0, 0], sums, proven, peaks),
    }
    return compile_loop(loop, 0, 0, *arguments[loop])
