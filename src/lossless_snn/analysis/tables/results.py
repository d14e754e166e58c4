"""The results as tables: results.csv for programs, results.md for people, and what follows changes over revisions.

Those are metrics.json, the few numbers that revisions are compared by, and two tables of curves: accuracy_by_step.csv
and training.csv.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...files.atomic import replacing, write_json, write_text
from ...runs.directory import RunDirectory
from ..results import QUANTITIES, Results

ABSENT = "–"  # noqa: RUF001 (the dash that tables use)


@dataclass(frozen=True)
class Column:
    """A column of results.md: one or two quantities of `Results.by_precision` in one format.

    Where `published` says what they are, the published values follow in parentheses, and after
    them, where it differs, the one that `also` names and explains. `otherwise` is the quantity to
    show where a precision has not got the first.
    """

    heading: str
    quantities: tuple[str, ...]
    form: Callable[[float], str] = "{:,.0f}".format
    scale: float = 1
    published: str = ""
    also: tuple[str, str] | None = None
    otherwise: tuple[str, ...] = ()
    between: str = " / "

    def title(self, compared: bool) -> str:
        """The heading, with what stands in parentheses where published values are beside ours."""
        return f"{self.heading} ({self.published})" if self.published and compared else self.heading

    def cell(self, row: pd.Series) -> str:
        """The text for one precision."""
        quantities = self.otherwise if self.otherwise and pd.isna(row[self.quantities[0]]) else self.quantities
        ours = [self._value(row[name], row.get(f"{name}_std")) for name in quantities]
        if set(ours) == {ABSENT}:
            return ABSENT
        beside = [row[f"{name}_published"] for name in quantities] if self.published else []
        theirs = [self._value(value) for value in beside if pd.notna(value)]
        if not theirs:
            return self.between.join(ours)
        return f"{self.between.join(ours)} ({self.between.join(theirs)}{self._aside(row, beside[0])})"

    def _aside(self, row: pd.Series, published: float) -> str:
        name, meaning = self.also or (None, "")
        if name is None or pd.isna(row[name]) or row[name] == published:
            return ""
        return f"; {self._value(row[name])} {meaning}"

    def _value(self, value: float, spread: float | None = None) -> str:
        if pd.isna(value):
            return ABSENT
        text = self.form(value * self.scale)
        return f"{text} ± {self.form(spread * self.scale)}" if spread and pd.notna(spread) else text


def _points(value: float) -> str:
    return f"{value:+z.2f}"


def _steps(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


_TWO_DIGITS = "{:.2f}".format
_PUBLISHED, _DERIVED = "published", "from the published operations"


COLUMNS = (
    Column("seeds", ("seeds",)),
    Column("ANN accuracy (%)", ("ann_accuracy",), _TWO_DIGITS, 100),
    Column("SNN accuracy (%)", ("snn_accuracy",), _TWO_DIGITS, 100),
    Column("published (%)", ("snn_accuracy_published",), _TWO_DIGITS, 100, otherwise=("ann_accuracy_published",)),
    Column("difference (points)", ("snn_accuracy_difference",), _points, 100, otherwise=("ann_accuracy_difference",)),
    Column(
        "time steps",
        ("time_steps",),
        _steps,
        published=_PUBLISHED,
        also=("time_steps_from_log_published", "by the log"),
    ),
    Column("settled step, mean / max", ("settled_step_mean", "settled_step_max"), _steps),
    Column(
        "positive / negative spikes an image",
        ("positive_spikes_per_image", "negative_spikes_per_image"),
        published=_PUBLISHED,
    ),
    Column("operations an image", ("operations_per_image",), published=_PUBLISHED),
    Column("of the ANN's (%)", ("operations_share",), "{:.1f}".format, 100, published=_PUBLISHED),
    Column("energy an image (µJ)", ("snn_energy_joules",), "{:,.3f}".format, 1e6, published=_DERIVED),
    Column("neurons that differ from the ANN's", ("mismatches", "neurons_compared"), between=" of "),
    Column("cost of the grid (points)", ("grid_cost",), "{:z.2f}".format, 100),
    Column("neurons", ("neurons",)),
    Column("simulated steps", ("simulated_steps",)),
)

METRICS = ("ann_accuracy", "snn_accuracy", "time_steps", "operations_per_image", "mismatches")
"""What metrics.json has of the quantities: few enough to be read side by side."""


def write_tables(results: Results, path: str | Path) -> None:
    """Write results.csv to `path`, results.md beside it under the same stem, and the other tables into its folder."""
    path = Path(path)
    _write_csv(tidy(results), path)
    write_text(path.with_suffix(".md"), readable(results))
    write_json(path.with_name("metrics.json"), metrics(results))
    _write_csv(accuracy_by_step(results), path.with_name("accuracy_by_step.csv"))
    _write_csv(training_curves(results), path.with_name("training.csv"))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def metrics(results: Results) -> dict[str, dict[str, float]]:
    """By precision, those of `METRICS` that it has: the numbers of `Results.by_precision`, shares in 0..1."""
    table = results.by_precision[list(METRICS)]
    return {precision: row.dropna().to_dict() for precision, row in table.iterrows()}


def accuracy_by_step(results: Results) -> pd.DataFrame:
    """`Results.accuracy_curves`; no rows where there are only FP32 runs."""
    columns = ["precision", "seed", "time_step", "accuracy"]
    return results.accuracy_curves[columns] if any(run.snn for run in results.runs) else pd.DataFrame(columns=columns)


def training_curves(results: Results) -> pd.DataFrame:
    """Loss and accuracy after each epoch: precision, seed, epoch, images, loss, accuracy.

    `images` are those of "training" or "validation"; no rows for validation where nothing is held
    out, and none of a run without history.csv. Raises LosslessError where that file is no history.
    """
    histories = [_history(run) for run in results.runs if run.history()]
    columns = ["precision", "seed", "epoch", "images", "loss", "accuracy"]
    return pd.concat(histories, ignore_index=True)[columns] if histories else pd.DataFrame(columns=columns)


def _history(run: RunDirectory) -> pd.DataFrame:
    """One run's rows of `training_curves`."""
    wide = pd.DataFrame([row.model_dump() for row in run.history()])
    parts = {
        images: wide[["epoch", f"{column}_loss", f"{column}_accuracy"]].set_axis(["epoch", "loss", "accuracy"], axis=1)
        for images, column in (("training", "train"), ("validation", "validation"))
    }
    long = pd.concat([part.assign(images=images) for images, part in parts.items()]).dropna()
    return long.assign(precision=run.ann.precision, seed=run.ann.seed)


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
    table = pd.DataFrame([_cells(precision, row, results) for precision, row in results.by_precision.iterrows()])
    table = table.loc[:, (table != ABSENT).any()]
    if not results.several_seeds:
        table = table.drop(columns="seeds")
    lines = [_caption(results), "", table.to_markdown(index=False, disable_numparse=True, colalign=_alignment(table))]
    lines += [f"\n{footnote}" for footnote in results.footnotes]
    return "\n".join(lines) + "\n"


def _cells(precision: str, row: pd.Series, results: Results) -> dict[str, str]:
    compared = len(results.published) > 0
    cells = {column.title(compared): column.cell(row) for column in COLUMNS}
    return {"precision": results.marked_title(precision), **cells}


def _caption(results: Results) -> str:
    return (
        f"**{results.subject}**; {results.seeded}; {results.tested_on}; "
        f"the ANN takes {results.first.ann_operations:,} operations an image, "
        f"{1e6 * results.energies.of_ann(results.first.ann_operations):,.3f} µJ. Energies are estimates "
        f"({results.energies.terms})."
    )


def _alignment(table: pd.DataFrame) -> list[str]:
    return ["left", *["right"] * (table.shape[1] - 1)]
