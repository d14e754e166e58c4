"""Ours beside published logs, step by step: a CSV of all steps, and a .md of where the two are furthest apart."""

from pathlib import Path

import pandas as pd

from ...errors import LosslessError
from .. import captions
from ..results import Results, largest_deviations
from .column import hundredths, signed_hundredths, whole
from .files import write_all

_QUANTITIES = {
    "accuracy": "accuracy (%)",
    "positive_spikes_per_image": "positive spikes an image",
    "negative_spikes_per_image": "negative spikes an image",
    "operations_per_image": "operations an image",
}


def write_step_tables(results: Results, path: Path) -> None:
    """Write every step to `path`, CSV, and the largest deviations beside it, Markdown; both or none.

    Raises LosslessError where there are no published logs of these runs.
    """
    steps = results.steps_beside_published
    if steps.empty:
        raise LosslessError(
            f"no published logs of {results.first.experiment} at these precisions; put its four files into "
            f"config/published/{results.first.experiment}/PRECISION/"
        )
    write_all(path.parent, (path.name, steps.to_csv(index=False)), (path.with_suffix(".md").name, readable(results)))


def readable(results: Results) -> str:
    """A row a precision and quantity: the step at which ours and the published log are furthest apart."""
    rows = [_cells(row) for _, row in largest_deviations(results.steps_beside_published).iterrows()]
    alignment = ["left", "left", "right", "right", "right", "right"]
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True, colalign=alignment)
    return f"{captions.step_table(results)}\n\n{table}\n"


def _cells(row: pd.Series) -> dict[str, str]:
    scale = 100 if row["quantity"] == "accuracy" else 1
    number = hundredths if row["quantity"] == "accuracy" else whole
    return {
        "precision": captions.precision_title(row["precision"]),
        "quantity": _QUANTITIES[row["quantity"]],
        "at time step": whole(row["time_step"]),
        "ours": number(scale * row["ours"]),
        "published": number(scale * row["published"]),
        "largest deviation": signed_hundredths(scale * row["difference"]),
    }
