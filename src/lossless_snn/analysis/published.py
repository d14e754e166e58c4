"""What was published: config/published.csv as typed records, and as a data frame beside our results.

The published code's step logs, where somebody has them, lie beside it, in a folder of its name:
config/published/EXPERIMENT/PRECISION/{accuracy,spike_num,spike_collect,sop_num}.txt.
"""

from pathlib import Path

import pandas as pd

from ..config.energy import OperationEnergies
from ..config.settings import PUBLISHED
from ..config.values import Precision
from ..errors import LosslessError
from ..files.configuration import configured
from ..files.records import Amount, Positive, Record, Share, described, read_csv
from ..runs.step_logs import StepLogs, read_lone_logs


class PublishedRow(Record):
    """One published network. An empty cell is a value that was not published, or that FP32 does not have."""

    experiment: str = described("Name of the experiment, a file in config/experiments or of one's own")
    precision: Precision = described("fp32, or k<N> for the quantiser's level N")
    ann_accuracy: Share | None = described("Share of the test images that the ANN predicts right", "1")
    snn_accuracy: Share | None = described("The same of the spiking network", "1")
    time_steps: Positive | None = described("Steps after which the accuracy is final, as the publication says", "steps")
    time_steps_from_log: Positive | None = described("The same, as the published logs say", "steps")
    simulated_steps: Positive | None = described("Time steps simulated", "steps")
    sops_per_image: Amount | None = described("Synaptic operations, mean over the images", "operations")
    positive_spikes_per_image: Amount | None = described("Positive spikes, mean over the images", "spikes")
    negative_spikes_per_image: Amount | None = described("Negative spikes, mean over the images", "spikes")
    ann_operations: Positive | None = described("Operations of one pass, three a multiply-accumulate", "operations")
    neurons: Positive | None = described("Outputs of all layers but the last", "neurons")


def read_published(path: str | Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """The rows of published.csv, in the file's order.

    Raises:
        LosslessError: One line naming file, row and column, where the file or a column is missing, a value is
            out of its bounds, or a network is there twice.
    """
    path = configured(path)
    missing = "the published values belong there, or where --published says"
    return read_csv(PublishedRow, path, missing, key=("experiment", "precision"))


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


def load_published_logs(path: str | Path, experiment: str, published: pd.DataFrame, images: int) -> dict[str, StepLogs]:
    """The published step logs of `experiment` by precision; nothing where there are none.

    Args:
        path: The file of published values, beside which they lie.
        experiment: The experiment that they are of.
        published: Its published values, see `load_published`: how many steps were simulated.
        images: Test images that they are over.

    Raises:
        LosslessError: They are malformed, or nothing was published of a network that they are of.
    """
    folder = configured(Path(path).with_suffix("") / experiment)
    found = {}
    for logs in sorted(folder.iterdir()) if folder.is_dir() else ():
        steps = published["simulated_steps"].get(logs.name)
        if pd.isna(steps):
            raise LosslessError(f"{logs}: {path} has no simulated_steps of {experiment}, {logs.name}; add its row")
        found[logs.name] = read_lone_logs(logs, int(steps), images)
    return found
