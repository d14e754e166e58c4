"""certified.csv: implementations of one network judged against its activations, step by step, see `certification`."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Literal

import pandas as pd

from ..errors import LosslessError, quoted
from ..files.records import (
    Amount,
    Natural,
    Positive,
    Record,
    Share,
    check_at_most,
    check_never_falls,
    check_shared,
    described,
    read_csv,
    write_csv,
)

FILE = "certified.csv"
_OF_IMPLEMENTATION = ("code", "images", "images_active", "neurons_compared", "ann_accuracy")


class CertifiedRecord(Record):
    """A row of certified.csv: one implementation after one time step, over all images.

    The last five are the same in all rows of an implementation.
    """

    implementation: str = described("Name of the implementation", min_length=1)
    time_step: Positive = described("Number of the time step, from 1", "steps")
    accuracy: Share = described("Share of the images predicted right at this step", "1")
    predictions_that_differ: Natural = described("Images of which the quantised network predicts another", "images")
    neurons_that_differ: Natural = described("Neurons half a level or more from the activation", "neurons")
    spikes_per_image: Amount = described("Spikes of either sign so far, mean over the images", "spikes")
    operations_per_image: Amount = described("Synaptic operations so far, mean over the images", "operations")
    code: Literal["sum", "rate"] = described("Whether spikes add up, or their mean over the steps counts")
    images: Positive = described("Test images, the first ones", "images")
    images_active: Natural = described("Images in which a neuron spiked in the last step", "images")
    neurons_compared: Positive = described("Neurons of all images", "neurons")
    ann_accuracy: Share = described("Accuracy of the quantised network on the same images", "1")


def write(path: Path, rows: Iterable[CertifiedRecord]) -> None:
    """Write certified.csv, atomically."""
    write_csv(path, CertifiedRecord, rows)


def read_rows(path: Path) -> tuple[CertifiedRecord, ...]:
    """The rows of certified.csv; raises LosslessError where it is missing or malformed, or lacks a time step."""
    rows = read_csv(CertifiedRecord, path, "make it by lossless-snn certify-peers")
    names = list(dict.fromkeys(row.implementation for row in rows))
    steps, rest = divmod(len(rows), len(names))
    expected = [(name, step) for name in names for step in range(1, steps + 1)]
    if rest or [(row.implementation, row.time_step) for row in rows] != expected:
        raise LosslessError(f"{path}: not one row for each implementation and time step; make it again")
    for start in range(0, len(rows), steps):
        check_shared(rows[start : start + steps], _OF_IMPLEMENTATION, path)
    return rows


def read_certified(path: Path) -> pd.DataFrame:
    """certified.csv as a frame with the columns of `CertifiedRecord`, one row for each implementation and step.

    Raises LosslessError as `read_rows` does, and where something was counted more often than it is there.
    """
    rows = read_rows(path)
    for row in rows:
        if not row.implementation.isprintable():
            raise LosslessError(f"{path}: implementation '{quoted(row.implementation)}': no name; make it again")
        check_at_most(row, ("predictions_that_differ", "images_active"), row.images, path)
        check_at_most(row, ("neurons_that_differ",), row.neurons_compared, path)
    for _, of_one in groupby(rows, key=lambda row: row.implementation):
        check_never_falls(list(of_one), ("spikes_per_image", "operations_per_image"), path)
    return pd.DataFrame([row.model_dump() for row in rows])
