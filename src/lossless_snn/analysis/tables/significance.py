"""Whether quantisation costs accuracy: significance.csv over seeds, mcnemar.csv per image, significance.md of both."""

from pathlib import Path

import pandas as pd

from ...errors import LosslessError
from ...runs import predictions
from ...runs.directory import RunDirectory
from .. import captions
from ..results import Results
from ..statistics import CONFIDENCE, MARGIN, compare_pairs, mcnemar
from .column import PERCENT, POINTS, Column, hundredths, markdown, signed_hundredths, three_digits
from .files import write_all

_COLUMNS = (
    Column("seeds", "seeds"),
    Column("fp32_accuracy", "FP32", hundredths, PERCENT),
    Column("snn_accuracy", "SNN", hundredths, PERCENT),
    Column("difference", "difference", signed_hundredths, POINTS),
    Column("interval", "95 % interval", signed_hundredths, POINTS, quantities=("low", "high"), between=" to "),
    Column("p_equal", "p, no difference", three_digits),
    Column("p_lower", "p, a loss of the margin", three_digits),
)
_PER_IMAGE = (
    Column("fp32_only", "FP32 alone right"),
    Column("quantised_only", "quantised alone right"),
    Column("p", "p", three_digits),
)


def write_significance(results: Results, path: Path) -> None:
    """Write significance.csv to `path`, mcnemar.csv into its folder, and a readable .md beside it: all or none.

    Raises:
        LosslessError: FP32 or a spiking precision lacks runs, precisions have other seeds, or a file of predictions is
            missing or wrong.
    """
    over_seeds, per_image = paired_over_seeds(results), paired_per_image(results)
    write_all(
        path.parent,
        (path.name, over_seeds.to_csv(index=False)),
        ("mcnemar.csv", per_image.to_csv(index=False)),
        (path.with_suffix(".md").name, _readable(results, over_seeds, per_image)),
    )


def paired_over_seeds(results: Results) -> pd.DataFrame:
    """A row a spiking precision: its accuracy against FP32's, paired by seed, see `statistics.PairedComparison`."""
    reference = _fp32(results)
    rows = []
    for precision, runs in _by_precision(results).items():
        accuracies, references = [run.snn.accuracy for run in runs], [run.ann.accuracy for run in reference]
        compared = compare_pairs(accuracies, references)
        means = {"fp32_accuracy": sum(references) / len(runs), "snn_accuracy": sum(accuracies) / len(runs)}
        rows.append({"precision": precision, **means, **vars(compared), "conclusion": compared.conclusion})
    return pd.DataFrame(rows)


def paired_per_image(results: Results) -> pd.DataFrame:
    """A row a spiking precision and seed: FP32 and the quantised ANN on the same images, see `statistics.McNemar`."""
    reference = {run.ann.seed: _right(run) for run in _fp32(results)}
    rows = []
    for precision, runs in _by_precision(results).items():
        for run in runs:
            test = mcnemar(reference[run.ann.seed], _right(run))
            counts = {"fp32_only": test.first_only, "quantised_only": test.second_only, "p": test.p}
            rows.append({"precision": precision, "seed": run.ann.seed, "images": run.ann.images, **counts})
    return pd.DataFrame(rows)


def _right(run: RunDirectory):
    labels, predicted = predictions.read(run.path, run.ann)
    return labels == predicted


def _fp32(results: Results) -> list[RunDirectory]:
    return [run for run in results.runs if run.snn is None]


def _by_precision(results: Results) -> dict[str, list[RunDirectory]]:
    """Spiking runs by precision, each with the seeds that FP32 has."""
    seeds = [run.ann.seed for run in _fp32(results)]
    found: dict[str, list[RunDirectory]] = {}
    for run in results.spiking:
        found.setdefault(run.ann.precision, []).append(run)
    for runs in found.values():
        if [run.ann.seed for run in runs] != seeds:
            raise LosslessError(
                f"{runs[0].path.parent}: other seeds than fp32's ({', '.join(map(str, seeds)) or 'none'}): no pairs to "
                "be compared"
            )
    return found


def _readable(results: Results, over_seeds: pd.DataFrame, per_image: pd.DataFrame) -> str:
    title = captions.precision_title
    rows = [({"precision": title(row["precision"])}, row) for _, row in over_seeds.iterrows()]
    labels = [{"precision": title(row["precision"]), "seed": str(row["seed"])} for _, row in per_image.iterrows()]
    images = list(zip(labels, (row for _, row in per_image.iterrows()), strict=True))
    return "\n".join(
        [
            f"**Does quantisation cost accuracy?** {captions.experiment(results)}; {captions.seeds(results)}; "
            f"{captions.test_images(results)}. Spiking network less FP32, paired by seed; paired t-test, margin "
            f"{100 * MARGIN:g} points, {CONFIDENCE:.0%} intervals of the mean by Student's t.",
            "",
            markdown(_COLUMNS, rows),
            "",
            *(f"- {title(row['precision'])}: {row['conclusion']}." for _, row in over_seeds.iterrows()),
            "",
            "Image by image, McNemar's exact test between the FP32 network and the quantised one of the same seed "
            "(p-values are not adjusted for their number):",
            "",
            markdown(_PER_IMAGE, images),
            "",
        ]
    )
