"""Which network a record is of."""

from pathlib import Path
from typing import Literal, get_args

from ..config.values import BudgetName, DatasetName, ExperimentName, Precision
from ..errors import LosslessError
from ..files.records import Natural, Record, described

# What to do where a file of a run is not there.
UNFINISHED = "is its folder a finished run's?"


# What trained it: a budget of the experiment, or somebody else's code.
Origin = Literal[(*get_args(BudgetName), "imported")]


class NetworkRecord(Record):
    """What ann.json and snn.json begin with."""

    experiment: ExperimentName = described(
        "Name of the experiment, a file in config/experiments, or of a variant of one"
    )
    budget: Origin = described("How long it was trained; imported: not by this project")
    precision: Precision = described("fp32, or k<N> for the quantiser's level N")
    seed: Natural | None = described("Seed of the training; null where it was imported")
    dataset: DatasetName = described("Name of the data set whose test images it was tested on")


def agree(path: Path, record: Record, other_path: Path, other: Record, keys: tuple[str, ...]) -> None:
    """Raise LosslessError, naming both files, where two records differ in one of `keys`."""
    for key in keys:
        ours, theirs = getattr(record, key), getattr(other, key)
        if ours != theirs:
            raise LosslessError(f"{path}: {key} {ours}, but {other_path} has {theirs}: not runs to be compared")
