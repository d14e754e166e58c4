"""What was published, config/published.csv: its rows as typed records, and as a data frame beside our results."""

import csv
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict

from ..config.energy import OperationEnergies
from ..config.experiment import Count, Precision
from ..config.settings import PUBLISHED
from ..errors import LosslessError
from ..files.typed import validate
from ..runs.directory import Amount, Share


def _none_if_empty(value: str | None) -> str | None:
    return value or None


OptionalShare = Annotated[Share | None, BeforeValidator(_none_if_empty)]
OptionalAmount = Annotated[Amount | None, BeforeValidator(_none_if_empty)]
OptionalCount = Annotated[Count | None, BeforeValidator(_none_if_empty)]


class PublishedRow(BaseModel):
    """One published network. Accuracies are shares in 0..1; spikes and operations are those of one image on average.

    An empty cell is a value that was not published, or that FP32 does not have.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    experiment: str
    precision: Precision
    ann_accuracy: OptionalShare
    snn_accuracy: OptionalShare
    time_steps: OptionalCount
    """As the publication says; `time_steps_from_log` is what the logs published with it say."""
    time_steps_from_log: OptionalCount
    simulated_steps: OptionalCount
    sops_per_image: OptionalAmount
    positive_spikes_per_image: OptionalAmount
    negative_spikes_per_image: OptionalAmount
    ann_operations: OptionalCount
    neurons: OptionalCount


def read_published(path: str | Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """The rows of published.csv, in the file's order.

    Raises:
        LosslessError: One line naming file, row and column, where the file or a column is missing, a value is
            out of its bounds, or a network is there twice.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            missing = PublishedRow.model_fields.keys() - set(lines.fieldnames or ())
            if missing:
                raise LosslessError(f"{path}: no column {', '.join(sorted(missing))}")
            rows = {}
            for cells in lines:
                row = _row(cells, f"{path}: line {lines.line_num}")
                if rows.setdefault((row.experiment, row.precision), row) is not row:
                    raise LosslessError(f"{path}: line {lines.line_num}: {row.experiment}, {row.precision} again")
    except OSError as error:
        raise LosslessError(
            f"{path}: {error.strerror}; the published values belong there, or where --published says"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise LosslessError(f"{path}: not a CSV table ({error})") from None
    return tuple(rows.values())


def _row(cells: dict[str, str], place: str) -> PublishedRow:
    place = f"{place} ({cells['experiment']}, {cells['precision']})"
    if None in cells or None in cells.values():  # as csv has it
        raise LosslessError(f"{place}: {'more' if None in cells else 'fewer'} cells than columns")
    return validate(PublishedRow, cells, place)


def published_experiments(path: str | Path = PUBLISHED) -> list[str]:
    """The experiments that something was published of, in the file's order; raises as `read_published` does."""
    return list(dict.fromkeys(row.experiment for row in read_published(path)))


def load_published(path: str | Path, experiment: str, energies: OperationEnergies) -> pd.DataFrame:
    """What was published of `experiment`, and what follows from it: a row a precision, indexed by it.

    The columns are those of `PublishedRow`, NaN where a cell is empty, then `operations_share` (operations of the
    spiking network / those of the ANN) and both networks' energies in joules, `ann_energy_joules` and
    `snn_energy_joules`. No rows where nothing was published. Raises LosslessError as `read_published` does.
    """
    rows = [row.model_dump() for row in read_published(path) if row.experiment == experiment]
    table = pd.DataFrame(rows, columns=list(PublishedRow.model_fields)).set_index("precision")
    numbers = table.columns.drop("experiment")
    table[numbers] = table[numbers].astype(float)
    table["operations_share"] = table["sops_per_image"] / table["ann_operations"]
    table["ann_energy_joules"] = energies.of_ann(table["ann_operations"])
    table["snn_energy_joules"] = energies.of_snn(table["sops_per_image"])
    return table
