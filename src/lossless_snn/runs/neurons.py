"""neurons.csv: what negative spikes buy; one network with three kinds of neuron, step by step.

signed              the method's neuron
unsigned            the same without negative spikes: what it fired too early stays
integrate-and-fire  the usual neuron, see `simulation.integrate_and_fire`
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from ..errors import LosslessError
from ..files.records import Amount, Positive, Record, Share, check_never_falls, described, read_csv, write_csv

FILE = "neurons.csv"

Neuron = Literal["signed", "unsigned", "integrate-and-fire"]
NEURONS: tuple[Neuron, ...] = get_args(Neuron)


class NeuronRecord(Record):
    """A row of neurons.csv: one kind of neuron after one time step, over all images.

    The last three are the same in all rows.
    """

    neuron: Neuron = described("Kind of neuron")
    time_step: Positive = described("Number of the time step, from 1", "steps")
    accuracy: Share = described("Share of the images predicted right at this step", "1")
    spikes_per_image: Amount = described("Spikes of either sign so far, mean over the images", "spikes")
    operations_per_image: Amount = described("Synaptic operations so far, mean over the images", "operations")
    images: Positive = described("Test images, the first ones", "images")
    ann_accuracy: Share = described("Accuracy of the ANN on the same images", "1")
    unquantised_accuracy: Share = described("Accuracy of the ANN without its quantisers on the same images", "1")


def write(path: Path, rows: Iterable[NeuronRecord]) -> None:
    """Write neurons.csv, atomically."""
    write_csv(path, NeuronRecord, rows)


def read_neurons(path: Path) -> pd.DataFrame:
    """neurons.csv as a frame with the columns of `NeuronRecord`, one row for each neuron and time step.

    Raises LosslessError where it is missing or malformed.
    """
    shared = ("images", "ann_accuracy", "unquantised_accuracy")
    rows = read_csv(NeuronRecord, path, "make it by lossless-snn compare-neurons", shared=shared)
    steps = max(row.time_step for row in rows)
    expected = [(neuron, step) for neuron in NEURONS for step in range(1, steps + 1)] if steps <= len(rows) else None
    if [(row.neuron, row.time_step) for row in rows] != expected:
        raise LosslessError(f"{path}: not one row for each neuron and time step; make it again")
    for start in range(0, len(rows), steps):
        check_never_falls(rows[start : start + steps], ("spikes_per_image", "operations_per_image"), path)
    return pd.DataFrame([row.model_dump() for row in rows])
