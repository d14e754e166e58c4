"""What runs came to, as data frames: seeds summarised, published values joined."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..config.energy import ENERGY, OperationEnergies, read_energies
from ..config.parameters import compared_with
from ..config.settings import PUBLISHED
from ..datasets.catalogue import find
from ..errors import LosslessError
from ..networks.quantiser import quantiser_level
from ..runs.ann import AnnRecord
from ..runs.directory import COMMON, RunDirectory
from ..runs.identity import agree
from ..runs.snn import SnnRecord

MARK = "†"
"""Stands beside a precision that has a footnote."""


class Quantity(NamedTuple):
    """A number that every run has one of: its name in the summary and its column in published.csv.

    `measured` is False for what the experiment fixes: it neither varies with the seed nor differs.
    """

    name: str
    published: str | None = None
    measured: bool = True


QUANTITIES = (
    Quantity("ann_accuracy", "ann_accuracy"),
    Quantity("snn_accuracy", "snn_accuracy"),
    Quantity("time_steps", "time_steps"),
    Quantity("settled_step_mean"),
    Quantity("settled_step_max"),
    Quantity("positive_spikes_per_image", "positive_spikes_per_image"),
    Quantity("negative_spikes_per_image", "negative_spikes_per_image"),
    Quantity("operations_per_image", "sops_per_image"),
    Quantity("operations_share", "operations_share"),
    Quantity("snn_energy_joules", "snn_energy_joules"),
    Quantity("grid_cost"),
    Quantity("mismatches"),
    Quantity("neurons_compared", measured=False),
    Quantity("ann_operations", "ann_operations", measured=False),
    Quantity("ann_energy_joules", "ann_energy_joules", measured=False),
    Quantity("neurons", "neurons", measured=False),
    Quantity("simulated_steps", "simulated_steps", measured=False),
)


def _total(values: pd.Series) -> float:
    # FP32, which has none, must not add up to 0.
    return values.sum(min_count=1)


# Not a mean over the seeds: the worst of them, or all that was compared.
_OVER_SEEDS = {"settled": "all", "settled_step_max": "max", "mismatches": _total, "neurons_compared": _total}


@dataclass(frozen=True)
class Results:
    """The runs of one experiment and budget, FP32 first, then by k and seed, beside what was published."""

    runs: tuple[RunDirectory, ...]
    published: pd.DataFrame
    """The experiment's rows of published.csv by precision; no rows where nothing was published."""
    energies: OperationEnergies

    @property
    def first(self) -> AnnRecord:
        """Any record: for what all runs have in common."""
        return self.runs[0].ann

    @cached_property
    def by_run(self) -> pd.DataFrame:
        """One row a run: precision, seed, settled, every one of `QUANTITIES` and what the notes need."""
        return pd.DataFrame([_row(run, self.energies) for run in self.runs])

    @cached_property
    def by_precision(self) -> pd.DataFrame:
        """One row a precision, indexed by it: `seeds`, `settled`, and for every quantity

        its mean over the seeds, `_std` (of the sample, divided by n - 1; NaN for one seed),
        `_published`, and `_difference` (ours minus published), as far as it can have them.
        The settled step's maximum is that over all seeds; what the certificates compare is added up.
        Published energies are derived: nobody published them, but the operations that they follow from.
        """
        names = [quantity.name for quantity in QUANTITIES]
        groups = self.by_run.groupby("precision", sort=False)
        summary = groups[names].mean()
        for name, way in _OVER_SEEDS.items():
            summary[name] = groups[name].agg(way)
        summary.insert(0, "seeds", groups.size())
        spread = groups[names].std()
        published = self.published.reindex(summary.index)
        for name, column, measured in QUANTITIES:
            if measured and name not in _OVER_SEEDS:
                summary[f"{name}_std"] = spread[name]
            if column:
                summary[f"{name}_published"] = published[column]
            if column and measured:
                summary[f"{name}_difference"] = summary[name] - published[column]
        summary["time_steps_from_log_published"] = published["time_steps_from_log"]
        return summary

    @cached_property
    def accuracy_curves(self) -> pd.DataFrame:
        """Accuracy over the test set: precision, seed, time_step (from 1), accuracy; a row a spiking run and step."""
        curves = [
            pd.DataFrame({"precision": run.ann.precision, "seed": run.ann.seed, "accuracy": run.accuracy_by_step()})
            for run in self.spiking
        ]
        return pd.concat([curve.assign(time_step=curve.index + 1) for curve in curves], ignore_index=True)

    @cached_property
    def noise_curves(self) -> pd.DataFrame:
        """Accuracy under noise: precision, seed, ratio, noise_seed, images, accuracy; a row a test."""
        tables = [run.noise().assign(precision=run.ann.precision, seed=run.ann.seed) for run in self.runs]
        return pd.concat(tables, ignore_index=True)

    @property
    def spiking(self) -> tuple[RunDirectory, ...]:
        """All runs but FP32's; raises LosslessError where there are none."""
        runs = tuple(run for run in self.runs if run.snn)
        if not runs:
            raise LosslessError(f"{self.runs[0].path}: only FP32 runs given; a spiking one (k0, k1, ...) is needed")
        return runs

    @property
    def several_seeds(self) -> bool:
        return bool((self.by_precision["seeds"] > 1).any())

    @property
    def unsettled(self) -> list[str]:
        """Precisions with an image that still spiked at the last step."""
        return [precision for precision, settled in self.by_precision["settled"].items() if not settled]

    @property
    def subject(self) -> str:
        """Experiment, data set and budget in words; a quick budget says that it is not the published one."""
        epochs = "/".join(f"{n:,}" for n in sorted({run.ann.epochs for run in self.runs}))
        less = ", fewer than published" if self.first.budget == "quick" and len(self.published) else ""
        data = find(self.first.dataset).title
        return (
            f"{self.first.experiment} ({data}), {self.first.budget} budget "
            f"({epochs} epochs of {self.first.training_images:,} images{less})"
        )

    @property
    def tested_on(self) -> str:
        """The images that the networks were tested on, in words."""
        images, test_set = self.first.images, self.first.test_set
        return f"{images:,} test images" if images == test_set else f"the first {images:,} of {test_set:,} test images"

    @property
    def seeded(self) -> str:
        """The seeds in words, and what stands behind ± where there are several."""
        seeds = sorted({run.ann.seed for run in self.runs})
        spread = " (mean ± standard deviation)" if self.several_seeds else ""
        return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}{spread}"

    @property
    def notes(self) -> dict[str, str]:
        """By precision, what a reader must know beside its numbers: not settled, not all test images."""
        notes = {}
        for precision, runs in self.by_run.groupby("precision", sort=False):
            images, settled = int(runs["snn_images"].sum()), int(runs["settled_images"].sum())
            sentences = []
            if precision in self.unsettled:
                sentences.append(
                    f"not settled within {runs['simulated_steps'].max():.0f} steps "
                    f"({settled:,} of {images:,} images were); values at the last step"
                )
                if runs["mismatches"].sum() and not runs["mismatches_settled"].sum():
                    sentences.append("neurons differ from the ANN's in the other images alone")
            if "faithful" in set(runs["arithmetic"]):
                sentences.append("simulated in the published code's arithmetic, which is not exact")
            if images and images < runs["images"].sum():
                sentences.append(f"spiking network tested on {images:,} of {int(runs['images'].sum()):,} images only")
            if sentences:
                notes[precision] = "; ".join(sentences)
        return notes

    @property
    def footnotes(self) -> list[str]:
        """The notes as lines to stand below a table or figure."""
        return [f"{MARK} {precision_title(precision)}: {note}." for precision, note in self.notes.items()]

    def marked_title(self, precision: str) -> str:
        """The precision's title, marked where it has a footnote."""
        return precision_title(precision) + (f" {MARK}" if precision in self.notes else "")


