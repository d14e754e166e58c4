"""From a quantised network to a spiking one, on a grid of integers on which nothing is lost.

Method, per channel, with sigma = sqrt(variance + 1e-5) (method of Zou et al. 2023):

    threshold  theta = sigma / gamma
    base       b     = (2^-(k+1) - beta) 2^k sigma / gamma + 2^k mean - theta

A neuron's n-th threshold b + n theta is the membrane potential at which 2^k BN(x) passes n - 1/2.
Counting the thresholds passed is therefore the rounding quantiser.

Why nothing is lost. Every channel gets a unit, a power of two, in which its weights and theta are
rounded to integers and b to a half-odd number, b = offset - 1/2. Spikes are integers, hence so is
the membrane V: it never meets a threshold exactly, no sum is ever rounded, and the order of the
additions cannot matter. A neuron is at rest, d = max(V, b) - Q neither above theta nor below 0,
if and only if its net spike count is

    n = max(V - offset, 0) // theta.

The ANN on the same grid, whose activation *is* that floor division of its own weighted sum, gives
the same integers: the first layers' sums are equal because the inputs are, so at rest their counts
are equal, so the second layers' sums are equal, and so on to the last. The grid moves a threshold
by about a millionth of itself; what that costs in accuracy, beside the ANN in single precision, is
reported, not assumed. The grid's base lies 1e-5 theta below the method's, because the quantiser that
the network was trained with adds 1e-5 before it rounds: of all differences between the two, nine in
ten came from there.

Where a layer receives from several nodes, as residual addition does, its channel's unit is one for all of them. The
first input's weights carry over, as they do where it is the only one; those of the others are brought to its scale,
rounded once: from input p, with g = gamma / sigma and values of `step_p` a spike,

    theta g_p step_p / step.

An identity has g = 1: between layers of one step it weighs just theta, and behind an average of d values theta / d,
for which theta is made a multiple of d. What batch norms and biases add to a channel is one constant of its base.

A network at rest is reached because the first layer's input never changes: it stops, then the
second layer's membranes stop changing, and each neuron then takes one spike a step towards n.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import lcm, prod
from typing import NamedTuple

import numpy as np

from ..checkpoints.checkpoint import Checkpoint
from ..errors import LosslessError
from ..networks.graph import IMAGE, Convolution, Graph, Identity, Quantiser, parameter_prefix
from ..networks.quantiser import BATCH_NORM_EPS, MEMBRANE_BITS, ROUNDING_SHIFT, WEIGHT_BITS
from .spiking_network import InputIntegers, Peaks, SpikingLayer, SpikingMetadata, SpikingNetwork, largest_logit

# A threshold has this many bits less k, since counts double with k, but no less than the second number:
# membranes of LeNet's convolutions fit 32 bits then.
THRESHOLD_BITS, LEAST_THRESHOLD_BITS = 23, 20
# Where a neuron has more inputs than the first number, its membrane hardly fits 32 bits in any case, and errors of
# many weights add up, in deep networks layer after layer: so many bits more.
MANY_INPUTS, MORE_BITS = 512, 6
# The first layer's membranes are computed once, in 64 bits. Its inputs have bits of their own, and so many more bits
# than those the threshold gets; but no more than the second number in all, so that 64-bit floats hold the sums, too.
FIRST_LAYER_BITS, MOST_FIRST_LAYER_BITS = 8, 20


# Thresholds are multiples of the divisors of averages that identities come from, as far as these are small.
LARGEST_DIVISOR = 4096


def convert(checkpoint: Checkpoint) -> SpikingNetwork:
    """The spiking network of a quantised checkpoint.

    Raises LosslessError for FP32 (it has no levels to count), and where the sums of a layer could
    leave the range of its membranes.
    """
    if checkpoint.k is None:
        raise LosslessError("an FP32 network has no spiking version: train one with --precision k<N>")
    trained, recipe = checkpoint.metadata, checkpoint.metadata.recipe
    identity = {
        "experiment": trained.experiment,
        "budget": trained.budget,
        "precision": trained.precision,
        "seed": trained.seed,
        "dataset": recipe.dataset,
        "network": recipe.network,
        "padding": recipe.padding,
        "upper_bound": recipe.upper_bound,
        "checkpoint_sha256": checkpoint.sha256,
    }
    inputs = SpikingMetadata(**identity, readout_exponent=0).inputs
    converted = convert_parameters(checkpoint.graph, checkpoint.parameters, checkpoint.k, inputs)
    metadata = SpikingMetadata(**identity, readout_exponent=converted.readout_exponent)
    return SpikingNetwork(converted.hidden, converted.readout, metadata, converted.readout_offset)


class Converted(NamedTuple):
    """What a spiking network is made of, see `SpikingNetwork`."""

    hidden: tuple[SpikingLayer, ...]
    readout: np.ndarray
    readout_offset: np.ndarray | None
    readout_exponent: int


def convert_parameters(
    graph: Graph, parameters: Mapping[str, np.ndarray], k: int | None, inputs: InputIntegers
) -> Converted:
    """The spiking layers and the output of a network with these parameters.

    Args:
        graph: The network.
        parameters: float32, by the names and of the shapes that `networks.graph.parameter_shapes` gives.
        k: Level of the quantiser of layers that have none of their own.
        inputs: What the images' integers are.

    Raises:
        LosslessError: Where the sums of a layer could leave the range of its membranes, or its numbers have no grid.
    """
    peaks = Peaks(graph, inputs)
    hidden = []
    for index in graph.neurons:
        hidden.append(_spiking_layer(graph, parameters, index, k, inputs))
        peaks.add(index, hidden[-1])
    output = len(graph.nodes)
    unit = unit_of(graph, graph.output.source, k, inputs)
    readout = parameters[f"{output}.weight"]
    bias = parameters[f"{output}.bias"].astype(np.float64) * unit.level if graph.output.bias else None
    exponent = _readout_exponent(readout, bias, peaks.of_output)
    offset = None if bias is None else _offsets(bias, exponent)
    return Converted(tuple(hidden), readout, offset, exponent)


class Unit(NamedTuple):
    """What one count of a node stands for: an activation of step / divisor."""

    step: float
    divisor: int

    @property
    def level(self) -> float:
        """Counts that an activation of 1 stands for."""
        return self.divisor / self.step


def unit_of(graph: Graph, source: int, k: int | None, inputs: InputIntegers) -> Unit:
    """The unit of a node's counts; the image's integers count 2^-bits."""
    if source == IMAGE:
        return Unit(2.0**-inputs.bits, 1)
    if source in graph.neurons:
        return Unit(graph.quantiser(source, k).step, 1)
    node = graph.nodes[source]
    step, divisor = unit_of(graph, node.source, k, inputs)
    return Unit(step, divisor * prod(node.kernel) if node.pooling == "average" else divisor)


def _threshold_bits(graph: Graph, index: int, quantiser: Quantiser, k: int | None, inputs: InputIntegers) -> int:
    """Bits of a layer's thresholds."""
    if graph.nodes[index].quantiser is not None:
        k = (quantiser.levels or 1).bit_length() - 1
    bits = max(THRESHOLD_BITS - k, LEAST_THRESHOLD_BITS)
    if set(graph.sources(index)) == {IMAGE}:
        return bits + min(inputs.bits + FIRST_LAYER_BITS, MOST_FIRST_LAYER_BITS)
    fan_in = sum(prod(layer.weight_shape[1:]) for layer in graph.geometry[index])
    return bits + MORE_BITS if fan_in > MANY_INPUTS else bits


