"""Event-driven simulation: the work is that of the spikes, not that of the layers.

A feed-forward network can be simulated layer by layer over all steps. Each image runs through the
network on its own, one thread an image. A spike adds rows of weights to rows of membranes, both in
one piece: membranes lie channels last, kernels mirrored, so that all that a spike reaches in one
row of a map is contiguous. Four spikes that reach the same membranes are added in one pass over
these. A layer at rest that receives nothing costs nothing.

Sums are integers, so that their order changes no bit of the result, and neither does their width as
long as they fit: before a layer is simulated for an image, the counts that it will receive bound its
membranes, and 32 bits are used where they suffice, 64 bits (which conversion proves to suffice) elsewhere.
"""

import numpy as np
from numba import njit

from ..conversion.spiking_network import SpikingNetwork
from ..networks.notation import Layer
from ..parallel import in_parts
from .trace import Trace

# Columns of the table of layers, the output layer last. `_*_AT` say where the layer's part of an array begins.
_CHANNELS, _FILTERS, _NEURONS, _KERNEL, _TARGET_STEP, _TAP_STEP = range(6)
_WEIGHTS_AT, _FILTERS_AT, _NEURONS_AT, _POSITIONS_AT, _MAGNITUDES_AT = range(6, 11)
# Columns of the table of input positions: the first membrane that a spike there reaches, in how many
# rows of the map, how many in a row, a number shared by positions of which these three are the same,
# the weight for the first membrane, and the spike's synapses in all.
_TARGET, _ROWS, _LENGTH, _REACH, _TAP, _FAN_OUT = range(6)


class EventSimulator:
    """A spiking network laid out for event-driven simulation on `threads` threads.

    Without `negative_spikes` a neuron fires upwards only: s = +1 if d > theta, else 0.
    """

    def __init__(self, network: SpikingNetwork, threads: int = 1, negative_spikes: bool = True) -> None:
        self._threads = threads
        self._negative_spikes = negative_spikes
        self._layers = network.layers
        weights = [layer.grid_weight for layer in network.hidden] + [network.grid_readout]
        self._constants = (
            _layer_table(self._layers),
            np.concatenate([_position_table(layer) for layer in self._layers]),
            # (C, mirrored kernel, filters): what a spike of a channel adds.
            np.concatenate([weight[:, :, ::-1, ::-1].transpose(1, 2, 3, 0).ravel() for weight in weights]),
            np.concatenate([layer.grid_threshold for layer in network.hidden]),
            np.concatenate([layer.grid_offset for layer in network.hidden]),
            # Sums of absolute weights by (input channel, filter).
            np.concatenate([np.abs(weight.astype(np.float64)).sum(axis=(2, 3)).T.ravel() for weight in weights]),
        )

    def run(self, pixels: np.ndarray, steps: int) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps."""
        images = len(pixels)
        neurons = sum(layer.neurons for layer in self._layers[:-1])
        records = tuple(np.zeros((images, steps), dtype=np.int64) for _ in range(4))
        settled_step = np.empty(images, dtype=np.int64)
        counts = np.empty((images, neurons), dtype=np.int32)
        channels_last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1), dtype=np.int32).reshape(images, -1)
        arguments = (channels_last, *self._constants, self._negative_spikes, *records, settled_step, counts)
        in_parts(self._threads, images, _simulate, *arguments)
        return Trace(*records, settled_step, self._by_layer(counts))

    def _by_layer(self, counts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Counts (N, neurons), channels last within a layer, as one (N, C, H, W) a layer."""
        hidden = self._layers[:-1]
        split = np.split(counts, np.cumsum([layer.neurons for layer in hidden])[:-1], axis=1)
        return tuple(
            part.reshape(len(part), *layer.out_shape[1:], layer.out_shape[0]).transpose(0, 3, 1, 2)
            for part, layer in zip(split, hidden, strict=True)
        )


def compile_ahead() -> None:
    """Fill numba's cache, which otherwise the first simulation does."""
    integers, table, short = (np.zeros(shape, dtype=kind) for shape, kind in ((0, "i8"), ((0, 0), "i8"), (0, "i4")))
    sums, pixels = np.zeros(0), np.zeros((0, 0), dtype=np.int32)
    _simulate(0, 0, pixels, table, table, short, integers, integers, sums, True, *[table] * 4, integers, pixels)


