"""Event-driven simulation: the work is that of the spikes, not that of the layers.

A feed-forward network can be simulated layer by layer over all steps. Each image runs through the
network on its own, one thread an image: a spike adds one row of weights, contiguous over the output
channels, to each membrane that it reaches; a layer at rest that receives nothing costs nothing.
Sums are integers, so that their order changes no bit of the result, and neither does their width as
long as they fit: before a layer is simulated for an image, the counts that it will receive bound its
membranes, and 32 bits are used where they suffice, 64 bits (which conversion proves to suffice) elsewhere.
"""

import numba
import numpy as np
from numba import njit, prange

from ..conversion import SpikingNetwork
from .trace import Trace

# Columns of the geometry table, one row a layer, the output layer last.
_CHANNELS, _HEIGHT, _WIDTH, _FILTERS, _OUT_HEIGHT, _OUT_WIDTH = range(6)
_KERNEL_HEIGHT, _KERNEL_WIDTH, _STRIDE, _PADDING = range(6, 10)
_WEIGHT_AT, _FILTER_AT, _NEURON_AT, _FAN_OUT_AT, _MAGNITUDE_AT = range(10, 15)


class EventSimulator:
    """A spiking network laid out for event-driven simulation on `threads` threads."""

    def __init__(self, network: SpikingNetwork, threads: int = 1) -> None:
        self._threads = threads
        self._layers = network.layers
        weights = [layer.grid_weight for layer in network.hidden] + [network.grid_readout]
        # (C, kh, kw, filters): what a spike adds lies in one piece.
        self._weights = np.concatenate([weight.transpose(1, 2, 3, 0).ravel() for weight in weights])
        self._thresholds = np.concatenate([layer.grid_threshold for layer in network.hidden])
        self._offsets = np.concatenate([layer.grid_offset for layer in network.hidden])
        # Sums of absolute weights by (input channel, output channel).
        self._magnitudes = np.concatenate(
            [np.abs(weight.astype(np.float64)).sum(axis=(2, 3)).T.ravel() for weight in weights]
        )
        # Spikes of a layer cross into the next one; into the output layer they count 10 each.
        self._fan_out = np.concatenate([layer.fan_out.ravel() for layer in self._layers])
        self._geometry = self._table()

    def _table(self) -> np.ndarray:
        rows, weight_at, filter_at, neuron_at, fan_out_at, magnitude_at = [], 0, 0, 0, 0, 0
        for layer in self._layers:
            convolution = (*layer.in_shape, *layer.out_shape, *layer.kernel, layer.stride, layer.padding[0])
            rows.append((*convolution, weight_at, filter_at, neuron_at, fan_out_at, magnitude_at))
            weight_at += int(np.prod(layer.weight_shape))
            filter_at += layer.out_shape[0]
            neuron_at += layer.neurons
            fan_out_at += layer.in_shape[1] * layer.in_shape[2]
            magnitude_at += layer.in_shape[0] * layer.out_shape[0]
        return np.array(rows, dtype=np.int64)

    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps."""
        images = len(pixels)
        neurons = sum(layer.neurons for layer in self._layers[:-1])
        predictions, positive, negative, operations = (np.zeros((images, steps), dtype=np.int64) for _ in range(4))
        settled_step = np.empty(images, dtype=np.int64)
        counts = np.empty((images, neurons), dtype=np.int32)
        numba.set_num_threads(min(self._threads, numba.config.NUMBA_NUM_THREADS))
        _run(
            np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).reshape(images, -1).astype(np.int32),
            self._geometry,
            self._weights,
            self._thresholds,
            self._offsets,
            self._magnitudes,
            self._fan_out,
            predictions,
            positive,
            negative,
            operations,
            settled_step,
            counts,
        )
        return Trace(predictions, positive, negative, operations, settled_step, self._by_layer(counts))

    def _by_layer(self, counts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Counts (N, neurons), channels last within a layer, as one (N, C, H, W) a layer."""
        split = np.split(counts, self._geometry[1:-1, _NEURON_AT], axis=1)
        return tuple(
            part.reshape(len(part), *layer.out_shape[1:], layer.out_shape[0]).transpose(0, 3, 1, 2)
            for part, layer in zip(split, self._layers[:-1], strict=True)
        )


