"""What negative spikes buy: one network with three kinds of neuron, step by step, as stored in neurons.csv.

signed              the method's neuron
unsigned            the same without negative spikes: what it fired too early stays
integrate-and-fire  the usual neuron, see `simulation.rate_coding`
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .artifacts import replacing
from .errors import LosslessError
from .measures import Measures
from .results import Results

FILE = "neurons.csv"
NEURONS = ("signed", "unsigned", "integrate-and-fire")
# Spikes and operations are those so far; the last three are the same in all rows. Accuracies of the
# ANN, with and without its quantisers, are those on the same images.
COLUMNS = ["neuron", "time_step", "accuracy", "spikes_per_image", "operations_per_image"]
COLUMNS += ["images", "ann_accuracy", "unquantised_accuracy"]

# An accuracy this far below the ANN's, as a share of the images, still counts as the ANN's.
TOLERANCE = 0.001


def write_comparison(
    path: Path, by_neuron: Mapping[str, Measures], images: int, ann_accuracy: float, unquantised_accuracy: float
) -> None:
    """Write neurons.csv: a row for each neuron and time step (from 1), over all `images`."""
    curves = []
    for neuron, measures in by_neuron.items():
        totals = (measures.accuracy, measures.spike_num, measures.sop_num)
        values = np.sum(totals, axis=1) / images
        curve = pd.DataFrame(dict(zip(COLUMNS[2:5], values, strict=True)))
        curves.append(curve.assign(neuron=neuron, time_step=curve.index + 1))
    constants = {"images": images, "ann_accuracy": ann_accuracy, "unquantised_accuracy": unquantised_accuracy}
    with replacing(path) as partial:
        pd.concat(curves).assign(**constants)[COLUMNS].to_csv(partial, index=False)


def load_comparison(results: Results) -> pd.DataFrame:
    """neurons.csv of all spiking runs under one another, with columns precision and seed before its own.

    Raises LosslessError where a file is missing or malformed, or where the runs were compared
    over different images or steps.
    """
    curves = []
    for run in results.spiking:
        curve = _read(run.path / FILE)
        if curves and not curve[["neuron", "time_step", "images"]].equals(curves[0][["neuron", "time_step", "images"]]):
            raise LosslessError(f"{run.path / FILE}: other images or steps than {results.spiking[0].path / FILE}")
        curve.insert(0, "precision", run.ann.precision)
        curve.insert(1, "seed", run.ann.seed)
        curves.append(curve)
    return pd.concat(curves, ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
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


def summarise(comparison: pd.DataFrame) -> pd.DataFrame:
    """One row a run and neuron: accuracy, spikes and operations at the last step, and when it caught up.

    `time_steps_to_ann` is the step from which the accuracy stays no more than 0.1 points below the
    ANN's on the same images, `spikes_to_ann` and `operations_to_ann` are those up to there; NaN
    where it does not get there.
    """
    groups = comparison.groupby(["precision", "seed", "neuron"], sort=False)
    return pd.DataFrame([_summary(curve) for _, curve in groups])


def _summary(curve: pd.DataFrame) -> pd.Series:
    last = curve.iloc[-1].drop("time_step")
    # In images, because shares are rounded.
    images = last["images"]
    short = ((curve["ann_accuracy"] - curve["accuracy"]) * images).round() > TOLERANCE * images
    behind = np.flatnonzero(short)
    first = behind[-1] + 1 if len(behind) else 0
    caught_up = curve.iloc[first] if first < len(curve) else pd.Series(dtype=float)
    last["accuracy_difference"] = last["accuracy"] - last["ann_accuracy"]
    last["simulated_steps"] = len(curve)
    for name, source in (
        ("time_steps", "time_step"),
        ("spikes", "spikes_per_image"),
        ("operations", "operations_per_image"),
    ):
        last[f"{name}_to_ann"] = caught_up.get(source, np.nan)
    return last