def precision_title(precision: str) -> str:
    """How tables and figures call a precision: "FP32", "k = 1"."""
    return "FP32" if precision == "fp32" else f"k = {precision[1:]}"


def load_results(
    paths: Iterable[str | Path], published: str | Path = PUBLISHED, energy: str | Path = ENERGY
) -> Results:
    """Read run directories, what was published of their experiment, and what operations cost.

    Raises LosslessError where there is no run, a file is missing or malformed, or the runs do
    not belong together: another experiment or budget, the same network twice, other steps.
    """
    runs = sorted((RunDirectory.read(path) for path in paths), key=_order)
    if not runs:
        raise LosslessError("no run directories given (expected results/BUDGET/EXPERIMENT/logs/PRECISION/seedS ...)")
    for before, run in pairwise(runs):
        agree(run.path / "ann.json", run.ann, before.path / "ann.json", before.ann, COMMON)
        if _order(run) == _order(before):
            raise LosslessError(f"{run.path}: {run.ann.precision}, seed {run.ann.seed} again, after {before.path}")
        if run.ann.precision == before.ann.precision and run.snn:
            names = run.path / "snn.json", before.path / "snn.json"
            agree(names[0], run.snn, names[1], before.snn, ("arithmetic", "simulated_steps", "images"))
    energies = read_energies(energy)
    return Results(tuple(runs), load_published(published, compared_with(runs[0].ann.experiment), energies), energies)