@njit(parallel=True, cache=True)
def _run(pixels, geometry, weights, thresholds, offsets, magnitudes, fan_out,
         predictions, positive, negative, operations, settled_step, counts):  # fmt: skip
    steps = predictions.shape[1]
    for image in prange(pixels.shape[0]):
        # Spikes in the order of their steps: spike i is neuron `where[i]`, channel fastest, of sign
        # `sign[i]`; those of step t are starts[t] to starts[t + 1].
        where = np.empty(1 << 14, dtype=np.int32)
        sign = np.empty(1 << 14, dtype=np.int8)
        starts = np.zeros(steps + 1, dtype=np.int64)
        # The largest net count that a neuron of each input channel has had so far.
        peaks = np.zeros(0, dtype=np.int32)
        last, at_rest = np.int64(0), True
        for index in range(geometry.shape[0] - 1):
            row = geometry[index]
            filters = row[_FILTERS]
            neurons = row[_OUT_HEIGHT] * row[_OUT_WIDTH] * filters
            threshold = thresholds[row[_FILTER_AT] : row[_FILTER_AT] + filters]
            offset = offsets[row[_FILTER_AT] : row[_FILTER_AT] + filters]
            net = counts[image, row[_NEURON_AT] : row[_NEURON_AT] + neurons]
            layer_weights = weights[row[_WEIGHT_AT] :]
            synapses = fan_out[geometry[index + 1, _FAN_OUT_AT] :]
            if index == 0:
                membrane = _first_membranes(pixels[image], row, layer_weights, offset)
                where, sign, starts, peaks, rest = _first_spikes(membrane, threshold, steps, net)
            elif _reach(peaks, magnitudes[row[_MAGNITUDE_AT] :], threshold, offset) < 2.0**31:
                narrow = np.empty(neurons, dtype=np.int32)
                where, sign, starts, peaks, rest = _spikes(
                    narrow, where, sign, starts, row, layer_weights, threshold.astype(np.int32), offset, net
                )
            else:
                wide = np.empty(neurons, dtype=np.int64)
                where, sign, starts, peaks, rest = _spikes(
                    wide, where, sign, starts, row, layer_weights, threshold, offset, net
                )
            at_rest = at_rest and rest
            for step in range(steps):
                for spike in range(starts[step], starts[step + 1]):
                    operations[image, step] += synapses[where[spike] // filters]
                    if sign[spike] > 0:
                        positive[image, step] += 1
                    else:
                        negative[image, step] += 1
                if starts[step + 1] > starts[step]:
                    last = max(last, step + 1)
        settled_step[image] = last if at_rest else -1
        row = geometry[-1]
        _predict(where, sign, starts, row, weights[row[_WEIGHT_AT] :], predictions[image])


@njit(cache=True)
def _accumulate(membrane, source, value, row, weights):
    """Add `value` times the weights of input neuron `source` to every membrane that it reaches."""
    filters, stride, padding = row[_FILTERS], row[_STRIDE], row[_PADDING]
    channel = source % row[_CHANNELS]
    position = source // row[_CHANNELS]
    y = position // row[_WIDTH] + padding
    x = position % row[_WIDTH] + padding
    taps = weights[channel * row[_KERNEL_HEIGHT] * row[_KERNEL_WIDTH] * filters :]
    first_y = max(0, (y - row[_KERNEL_HEIGHT] + stride) // stride)
    first_x = max(0, (x - row[_KERNEL_WIDTH] + stride) // stride)
    last_y = min(row[_OUT_HEIGHT] - 1, y // stride)
    last_x = min(row[_OUT_WIDTH] - 1, x // stride)
    for out_y in range(first_y, last_y + 1):
        for out_x in range(first_x, last_x + 1):
            tap = ((y - out_y * stride) * row[_KERNEL_WIDTH] + x - out_x * stride) * filters
            out = (out_y * row[_OUT_WIDTH] + out_x) * filters
            target = membrane[out : out + filters]
            source_weights = taps[tap : tap + filters]
            if value == 1:
                for i in range(filters):
                    target[i] += source_weights[i]
            elif value == -1:
                for i in range(filters):
                    target[i] -= source_weights[i]
            else:
                for i in range(filters):
                    target[i] += value * source_weights[i]


@njit(cache=True)
def _reach(peaks, magnitudes, threshold, offset):
    """No membrane of the layer, nor any partial sum of one, gets further from 0 than this."""
    filters = threshold.size
    reach = np.empty(filters)
    for i in range(filters):
        reach[i] = abs(offset[i]) + threshold[i]
    for channel in range(peaks.size):
        for i in range(filters):
            reach[i] += peaks[channel] * magnitudes[channel * filters + i]
    # The sums above are rounded; a millionth covers that many times over.
    return 1.000001 * reach.max()


@njit(cache=True)
def _first_membranes(pixels, row, weights, offset):
    """V - offset of the first layer: constant, since the image is injected once."""
    filters = row[_FILTERS]
    positions = row[_OUT_HEIGHT] * row[_OUT_WIDTH]
    membrane = np.empty(positions * filters, dtype=np.int64)
    for position in range(positions):
        for i in range(filters):
            membrane[position * filters + i] = -offset[i]
    for source in range(pixels.size):
        if pixels[source] != 0:
            _accumulate(membrane, source, np.int64(pixels[source]), row, weights)
    return membrane


@njit(cache=True)
def _first_spikes(membrane, threshold, steps, net):
    """Spikes of the first layer: its membranes never change, so a neuron that is due n spikes
    fires at steps 0 to n - 1."""
    filters = threshold.size
    active = np.empty(membrane.size, dtype=np.int32)
    due = np.empty(membrane.size, dtype=np.int64)
    count, total, longest = 0, 0, 0
    peaks = np.zeros(filters, dtype=np.int32)
    for neuron in range(membrane.size):
        n = max(membrane[neuron], 0) // threshold[neuron % filters]
        net[neuron] = min(n, steps)
        if n > 0:
            active[count] = neuron
            due[count] = n
            count += 1
            total += net[neuron]
            longest = max(longest, n)
            peaks[neuron % filters] = max(peaks[neuron % filters], net[neuron])
    where = np.empty(total, dtype=np.int32)
    sign = np.ones(total, dtype=np.int8)
    starts = np.zeros(steps + 1, dtype=np.int64)
    spike = 0
    for step in range(steps):
        left = 0
        for i in range(count):
            where[spike + i] = active[i]
            if due[i] > step + 1:
                active[left], due[left] = active[i], due[i]
                left += 1
        spike += count
        count = left
        starts[step + 1] = spike
    return where, sign, starts, peaks, longest <= steps


@njit(cache=True)
def _spikes(membrane, where, sign, starts, row, weights, threshold, offset, net):
    """Spikes of a layer that receives the given ones; `net` gets the net counts.

    `membrane` gives room, and the type of the arithmetic; `threshold` has the same type.
    """
    filters = row[_FILTERS]
    positions = row[_OUT_HEIGHT] * row[_OUT_WIDTH]
    neurons = positions * filters
    steps = starts.size - 1
    passed = np.zeros_like(membrane)
    peaks = np.zeros(filters, dtype=np.int32)
    for position in range(positions):
        for i in range(filters):
            membrane[position * filters + i] = -offset[i]
    net[:] = 0
    emitted = np.zeros((neurons + 7) // 8, dtype=np.int64)
    emitted_bytes = emitted.view(np.int8)
    out_where = np.empty(max(1024, where.size), dtype=np.int32)
    out_sign = np.empty(out_where.size, dtype=np.int8)
    out_starts = np.zeros(steps + 1, dtype=np.int64)
    spike, fired = 0, True
    for step in range(steps):
        for i in range(starts[step], starts[step + 1]):
            _accumulate(membrane, np.int64(where[i]), sign[i], row, weights)
        if fired or starts[step + 1] > starts[step]:
            _fire(membrane, passed, threshold, emitted_bytes)
            if spike + neurons > out_where.size:
                out_where, out_sign = _grown(out_where, out_sign, spike, 2 * out_where.size + neurons)
            before = spike
            for word in range(emitted.size):
                if emitted[word] != 0:
                    for neuron in range(8 * word, 8 * word + 8):
                        s = emitted_bytes[neuron]
                        if s != 0:
                            out_where[spike] = neuron
                            out_sign[spike] = s
                            net[neuron] += s
                            peaks[neuron % filters] = max(peaks[neuron % filters], net[neuron])
                            spike += 1
            fired = spike > before
        out_starts[step + 1] = spike
    if fired:
        _fire(membrane, passed, threshold, emitted_bytes)
        fired = emitted.any()
    return out_where, out_sign, out_starts, peaks, not fired


@njit(cache=True)
def _fire(membrane, passed, threshold, emitted):
    """One step of every neuron; `passed` is its net count times its threshold."""
    filters = threshold.size
    for position in range(membrane.size // filters):
        m = membrane[position * filters : (position + 1) * filters]
        p = passed[position * filters : (position + 1) * filters]
        e = emitted[position * filters : (position + 1) * filters]
        for i in range(filters):
            excess = max(m[i], 0) - p[i]
            s = np.int32(excess >= threshold[i]) - np.int32(excess < 0)
            p[i] += s * threshold[i]
            e[i] = s


@njit(cache=True)
def _grown(where, sign, used, size):
    more_where, more_sign = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int8)
    more_where[:used], more_sign[:used] = where[:used], sign[:used]
    return more_where, more_sign


@njit(cache=True)
def _predict(where, sign, starts, row, weights, predictions):
    """Arg max of the logits, W_out n, after every step; the first of equals."""
    classes = row[_FILTERS]
    logits = np.zeros(classes, dtype=np.int64)
    for step in range(predictions.size):
        for i in range(starts[step], starts[step + 1]):
            _accumulate(logits, np.int64(where[i]), sign[i], row, weights)
        predictions[step] = logits.argmax()