class Normalised(NamedTuple):
    """One input of a layer of neurons: weights (filters, C / groups, kh, kw), and batch norm (filters,), of one type.

    It gives gamma (W x - mean) / sigma + beta.
    """

    weight: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        return self.gamma / self.sigma

    @property
    def constant(self) -> np.ndarray:
        """What it gives for an input of zeros."""
        return self.beta - self.gain * self.mean


def normalised(graph: Graph, parameters: Mapping[str, np.ndarray], index: int, dtype: type) -> tuple[Normalised, ...]:
    """The inputs of a layer of neurons, in `dtype`; a bias is part of the mean, or of beta without batch norm."""
    parts = []
    for number, (part, layer) in enumerate(zip(graph.inputs(index), graph.geometry[index], strict=True)):
        prefix, filters = parameter_prefix(index, number), layer.out_shape[0]
        zero, one = np.zeros(filters, dtype), np.ones(filters, dtype)
        if isinstance(part, Identity):
            parts.append(Normalised(np.ones(layer.weight_shape, dtype), one, zero, zero, one))
            continue
        weight = parameters[f"{prefix}weight"].astype(dtype)
        bias = parameters[f"{prefix}bias"].astype(dtype) if part.bias else zero
        if not part.batch_norm:
            parts.append(Normalised(weight, one, bias, zero, one))
            continue
        gamma, beta, mean, variance = (
            parameters[f"{prefix}{name}"].astype(dtype) for name in ("gamma", "beta", "mean", "variance")
        )
        sigma = np.sqrt(variance + dtype(BATCH_NORM_EPS))
        parts.append(Normalised(weight, gamma, beta, mean - bias if part.bias else mean, sigma))
    return tuple(parts)


