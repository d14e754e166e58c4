"""The comparison of neurons as a table: negative_spikes.csv for programs, negative_spikes.md for people."""

from pathlib import Path

import pandas as pd

from ...files.atomic import replacing, write_text
from ..comparison import TOLERANCE, load_comparison, summarise
from ..results import Results, precision_title
from .results import ABSENT

_MEASURED = ["accuracy", "accuracy_difference", "time_steps_to_ann", "spikes_to_ann", "operations_to_ann"]
_MEASURED += ["spikes_per_image", "operations_per_image", "ann_accuracy", "unquantised_accuracy"]
# Column of the Markdown table: heading, quantity, format, scale.
_COLUMNS = (
    ("ANN (%)", "ann_accuracy", "{:.2f}", 100),
    ("accuracy (%)", "accuracy", "{:.2f}", 100),
    ("difference (points)", "accuracy_difference", "{:+z.2f}", 100),
    ("time steps to the ANN's", "time_steps_to_ann", "{:.3g}", 1),
    ("spikes an image until then", "spikes_to_ann", "{:,.0f}", 1),
    ("operations an image until then", "operations_to_ann", "{:,.0f}", 1),
    ("spikes an image, all steps", "spikes_per_image", "{:,.0f}", 1),
    ("operations an image, all steps", "operations_per_image", "{:,.0f}", 1),
)


def write_comparison_table(results: Results, path: Path) -> None:
    """Write negative_spikes.csv to `path`, and a readable .md beside it."""
    table = tidy(results)
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
    write_text(path.with_suffix(".md"), _readable(table, results))


def tidy(results: Results) -> pd.DataFrame:
    """One row a precision and neuron: means over the seeds and, where there are several, `_std`.

    A network that did not catch up with its ANN for one seed has no step from which it did.
    """
    runs = summarise(load_comparison(results))
    groups = runs.groupby(["precision", "neuron"], sort=False)
    table = groups[["images", "simulated_steps"]].first().astype(int)
    table.insert(0, "seeds", groups.size())
    for name in _MEASURED:
        values = runs[name].astype(float).groupby([runs["precision"], runs["neuron"]], sort=False)
        table[name] = values.mean().where(values.count() == table["seeds"])
        if results.several_seeds:
            table[f"{name}_std"] = values.std()
    table = table.reset_index()
    for key in ("dataset", "budget", "experiment"):
        table.insert(0, key, getattr(results.first, key))
    return table


def _readable(table: pd.DataFrame, results: Results) -> str:
    rows = []
    for _, row in table.iterrows():
        cells = {"precision": precision_title(row["precision"]), "neuron": row["neuron"]}
        rows.append(cells | {heading: _cell(row, *rest) for heading, *rest in _COLUMNS})
    first = table.iloc[0]
    seeds = f"; mean ± standard deviation of {first['seeds']} seeds" if results.several_seeds else ""
    caption = (
        f"**What negative spikes buy**: {results.subject}{seeds}; the first {first['images']:,} test images, "
        f"{first['simulated_steps']} time steps. *Time steps to the ANN's*: from which the accuracy stays no more "
        f"than {100 * TOLERANCE:g} points below the ANN's on the same images ({ABSENT}: not within these steps)."
    )
    alignment = ["left", "left", *["right"] * len(_COLUMNS)]
    body = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True, colalign=alignment)
    return f"{caption}\n\n{body}\n"


def _cell(row: pd.Series, quantity: str, form: str, scale: float) -> str:
    value, spread = row[quantity], row.get(f"{quantity}_std", float("nan"))
    if pd.isna(value):
        return ABSENT
    text = form.format(scale * value)
    if pd.isna(spread):
        return text
    return f"{text} ± {form.replace('+z', '').format(scale * spread)}"
