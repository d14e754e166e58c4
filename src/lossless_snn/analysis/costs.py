"""Operations, accesses to memory and energy of a spiking network and its ANN, part by part (docs/energy.md).

Estimates, not measured on a chip. Three networks are compared, an image each:

dense FP32  every multiply-accumulate of every layer, in 32-bit floats.
quantised   the ANN at its level k, on integers: inputs that are 0 are skipped, the others have the bits that the
            largest of them needs.
spiking     additions for spikes; pixels are multiplied once.

All three keep sums in memory: an operation reads its weight, and reads and writes the sum that it adds to; an input of
the ANN is read once. Parts:

first layer      takes pixels, the same in the last two.
hidden layers    the synapses of all layers between.
output layer     its synapses.
neurons          what turns sums into activations or spikes. Of the ANN: a sum read, scaled and written as an
                 activation. Of the spiking network: an update reads membrane and net count and compares; a spike
                 changes both, and is written to a queue and read from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import pandas as pd

from ..config.energy import Hardware, OperationEnergies
from ..errors import LosslessError
from ..runs.activity import FILE, ActivityRecord, LayerActivity, read
from .results import Results

DENSE, QUANTISED, SPIKING = "dense FP32 ANN", "quantised ANN, zeros skipped", "spiking network"
PARTS = ("first layer", "hidden layers", "output layer", "neurons")
DISCLAIMER = "Estimate, not measured on a chip."

# Accesses to memory: weight, sum read, sum written; membrane and count of an update; both and the queue's of a spike.
_SYNAPSE, _UPDATE, _SPIKE = 3, 2, 4
# Of the ANN's neuron: its sum, and its activation.
_ACTIVATION = 2


@dataclass(frozen=True)
class Cost:
    """Operations and accesses of one part for one image, and picojoules of arithmetic."""

    operations: float = 0.0
    accesses: float = 0.0
    arithmetic: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.operations + other.operations, self.accesses + other.accesses, self.arithmetic + other.arithmetic
        )

    def joules(self, access: float) -> float:
        """With `access` picojoules an access to memory."""
        return (self.arithmetic + self.accesses * access) * 1e-12


def bits(largest: int) -> int:
    """Bits of unsigned integers up to `largest`, one at the least."""
    return max(int(largest).bit_length(), 1)


def dense_cost(record: ActivityRecord, energies: OperationEnergies) -> dict[str, Cost]:
    """By part, of the ANN in 32-bit floats without skipping anything; its neurons' arithmetic is left out."""
    by_layer = [
        Cost(layer.macs, _SYNAPSE * layer.macs + layer.inputs, layer.macs * energies.multiply_accumulate)
        for layer in record.layers
    ]
    neurons = sum(layer.neurons for layer in record.layers[:-1])
    return _by_part(by_layer, Cost(neurons, _ACTIVATION * neurons))


def quantised_cost(record: ActivityRecord, hardware: Hardware) -> dict[str, Cost]:
    """By part, of the ANN on integers that skips inputs of 0."""
    by_layer, neurons = [], Cost()
    for layer in record.layers:
        macs, inputs = layer.active_macs / record.images, layer.active_inputs / record.images
        each = hardware.of_multiply_accumulate(bits(layer.largest_input))
        by_layer.append(Cost(macs, _SYNAPSE * macs + inputs, macs * each))
    for layer in record.layers[:-1]:
        scaled = hardware.addition + hardware.multiplication
        neurons += Cost(layer.neurons, _ACTIVATION * layer.neurons, layer.neurons * scaled)
    return _by_part(by_layer, neurons)


def spiking_cost(record: ActivityRecord, hardware: Hardware, steps: int | None = None) -> dict[str, Cost]:
    """By part, of the spiking network in its first `steps`, or all of them."""
    first, *others = record.layers
    pixels = _sum(first.operations, steps) / record.images
    inputs = first.active_inputs / record.images
    each = hardware.of_multiply_accumulate(bits(first.largest_input))
    by_layer = [Cost(pixels, _SYNAPSE * pixels + inputs, pixels * each)]
    for layer in others:
        additions = _sum(layer.operations, steps) / record.images
        by_layer.append(Cost(additions, _SYNAPSE * additions, additions * hardware.addition))
    neurons = Cost()
    for layer in record.layers[:-1]:
        updates = _sum(layer.updates, steps) / record.images
        spikes = (_sum(layer.positive, steps) + _sum(layer.negative, steps)) / record.images
        arithmetic = (updates + 2 * spikes) * hardware.addition
        neurons += Cost(updates + 2 * spikes, _UPDATE * updates + _SPIKE * spikes, arithmetic)
    return _by_part(by_layer, neurons)


def _sum(by_step: Sequence[int], steps: int | None) -> int:
    return sum(by_step[:steps])


