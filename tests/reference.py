"""The method in plain loops, written from its specification alone; it imports nothing of the package.

Numbers may be floats (the method as published) or Python integers in object arrays (the method on a
grid of integers, where nothing is rounded). Maps are flattened in the order channel, row, column.
"""

import math
from dataclasses import dataclass

import numpy as np

EPS = 1e-5
SHIFT = 1e-5
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Convolution:
    """`before` is the padding at the top and at the left; what is missing below and to the right is zero too.

    `stride` and `before` are numbers, or pairs of one along the height and one along the width.
    """

    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: int | tuple[int, int] = 1
    before: int | tuple[int, int] = 0
    groups: int = 1

    def connections(self):
        """Yield each synapse as (output neuron, input neuron, place in the weights)."""
        (channels, height, width), (filters, rows, columns) = self.in_shape, self.out_shape
        (down, right), (top, left) = ((v, v) if isinstance(v, int) else v for v in (self.stride, self.before))
        for f in range(filters):
            first = f // (filters // self.groups) * (channels // self.groups)
            for row in range(rows):
                for column in range(columns):
                    for c in range(channels // self.groups):
                        for i in range(self.kernel[0]):
                            for j in range(self.kernel[1]):
                                y = row * down + i - top
                                x = column * right + j - left
                                if 0 <= y < height and 0 <= x < width:
                                    yield (
                                        (f * rows + row) * columns + column,
                                        ((first + c) * height + y) * width + x,
                                        (f, c, i, j),
                                    )

    def matrix(self, weight):
        """(outputs, inputs): the weight of each synapse, 0 where there is none."""
        matrix = np.zeros((math.prod(self.out_shape), math.prod(self.in_shape)), dtype=weight.dtype)
        for output, source, place in self.connections():
            matrix[output, source] += weight[place]
        return matrix

    def fan_out(self):
        """Synapses of each input neuron, counted one by one."""
        count = np.zeros(math.prod(self.in_shape), dtype=int)
        for _, source, _ in self.connections():
            count[source] += 1
        return count


def lay_out(network, shape, classes=10, padding="valid"):
    """The convolutions of a network in the paper's notation, the implied last one included."""
    layers = []
    for token in [*network.split("-"), str(classes)]:
        channels, height, width = shape
        if "C" in token:
            filters, k = map(int, token.rstrip("sv").split("C"))
            if {"s": "same", "v": "valid"}.get(token[-1], padding) == "same":
                layer = Convolution(shape, (filters, height, width), (k, k), 1, (k - 1) // 2)
            else:
                layer = Convolution(shape, (filters, height - k + 1, width - k + 1), (k, k))
        elif token.startswith("P"):
            k = int(token[1:])
            layer = Convolution(shape, (channels, height // k, width // k), (k, k), k)
        else:
            layer = Convolution(shape, (int(token), 1, 1), (height, width))
        layers.append(layer)
        shape = layer.out_shape
    return layers


def per_neuron(layer, channel_values):
    """A value a channel, repeated for each neuron of the layer."""
    return np.repeat(channel_values, layer.out_shape[1] * layer.out_shape[2])


def ann(layers, parameters, k, x):
    """Activations of every hidden layer (2^k times them, as integers; as they are for k None) and the logits."""
    activation, activations = np.asarray(x, dtype=float).ravel(), []
    for index, layer in enumerate(layers[:-1]):
        weight, gamma, beta, mean, variance = _of_layer(parameters, index)
        total = layer.matrix(weight) @ activation
        out = np.zeros(len(total))
        for i in range(len(total)):
            c = i // (layer.out_shape[1] * layer.out_shape[2])
            normal = gamma[c] * (total[i] - mean[c]) / math.sqrt(variance[c] + EPS) + beta[c]
            rectified = max(normal, 0.0)
            # Python's round goes half to even
            out[i] = rectified if k is None else round(2**k * rectified + SHIFT)
        activations.append(out)
        activation = out if k is None else out / 2**k
    readout = parameters[f"{len(layers) - 1}.weight"].astype(float)
    return activations, layers[-1].matrix(readout) @ activation


def spiking_constants(layer, parameters, index, k):
    """Synapse matrix, thresholds and bases of a layer, a value a neuron."""
    weight, gamma, beta, mean, variance = _of_layer(parameters, index)
    weight, theta, base = weight.copy(), np.zeros(len(gamma)), np.zeros(len(gamma))
    for c in range(len(gamma)):
        sigma = math.sqrt(variance[c] + EPS)
        if gamma[c] == 0:
            # A neuron that nothing reaches, due as many spikes as the ANN's constant output has levels.
            weight[c], theta[c], base[c] = 0, 1, -(round(2**k * max(beta[c], 0) + SHIFT) + 0.5)
            continue
        g, m = gamma[c], mean[c]
        if g < 0:
            weight[c], g, m = -weight[c], -g, -m
        theta[c] = sigma / g
        base[c] = (2.0 ** -(k + 1) - beta[c]) * 2**k * sigma / g + 2**k * m - theta[c]
    return layer.matrix(weight), per_neuron(layer, theta), per_neuron(layer, base)


@dataclass
class Record:
    predictions: list
    positive: list
    negative: list
    operations: list
    counts: list
    settled_step: int
    net_by_step: list


def simulate(layers, constants, readout, injected, steps):
    """Neuron by neuron, step by step; `constants` has (matrix, theta, base) of each spiking layer.

    One step more than asked for is simulated, only to see whether the network has settled.
    """
    readout = layers[-1].matrix(readout)
    fan_out = [layer.fan_out() for layer in layers[1:]]
    membranes = [np.zeros_like(theta) for _, theta, _ in constants]
    shadows = [base.copy() for _, _, base in constants]
    counts = [np.zeros(len(theta), dtype=int) for _, theta, _ in constants]
    record, last = Record([], [], [], [], counts, 0, []), 0
    for t in range(steps + 1):
        spikes = np.asarray(injected).ravel() if t == 0 else np.zeros_like(np.asarray(injected).ravel())
        before = [count.copy() for count in counts]
        positive = negative = operations = 0
        for index, (matrix, theta, base) in enumerate(constants):
            membranes[index] = membranes[index] + matrix @ spikes
            spikes = np.zeros(len(theta), dtype=int)
            for i in range(len(theta)):
                d = max(membranes[index][i], base[i]) - shadows[index][i]
                s = 1 if d > theta[i] else -1 if d < -TOLERANCE else 0
                if s == 0:
                    continue
                shadows[index][i] += s * theta[i]
                counts[index][i] += s
                spikes[i] = s
                positive, negative = positive + (s > 0), negative + (s < 0)
                operations += fan_out[index][i]
        if t == steps:
            record.counts = before
            record.settled_step = -1 if positive + negative else last
            return record
        logits = list(readout @ counts[-1])
        record.predictions.append(logits.index(max(logits)))
        record.positive.append(positive)
        record.negative.append(negative)
        record.operations.append(int(operations))
        record.net_by_step.append([count.copy() for count in counts])
        if positive + negative:
            last = t + 1
    raise AssertionError("no step")


@dataclass
class Node:
    """A node of a graph: "neurons", "max", "sum" or "output". `sources` are nodes before it, -1 is the image.

    `synapses` has, for each source, (output, input, weight) triples, one a synapse; those of poolings weigh 1.
    Neurons have `theta`, `base`, and `stop`, the most net spikes or None, one a neuron; the output has `offset`.
    """

    kind: str
    sources: list
    synapses: list
    size: int
    theta: list = None
    base: list = None
    stop: int | None = None
    offset: list = None

    def windows(self):
        """The inputs of each unit."""
        inputs = [[] for _ in range(self.size)]
        for output, source, _ in self.synapses[0]:
            inputs[output].append(source)
        return inputs

    def received(self, values):
        """What `values` of the sources, one list each, weigh in all."""
        total = [0] * self.size
        for synapses, source in zip(self.synapses, self.sources, strict=True):
            for output, i, weight in synapses:
                if values[source][i] != 0:
                    total[output] += weight * values[source][i]
        return total


def graph_activations(nodes, image):
    """Counts of each node on the grid, by node, and the logits; of neurons the thresholds passed, up to the stop."""
    values = {-1: image}
    for index, node in enumerate(nodes):
        if node.kind == "max":
            values[index] = [max(values[node.sources[0]][i] for i in window) for window in node.windows()]
            continue
        total = node.received(values)
        if node.kind == "neurons":
            for i in range(node.size):
                passed = 0
                while total[i] > node.base[i] + (passed + 1) * node.theta[i] and passed != node.stop:
                    passed += 1
                total[i] = passed
        elif node.kind == "output":
            total = [t + o for t, o in zip(total, node.offset, strict=True)]
        values[index] = total
    return values


def crossings(nodes, index, neuron):
    """Synapses that a spike of a node's neuron crosses; what a sum passes on crosses those after it, too."""
    count = 0
    for other, node in enumerate(nodes):
        for source, synapses in zip(node.sources, node.synapses, strict=True):
            if source == index:
                for output, i, _ in synapses:
                    if i == neuron:
                        count += 1 + (crossings(nodes, other, output) if node.kind == "sum" else 0)
    return count


def simulate_graph(nodes, image, steps):
    """As `simulate`, for a graph; the counts are those of neurons and max poolings, in the order of the nodes."""
    *inner, output = nodes
    spiking = [i for i, node in enumerate(inner) if node.kind in ("neurons", "max")]
    fan_out = {i: [crossings(nodes, i, n) for n in range(inner[i].size)] for i in spiking}
    membranes = {i: [0] * node.size for i, node in enumerate(inner)}
    shadows = {i: list(node.base) for i, node in enumerate(inner) if node.kind == "neurons"}
    counts = {i: [0] * node.size for i, node in enumerate(inner)}
    record, last = Record([], [], [], [], [], 0, []), 0
    for t in range(steps + 1):
        emitted = {-1: image if t == 0 else [0] * len(image)}
        before = {i: list(count) for i, count in counts.items()}
        positive = negative = operations = 0
        for index, node in enumerate(inner):
            if node.kind == "neurons":
                received = node.received(emitted)
                spikes = [0] * node.size
                for i in range(node.size):
                    membranes[index][i] += received[i]
                    d = max(membranes[index][i], node.base[i]) - shadows[index][i]
                    if d > node.theta[i] and counts[index][i] != node.stop:
                        spikes[i] = 1
                    elif d < 0:
                        spikes[i] = -1
                    shadows[index][i] += spikes[i] * node.theta[i]
            elif node.kind == "max":
                source = counts[node.sources[0]]
                spikes = []
                for own, window in zip(counts[index], node.windows(), strict=True):
                    largest = max(source[i] for i in window)
                    spikes.append((largest > own) - (largest < own))
            else:
                spikes = node.received(emitted)
            counts[index] = [n + s for n, s in zip(counts[index], spikes, strict=True)]
            emitted[index] = spikes
            if index in fan_out:
                positive += sum(s > 0 for s in spikes)
                negative += sum(s < 0 for s in spikes)
                operations += sum(fan_out[index][i] for i, s in enumerate(spikes) if s)
        if t == steps:
            record.counts = [before[i] for i in spiking]
            record.settled_step = -1 if positive + negative else last
            return record
        logits = [v + o for v, o in zip(output.received({**counts, -1: []}), output.offset, strict=True)]
        record.predictions.append(logits.index(max(logits)))
        record.positive.append(positive)
        record.negative.append(negative)
        record.operations.append(operations)
        if positive + negative:
            last = t + 1
    raise AssertionError("no step")


def _of_layer(parameters, index):
    return [parameters[f"{index}.{name}"].astype(float) for name in ("weight", "gamma", "beta", "mean", "variance")]
