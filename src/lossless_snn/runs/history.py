"""history.csv: the training, epoch by epoch.

Files of earlier versions have a last column `seconds`, which readers ignore: it is no property of the network.
"""

from collections.abc import Iterable
from pathlib import Path

from pydantic import model_validator

from ..errors import LosslessError
from ..files.records import Amount, Positive, Record, Share, described, read_csv, write_csv

FILE = "history.csv"


class EpochRecord(Record):
    """A row of history.csv: one epoch."""

    epoch: Positive = described("Number of the epoch, from 1", "epochs")
    learning_rate: Amount = described("The optimiser's learning rate", "1")
    train_loss: float = described("Mean cross-entropy, as seen while training", "nat")
    train_accuracy: Share = described("Share of the training images predicted right, likewise", "1")
    validation_loss: float | None = described("Mean cross-entropy on held-out images; empty if there are none", "nat")
    validation_accuracy: Share | None = described("Share of held-out images predicted right; likewise", "1")

    @model_validator(mode="after")
    def _is_validated_or_not(self) -> "EpochRecord":
        if (self.validation_loss is None) != (self.validation_accuracy is None):
            raise ValueError("either both validation_loss and validation_accuracy, or neither")
        return self


def write(path: Path, epochs: Iterable[EpochRecord]) -> None:
    """Write history.csv, atomically."""
    write_csv(path, EpochRecord, epochs)


def read(path: Path) -> tuple[EpochRecord, ...]:
    """Read history.csv; raises LosslessError where it is missing or malformed, or an epoch or a loss is none."""
    epochs = read_csv(EpochRecord, path, "train again")
    if [row.epoch for row in epochs] != list(range(1, len(epochs) + 1)):
        raise LosslessError(f"{path}: epochs are not 1, 2, ...; train again")
    if min(loss for row in epochs for loss in (row.train_loss, row.validation_loss or 0.0)) < 0:
        raise LosslessError(f"{path}: a cross-entropy below 0; train again")
    return epochs
