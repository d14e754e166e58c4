"""The tables of the README: every published value and ours beside it; what the demo gives."""

import csv
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from lossless_snn.config.experiment import EXPERIMENT_FOLDER
from lossless_snn.config.parameters import compared_with
from lossless_snn.config.settings import PUBLISHED

from ..program import program

COLUMNS = ("experiment", "precision", "ANN = SNN (%)", "published (%)", "steps (published)", "neurons that differ")
# Budgets of which a reader may expect published accuracies. `quick` is not one of them.
BUDGETS = {"paper": "", "fast": ", our<br>`fast` recipe"}
DEMO = Path("results/quick/digits-lenet/tables/results.csv")
UNTRAINED = "not yet trained<br>at the published<br>budget"
ABSENT, MARK = "–", "†"
# Lines of a cell belong to the lines beside it: they must not wrap.
_HARD_SPACE = "\u00a0"

Row = dict[str, str]


def headline_table() -> str:
    """A row for each experiment and budget, in it a line for each precision; notes below, as far as they apply."""
    lines = [COLUMNS, tuple("---" if place < 2 else "---:" for place in range(len(COLUMNS))), *_rows()]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    words = table.replace(_HARD_SPACE, " ")
    notes = ["M: millions, one for each neuron, test image and seed."] if " M" in words else []
    notes += ["±: standard deviation over seeds."] if "±" in table else []
    if MARK in table:
        notes.append(
            f"{MARK}: some images still spike at the last of the published number of time steps; neurons differ in "
            "these images alone."
        )
    if " / " in words:
        notes.append(
            "ANN / SNN: where they differ, images still spike, or a threshold was moved by a millionth of itself when "
            "it became an integer (docs/lossless.md)."
        )
    return f"{table}\n\n{' '.join(notes)}\n" if notes else f"{table}\n"


def demo_table() -> str:
    """What `make demo` gives, a row a precision: the columns that say whether anything was lost."""
    heading, *rows = brief_table(DEMO)
    lines = [heading, ("---", *["---:"] * (len(heading) - 1)), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def brief_table(path: Path) -> list[tuple[str, ...]]:
    """The heading and the rows, a precision each, that say whether anything was lost in the results.csv at `path`."""
    heading = ("precision", "ANN (%)", "SNN (%)", "time steps", "neurons that differ")
    rows = [
        (
            _precision(row["precision"], row),
            _percent(row["ann_accuracy"]),
            _percent(row["snn_accuracy"]) if row["snn_accuracy"] else ABSENT,
            f"{float(row['time_steps']):g}" if row["time_steps"] else ABSENT,
            _differing(row, millions=False),
        )
        for row in read_table(path)
    ]
    return [heading, *rows]


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as lines for a terminal: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pairs = [list(zip(row, widths, strict=True)) for row in rows]
    return "\n".join(
        "  ".join([f"{first:{width}}", *(f"{cell:>{size}}" for cell, size in rest)]).rstrip()
        for (first, width), *rest in pairs
    )


def main() -> None:
    """Print the brief table of the results in a folder, and where all that was made is."""
    folder = Path(sys.argv[1])
    table = aligned(brief_table(folder / "tables" / "results.csv"))
    print(f"\n{table}\n")
    if MARK in table:
        print(f"{MARK}: some images still spike at the last time step; neurons differ in these images alone.")
    print(f"All of it: {folder}/tables/ and figures/; in a browser: make report")


def _rows() -> Iterator[tuple[str, ...]]:
    published = read_table(PUBLISHED)
    ours = {budget: _by_published_experiment(budget) for budget in BUDGETS}
    for name, group in groupby(published, key=lambda row: row["experiment"]):
        expected = list(group)
        found = [(budget, own, rows) for budget in BUDGETS for own, rows in ours[budget].get(name, [])]
        for budget, own, rows in found:
            by_precision = {row["precision"]: row for row in rows}
            yield _row(f"{own}{BUDGETS[budget]}", expected, [by_precision.get(row["precision"]) for row in expected])
        if not found:
            yield (*_row(name, expected, [None] * len(expected))[:-1], UNTRAINED.replace(" ", _HARD_SPACE))


def _by_published_experiment(budget: str) -> dict[str, list[tuple[str, list[Row]]]]:
    """Our experiments' names and tables at one budget, by the name of the experiment to compare with."""
    found: dict[str, list[tuple[str, list[Row]]]] = {}
    for path in sorted(Path("results", budget).glob("*/tables/results.csv")):
        name = path.parts[2]
        if (EXPERIMENT_FOLDER / f"{name}.yaml").is_file():
            found.setdefault(compared_with(name), []).append((name, read_table(path)))
    return found


def read_table(path: str | Path) -> list[Row]:
    """The rows of a table in CSV."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(title: str, expected: list[Row], ours: list[Row | None]) -> tuple[str, ...]:
    pairs = list(zip(expected, ours, strict=True))
    cells = (
        [_precision(theirs["precision"], own) for theirs, own in pairs],
        [_accuracy(own) for _, own in pairs],
        [_percent(theirs["ann_accuracy"]) for theirs, _ in pairs],
        [_steps(theirs, own) for theirs, own in pairs],
        [_differing(own) for _, own in pairs],
    )
    return (title, *("<br>".join(lines).replace(" ", _HARD_SPACE) for lines in cells))


def _precision(name: str, own: Row | None) -> str:
    title = "FP32" if name == "fp32" else f"k = {name[1:]}"
    return f"{title} {MARK}" if own and own["settled"] == "False" else title


def _accuracy(own: Row | None) -> str:
    if own is None:
        return ABSENT
    ann = _percent(own["ann_accuracy"], own["ann_accuracy_std"])
    snn = _percent(own["snn_accuracy"], own["snn_accuracy_std"]) if own["snn_accuracy"] else ann
    return ann if ann == snn else f"{ann} / {snn}"


def _percent(share: str, spread: str = "") -> str:
    return f"{float(share):.2%}"[:-1] + (f" ± {float(spread):.2%}"[:-1] if spread else "")


def _steps(theirs: Row, own: Row | None) -> str:
    if not theirs["time_steps"]:
        return ABSENT
    if own is None:
        return f"{ABSENT} ({theirs['time_steps']})"
    spread = f" ± {float(own['time_steps_std']):.1f}" if own["time_steps_std"] else ""
    return f"{round(float(own['time_steps']), 1):g}{spread} ({theirs['time_steps']})"


def _differing(own: Row | None, millions: bool = True) -> str:
    if own is None or not own["neurons_compared"]:
        return ABSENT
    compared = float(own["neurons_compared"])
    return f"{float(own['mismatches']):,.0f} of " + (f"{compared / 1e6:,.0f} M" if millions else f"{compared:,.0f}")


if __name__ == "__main__":
    with program("make"):
        main()
