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
    """`before` is the padding at the top and at the left; what is missing below and to the right is zero too."""

    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: int = 1
    before: int = 0

    def connections(self):
        """Yield each synapse as (output neuron, input neuron, place in the weights)."""
        (channels, height, width), (filters, rows, columns) = self.in_shape, self.out_shape
        for f in range(filters):
            for row in range(rows):
                for column in range(columns):
                    for c in range(channels):
                        for i in range(self.kernel[0]):
                            for j in range(self.kernel[1]):
                                y = row * self.stride + i - self.before
                                x = column * self.stride + j - self.before
                                if 0 <= y < height and 0 <= x < width:
                                    yield (
                                        (f * rows + row) * columns + column,
                                        (c * height + y) * width + x,
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
            filters, k = map(int, token.split("C"))
            if padding == "same":
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


def _of_layer(parameters, index):
    return [parameters[f"{index}.{name}"].astype(float) for name in ("weight", "gamma", "beta", "mean", "variance")]