def thresholds(
    parts: tuple[Normalised, ...], quantiser: Quantiser, unit: Unit
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of the first input (filters, C, kh, kw), thresholds and bases (filters,) of a layer, in their type.

    `unit` is that of the first input. gamma < 0: gamma (x - mean) / sigma = |gamma| ((-x) - (-mean)) / sigma, so the
    filter, the mean and gamma are negated. gamma = 0: the first input adds beta alone, and its weights are 0. Where it
    is the only one, the output is q(relu(beta)) whatever the input; a neuron without weights whose base lies that many
    thresholds below 0 fires just that often.
    """
    weight, gamma, beta, mean, sigma = parts[0]
    dtype = weight.dtype.type
    for other in parts[1:]:
        beta = beta + other.constant
    sign = np.where(gamma < 0, -1, 1).astype(dtype)
    constant = gamma == 0
    # theta where one count of the input is one of the output's steps
    ratio, level = dtype(quantiser.step * unit.divisor / unit.step), dtype(unit.level)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        threshold = ratio * sigma / np.abs(gamma)
        base = (dtype(0.5) * ratio - beta * level) * sigma / np.abs(gamma) + level * mean * sign - threshold
    due = beta / dtype(quantiser.step)
    if len(parts) == 1:
        due = _rounded(np.maximum(due, 0), quantiser)
    weight = np.where(constant, 0, sign)[:, None, None, None] * weight
    return weight, np.where(constant, 1, threshold), np.where(constant, -(due + dtype(0.5)), base)


def _rounded(levels: np.ndarray, quantiser: Quantiser) -> np.ndarray:
    """The quantiser's counts for activations of so many `levels`, shifted where its rounding is not the method's."""
    if quantiser.shift == ROUNDING_SHIFT:
        return np.rint(levels + levels.dtype.type(ROUNDING_SHIFT))
    return np.maximum(np.floor(levels + (0.5 + quantiser.shift)), 0) - quantiser.shift


def _spiking_layer(
    graph: Graph, parameters: Mapping[str, np.ndarray], index: int, k: int | None, inputs: InputIntegers
) -> SpikingLayer:
    """Convert the layer of neurons `index`."""
    quantiser, where = graph.quantiser(index, k), graph.place(index)
    bits = _threshold_bits(graph, index, quantiser, k, inputs)
    units = [unit_of(graph, source, k, inputs) for source in graph.sources(index)]
    input_exponent = 0
    if graph.sources(index)[0] == IMAGE and graph.nodes[index].quantiser is None:
        # The image's integers are p: what the layer receives is 2^k x = 2^(k - bits) p.
        units[0], input_exponent = Unit(quantiser.step, 1), k - inputs.bits
    parts = normalised(graph, parameters, index, np.float64)
    _, threshold, base = thresholds(parts, quantiser, units[0])
    # What the quantiser adds before rounding, the method's base leaves out.
    base = base - quantiser.shift * threshold
    single = thresholds(normalised(graph, parameters, index, np.float32), quantiser, units[0])
    largest = np.abs(single[0]).max(axis=(1, 2, 3)).astype(np.float64)
    if (beyond := ~np.isfinite(single[1]) | ~np.isfinite(single[2])).any():
        raise LosslessError(
            f"{where}, channel {int(beyond.argmax())}: threshold or base beyond 32-bit floats; "
            "look at the batch norm's gamma and variance"
        )
    branches = [
        threshold[:, None, None, None] * (part.gain[:, None, None, None] * part.weight)
        * (unit.step / unit.divisor / quantiser.step)
        for part, unit in zip(parts[1:], units[1:], strict=True)
    ]  # fmt: skip
    # The unit gives the threshold its bits, but the weights no more than theirs.
    exponent = np.maximum(
        np.floor(np.log2(threshold)).astype(np.int64) - bits, _weight_exponent(largest, input_exponent)
    )
    for branch in branches:
        exponent = np.maximum(exponent, _weight_exponent(np.abs(branch).max(axis=(1, 2, 3)), 0))
    shares = [_share(part, unit, quantiser) for part, unit in zip(graph.inputs(index), units, strict=True)]
    multiple = _multiple([share for share in shares[1:] if share])
    steps = multiple * np.rint(np.ldexp(threshold, -exponent) / multiple)
    scaled = np.ldexp(base, -exponent)
    # A threshold is passed where it is reached; those of the method, irrational but by chance, where they are exceeded.
    offset = np.floor(scaled) + 1 if quantiser.shift == ROUNDING_SHIFT else np.ceil(scaled)
    if (lost := steps < 1).any():
        channel = int(lost.argmax())
        raise LosslessError(
            f"{where}, channel {channel}: the threshold {threshold[channel]:.3g} is lost beside weights of "
            f"{largest[channel]:.3g}; look at the batch norm's gamma and variance"
        )
    # Beyond what 64 bits hold in any case; as integers, their sums are checked later.
    limit = 2.0**MEMBRANE_BITS
    steps = np.minimum(steps, limit).astype(np.int64)
    return SpikingLayer(
        *single,
        exponent - input_exponent,
        steps,
        np.clip(offset, -limit, limit).astype(np.int64),
        tuple(
            _shared(steps, share)
            if share
            else np.rint(np.ldexp(branch, -exponent[:, None, None, None])).astype(np.int32)
            for branch, share in zip(branches, shares[1:], strict=True)
        ),
        quantiser.levels,
    )


def _weight_exponent(largest: np.ndarray, input_exponent: int) -> np.ndarray:
    """The smallest unit in which weights of up to `largest` (filters,) fit their integers."""
    log = np.log2(np.maximum(largest, np.finfo(np.float32).tiny))
    return np.ceil(log).astype(np.int64) + (input_exponent - WEIGHT_BITS)


def _share(part: Convolution | Identity, unit: Unit, quantiser: Quantiser) -> Fraction | None:
    """The share of a threshold that one count of an identity is; None for a convolution."""
    if isinstance(part, Convolution):
        return None
    return Fraction(unit.step) / (Fraction(quantiser.step) * unit.divisor)


def _multiple(shares: list[Fraction]) -> int:
    """What thresholds must be multiples of so that these shares of them are integers, as far as that is small."""
    multiple = lcm(*(share.denominator for share in shares))
    return multiple if multiple <= LARGEST_DIVISOR else 1


def _shared(steps: np.ndarray, share: Fraction) -> np.ndarray:
    """The weights (filters, 1, 1, 1), int32, of an identity of that `share` of thresholds (filters,)."""
    return np.array([round(share * int(step)) for step in steps], dtype=np.int32)[:, None, None, None]


def _readout_exponent(weight: np.ndarray, bias: np.ndarray | None, peak: np.ndarray) -> int:
    """The smallest unit in which output weights, and the logits that they can add up to, fit."""
    exponent = int(np.ceil(np.log2(max(np.abs(weight).max(), np.finfo(np.float32).tiny)))) - WEIGHT_BITS
    offset = 0 if bias is None else Fraction(float(np.abs(bias).max()))
    while largest_logit(weight, exponent, peak) + offset / Fraction(2) ** exponent >= 2**MEMBRANE_BITS:
        exponent += 1
    return exponent


def _offsets(bias: np.ndarray, exponent: int) -> np.ndarray:
    """What a bias adds to logits in units of 2^exponent, int64."""
    return np.rint(np.ldexp(bias, -exponent)).astype(np.int64)
