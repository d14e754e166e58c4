"""What the runs of a sweep came to: a row a point, its place on each axis, and every quantity over its seeds."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pandas as pd

from ..config.energy import OperationEnergies
from ..config.sweep import Point
from ..errors import LosslessError
from ..files.atomic import write_together
from ..runs.directory import RunDirectory
from .captions import precision_title
from .quantities import QUANTITIES, quantities_of
from .statistics import interval
from .tables.column import filled, markdown
from .tables.results import COLUMNS

_SHOWN = ("seeds", "ann_accuracy", "snn_accuracy", "time_steps", "operations_per_image", "mismatches")
INTERVAL = "95 % interval of the mean over the seeds, by Student's t"


def run_directory(point: Point, seed: int, budget: str, results: Path) -> Path:
    """Where the run of a point with one seed is."""
    return results / budget / point.experiment / "logs" / point.precision / f"seed{seed}"


def sweep_table(points: list[Point], budget: str, energies: OperationEnergies, results: Path) -> pd.DataFrame:
    """One row a point, in the sweep's order, in the quantities' own units; shares in 0..1.

    Columns: a column an axis (None where the experiment's own value stands), `made_as`, `seeds`, `settled`, then for
    every quantity its mean, or what `Quantity.over_seeds` says; where that is a mean of what is measured, `_std`
    (of the sample; NaN for one seed) and the ends of `INTERVAL`, `_low` and `_high`, follow.

    Args:
        points: The sweep's.
        budget: At which they were trained.
        energies: What operations cost.
        results: The folder of the results.

    Raises:
        LosslessError: A run is missing, malformed, or another network's.
    """
    return pd.DataFrame([_row(point, budget, energies, results) for point in points])


def _row(point: Point, budget: str, energies: OperationEnergies, results: Path) -> dict[str, object]:
    runs = []
    for seed in point.seeds:
        run = RunDirectory.read(path := run_directory(point, seed, budget, results))
        if (run.ann.precision, run.ann.seed, run.ann.budget) != (point.precision, seed, budget):
            raise LosslessError(f"{path}: of {run.ann.precision}, seed {run.ann.seed}, {run.ann.budget}; make it again")
        runs.append(quantities_of(run, energies))
    table = pd.DataFrame(runs)
    row = {**point.settings, "made_as": point.experiment, "seeds": len(runs), "settled": bool(table["settled"].all())}
    for quantity in QUANTITIES:
        # A sum of nothing, FP32's, is not 0.
        options = {"min_count": 1} if quantity.over_seeds == "sum" else {}
        row[quantity.name] = table[quantity.name].agg(quantity.over_seeds, **options)
        if quantity.measured and quantity.over_seeds == "mean":
            row[f"{quantity.name}_std"] = table[quantity.name].std()
            row[f"{quantity.name}_low"], row[f"{quantity.name}_high"] = interval(table[quantity.name])
    return row


def write_sweep(table: pd.DataFrame, axes: tuple[str, ...], name: str, budget: str, path: Path) -> None:
    """Write the table to `path` as CSV, and beside it as Parquet and, its main columns, as Markdown: all or none."""
    parquet = BytesIO()
    table.to_parquet(parquet, index=False)
    write_together(
        path.parent,
        {
            path.name: table.to_csv(index=False),
            path.with_suffix(".parquet").name: parquet.getvalue(),
            path.with_suffix(".md").name: _readable(table, axes, name, budget),
        },
    )


def _readable(table: pd.DataFrame, axes: tuple[str, ...], name: str, budget: str) -> str:
    rows = [({axis_title(axis): axis_label(axis, row[axis]) for axis in axes}, row) for _, row in table.iterrows()]
    # Published values are of no sweep.
    columns = filled([replace(COLUMNS[key], published="", otherwise_published=None) for key in _SHOWN], rows)
    caption = f"**Sweep {name}**, {budget} budget; mean ± standard deviation over the seeds of each row."
    return f"{caption}\n\n{markdown(columns, rows)}\n"


def axis_title(axis: str) -> str:
    """An axis for people: of a key with dots, which says where it lies in the experiment's file, its last part."""
    return axis.rpartition(".")[2].replace("_", " ")


def axis_label(axis: str, value: object) -> str:
    """One value of an axis for people."""
    if axis == "precision":
        return precision_title(value)
    return "as it is" if pd.isna(value) else value if isinstance(value, str) else json.dumps(value)
