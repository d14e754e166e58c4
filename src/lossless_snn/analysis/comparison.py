"""What negative spikes buy: the comparison of neurons over all runs, and when each caught up with its ANN."""

import numpy as np
import pandas as pd

from ..errors import LosslessError
from ..runs import certified
from ..runs.neurons import FILE, read_neurons
from .results import Results

# An accuracy this far below the ANN's, as a share of the images, still counts as the ANN's.
TOLERANCE = 0.001

_JUDGED = ["implementation", "time_step", "images"]


def load_comparison(results: Results) -> pd.DataFrame:
    """neurons.csv of all spiking runs under one another, with columns precision and seed before its own.

    Raises LosslessError where a file is missing or malformed, or where the runs were compared
    over different images or steps.
    """
    curves = []
    for run in results.spiking:
        curve = read_neurons(run.path / FILE)
        if curves and not curve[["neuron", "time_step", "images"]].equals(curves[0][["neuron", "time_step", "images"]]):
            raise LosslessError(f"{run.path / FILE}: other images or steps than {results.spiking[0].path / FILE}")
        curve.insert(0, "precision", run.ann.precision)
        curve.insert(1, "seed", run.ann.seed)
        curves.append(curve)
    return pd.concat(curves, ignore_index=True)


def load_certified(results: Results) -> pd.DataFrame:
    """certified.csv of the spiking runs of the first seed under one another, with column precision before its own.

    Raises LosslessError where a file is missing or malformed, or where the runs were judged on different images,
    steps or implementations.
    """
    first = min(run.ann.seed for run in results.spiking)
    tables: list[pd.DataFrame] = []
    for run in results.spiking:
        if run.ann.seed != first:
            continue
        table = certified.read_certified(run.path / certified.FILE)
        if tables and not table[_JUDGED].equals(tables[0][_JUDGED]):
            raise LosslessError(f"{run.path / certified.FILE}: other implementations, images or steps than the first")
        table.insert(0, "precision", run.ann.precision)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


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
