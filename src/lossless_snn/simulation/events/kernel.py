"""The compiled loops over images, layers, time steps and spikes.

The neuron, on its channel's grid of integers (see `conversion.convert`), where the base is b = offset - 1/2:

    V += W received
    s  = +1 if m - Q >= theta,   -1 if m - Q < 0,   else 0        with m = max(V - offset, 0)
    Q += s theta;   n += s

is the method's neuron: its d = max(V, b) - Q lies 1/2 above m - Q, or on it where V < b, so that the integer
m - Q is at least theta where d > theta, and below 0 where d < 0. Here Q counts from the base: Q = n theta.

Two things make it fast. A layer at rest that receives nothing costs nothing. And spikes that reach the same
membranes, which stand beside each other in the list, are added four at a time (see `_receive`).

Sums are integers, so that their order changes no bit of the result, and neither does their width as long as they
fit: before a layer is simulated for an image, the counts that it will receive bound its membranes, and 32 bits are
used where they suffice, 64 bits (which conversion proves to suffice) elsewhere.

All that is compiled is in this file, and so are its named tuples: numba's cache knows a file by its content, and
takes no notice of what the file imports.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from .layout import Layout


class SpikeList(NamedTuple):
    """The spikes of one layer for one image, in the order of their time steps.

    Lists may be longer than the spikes in them.

    Attributes:
        position: (S,) int32, the neuron's place in the map, y W + x.
        channel: (S,) int32, the neuron's channel.
        value: (S,) int8, the sign, +1 or -1. The image, too, is a list, of its pixels at step 0: int32.
        step_start: (T + 1,) int64; the spikes of step t are those from step_start[t] to before step_start[t + 1].
    """

    position: np.ndarray
    channel: np.ndarray
    value: np.ndarray
    step_start: np.ndarray


class Synapses(NamedTuple):
    """The synapses into one layer.

    Attributes:
        positions: POSITION records, from those of the layer's input map on.
        weights: int32, from the layer's on.
        kernel, kernel_row, map_row: see LAYER.
    """

    positions: np.ndarray
    weights: np.ndarray
    kernel: int
    kernel_row: int
    map_row: int


class Recording(NamedTuple):
    """What is recorded of N images over T time steps; the kernel adds to zeros.

    Attributes:
        predictions, positive, negative, operations: (N, T) int64, see `Trace`.
        settled_step: (N,) int64, see `Trace`.
        net_counts: (N, neurons) int32, net spike counts after T steps, layer by layer, (H, W, channels).
    """

    predictions: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    operations: np.ndarray
    settled_step: np.ndarray
    net_counts: np.ndarray

    @classmethod
    def zeros(cls, images: int, steps: int, neurons: int) -> "Recording":
        by_step = (np.zeros((images, steps), dtype=np.int64) for _ in range(4))
        return cls(*by_step, np.zeros(images, dtype=np.int64), np.zeros((images, neurons), dtype=np.int32))


def simulate(
    first: int, last: int, pixels: np.ndarray, layout: Layout, negative_spikes: bool, recording: Recording
) -> None:
    """Simulate the images [first, last) of `pixels` (N, H W C), int32, channels last, and record them."""
    for image in range(first, last):
        _simulate_image(image, pixels[image], layout, negative_spikes, recording)


@cache
def compiled() -> Callable[..., None]:
    """`simulate`, compiled or loaded from numba's cache."""
    return compile_loop(simulate, 0, 0, np.zeros((0, 0), np.int32), Layout.empty(), True, Recording.zeros(0, 0, 0))


def compile_loop(loop: Callable[..., None], *arguments: object) -> Callable[..., None]:
    """`loop`, compiled to run without the interpreter's lock, after a call with `arguments` for their types.

    numba's cache spares some ten seconds of compiling, and is not needed. Where it has no folder to write to, where
    the disk is full, where what lies in it cannot be read, the loop is compiled for this process alone.
    """
    try:
        compiled_loop = njit(nogil=True, cache=True)(loop)
        compiled_loop(*arguments)
    except Exception:  # whatever a damaged cache raises; an error in the loop is raised once more below
        compiled_loop = njit(nogil=True)(loop)
        compiled_loop(*arguments)
    return compiled_loop


