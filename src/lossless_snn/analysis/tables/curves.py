"""Curves as tables, one row a point: accuracy_by_step.csv and training.csv, which `dvc plots` draws."""

import pandas as pd

from ...runs.directory import RunDirectory
from ..results import Results


def accuracy_by_step(results: Results) -> pd.DataFrame:
    """`Results.accuracy_curves`; no rows where there are only FP32 runs."""
    columns = ["precision", "seed", "time_step", "accuracy"]
    return results.accuracy_curves[columns] if any(run.snn for run in results.runs) else pd.DataFrame(columns=columns)


def training_curves(results: Results) -> pd.DataFrame:
    """Loss and accuracy after each epoch: precision, seed, epoch, images, loss, accuracy.

    `images` are those of "training" or "validation"; no rows for validation where nothing is held
    out, and none of a run without history.csv. Raises LosslessError where that file is no history.
    """
    histories = [_history(run) for run in results.runs if run.history()]
    columns = ["precision", "seed", "epoch", "images", "loss", "accuracy"]
    return pd.concat(histories, ignore_index=True)[columns] if histories else pd.DataFrame(columns=columns)


def _history(run: RunDirectory) -> pd.DataFrame:
    """One run's rows of `training_curves`."""
    # Without held-out images their columns hold None, which would make objects of all numbers beside it.
    wide = pd.DataFrame([row.model_dump() for row in run.history()]).astype(float).astype({"epoch": int})
    parts = {
        images: wide[["epoch", f"{column}_loss", f"{column}_accuracy"]].set_axis(["epoch", "loss", "accuracy"], axis=1)
        for images, column in (("training", "train"), ("validation", "validation"))
    }
    long = pd.concat([part.assign(images=images) for images, part in parts.items()]).dropna()
    return long.assign(precision=run.ann.precision, seed=run.ann.seed)
