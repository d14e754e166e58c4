"""The compiled loops over images, nodes, time steps and spikes.

The neuron, on its channel's grid of integers (see `conversion.convert`), where the base is b = offset - 1/2:

    V += W received
    s  = +1 if m - Q >= theta,   -1 if m - Q < 0,   else 0        with m = min(max(V - offset, 0), stop)
    Q += s theta;   n += s

is the method's neuron: its d = max(V, b) - Q lies 1/2 above m - Q, or on it where V < b, so that the integer
m - Q is at least theta where d > theta, and below 0 where d < 0. Here Q counts from the base: Q = n theta, which is
never above an upper stop of (most counts) theta.

A network is a directed acyclic graph, whose nodes are simulated one by one, each over all time steps: a node's spikes
for one image are a list, which is all that the nodes after it need. A sum of windows turns a list into a list; max
pooling keeps the counts of its inputs.

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

from .layout import MAX_POOLING, SUM_POOLING, Layout

IMAGE = -1


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
    """The synapses of one input of a node.

    Attributes:
        positions: POSITION records, from those of the input's map on.
        weights: int32, from the input's on.
        kernel: the weights for one input channel.
        kernel_row: the weights of one row of the kernel, for one input channel.
        map_row: the membranes of one row of the output map.
        channels: the node's.
        in_group, out_group: input and output channels of a group.
    """

    positions: np.ndarray
    weights: np.ndarray
    kernel: int
    kernel_row: int
    map_row: int
    channels: int
    in_group: int
    out_group: int


class Recording(NamedTuple):
    """What is recorded of N images over T time steps; the kernel adds to zeros.

    Attributes:
        predictions, positive, negative, operations: (N, T) int64, see `Trace`.
        settled_step: (N,) int64, see `Trace`.
        net_counts: (N, neurons) int32, net spike counts after T steps, layer by layer, (H, W, channels).
        membranes: (N, neurons) int64, V - offset after T steps, likewise; 0 for units of max pooling.
    """

    predictions: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    operations: np.ndarray
    settled_step: np.ndarray
    net_counts: np.ndarray
    membranes: np.ndarray

    @classmethod
    def zeros(cls, images: int, steps: int, neurons: int) -> "Recording":
        by_step = (np.zeros((images, steps), dtype=np.int64) for _ in range(4))
        by_neuron = (np.zeros((images, neurons), dtype) for dtype in (np.int32, np.int64))
        return cls(*by_step, np.zeros(images, dtype=np.int64), *by_neuron)


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
    """`loop`, compiled to run without the interpreter's lock, after a call with `arguments`, for their types alone.

    numba's cache spares some ten seconds of compiling, and is not needed. Where it has no folder to write to, where
    the disk is full, where what lies in it cannot be read, the loop is compiled for this process alone.
    """
    try:
        compiled_loop = njit(nogil=True, cache=True)(loop)
        compiled_loop(*arguments)
    except Exception:  # whatever a damaged cache raises; an error in the loop is raised once more below
        compiled_loop = njit(nogil=True)(loop)
        compiled_loop(*arguments)
    # An array that happens to be contiguous is no other type, to compile for.
    compiled_loop.disable_compile()
    return compiled_loop


@njit
def _simulate_image(image, pixels, layout, negative_spikes, recording):
    steps = recording.predictions.shape[1]
    output = layout.nodes.size - 1
    injected = _pixel_list(pixels, layout.inputs[0].in_channels)
    # Of each node, and before them one of nothing in the image's place, whose list has values of another type.
    lists = [_spike_list(0, 0)]
    peaks = [_largest_pixels(injected, layout.inputs[0].in_channels)]
    at_rest, last_step = True, np.int64(0)
    for index in range(output):
        node = layout.nodes[index]
        if node.kind == SUM_POOLING:
            spikes, largest = _sum_pooling(index, lists, peaks, layout)
        else:
            neurons = slice(node.neurons_start, node.neurons_start + node.neurons)
            net_count, membrane = recording.net_counts[image, neurons], recording.membranes[image, neurons]
            if node.kind == MAX_POOLING:
                spikes, largest, rests = _max_pooling(index, lists, layout, net_count)
            elif node.from_image:
                spikes, largest, rests = _first_layer(index, injected, layout, steps, membrane, net_count)
            else:
                spikes, largest, rests = _hidden_layer(
                    index, injected, lists, peaks, layout, steps, negative_spikes, membrane, net_count
                )
            at_rest = at_rest and rests
            fan_outs = layout.fan_outs[node.fan_outs_start :]
            last_step = max(last_step, _count_spikes(spikes, fan_outs, image, recording))
        lists.append(spikes)
        peaks.append(largest)
    recording.settled_step[image] = last_step if at_rest else -1
    _predict(output, lists, layout, recording.predictions[image])


@njit
def _synapses(layout, node, number):
    """Those of the node's input of that number."""
    record = layout.inputs[layout.nodes[node].first_input + number]
    kernel_row = record.kernel_width * record.out_group
    return Synapses(
        layout.positions[record.positions_start :],
        layout.weights[record.weights_start :],
        record.kernel_height * kernel_row,
        kernel_row,
        record.map_row,
        layout.nodes[node].channels,
        record.in_group,
        record.out_group,
    )


