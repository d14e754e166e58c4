"""Run directories: the logs of one network, read, checked, and found to be of that network."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from ..config.values import BudgetName, Count, DatasetName, Precision
from ..errors import LosslessError
from ..files.typed import validate

# What runs that are compared must have in common.
COMMON = ("experiment", "budget", "dataset", "neurons", "ann_operations")

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=0)]


class Lenient(BaseModel):
    """A model for which keys that are not listed are nobody's concern."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Record(Lenient):
    """What ann.json and snn.json share."""

    experiment: str
    budget: BudgetName
    precision: Precision
    seed: int
    dataset: DatasetName
    images: Count
    accuracy: Share
    neurons: Count
    ann_operations: Count


class AnnRecord(Record):
    """ann.json: the ANN on the test set."""

    epochs: Count
    training_images: Count
    test_set: Count
    """Images that there are, of which the first `images` were tested on."""


class SnnRecord(Record):
    """snn.json: the spiking network at the last simulated step."""

    arithmetic: Literal["exact", "faithful"]
    time_steps: Count
    settled: bool
    settled_images: Number
    settled_step_mean: Amount | None
    settled_step_max: Amount | None
    positive_spikes_per_image: Amount
    negative_spikes_per_image: Amount
    operations_per_image: Amount
    simulated_steps: Count
    batch_size: Count


class CertificateRecord(Lenient):
    """certificate.json: every neuron's net spike count beside the activation of the ANN on the same grid."""

    images: Count
    neurons_compared: Count
    mismatches: Number
    mismatches_in_settled_images: Number
    grid_ann_accuracy: Share


class NoiseRecord(Lenient):
    """A row of noise.csv: the ANN on test images under one draw of noise."""

    ratio: Share
    noise_seed: Number
    images: Count
    accuracy: Share


class NoiseRecords(Lenient):
    """noise.csv."""

    rows: Annotated[tuple[NoiseRecord, ...], Field(min_length=1)]


@dataclass(frozen=True)
class RunDirectory:
    """The logs of one network: `ann` and, but for FP32, `snn`, its `certificate` and the four log files.

    Where robustness to noise was tested there is noise.csv, too.
    """

    path: Path
    ann: AnnRecord
    snn: SnnRecord | None = None
    certificate: CertificateRecord | None = None

    @classmethod
    def read(cls, path: str | Path) -> "RunDirectory":
        """Read the records; raises LosslessError where one is missing, malformed, or another network's."""
        path = Path(path)
        ann = _read_record(AnnRecord, path / "ann.json")
        if ann.precision == "fp32":
            return cls(path, ann)
        snn = _read_record(SnnRecord, path / "snn.json")
        agree(path / "snn.json", snn, path / "ann.json", ann, (*COMMON, "precision", "seed"))
        certificate = _read_record(CertificateRecord, path / "certificate.json")
        agree(path / "certificate.json", certificate, path / "snn.json", snn, ("images",))
        if snn.arithmetic == "exact" and certificate.mismatches_in_settled_images:
            raise LosslessError(
                f"{path / 'certificate.json'}: violated: {certificate.mismatches_in_settled_images:,} neurons of "
                "settled images differ from the ANN's; convert and simulate again"
            )
        return cls(path, ann, snn, certificate)

    def log(self, name: str) -> np.ndarray:
        """A log file as int64 (batches, steps): one integer a line, batch after batch.

        Raises LosslessError where the file is missing, has a line that is no integer, or not
        as many lines as snn.json says.
        """
        path = self.path / f"{name}.txt"
        lines = _read_text(path).splitlines()
        batches, steps = -(-self.snn.images // self.snn.batch_size), self.snn.simulated_steps
        if len(lines) != batches * steps:
            raise LosslessError(
                f"{path}: {len(lines):,} lines, expected {batches * steps:,} "
                f"({batches:,} batches of {steps:,} steps, by snn.json); simulate again"
            )
        return np.array([_integer(line, path, i) for i, line in enumerate(lines, 1)], np.int64).reshape(batches, steps)

    def accuracy_by_step(self) -> np.ndarray:
        """Share of the test images predicted right at each time step, float64 (steps,).

        Raises LosslessError as `log` does, and where the last value is not snn.json's accuracy.
        """
        accuracy = self.log("accuracy").sum(axis=0) / self.snn.images
        if not np.isclose(accuracy[-1], self.snn.accuracy, rtol=0, atol=1e-9):
            raise LosslessError(
                f"{self.path / 'accuracy.txt'}: ends at {accuracy[-1]:.2%}, "
                f"snn.json says {self.snn.accuracy:.2%}; simulate again"
            )
        return accuracy

    def noise(self) -> pd.DataFrame:
        """noise.csv: a row a test, with the columns of `NoiseRecord`.

        Raises LosslessError where it is missing, malformed, or of other images than ann.json's.
        """
        path = self.path / "noise.csv"
        if not path.is_file():
            raise LosslessError(f"{path}: no such file; make it with `lossless-snn noise CHECKPOINT --out {path}`")
        table = validate(NoiseRecords, {"rows": list(csv.DictReader(_read_text(path).splitlines()))}, path)
        for row in table.rows:
            agree(path, row, self.path / "ann.json", self.ann, ("images",))
        return pd.DataFrame([row.model_dump() for row in table.rows])


def agree(path: Path, record: Lenient, other_path: Path, other: Lenient, keys: tuple[str, ...]) -> None:
    """Raise LosslessError, naming both files, where two records differ in one of `keys`."""
    for key in keys:
        ours, theirs = getattr(record, key), getattr(other, key)
        if ours != theirs:
            raise LosslessError(f"{path}: {key} {ours}, but {other_path} has {theirs}: not runs to be compared")


def _read_record(model: type[Lenient], path: Path) -> Any:
    try:
        content = json.loads(_read_text(path))
    except ValueError as error:
        raise LosslessError(f"{path}: truncated or not JSON ({error}); make it again") from None
    return validate(model, content, path)


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise LosslessError(f"{path}: no such file; is {path.parent} a finished run's folder?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LosslessError(f"{path}: cannot be read ({error})") from None


def _integer(line: str, path: Path, number: int) -> int:
    try:
        return int(line)
    except ValueError:
        raise LosslessError(f"{path}: line {number}: '{line}' is no integer; simulate again") from None