def _layer_table(layers: tuple[Layer, ...]) -> np.ndarray:
    rows = []
    starts = np.zeros(5, dtype=np.int64)
    for layer in layers:
        (channels, height, width), filters = layer.in_shape, layer.out_shape[0]
        taps = layer.kernel[0] * layer.kernel[1] * filters
        # Down one row of the output map, and of the mirrored kernel.
        target_step, tap_step = layer.out_shape[2] * filters, layer.kernel[1] * filters
        rows.append([channels, filters, layer.neurons, taps, target_step, tap_step, *starts])
        starts += channels * taps, filters, layer.neurons, height * width, channels * filters
    return np.array(rows, dtype=np.int64)


def _position_table(layer: Layer) -> np.ndarray:
    """A row for each input position of the layer, see the columns above."""
    filters = layer.out_shape[0]
    (top, rows), (left, columns) = (_window(layer, axis) for axis in (0, 1))
    # Mirrored, the kernel's row for output row r and input row y is kernel - 1 - (y + padding - r stride).
    tap_y, tap_x = (
        layer.kernel[axis] - 1 - (np.arange(layer.in_shape[1 + axis]) + layer.padding[0] - first * layer.stride)
        for axis, first in enumerate((top, left))
    )
    table = np.empty((*layer.in_shape[1:], 6), dtype=np.int64)
    table[:, :, _TARGET] = (top[:, None] * layer.out_shape[2] + left) * filters
    table[:, :, _ROWS] = rows[:, None]
    table[:, :, _LENGTH] = columns * filters
    table[:, :, _TAP] = (tap_y[:, None] * layer.kernel[1] + tap_x) * filters
    table[:, :, _FAN_OUT] = layer.fan_out
    table = table.reshape(-1, 6)
    table[:, _REACH] = np.unique(table[:, [_TARGET, _ROWS, _LENGTH]], axis=0, return_inverse=True)[1]
    return table