def _by_part(by_layer: list[Cost], neurons: Cost) -> dict[str, Cost]:
    first, *hidden, output = by_layer
    return dict(zip(PARTS, (first, sum(hidden, Cost()), output, neurons), strict=True))


def total(parts: dict[str, Cost]) -> Cost:
    """Of all parts."""
    return sum(parts.values(), Cost())


def break_even(spiking: Cost, quantised: Cost) -> float | None:
    """Picojoules an access at which both networks cost the same; None where no cost of memory makes them equal."""
    more = spiking.accesses - quantised.accesses
    saved = quantised.arithmetic - spiking.arithmetic
    return saved / more if more and saved / more >= 0 else None


def settled_percentiles(record: ActivityRecord) -> tuple[float, int, int]:
    """Mean, 99th percentile and maximum of the steps until an image settles; of those that did.

    The percentile is the smallest number of steps within which 99 % of them settle.
    """
    images = sum(record.settled)
    if not images:
        raise LosslessError("no image settled in these steps; simulate more")
    mean = sum(step * count for step, count in enumerate(record.settled)) / images
    most = max(step for step, count in enumerate(record.settled) if count)
    return mean, _settled_within(record, images), most


def step_of_most(record: ActivityRecord) -> int | None:
    """The smallest number of steps within which 99 % of all images settle; None where fewer do."""
    return _settled_within(record, record.images)


def _settled_within(record: ActivityRecord, images: int) -> int | None:
    within = accumulate(record.settled)
    return next((step for step, count in enumerate(within) if 100 * count >= 99 * images), None)


def load_activities(results: Results) -> dict[str, ActivityRecord]:
    """activity.json of the spiking runs of the first seed, by precision.

    Raises LosslessError where one is missing or malformed, or where they are over different images.
    """
    first = min(run.ann.seed for run in results.spiking)
    records = {run.ann.precision: read(run.path / FILE) for run in results.spiking if run.ann.seed == first}
    if len({record.images for record in records.values()}) > 1:
        raise LosslessError(f"{FILE}: the precisions' are over different numbers of images; make them again")
    return records


def required_hardware(results: Results) -> Hardware:
    """What arithmetic and memory cost; raises LosslessError where configuration does not say."""
    if results.energies.hardware is None:
        raise LosslessError("config/energy.yaml: hardware: missing; the breakdown needs it")
    return results.energies.hardware


def breakdown(results: Results) -> pd.DataFrame:
    """A row a precision, network and part: operations, accesses, joules of arithmetic and with each memory."""
    hardware, rows = required_hardware(results), []
    for precision, record in load_activities(results).items():
        networks = {
            DENSE: dense_cost(record, results.energies),
            QUANTISED: quantised_cost(record, hardware),
            SPIKING: spiking_cost(record, hardware),
        }
        for network, parts in networks.items():
            for part, cost in {**parts, "all": total(parts)}.items():
                row = {"precision": precision, "network": network, "part": part, "images": record.images}
                row |= {"operations": cost.operations, "accesses": cost.accesses, "arithmetic_joules": cost.joules(0)}
                rows.append(row | {f"joules_{name}": cost.joules(pj) for name, pj in hardware.memory.items()})
    return pd.DataFrame(rows)


def layer_rates(results: Results) -> pd.DataFrame:
    """A row a precision, spiking layer and time step: spikes of each sign and rates, an image each.

    A rate is spikes a neuron and step.
    """
    rows = []
    for precision, record in load_activities(results).items():
        for number, layer in enumerate(record.layers[:-1], 1):
            for step in range(record.steps):
                positive, negative = (spikes[step] / record.images for spikes in (layer.positive, layer.negative))
                row = {"precision": precision, "layer": f"{number}:{layer.token}", "time_step": step + 1}
                row |= {"neurons": layer.neurons, "positive_spikes": positive, "negative_spikes": negative}
                rows.append(
                    row | {"positive_rate": positive / layer.neurons, "negative_rate": negative / layer.neurons}
                )
    return pd.DataFrame(rows)


def layer_sums(record: ActivityRecord) -> pd.DataFrame:
    """A row a layer, an image each, all steps: spikes, operations, and their share of the dense layer's synapses."""
    return pd.DataFrame([_layer_sum(number, layer, record.images) for number, layer in enumerate(record.layers, 1)])


def _layer_sum(number: int, layer: LayerActivity, images: int) -> dict[str, object]:
    positive, negative, operations, updates = (
        sum(values) / images for values in (layer.positive, layer.negative, layer.operations, layer.updates)
    )
    return {
        "layer": f"{number}:{layer.token}",
        "neurons": layer.neurons,
        "dense_operations": layer.macs,
        "operations": operations,
        "operations_share": operations / layer.macs,
        "active_operations": layer.active_macs / images,
        "positive_spikes": positive,
        "negative_spikes": negative,
        "rate": (positive + negative) / layer.neurons,
        "updates": updates,
    }
