"""A spiking network on integers of few bits: post-training, of the network that conversion gives.

Per channel c, with weights W, threshold theta and base b, the unit s makes the largest weight the largest integer:

    s = max |W| / (2^(weight_bits - 1) - 1),    w = round(W / s),    theta' = round(theta / s),    b' = b / s, half-odd

The unit is any number: a channel's weights, threshold and base have it in common, and none is multiplied by it.

A membrane is stored as U = V - Q, how far it is above its shadow, a signed integer of membrane_bits; in the first
layer, whose inputs are pixels, with as many bits more as the largest pixel has. The sum that arrives in one step is
not stored. Two choices where U may not fit:

refuse    the bound that holds for every image must fit, else nothing is converted. Nothing saturates.
saturate  U stays at the nearest value that fits. The unit is so coarse that U holds 2^(3 + k) thresholds (a level is
          2^-k), but takes no more than a third of its bits for that.

The certificate compares with the quantised network of the same integers: nothing differs where nothing saturates.
"""

from dataclasses import replace

import numpy as np

from ..errors import LosslessError
from .spiking_network import Peaks, SpikingLayer, SpikingNetwork, Widths

# A membrane that may saturate holds 2^(this + k) thresholds, but no more of its bits than a third are for that.
_HELD_BITS = 3


def narrow(network: SpikingNetwork, widths: Widths) -> SpikingNetwork:
    """The network with weights and membranes of so many bits.

    Args:
        network: A conversion at full width.
        widths: Bits, and what happens where a membrane does not fit.

    Raises:
        LosslessError: Where a threshold is lost beside the weights, or, to be refused, a membrane may not fit; it
            names layer, channel and the bits that are needed.
    """
    layers = network.graph.chain("a network of few bits")
    narrowed = replace(network, metadata=network.metadata.model_copy(update={"widths": widths}))
    peaks = Peaks(network.graph, network.inputs)
    hidden: list[SpikingLayer] = []
    for index, (layer, spiking) in enumerate(zip(layers, network.hidden, strict=False)):
        where = f"layer {index + 1} ({layer.token})"
        input_exponent = network.k - network.inputs.bits if index == 0 else 0
        bits = narrowed.membrane_bits(index)
        hold = min(_HELD_BITS + network.k, widths.membrane_bits // 3) if narrowed.saturates else None
        hidden.append(_narrow_layer(spiking, widths.weight_bits, bits, hold, input_exponent, where))
        if not narrowed.saturates:
            _check_fit(hidden[-1], peaks.of(index - 1), bits, where)
        peaks.add(index, hidden[-1])
    return replace(narrowed, hidden=tuple(hidden))


def _narrow_layer(
    layer: SpikingLayer, weight_bits: int, membrane_bits: int, hold: int | None, input_exponent: int, where: str
) -> SpikingLayer:
    """One layer in its new units; its inputs are in units of 2^input_exponent.

    A membrane holds 2^hold thresholds, if that is given.
    """
    weight, threshold, base = (array.astype(np.float64) for array in (layer.weight, layer.threshold, layer.base))
    largest = np.abs(weight).max(axis=(1, 2, 3))
    # Of a channel without weights: any unit in which the threshold is exact enough.
    largest = np.where(largest == 0, threshold, largest)
    # A grid's integers count the pixels' units, too.
    unit = largest / (2 ** (weight_bits - 1) - 1)
    on_inputs = np.ldexp(threshold, -input_exponent)
    if hold is not None:
        unit = np.maximum(unit, np.ldexp(on_inputs, hold - (membrane_bits - 1)))
    steps = np.rint(on_inputs / unit)
    if (lost := steps < 1).any():
        channel = int(lost.argmax())
        raise LosslessError(
            f"{where}, channel {channel}: with weights of {weight_bits} bits its threshold is "
            f"{on_inputs[channel] / unit[channel]:.3g} units, and would be lost; give weights more bits"
        )
    return SpikingLayer(
        np.rint(weight / unit[:, None, None, None]).astype(np.float32),
        (threshold / unit).astype(np.float32),
        (base / unit).astype(np.float32),
        np.zeros(len(unit), np.int64),
        steps.astype(np.int64),
        (np.floor(np.ldexp(base, -input_exponent) / unit) + 1).astype(np.int64),
        upper_stop=layer.upper_stop,
    )


def _check_fit(layer: SpikingLayer, peak: np.ndarray, bits: int, where: str) -> None:
    """Raise LosslessError unless U fits its bits for inputs of absolute values up to `peak` (C,)."""
    reach = np.abs(layer.grid_weight.astype(np.int64)).sum(axis=(2, 3)).astype(object) @ peak
    most = reach + abs(layer.grid_offset.astype(object)) + layer.grid_threshold.astype(object)
    needed = [int(value).bit_length() + 1 for value in most]
    if max(needed) > bits:
        channel = int(np.argmax(needed))
        raise LosslessError(
            f"{where}, channel {channel}: membranes may need {needed[channel]} bits, more than {bits}; give "
            "--membrane-bits more, or let them saturate (--overflow saturate)"
        )