@njit
def _source(layout, node, number):
    """The node that the input of that number is."""
    return layout.inputs[layout.nodes[node].first_input + number].source


@njit
def _constants(layout, index):
    """The thresholds and offsets (channels,) of node `index`, each contiguous."""
    node = layout.nodes[index]
    channels = layout.channels[node.channels_start : node.channels_start + node.channels]
    return channels.threshold.copy(), channels.offset.copy()


@njit
def _count_spikes(spikes, fan_outs, image, recording):
    """Record spikes and the operations that they cause, and return the step after the last one, 0 without any.

    `fan_outs` are the synapses that a spike of each position crosses.
    """
    last_step = np.int64(0)
    for step in range(spikes.step_start.size - 1):
        first, last = spikes.step_start[step], spikes.step_start[step + 1]
        operations, positive = np.int64(0), np.int64(0)
        for i in range(first, last):
            operations += fan_outs[spikes.position[i]]
            positive += spikes.value[i] > 0
        recording.operations[image, step] += operations
        recording.positive[image, step] += positive
        recording.negative[image, step] += last - first - positive
        if last > first:
            last_step = step + 1
    return last_step


@njit
def _receive(membrane, synapses, spikes, step):
    """V += W received: add what a step's spikes bring to all membranes that they reach."""
    if synapses.out_group == synapses.channels:
        _receive_by_rows(membrane, synapses, spikes, step)
    else:
        _receive_by_group(membrane, synapses, spikes, step)