@njit
def _simulate_image(image, pixels, layout, negative_spikes, recording):
    steps = recording.predictions.shape[1]
    spikes, peaks, at_rest = _first_layer(pixels, layout, steps, _net_count(layout, 0, image, recording))
    last_step = _count_spikes(spikes, _synapses(layout, 1), image, recording)
    output = layout.layers.size - 1
    for index in range(1, output):
        net_count = _net_count(layout, index, image, recording)
        spikes, peaks, rests = _hidden_layer(index, spikes, peaks, layout, negative_spikes, net_count)
        at_rest = at_rest and rests
        last_step = max(last_step, _count_spikes(spikes, _synapses(layout, index + 1), image, recording))
    recording.settled_step[image] = last_step if at_rest else -1
    _predict(spikes, _synapses(layout, output), layout.layers[output].neurons, recording.predictions[image])


@njit
def _synapses(layout, index):
    layer = layout.layers[index]
    return Synapses(
        layout.positions[layer.positions_start :],
        layout.weights[layer.weights_start :],
        layer.kernel,
        layer.kernel_row,
        layer.map_row,
    )


@njit
def _constants(layout, index):
    """The thresholds and offsets (channels,) of spiking layer `index`, each contiguous."""
    layer = layout.layers[index]
    channels = layout.channels[layer.channels_start : layer.channels_start + layer.out_channels]
    return channels.threshold.copy(), channels.offset.copy()


@njit
def _net_count(layout, index, image, recording):
    """The part of the recording that has the net spike counts (neurons,) of spiking layer `index`."""
    layer = layout.layers[index]
    return recording.net_counts[image, layer.neurons_start : layer.neurons_start + layer.neurons]


@njit
def _count_spikes(spikes, outgoing, image, recording):
    """Record spikes and the operations that they cause, and return the step after the last one, 0 without any.

    `outgoing` are the synapses that the spikes cross.
    """
    last_step = np.int64(0)
    for step in range(spikes.step_start.size - 1):
        first, last = spikes.step_start[step], spikes.step_start[step + 1]
        operations, positive = np.int64(0), np.int64(0)
        for i in range(first, last):
            operations += outgoing.positions[spikes.position[i]].fan_out
            positive += spikes.value[i] > 0
        recording.operations[image, step] += operations
        recording.positive[image, step] += positive
        recording.negative[image, step] += last - first - positive
        if last > first:
            last_step = step + 1
    return last_step


@njit
def _receive(membrane, synapses, spikes, step):
    """V += W received: add what a step's spikes bring to all membranes that they reach.

    Most of the time is spent here, and without care on reading a membrane again that was just written, spike after
    spike. Neighbours in the list that reach the same membranes therefore go four at a time, in one pass over
    these; the missing ones of the last four are zeros. Four weights, four values and a membrane are what the
    processor's registers hold.
    """
    positions, weights, kernel, kernel_row, map_row = synapses
    weight = np.empty(4, dtype=np.int64)
    value = np.empty(4, dtype=np.int32)
    i, last = spikes.step_start[step], spikes.step_start[step + 1]
    while i < last:
        reached = positions[spikes.position[i]]
        field = reached.projective_field
        value[:] = 0
        together = 0
        while together < 4 and i < last and positions[spikes.position[i]].projective_field == field:
            position = positions[spikes.position[i]]
            weight[together] = spikes.channel[i] * kernel + position.first_weight
            value[together] = spikes.value[i]
            together += 1
            i += 1
        weight[together:] = weight[0]
        neuron, length = reached.first_neuron, reached.row_length
        weight_a, weight_b, weight_c, weight_d = weight
        value_a, value_b, value_c, value_d = value
        for _ in range(reached.rows):
            target = membrane[neuron : neuron + length]
            a = weights[weight_a : weight_a + length]
            b = weights[weight_b : weight_b + length]
            c = weights[weight_c : weight_c + length]
            d = weights[weight_d : weight_d + length]
            for j in range(length):
                target[j] += value_a * a[j] + value_b * b[j] + value_c * c[j] + value_d * d[j]
            neuron += map_row
            weight_a += kernel_row
            weight_b += kernel_row
            weight_c += kernel_row
            weight_d += kernel_row


