"""predictions.csv: what the ANN takes each test image for, to compare networks image by image."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import LosslessError
from ..files.records import Natural, Record, described, read_csv, write_csv
from .ann import AnnRecord

FILE = "predictions.csv"


class PredictionRecord(Record):
    """A row of predictions.csv: a test image, in the order of the test set."""

    label: Natural = described("Class of the image")
    prediction: Natural = described("Class that the ANN predicts, in 64-bit floats")


def write(path: Path, rows: Iterable[PredictionRecord]) -> None:
    """Write predictions.csv, atomically."""
    write_csv(path, PredictionRecord, rows)


def read(folder: Path, ann: AnnRecord) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions, int64 (images,), of the network whose run directory `folder` is.

    Raises:
        LosslessError: The file is missing, malformed, or of other images or another network than ann.json.
    """
    path = folder / FILE
    rows = read_csv(PredictionRecord, path, f"make it with `lossless-snn predict CHECKPOINT --out {path}`")
    labels, predictions = (np.array([getattr(row, name) for row in rows]) for name in PredictionRecord.model_fields)
    if len(rows) != ann.images or (labels == predictions).mean() != ann.accuracy:
        raise LosslessError(f"{path}: not the predictions of {folder / 'ann.json'}; make it again")
    return labels, predictions
