"""All experiments of one budget in one table: ours beside published."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pandas as pd

from ...config.energy import ENERGY
from ...config.settings import PUBLISHED
from ...errors import LosslessError
from ...files.atomic import replacing, write_text
from ..results import Results, load_results
from .results import ABSENT, COLUMNS, tidy

_SHOWN = (
    "ANN accuracy (%)",
    "SNN accuracy (%)",
    "published (%)",
    "difference (points)",
    "time steps",
    "positive / negative spikes an image",
    "operations an image",
    "neurons that differ from the ANN's",
)


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


def write_summary(experiments: tuple[Results, ...], path: Path) -> None:
    """Write every number of every experiment to `path`, CSV, and a table for people beside it."""
    with replacing(path) as partial:
        pd.concat([tidy(results) for results in experiments]).to_csv(partial, index=False)
    write_text(path.with_suffix(".md"), readable(experiments))


def readable(experiments: tuple[Results, ...]) -> str:
    """The summary for people: a row an experiment and precision, then what each was trained and tested on."""
    columns = [column for column in COLUMNS if column.heading in _SHOWN]
    rows = [
        {"experiment": results.first.experiment, "precision": results.marked_title(precision)}
        | {column.title(compared=True): column.cell(row) for column in columns}
        for results in experiments
        for precision, row in results.by_precision.iterrows()
    ]
    table = pd.DataFrame(rows)
    table = table.loc[:, (table != ABSENT).any()]
    alignment = ["left", "left", *["right"] * (table.shape[1] - 2)]
    lines = [table.to_markdown(index=False, disable_numparse=True, colalign=alignment), ""]
    for results in experiments:
        lines.append(f"- {results.subject}; {results.seeded}; {results.tested_on}")
        lines += [f"  - {footnote}" for footnote in results.footnotes]
    return "\n".join(lines) + "\n"