def load_published(path: str | Path, experiment: str, energies: OperationEnergies) -> pd.DataFrame:
    """The rows of published.csv for `experiment` (there may be none), by precision, and what follows from them:

    `operations_share`, of the ANN's operations, and both networks' energies. Raises LosslessError
    where the file or a column is missing.
    """
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}; --published names the published values") from None
    except ValueError as error:
        raise LosslessError(f"{path}: not a CSV table ({error})") from None
    derived = {"operations_share", "ann_energy_joules", "snn_energy_joules"}
    columns = {quantity.published for quantity in QUANTITIES} - derived - {None}
    missing = columns.union(["experiment", "precision", "time_steps_from_log"]).difference(table.columns)
    if missing:
        raise LosslessError(f"{path}: no column {', '.join(sorted(missing))}")
    table["operations_share"] = table["sops_per_image"] / table["ann_operations"]
    table["ann_energy_joules"] = energies.of_ann(table["ann_operations"])
    table["snn_energy_joules"] = energies.of_snn(table["sops_per_image"])
    return table[table["experiment"] == experiment].set_index("precision")


def _order(run: RunDirectory) -> tuple[int, int]:
    level = quantiser_level(run.ann.precision)
    return (-1 if level is None else level, run.ann.seed)


def _row(run: RunDirectory, energies: OperationEnergies) -> dict[str, Any]:
    ann, snn = run.ann, run.snn
    row = {"precision": ann.precision, "seed": ann.seed, "images": ann.images, "ann_accuracy": ann.accuracy}
    row |= {"neurons": ann.neurons, "ann_operations": ann.ann_operations}
    row |= {"ann_energy_joules": energies.of_ann(ann.ann_operations), "settled": snn is None or snn.settled}
    row["arithmetic"] = snn and snn.arithmetic
    spiking = {
        "snn_images": snn and snn.images,
        "snn_accuracy": snn and snn.accuracy,
        "operations_share": snn and snn.operations_per_image / snn.ann_operations,
        "snn_energy_joules": snn and energies.of_snn(snn.operations_per_image),
        "grid_cost": _grid_cost(run),
        "mismatches": snn and run.certificate.mismatches,
        "mismatches_settled": snn and run.certificate.mismatches_in_settled_images,
        "neurons_compared": snn and run.certificate.neurons_compared,
    }
    of_snn = set(SnnRecord.model_fields) - set(AnnRecord.model_fields) - {"settled", "arithmetic"}
    spiking |= {name: snn and getattr(snn, name) for name in sorted(of_snn)}
    return row | {name: np.nan if value is None else float(value) for name, value in spiking.items()}


def _grid_cost(run: RunDirectory) -> float | None:
    """Accuracy of the ANN in single precision minus that on the grid; None unless both saw the same images."""
    if run.certificate is None or run.certificate.images != run.ann.images:
        return None
    return run.ann.accuracy - run.certificate.grid_ann_accuracy
