"""One experiment's results as tables: results.csv for programs, results.md for people, metrics.json for revisions.

metrics.json has the few numbers that revisions are compared by. The curves beside them are in `curves`.
"""

import json
from pathlib import Path

import pandas as pd

from .. import captions
from ..quantities import QUANTITIES
from ..results import Results
from .column import (
    MICROJOULES,
    PERCENT,
    POINTS,
    Column,
    filled,
    hundredths,
    markdown,
    signed_hundredths,
    tenths,
    tenths_if_any,
    thousandths,
)
from .curves import accuracy_by_step, training_curves
from .files import write_all

_COLUMNS = (
    Column("seeds", "seeds"),
    Column("ann_accuracy", "ANN accuracy", hundredths, PERCENT),
    Column("snn_accuracy", "SNN accuracy", hundredths, PERCENT),
    Column("snn_accuracy_published", "published", hundredths, PERCENT, instead=("ann_accuracy_published",)),
    Column("snn_accuracy_difference", "difference", signed_hundredths, POINTS, instead=("ann_accuracy_difference",)),
    Column(
        "time_steps",
        "time steps",
        tenths_if_any,
        published="published",
        otherwise_published=("time_steps_from_log_published", "by the log"),
    ),
    Column(
        "settled_step",
        "settled step, mean / max",
        tenths_if_any,
        quantities=("settled_step_mean", "settled_step_max"),
    ),
    Column(
        "spikes_per_image",
        "positive / negative spikes an image",
        quantities=("positive_spikes_per_image", "negative_spikes_per_image"),
        published="published",
    ),
    Column("operations_per_image", "operations an image", published="published"),
    Column("operations_share", "of the ANN's", tenths, PERCENT, published="published"),
    Column(
        "snn_energy_joules",
        "energy an image",
        thousandths,
        MICROJOULES,
        published="from the published operations",
    ),
    Column(
        "mismatches",
        "neurons that differ from the ANN's",
        quantities=("mismatches", "neurons_compared"),
        between=" of ",
    ),
    Column("grid_cost", "cost of the grid", hundredths, POINTS),
    Column("neurons", "neurons"),
    Column("simulated_steps", "simulated steps"),
)
COLUMNS = {column.key: column for column in _COLUMNS}

METRICS = ("ann_accuracy", "snn_accuracy", "time_steps", "operations_per_image", "mismatches")
"""What metrics.json has of the quantities: few enough to be read side by side."""


def write_tables(results: Results, path: Path) -> None:
    """Write results.csv to `path`, results.md beside it under the same stem, and the other tables into its folder.

    All five or none: raises LosslessError, before anything is written, where a log that they need is wrong.
    """
    write_all(
        path.parent,
        (path.name, tidy(results).to_csv(index=False)),
        (path.with_suffix(".md").name, readable(results)),
        ("metrics.json", json.dumps(metrics(results), indent=2) + "\n"),
        ("accuracy_by_step.csv", accuracy_by_step(results).to_csv(index=False)),
        ("training.csv", training_curves(results).to_csv(index=False)),
    )


def metrics(results: Results) -> dict[str, dict[str, float]]:
    """By precision, those of `METRICS` that it has: the numbers of `Results.by_precision`, shares in 0..1."""
    table = results.by_precision[list(METRICS)]
    return {precision: row.dropna().to_dict() for precision, row in table.iterrows()}


def tidy(results: Results) -> pd.DataFrame:
    """One row a precision, in full precision: what was run, then every quantity of `Results.by_precision`.

    Each quantity is followed by its `_std`, `_published` and `_difference` (shares in 0..1,
    differences ours minus published).
    """
    table = results.by_precision.reset_index()
    endings = ("", "_std", "_published", "_difference")
    names = [f"{quantity.name}{ending}" for quantity in QUANTITIES for ending in endings]
    names.insert(names.index("time_steps_published") + 1, "time_steps_from_log_published")
    table = table[["precision", "seeds", "settled", *(name for name in names if name in table)]]
    # FP32 has no spikes that could settle.
    table["settled"] = table["settled"].astype("boolean").mask(table["precision"] == "fp32")
    for key in ("dataset", "budget", "experiment"):
        table.insert(0, key, getattr(results.first, key))
    # Counts that all rows have are integers, not 7.0.
    return table.convert_dtypes()


def readable(results: Results) -> str:
    """results.md: a caption, a row a precision, a footnote for each that needs one."""
    rows = [
        ({"precision": captions.marked_title(results, precision)}, row)
        for precision, row in results.by_precision.iterrows()
    ]
    columns = [column for key, column in COLUMNS.items() if key != "seeds" or results.has_spread]
    table = markdown(filled(columns, rows), rows, compared=len(results.published) > 0)
    footnotes = [f"\n{footnote}" for footnote in captions.footnotes(results)]
    return "\n".join([captions.results_table(results), "", table, *footnotes]) + "\n"