@njit
def _reset(membrane, offset):
    """V = 0. What is stored of a membrane is V - offset."""
    channels = offset.size
    for position in range(membrane.size // channels):
        target = membrane[position * channels : (position + 1) * channels]
        for channel in range(channels):
            target[channel] = -offset[channel]


@njit
def _first_layer(pixels, layout, steps, net_count):
    """The first layer: its spikes, the largest net count by channel, and whether it is at rest after them.

    The image is injected once, so that the membranes never change: a neuron that is due n = m // theta spikes
    fires at the steps 0 to n - 1.
    """
    synapses = _synapses(layout, 0)
    threshold, offset = _constants(layout, 0)
    membrane = np.empty(net_count.size, dtype=np.int64)
    _reset(membrane, offset)
    _receive(membrane, synapses, _pixel_list(pixels, layout.layers[0].in_channels), 0)
    channels = threshold.size
    # The neurons that still fire, and how many spikes they are due.
    firing = _spike_list(membrane.size, 0)
    due = np.empty(membrane.size, dtype=np.int64)
    peaks = np.zeros(channels, dtype=np.int64)
    count, total, longest = 0, np.int64(0), np.int64(0)
    for position in range(membrane.size // channels):
        for channel in range(channels):
            neuron = position * channels + channel
            # Most neurons are due none: a comparison costs less than a division.
            if membrane[neuron] >= threshold[channel]:
                n = membrane[neuron] // threshold[channel]
                firing.position[count], firing.channel[count], due[count] = position, channel, n
                count += 1
                net_count[neuron] = min(n, steps)
                total += net_count[neuron]
                peaks[channel] = max(peaks[channel], net_count[neuron])
                longest = max(longest, n)
    return _one_a_step(firing, due, count, total, steps), peaks, longest <= steps


@njit
def _one_a_step(firing, due, count, total, steps):
    """The spikes, `total` in all, of the first `count` neurons of `firing`, each of which fires until none is due."""
    spikes = _spike_list(total, steps)
    spikes.value[:] = 1
    end = 0
    for step in range(steps):
        left = 0
        for i in range(count):
            spikes.position[end + i], spikes.channel[end + i] = firing.position[i], firing.channel[i]
            if due[i] > step + 1:
                firing.position[left], firing.channel[left], due[left] = firing.position[i], firing.channel[i], due[i]
                left += 1
        end += count
        count = left
        spikes.step_start[step + 1] = end
    return spikes


@njit
def _pixel_list(pixels, channels):
    """An image (H W C,) as a list of its pixels at step 0, without those that are 0."""
    place = np.flatnonzero(pixels)
    position, channel = (place // channels).astype(np.int32), (place % channels).astype(np.int32)
    return SpikeList(position, channel, pixels[place], np.array([0, place.size]))


@njit
def _spike_list(size, steps):
    """A list of no spikes, with room for `size`."""
    position, channel, value = (
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int8),
    )
    return SpikeList(position, channel, value, np.zeros(steps + 1, dtype=np.int64))


@njit
def _grown(spikes, used, more):
    """The first `used` spikes, with room for at least `more`.

    The room doubles, so that however long the list becomes, each of its spikes is copied about once.
    """
    grown = _spike_list(2 * spikes.position.size + more, 0)
    for i in range(used):
        grown.position[i], grown.channel[i], grown.value[i] = spikes.position[i], spikes.channel[i], spikes.value[i]
    return SpikeList(grown.position, grown.channel, grown.value, spikes.step_start)


@njit
def _hidden_layer(index, received, received_peaks, layout, negative_spikes, net_count):
    """Spiking layer `index` after the first: as `_first_layer`, from the spikes that it receives.

    `received_peaks` are the largest net counts by input channel.
    """
    synapses = _synapses(layout, index)
    threshold, offset = _constants(layout, index)
    weight_sums = layout.weight_sums[layout.layers[index].weight_sums_start :]
    # Beyond it lies what 32 bits cannot hold.
    if _largest_membrane(received_peaks, weight_sums, threshold, offset) < 2.0**31:
        narrow = np.empty(net_count.size, dtype=np.int32)
        return _spikes(narrow, received, synapses, threshold.astype(np.int32), offset, negative_spikes, net_count)
    wide = np.empty(net_count.size, dtype=np.int64)
    return _spikes(wide, received, synapses, threshold, offset, negative_spikes, net_count)


@njit
def _largest_membrane(received_peaks, weight_sums, threshold, offset):
    """No membrane of the layer, nor any partial sum of one, nor any Q, is ever further from 0 than this.

    A neuron's net count is never below 0, nor above its channel's peak.
    """
    channels = threshold.size
    largest = 0.0
    for channel in range(channels):
        bound = np.float64(abs(offset[channel]) + threshold[channel])
        for in_channel in range(received_peaks.size):
            bound += received_peaks[in_channel] * weight_sums[in_channel * channels + channel]
        largest = max(largest, bound)
    # Each product and each sum is rounded by 2^-53 of it at the most. A millionth covers 2^32 of them.
    return 1.000001 * largest


@njit
def _spikes(membrane, received, synapses, threshold, offset, negative_spikes, net_count):
    """See `_hidden_layer`. Calculates in the type of `membrane` and `threshold`; what is in `membrane` is lost."""
    steps = received.step_start.size - 1
    # A division of 32-bit numbers takes a fraction of the time of one of 64 bits.
    channels = np.uint32(threshold.size)
    _reset(membrane, offset)
    shadow = np.zeros_like(membrane)
    peaks = np.zeros(threshold.size, dtype=np.int64)
    # A byte a neuron, and eight of them read as one number: most neurons do not fire, and are passed over so.
    fired_words = np.zeros((membrane.size + 7) // 8, dtype=np.int64)
    fired = fired_words.view(np.int8)
    spikes = _spike_list(max(membrane.size, received.step_start[steps]), steps)
    end, changing = 0, True
    for step in range(steps):
        _receive(membrane, synapses, received, step)
        # Where no neuron fired and nothing came, none will.
        if changing or received.step_start[step + 1] > received.step_start[step]:
            _fire(membrane, shadow, threshold, negative_spikes, fired)
            if end + membrane.size > spikes.position.size:
                spikes = _grown(spikes, end, membrane.size)
            start = end
            for word in range(fired_words.size):
                if fired_words[word] != 0:
                    for neuron in range(8 * word, 8 * word + 8):
                        sign = fired[neuron]
                        if sign != 0:
                            position = np.uint32(neuron) // channels
                            channel = np.uint32(neuron) - position * channels
                            spikes.position[end], spikes.channel[end], spikes.value[end] = position, channel, sign
                            net_count[neuron] += sign
                            peaks[channel] = max(peaks[channel], net_count[neuron])
                            end += 1
            changing = end > start
        spikes.step_start[step + 1] = end
    if changing:
        _fire(membrane, shadow, threshold, negative_spikes, fired)
        changing = fired_words.any()
    return spikes, peaks, not changing


@njit
def _fire(membrane, shadow, threshold, negative_spikes, fired):
    """One step of every neuron, see the equations above; `fired` gets s."""
    channels = threshold.size
    for position in range(membrane.size // channels):
        # Slices of one position: the compiler makes vectors of this loop, and needs the index to start at 0 for that.
        v = membrane[position * channels : (position + 1) * channels]
        q = shadow[position * channels : (position + 1) * channels]
        s = fired[position * channels : (position + 1) * channels]
        for channel in range(channels):
            excess = max(v[channel], 0) - q[channel]
            sign = np.int32(excess >= threshold[channel]) - np.int32(negative_spikes & (excess < 0))
            q[channel] += sign * threshold[channel]
            s[channel] = sign


@njit
def _predict(spikes, synapses, classes, predictions):
    """Arg max of the logits, W_out n, after every step; the first of equals."""
    logits = np.zeros(classes, dtype=np.int64)
    for step in range(predictions.size):
        _receive(logits, synapses, spikes, step)
        best = 0
        for label in range(1, logits.size):
            if logits[label] > logits[best]:
                best = label
        predictions[step] = best
