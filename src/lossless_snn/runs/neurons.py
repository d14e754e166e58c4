"""What negative spikes buy: one network with three kinds of neuron, step by step, as stored in neurons.csv.

signed              the method's neuron
unsigned            the same without negative spikes: what it fired too early stays
integrate-and-fire  the usual neuron, see `simulation.integrate_and_fire`
"""

from pathlib import Path

import pandas as pd

from ..errors import LosslessError

FILE = "neurons.csv"
NEURONS = ("signed", "unsigned", "integrate-and-fire")
# Spikes and operations are those so far; the last three are the same in all rows. Accuracies of the
# ANN, with and without its quantisers, are those on the same images.
COLUMNS = ["neuron", "time_step", "accuracy", "spikes_per_image", "operations_per_image"]
COLUMNS += ["images", "ann_accuracy", "unquantised_accuracy"]


def read_neurons(path: Path) -> pd.DataFrame:
    """neurons.csv, checked; raises LosslessError where it is missing or malformed."""
    try:
        curve = pd.read_csv(path)
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}; make it by lossless-snn compare-neurons") from None
    except ValueError as error:
        raise LosslessError(f"{path}: not a CSV table ({error}); make it again") from None
    if missing := [column for column in COLUMNS if column not in curve]:
        raise LosslessError(f"{path}: no column {', '.join(missing)}; make it again")
    steps = curve["time_step"].max()
    expected = [(neuron, step) for neuron in NEURONS for step in range(1, int(steps) + 1)] if len(curve) else None
    if list(zip(curve["neuron"], curve["time_step"], strict=True)) != expected:
        raise LosslessError(f"{path}: not one row for each neuron and time step; make it again")
    return curve
