"""All experiments of one budget in one table: ours beside published."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pandas as pd

from ...config.energy import ENERGY
from ...config.settings import PUBLISHED
from ...errors import LosslessError
from .. import captions
from ..results import Results, load_results
from .column import filled, markdown
from .results import COLUMNS, tidy

SHOWN = (
    "ann_accuracy",
    "snn_accuracy",
    "snn_accuracy_published",
    "snn_accuracy_difference",
    "time_steps",
    "spikes_per_image",
    "operations_per_image",
    "mismatches",
)
"""The columns of results.md that summary.md has, too."""


def load_all(
    paths: Iterable[Path], published: str | Path = PUBLISHED, energy: str | Path = ENERGY
) -> tuple[Results, ...]:
    """Read run directories B/logs/PRECISION/seedS of several experiments B of one budget, in the order given.

    Raises LosslessError where there are none, or as `load_results` does.
    """
    by_experiment = groupby(paths, key=lambda path: Path(path).parents[2])
    found = tuple(load_results(runs, published, energy) for _, runs in by_experiment)
    if not found:
        raise LosslessError("no run directories given (expected results/BUDGET/EXPERIMENT/logs/PRECISION/seedS ...)")
    budgets = {results.first.budget for results in found}
    if len(budgets) > 1:
        raise LosslessError(f"runs of several budgets ({', '.join(sorted(budgets))}): a summary is of one")
    return found


def summary_tables(experiments: tuple[Results, ...], stem: str) -> dict[str, str]:
    """By file name, every number of every experiment, STEM.csv, and a table for people, STEM.md."""
    everything = pd.concat([tidy(results) for results in experiments])
    return {f"{stem}.csv": everything.to_csv(index=False), f"{stem}.md": readable(experiments)}


def readable(experiments: tuple[Results, ...]) -> str:
    """The summary for people: a row an experiment and precision, then what each was trained and tested on."""
    rows = [
        ({"experiment": results.first.experiment, "precision": captions.marked_title(results, precision)}, row)
        for results in experiments
        for precision, row in results.by_precision.iterrows()
    ]
    columns = filled([COLUMNS[key] for key in SHOWN], rows)
    lines = [markdown(columns, rows, compared=True), ""]
    for results in experiments:
        lines.append(f"- {captions.summary_entry(results)}")
        lines += [f"  - {footnote}" for footnote in captions.footnotes(results)]
    return "\n".join(lines) + "\n"
