"""Implementations of the same networks, judged: certified_peers.csv for programs, certified_peers.md for people."""

from pathlib import Path

import pandas as pd

from .. import captions
from ..comparison import load_certified
from ..results import Results
from .column import PERCENT, Column, hundredths, markdown, three_digits, whole
from .files import write_all

COLUMNS = (
    Column("accuracy", "accuracy", hundredths, PERCENT),
    Column("predictions_that_differ", "predictions that differ", whole),
    Column("neurons_that_differ", "neurons that differ", whole),
    Column("neurons_share", "of all", three_digits, PERCENT),
    Column("agrees_from_step", "predictions agree from step", whole),
    Column("images_active", "images still spiking", whole),
    Column("spikes_per_image", "spikes an image", whole),
    Column("operations_per_image", "operations an image", whole),
)


def write_certified_table(results: Results, path: Path) -> None:
    """Write certified_peers.csv to `path`, and a readable .md beside it, both or none."""
    table = tidy(results)
    rows = [
        ({"precision": captions.precision_title(row["precision"]), "implementation": row["implementation"]}, row)
        for _, row in table.iterrows()
    ]
    first = table.iloc[0]
    caption = (
        f"{captions.experiment(results)}: the first {first['images']:,} test images, {first['time_step']:,} time "
        "steps; what differs from the quantised network after the last step."
    )
    readable = f"{caption}\n\n{markdown(COLUMNS, rows)}\n"
    write_all(path.parent, (path.name, table.to_csv(index=False)), (path.with_suffix(".md").name, readable))


def tidy(results: Results) -> pd.DataFrame:
    """One row a precision and implementation: its last step, and from which step on no prediction differs.

    `agrees_from_step` is NaN where one differs at the last step.
    """
    table = load_certified(results)
    rows = []
    for _, curve in table.groupby(["precision", "implementation"], sort=False):
        last = curve.iloc[-1].copy()
        last["neurons_share"] = last["neurons_that_differ"] / last["neurons_compared"]
        differing = curve.loc[curve["predictions_that_differ"] > 0, "time_step"]
        step = int(differing.max()) + 1 if len(differing) else 1
        last["agrees_from_step"] = step if step <= last["time_step"] else float("nan")
        rows.append(last)
    tidied = pd.DataFrame(rows).reset_index(drop=True)
    for key in ("dataset", "budget", "experiment"):
        tidied.insert(0, key, getattr(results.first, key))
    return tidied