def _window(layer: Layer, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """For each input row (axis 0) or column: the first output that it reaches, and how many.

    Rows of weights are contiguous to rows of outputs because the stride is 1, or the kernel's size.
    """
    position = np.arange(layer.in_shape[1 + axis]) + layer.padding[0]
    first = np.maximum((position - layer.kernel[axis] + layer.stride) // layer.stride, 0)
    last = np.minimum(position // layer.stride, layer.out_shape[1 + axis] - 1)
    return first, last - first + 1


@njit(nogil=True, cache=True)
def _simulate(first, last, pixels, layers, positions, weights, thresholds, offsets, magnitudes, falls,
              predictions, positive, negative, operations, settled_step, counts):  # fmt: skip
    for image in range(first, last):
        steps = predictions.shape[1]
        # Spikes in the order of their steps: spike i is at position place[i], of channel[i] and sign[i];
        # those of step t are starts[t] to starts[t + 1].
        place, channel, sign = _room(0)
        starts = np.zeros(steps + 1, dtype=np.int64)
        # The largest net count that a neuron of each input channel has had.
        peaks = np.zeros(0, dtype=np.int64)
        last_spike, at_rest = np.int64(0), True
        for index in range(layers.shape[0] - 1):
            row = layers[index]
            filters, neurons = row[_FILTERS], row[_NEURONS]
            reached = positions[row[_POSITIONS_AT] :]
            taps = weights[row[_WEIGHTS_AT] :]
            threshold = thresholds[row[_FILTERS_AT] : row[_FILTERS_AT] + filters]
            offset = offsets[row[_FILTERS_AT] : row[_FILTERS_AT] + filters]
            net = counts[image, row[_NEURONS_AT] : row[_NEURONS_AT] + neurons]
            if index == 0:
                membrane = _first_membranes(pixels[image], row, reached, taps, offset)
                place, channel, sign, starts, rest = _first_spikes(membrane, threshold, steps, net)
                peaks = _peaks(net, filters)
            else:
                received = (place, channel, sign, starts)
                reach = _reach(peaks, magnitudes[row[_MAGNITUDES_AT] :], threshold, offset)
                peaks = np.zeros(filters, dtype=np.int64)
                if reach < 2.0**31:
                    narrow = np.empty(neurons, dtype=np.int32)
                    place, channel, sign, starts, rest = _spikes(
                        narrow, received, row, reached, taps, threshold.astype(np.int32), offset, falls, net, peaks
                    )
                else:
                    wide = np.empty(neurons, dtype=np.int64)
                    place, channel, sign, starts, rest = _spikes(
                        wide, received, row, reached, taps, threshold, offset, falls, net, peaks
                    )
            at_rest = at_rest and rest
            crossed = positions[layers[index + 1, _POSITIONS_AT] :]
            for step in range(steps):
                synapses, up = np.int64(0), np.int64(0)
                for spike in range(starts[step], starts[step + 1]):
                    synapses += crossed[place[spike], _FAN_OUT]
                    up += sign[spike] > 0
                fired = starts[step + 1] - starts[step]
                operations[image, step] += synapses
                positive[image, step] += up
                negative[image, step] += fired - up
                if fired > 0:
                    last_spike = max(last_spike, step + 1)
        settled_step[image] = last_spike if at_rest else -1
        row = layers[-1]
        _predict(
            (place, channel, sign, starts),
            row,
            positions[row[_POSITIONS_AT] :],
            weights[row[_WEIGHTS_AT] :],
            predictions[image],
        )


@njit(cache=True)
def _room(size):
    return np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int8)


@njit(cache=True)
def _grown(place, channel, sign, used, more):
    """The first `used` spikes with room for `more`, and as many again."""
    grown_place, grown_channel, grown_sign = _room(2 * place.size + more)
    for i in range(used):
        grown_place[i], grown_channel[i], grown_sign[i] = place[i], channel[i], sign[i]
    return grown_place, grown_channel, grown_sign


@njit(cache=True)
def _receive(membrane, place, channel, value, first, last, row, reached, taps):
    """Add to every membrane that inputs [first, last) reach their values times the weights.

    Neighbours in the list that reach the same membranes go four at a time, the missing ones as zeros:
    most of the time went into reading and writing the membranes.
    """
    tap, factor = np.empty(4, dtype=np.int64), np.empty(4, dtype=np.int32)
    spike = first
    while spike < last:
        leader = place[spike]
        reach = reached[leader, _REACH]
        factor[:] = 0
        together = 0
        while together < 4 and spike < last and reached[place[spike], _REACH] == reach:
            tap[together] = channel[spike] * row[_KERNEL] + reached[place[spike], _TAP]
            factor[together] = value[spike]
            together += 1
            spike += 1
        tap[together:] = tap[0]
        start, length = reached[leader, _TARGET], reached[leader, _LENGTH]
        a, b, c, d = tap
        u, v, w, x = factor
        for _ in range(reached[leader, _ROWS]):
            target = membrane[start : start + length]
            of_a, of_b, of_c, of_d = (
                taps[a : a + length],
                taps[b : b + length],
                taps[c : c + length],
                taps[d : d + length],
            )
            for i in range(length):
                target[i] += u * of_a[i] + v * of_b[i] + w * of_c[i] + x * of_d[i]
            start += row[_TARGET_STEP]
            a, b, c, d = a + row[_TAP_STEP], b + row[_TAP_STEP], c + row[_TAP_STEP], d + row[_TAP_STEP]


@njit(cache=True)
def _reset(membrane, offset):
    """Membranes start at 0; V - offset is what is stored."""
    filters = offset.size
    for position in range(membrane.size // filters):
        target = membrane[position * filters : (position + 1) * filters]
        for i in range(filters):
            target[i] = -offset[i]


@njit(cache=True)
def _reach(peaks, magnitudes, threshold, offset):
    """No membrane of the layer, nor any partial sum of one, gets further from 0 than this."""
    filters = threshold.size
    largest = 0.0
    for i in range(filters):
        reach = np.float64(abs(offset[i]) + threshold[i])
        for channel in range(peaks.size):
            reach += peaks[channel] * magnitudes[channel * filters + i]
        largest = max(largest, reach)
    # The sums above are rounded; a millionth covers that many times over.
    return 1.000001 * largest


@njit(cache=True)
def _peaks(net, filters):
    peaks = np.zeros(filters, dtype=np.int64)
    for position in range(net.size // filters):
        for i in range(filters):
            peaks[i] = max(peaks[i], net[position * filters + i])
    return peaks


@njit(cache=True)
def _first_membranes(pixels, row, reached, taps, offset):
    """V - offset of the first layer: constant, since the image is injected once."""
    membrane = np.empty(row[_NEURONS], dtype=np.int64)
    _reset(membrane, offset)
    lit = np.flatnonzero(pixels)
    place, channel = lit // row[_CHANNELS], lit % row[_CHANNELS]
    _receive(membrane, place, channel, pixels[lit], 0, lit.size, row, reached, taps)
    return membrane


@njit(cache=True)
def _first_spikes(membrane, threshold, steps, net):
    """Spikes of the first layer: its membranes never change, so a neuron that is due n spikes
    fires at steps 0 to n - 1."""
    filters = threshold.size
    active_place, active_channel, _ = _room(membrane.size)
    due = np.empty(membrane.size, dtype=np.int64)
    count, total, longest = 0, np.int64(0), np.int64(0)
    for place in range(membrane.size // filters):
        for channel in range(filters):
            neuron = place * filters + channel
            n = np.int64(0)
            if membrane[neuron] >= threshold[channel]:
                n = membrane[neuron] // threshold[channel]
                active_place[count], active_channel[count], due[count] = place, channel, n
                count += 1
                longest = max(longest, n)
            net[neuron] = min(n, steps)
            total += min(n, steps)
    out_place, out_channel, out_sign = _room(total)
    for i in range(total):
        out_sign[i] = 1
    starts = np.zeros(steps + 1, dtype=np.int64)
    spike = 0
    for step in range(steps):
        left = 0
        for i in range(count):
            out_place[spike + i], out_channel[spike + i] = active_place[i], active_channel[i]
            if due[i] > step + 1:
                active_place[left], active_channel[left], due[left] = active_place[i], active_channel[i], due[i]
                left += 1
        spike += count
        count = left
        starts[step + 1] = spike
    return out_place, out_channel, out_sign, starts, longest <= steps


@njit(cache=True)
def _spikes(membrane, received, row, reached, taps, threshold, offset, falls, net, peaks):
    """Spikes of a layer that receives the given ones; `net` gets net counts, `peaks` their maxima by channel.

    `membrane` gives room, and the type of the arithmetic; `threshold` has the same type.
    `falls` says whether there are negative spikes.
    """
    place, channel, sign, starts = received
    steps = starts.size - 1
    filters = np.uint32(row[_FILTERS])
    _reset(membrane, offset)
    passed = np.zeros_like(membrane)
    for neuron in range(net.size):
        net[neuron] = 0
    # A byte a neuron, read eight at a time.
    emitted = np.zeros((membrane.size + 7) // 8, dtype=np.int64)
    emitted_bytes = emitted.view(np.int8)
    out_place, out_channel, out_sign = _room(max(membrane.size, starts[steps]))
    out_starts = np.zeros(steps + 1, dtype=np.int64)
    spike, fired = 0, True
    for step in range(steps):
        _receive(membrane, place, channel, sign, starts[step], starts[step + 1], row, reached, taps)
        if fired or starts[step + 1] > starts[step]:
            _fire(membrane, passed, threshold, falls, emitted_bytes)
            if spike + membrane.size > out_place.size:
                out_place, out_channel, out_sign = _grown(out_place, out_channel, out_sign, spike, membrane.size)
            before = spike
            for word in range(emitted.size):
                if emitted[word] != 0:
                    for neuron in range(8 * word, 8 * word + 8):
                        s = emitted_bytes[neuron]
                        if s != 0:
                            position = np.uint32(neuron) // filters
                            c = np.uint32(neuron) - position * filters
                            out_place[spike], out_channel[spike], out_sign[spike] = position, c, s
                            net[neuron] += s
                            peaks[c] = max(peaks[c], net[neuron])
                            spike += 1
            fired = spike > before
        out_starts[step + 1] = spike
    if fired:
        _fire(membrane, passed, threshold, falls, emitted_bytes)
        fired = False
        for word in range(emitted.size):
            fired = fired or emitted[word] != 0
    return out_place, out_channel, out_sign, out_starts, not fired


@njit(cache=True)
def _fire(membrane, passed, threshold, falls, emitted):
    """One step of every neuron; `passed` is its net count times its threshold."""
    filters = threshold.size
    for position in range(membrane.size // filters):
        m = membrane[position * filters : (position + 1) * filters]
        p = passed[position * filters : (position + 1) * filters]
        e = emitted[position * filters : (position + 1) * filters]
        for i in range(filters):
            excess = max(m[i], 0) - p[i]
            s = np.int32(excess >= threshold[i]) - np.int32(falls & (excess < 0))
            p[i] += s * threshold[i]
            e[i] = s


@njit(cache=True)
def _predict(received, row, reached, taps, predictions):
    """Arg max of the logits, W_out n, after every step; the first of equals."""
    place, channel, sign, starts = received
    logits = np.zeros(row[_FILTERS], dtype=np.int64)
    for step in range(predictions.size):
        _receive(logits, place, channel, sign, starts[step], starts[step + 1], row, reached, taps)
        best = 0
        for i in range(1, logits.size):
            if logits[i] > logits[best]:
                best = i
        predictions[step] = best