@njit
def _receive_by_group(membrane, synapses, spikes, step):
    """`_receive` where a spike reaches the channels of its own group alone, identities among them."""
    channels, length = synapses.channels, synapses.out_group
    for i in range(spikes.step_start[step], spikes.step_start[step + 1]):
        reached, channel, value = synapses.positions[spikes.position[i]], spikes.channel[i], spikes.value[i]
        row = reached.first_neuron + channel // synapses.in_group * length
        weight_row = channel * synapses.kernel + reached.first_weight
        for _ in range(reached.rows):
            neuron, weight = row, weight_row
            for _ in range(reached.row_length // channels):
                for j in range(length):
                    membrane[neuron + j] += value * synapses.weights[weight + j]
                neuron += channels
                weight += length
            row += synapses.map_row
            weight_row += synapses.kernel_row


@njit
def _receive_by_rows(membrane, synapses, spikes, step):
    """`_receive` where a spike reaches all channels.

    Most of the time is spent here, and without care on reading a membrane again that was just written, spike after
    spike. Neighbours in the list that reach the same membranes therefore go four at a time, in one pass over
    these; the missing ones of the last four are zeros. Four weights, four values and a membrane are what the
    processor's registers hold.
    """
    positions, weights, kernel, kernel_row, map_row, _, _, _ = synapses
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
def _first_layer(index, injected, layout, steps, membrane, net_count):
    """A layer that receives from the image alone: its spikes, the largest net count by channel, and whether it rests.

    The image is injected once, so that the membranes never change: a neuron that is due n = m // theta spikes
    fires at the steps 0 to n - 1.
    """
    threshold, offset = _constants(layout, index)
    upper_stop = layout.nodes[index].upper_stop
    _reset(membrane, offset)
    for number in range(layout.nodes[index].inputs):
        _receive(membrane, _synapses(layout, index, number), injected, 0)
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
                n = min(n, upper_stop) if upper_stop else n
                firing.position[count], firing.channel[count], due[count] = position, channel, n
                count += 1
                net_count[neuron] = min(n, steps)
                total += net_count[neuron]
                peaks[channel] = max(peaks[channel], net_count[neuron])
                longest = max(longest, n)
    return _one_a_step(firing, due, count, total, steps), peaks, longest <= steps


@njit
def _largest_pixels(injected, channels):
    """The largest absolute value of each channel of the image."""
    largest = np.zeros(channels, dtype=np.int64)
    for i in range(injected.value.size):
        channel = injected.channel[i]
        largest[channel] = max(largest[channel], abs(np.int64(injected.value[i])))
    return largest


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
def _hidden_layer(index, injected, lists, peaks, layout, steps, negative_spikes, membrane, net_count):
    """A layer that receives spikes: its own, the largest net count by channel, and whether it is at rest after them.

    `lists` are the spikes of the nodes before it, and `peaks` their largest counts by channel, the image's first.
    """
    threshold, offset = _constants(layout, index)
    stop = _stops(threshold, layout.nodes[index].upper_stop)
    # Beyond it lies what 32 bits cannot hold.
    if _largest_membrane(index, peaks, layout, threshold, offset) < 2.0**31:
        narrow = np.empty(net_count.size, dtype=np.int32)
        limits = threshold.astype(np.int32), np.minimum(stop, 2**31 - 1).astype(np.int32)
        found = _spikes(narrow, index, injected, lists, layout, steps, limits, offset, negative_spikes, net_count)
        membrane[:] = narrow
        return found
    limits = threshold, stop
    return _spikes(membrane, index, injected, lists, layout, steps, limits, offset, negative_spikes, net_count)


@njit
def _stops(threshold, upper_stop):
    """Q of a neuron that has all the spikes that it may have, by channel; without a stop more than any membrane."""
    stop = np.empty_like(threshold)
    for channel in range(threshold.size):
        bounded = upper_stop > 0 and threshold[channel] <= 2**62 // upper_stop
        stop[channel] = threshold[channel] * upper_stop if bounded else 2**62
    return stop


@njit
def _largest_membrane(index, peaks, layout, threshold, offset):
    """No membrane of the layer, nor any partial sum of one, nor any Q, is ever further from 0 than this.

    A net count is never below 0, nor above its channel's peak.
    """
    channels = threshold.size
    bounds = np.abs(offset + 0.0) + threshold
    for number in range(layout.nodes[index].inputs):
        record = layout.inputs[layout.nodes[index].first_input + number]
        received_peaks, weight_sums = peaks[record.source + 1], layout.weight_sums[record.weight_sums_start :]
        for channel in range(channels):
            for in_channel in range(record.in_channels):
                bounds[channel] += received_peaks[in_channel] * weight_sums[in_channel * channels + channel]
    # Each product and each sum is rounded by 2^-53 of it at the most. A millionth covers 2^32 of them.
    return 1.000001 * bounds.max()


@njit
def _spikes(membrane, index, injected, lists, layout, steps, limits, offset, negative_spikes, net_count):
    """See `_hidden_layer`. Calculates in the type of `membrane` and `limits`; what is in `membrane` is lost."""
    threshold, stop = limits
    # A division of 32-bit numbers takes a fraction of the time of one of 64 bits.
    channels = np.uint32(threshold.size)
    inputs = layout.nodes[index].inputs
    # Most layers have one input: theirs is looked up once.
    source, synapses = _source(layout, index, 0), _synapses(layout, index, 0)
    received = lists[source + 1]
    _reset(membrane, offset)
    shadow = np.zeros_like(membrane)
    peaks = np.zeros(threshold.size, dtype=np.int64)
    # A byte a neuron, and eight of them read as one number: most neurons do not fire, and are passed over so.
    fired_words = np.zeros((membrane.size + 7) // 8, dtype=np.int64)
    fired = fired_words.view(np.int8)
    spikes = _spike_list(max(membrane.size, received.step_start[received.step_start.size - 1]), steps)
    end, changing = 0, True
    for step in range(steps):
        if source == IMAGE:
            came = _inject(membrane, synapses, injected, step)
        else:
            _receive(membrane, synapses, received, step)
            came = received.step_start[step + 1] > received.step_start[step]
        for number in range(1, inputs):
            came |= _receive_from(number, membrane, index, injected, lists, layout, step)
        # Where no neuron fired and nothing came, none will.
        if changing or came:
            _fire(membrane, shadow, threshold, stop, negative_spikes, fired)
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
        _fire(membrane, shadow, threshold, stop, negative_spikes, fired)
        changing = fired_words.any()
    return spikes, peaks, not changing


@njit
def _inject(membrane, synapses, injected, step):
    """What the image brings, at step 0; whether it did."""
    if step > 0:
        return False
    _receive(membrane, synapses, injected, 0)
    return True


@njit
def _receive_from(number, membrane, index, injected, lists, layout, step):
    """What the input of that number brings in a step; whether it brought anything."""
    source, synapses = _source(layout, index, number), _synapses(layout, index, number)
    if source == IMAGE:
        return _inject(membrane, synapses, injected, step)
    received = lists[source + 1]
    _receive(membrane, synapses, received, step)
    return received.step_start[step + 1] > received.step_start[step]


@njit
def _fire(membrane, shadow, threshold, stop, negative_spikes, fired):
    """One step of every neuron, see the equations above; `fired` gets s."""
    channels = threshold.size
    for position in range(membrane.size // channels):
        # Slices of one position: the compiler makes vectors of this loop, and needs the index to start at 0 for that.
        v = membrane[position * channels : (position + 1) * channels]
        q = shadow[position * channels : (position + 1) * channels]
        s = fired[position * channels : (position + 1) * channels]
        for channel in range(channels):
            excess = min(max(v[channel], 0), stop[channel]) - q[channel]
            sign = np.int32(excess >= threshold[channel]) - np.int32(negative_spikes & (excess < 0))
            q[channel] += sign * threshold[channel]
            s[channel] = sign


@njit
def _sum_pooling(index, lists, peaks, layout):
    """The spikes of the windows' sums: each spike once for every window with it; and the largest sums by channel."""
    synapses, source = _synapses(layout, index, 0), _source(layout, index, 0)
    record, received = layout.inputs[layout.nodes[index].first_input], lists[source + 1]
    channels, steps = synapses.channels, received.step_start.size - 1
    size = 0
    for i in range(received.step_start[steps]):
        reached = synapses.positions[received.position[i]]
        size += reached.rows * (reached.row_length // channels)
    spikes = _spike_list(size, steps)
    end = 0
    for step in range(steps):
        for i in range(received.step_start[step], received.step_start[step + 1]):
            reached = synapses.positions[received.position[i]]
            for row in range(reached.rows):
                first = (reached.first_neuron + row * synapses.map_row) // channels
                for position in range(first, first + reached.row_length // channels):
                    spikes.position[end], spikes.channel[end] = position, received.channel[i]
                    spikes.value[end] = received.value[i]
                    end += 1
        spikes.step_start[step + 1] = end
    return spikes, peaks[source + 1] * (record.kernel_height * record.kernel_width)


@njit
def _max_pooling(index, lists, layout, net_count):
    """The spikes of the windows' largest counts, the largest of them by channel, and whether the units are at rest.

    A unit's spike is the sign of the largest net count in its window less its own, `net_count`: +1, -1 or 0.
    """
    synapses, source = _synapses(layout, index, 0), _source(layout, index, 0)
    record, received = layout.inputs[layout.nodes[index].first_input], lists[source + 1]
    channels, steps = synapses.channels, received.step_start.size - 1
    counts = np.zeros(record.in_height * record.in_width * channels, dtype=np.int64)
    peaks = np.zeros(channels, dtype=np.int64)
    # Units whose own count may not be the largest one's.
    stale = np.zeros(net_count.size, dtype=np.int8)
    spikes = _spike_list(net_count.size, steps)
    end, changing = 0, False
    for step in range(steps):
        for i in range(received.step_start[step], received.step_start[step + 1]):
            reached, channel = synapses.positions[received.position[i]], received.channel[i]
            counts[received.position[i] * channels + channel] += received.value[i]
            for row in range(reached.rows):
                first = reached.first_neuron + row * synapses.map_row + channel
                stale[first : first + reached.row_length : channels] = 1
            changing = True
        if changing:
            changing = False
            if end + net_count.size > spikes.position.size:
                spikes = _grown(spikes, end, net_count.size)
            for unit in range(net_count.size):
                if stale[unit]:
                    position, channel = unit // channels, unit % channels
                    lacking = _largest_count(counts, position, channel, record, synapses) - net_count[unit]
                    if lacking != 0:
                        sign = 1 if lacking > 0 else -1
                        spikes.position[end], spikes.channel[end], spikes.value[end] = position, channel, sign
                        net_count[unit] += sign
                        peaks[channel] = max(peaks[channel], net_count[unit])
                        end += 1
                    stale[unit] = abs(lacking) > 1
                    changing |= abs(lacking) > 1
        spikes.step_start[step + 1] = end
    return spikes, peaks, not changing


@njit
def _largest_count(counts, position, channel, record, synapses):
    """The largest count in the window of the unit at `position` of the output map; counts are 0 at least."""
    width = synapses.map_row // synapses.channels
    top = position // width * record.stride_y - record.pad_top
    left = position % width * record.stride_x - record.pad_left
    largest = np.int64(0)
    for y in range(max(top, 0), min(top + record.kernel_height, record.in_height)):
        for x in range(max(left, 0), min(left + record.kernel_width, record.in_width)):
            largest = max(largest, counts[(y * record.in_width + x) * synapses.channels + channel])
    return largest


@njit
def _predict(output, lists, layout, predictions):
    """Arg max of the logits, W_out n and what the bias adds, after every step; the first of equals."""
    spikes, synapses = lists[_source(layout, output, 0) + 1], _synapses(layout, output, 0)
    _, offset = _constants(layout, output)
    logits = -offset
    for step in range(predictions.size):
        _receive_by_rows(logits, synapses, spikes, step)
        best = 0
        for label in range(1, logits.size):
            if logits[label] > logits[best]:
                best = label
        predictions[step] = best
