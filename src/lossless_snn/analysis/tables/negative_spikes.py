"""The comparison of neurons as a table: negative_spikes.csv for programs, negative_spikes.md for people."""

from functools import partial
from pathlib import Path

import pandas as pd

from .. import captions
from ..comparison import load_comparison, summarise
from ..results import Results
from ..statistics import LEAST_SEEDS, interval
from .column import PERCENT, POINTS, Column, hundredths, markdown, signed_hundredths, three_digits
from .files import write_all

_MEASURED = ["accuracy", "accuracy_difference", "time_steps_to_ann", "spikes_to_ann", "operations_to_ann"]
_MEASURED += ["spikes_per_image", "operations_per_image", "ann_accuracy", "unquantised_accuracy"]

_column = partial(Column, zero_spread=True)
COLUMNS = (
    _column("ann_accuracy", "ANN", hundredths, PERCENT),
    _column("accuracy", "accuracy", hundredths, PERCENT),
    _column("accuracy_difference", "difference", signed_hundredths, POINTS),
    _column(
        "interval",
        "its 95 % interval",
        signed_hundredths,
        POINTS,
        quantities=("accuracy_difference_low", "accuracy_difference_high"),
        between=" to ",
    ),
    _column("time_steps_to_ann", "time steps to the ANN's", three_digits),
    _column("spikes_to_ann", "spikes an image until then"),
    _column("operations_to_ann", "operations an image until then"),
    _column("spikes_per_image", "spikes an image, all steps"),
    _column("operations_per_image", "operations an image, all steps"),
)


def write_comparison_table(results: Results, path: Path) -> None:
    """Write negative_spikes.csv to `path`, and a readable .md beside it, both or none."""
    table = tidy(results)
    readable = _readable(table, results)
    write_all(path.parent, (path.name, table.to_csv(index=False)), (path.with_suffix(".md").name, readable))


def tidy(results: Results) -> pd.DataFrame:
    """One row a precision and neuron: means over the seeds and, where there are several, `_std`.

    From three seeds on, the ends of the mean's 95 % interval, Student's, follow as `_low` and `_high`.
    A network that did not catch up with its ANN for one seed has no step from which it did.
    """
    runs = summarise(load_comparison(results))
    groups = runs.groupby(["precision", "neuron"], sort=False)
    table = groups[["images", "simulated_steps"]].first().astype(int)
    table.insert(0, "seeds", groups.size())
    for name in _MEASURED:
        values = runs[name].astype(float).groupby([runs["precision"], runs["neuron"]], sort=False)
        table[name] = values.mean().where(values.count() == table["seeds"])
        if results.has_spread:
            table[f"{name}_std"] = values.std()
        if table["seeds"].max() >= LEAST_SEEDS:
            ends = values.apply(interval)
            table[f"{name}_low"], table[f"{name}_high"] = ends.str[0], ends.str[1]
    table = table.reset_index()
    for key in ("dataset", "budget", "experiment"):
        table.insert(0, key, getattr(results.first, key))
    return table


def _readable(table: pd.DataFrame, results: Results) -> str:
    rows = [
        ({"precision": captions.precision_title(row["precision"]), "neuron": row["neuron"]}, row)
        for _, row in table.iterrows()
    ]
    first = table.iloc[0]
    caption = captions.negative_spikes_table(results, first["images"], first["simulated_steps"], first["seeds"])
    columns = [column for column in COLUMNS if all(name in table for name in column.quantities)]
    return f"{caption}\n\n{markdown(columns, rows)}\n"
