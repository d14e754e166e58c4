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

A network at rest is reached because the first layer's input never changes: it stops, then the
second layer's membranes stop changing, and each neuron then takes one spike a step towards n.
"""

from math import prod

import numpy as np

from ..checkpoints.checkpoint import Checkpoint
from ..errors import LosslessError
from ..networks import notation
from ..networks.quantiser import BATCH_NORM_EPS, MEMBRANE_BITS, ROUNDING_SHIFT, WEIGHT_BITS
from .spiking_network import SpikingLayer, SpikingMetadata, SpikingNetwork, largest_counts, largest_logit

# A threshold has this many bits less k, since counts double with k, but no less than the second number:
# membranes of LeNet's convolutions fit 32 bits then.
THRESHOLD_BITS, LEAST_THRESHOLD_BITS = 23, 20
# Where a neuron has more inputs than the first number, its membrane hardly fits 32 bits in any case, and errors of
# many weights add up, in deep networks layer after layer: so many bits more.
MANY_INPUTS, MORE_BITS = 512, 6
# The first layer's membranes are computed once, in 64 bits. Its inputs have bits of their own, and so many more bits
# than those the threshold gets; but no more than the second number in all, so that 64-bit floats hold the sums, too.
FIRST_LAYER_BITS, MOST_FIRST_LAYER_BITS = 8, 20


def convert(checkpoint: Checkpoint) -> SpikingNetwork:
    """The spiking network of a quantised checkpoint.

    Raises LosslessError for FP32 (it has no levels to count), and where the sums of a layer could
    leave the range of its membranes.
    """
    if checkpoint.k is None:
        raise LosslessError("an FP32 network has no spiking version: train one with --precision k<N>")
    layers, k = checkpoint.layers, checkpoint.k
    encoding = checkpoint.data.encoding
    # The largest absolute value an input of the layer can have, by channel: the image's at first, then spike counts.
    peak = np.full(layers[0].in_shape[0], encoding.peak(checkpoint.data.shape), dtype=object)
    hidden = []
    for index, layer in enumerate(layers[:-1]):
        # The first layer's integers are the image's, p: what it receives is 2^k x = 2^(k - bits) p.
        input_exponent, signed = (k - encoding.bits, encoding.signed) if index == 0 else (0, False)
        bits = _threshold_bits(layer, k, encoding.bits if index == 0 else None)
        where = f"layer {index + 1} ({layer.token})"
        hidden.append(_spiking_layer(checkpoint.parameters, index, k, input_exponent, bits, where))
        peak = largest_counts(hidden[-1], peak, signed, where)
    readout = checkpoint.parameters[f"{len(layers) - 1}.weight"]
    trained, recipe = checkpoint.metadata, checkpoint.metadata.recipe
    metadata = SpikingMetadata(
        experiment=trained.experiment,
        budget=trained.budget,
        precision=trained.precision,
        seed=trained.seed,
        dataset=recipe.dataset,
        network=recipe.network,
        padding=recipe.padding,
        readout_exponent=_readout_exponent(readout, peak),
        checkpoint_sha256=checkpoint.sha256,
    )
    return SpikingNetwork(tuple(hidden), readout, metadata)


def _threshold_bits(layer: notation.Layer, k: int, input_bits: int | None) -> int:
    """Bits of a layer's thresholds; `input_bits` are those of the image, for the first layer."""
    bits = max(THRESHOLD_BITS - k, LEAST_THRESHOLD_BITS)
    if input_bits is not None:
        return bits + min(input_bits + FIRST_LAYER_BITS, MOST_FIRST_LAYER_BITS)
    return bits + MORE_BITS if prod(layer.weight_shape[1:]) > MANY_INPUTS else bits


def thresholds(
    parameters: dict[str, np.ndarray], index: int, k: int, dtype: type = np.float64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (filters, C, kh, kw), thresholds and bases (filters,) of layer `index`, computed in `dtype`.

    gamma < 0: gamma (x - mean) / sigma = |gamma| ((-x) - (-mean)) / sigma, so the filter, the mean
    and gamma are negated. gamma = 0: the output is q_k(relu(beta)) whatever the input; a neuron
    without weights whose base lies that many thresholds below 0 fires just that often.
    """
    weight, gamma, beta, mean, variance = (
        parameters[f"{index}.{name}"].astype(dtype) for name in ("weight", "gamma", "beta", "mean", "variance")
    )
    sign = np.where(gamma < 0, -1, 1).astype(dtype)
    constant = gamma == 0
    sigma = np.sqrt(variance + dtype(BATCH_NORM_EPS))
    level = dtype(2**k)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        threshold = sigma / np.abs(gamma)
        base = (dtype(0.5) / level - beta) * level * sigma / np.abs(gamma) + level * mean * sign - threshold
    fired = np.rint(np.maximum(beta, 0) * level + dtype(ROUNDING_SHIFT))
    weight = np.where(constant, 0, sign)[:, None, None, None] * weight
    return weight, np.where(constant, 1, threshold), np.where(constant, -(fired + dtype(0.5)), base)


def _spiking_layer(
    parameters: dict[str, np.ndarray], index: int, k: int, input_exponent: int, bits: int, where: str
) -> SpikingLayer:
    """Convert layer `index`, whose thresholds get so many `bits`, and whose inputs are in units of 2^input_exponent."""
    _, threshold, base = thresholds(parameters, index, k)
    # What the quantiser adds before rounding, the method's base leaves out.
    base = base - ROUNDING_SHIFT * threshold
    single = thresholds(parameters, index, k, np.float32)
    largest = np.abs(single[0]).max(axis=(1, 2, 3)).astype(np.float64)
    if (beyond := ~np.isfinite(single[1]) | ~np.isfinite(single[2])).any():
        raise LosslessError(
            f"{where}, channel {int(beyond.argmax())}: threshold or base beyond 32-bit floats; "
            "look at the batch norm's gamma and variance"
        )
    # The unit gives the threshold its bits, but the weights no more than theirs.
    exponent = np.maximum(
        np.floor(np.log2(threshold)).astype(np.int64) - bits,
        np.ceil(np.log2(np.maximum(largest, np.finfo(np.float32).tiny))).astype(np.int64)
        + (input_exponent - WEIGHT_BITS),
    )
    steps, offset = np.rint(np.ldexp(threshold, -exponent)), np.floor(np.ldexp(base, -exponent)) + 1
    if (lost := steps < 1).any():
        channel = int(lost.argmax())
        raise LosslessError(
            f"{where}, channel {channel}: the threshold {threshold[channel]:.3g} is lost beside weights of "
            f"{largest[channel]:.3g}; look at the batch norm's gamma and variance"
        )
    # Beyond what 64 bits hold in any case; as integers, their sums are checked below.
    limit = 2.0**MEMBRANE_BITS
    return SpikingLayer(
        *single, exponent - input_exponent, np.minimum(steps, limit).astype(np.int64),
        np.clip(offset, -limit, limit).astype(np.int64),
    )  # fmt: skip


def _readout_exponent(weight: np.ndarray, peak: np.ndarray) -> int:
    """The smallest unit in which output weights, and the logits that they can add up to, fit."""
    exponent = int(np.ceil(np.log2(max(np.abs(weight).max(), np.finfo(np.float32).tiny)))) - WEIGHT_BITS
    while largest_logit(weight, exponent, peak) >= 2**MEMBRANE_BITS:
        exponent += 1
    return exponent
