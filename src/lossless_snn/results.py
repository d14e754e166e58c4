"""What runs came to, as data frames: run directories read, seeds summarised, published values joined."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from .datasets.catalogue import find
from .energy import ENERGY, OperationEnergies, read_energies
from .errors import LosslessError
from .experiments import (
    EXPERIMENT_FOLDER,
    BudgetName,
    Count,
    DatasetName,
    Precision,
    load_experiment,
    quantiser_level,
)
from .yaml_files import validate

PUBLISHED = Path("config/published.csv")
MARK = "†"
"""Stands beside a precision that has a footnote."""

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=0)]


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


class Lenient(BaseModel):
    """A model for which keys that are not listed are nobody's concern."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Record(Lenient):
    """What ann.json and snn.json share."""

    experiment: str
    budget: BudgetName
    precision: Precision
    seed: int
    dataset: DatasetName
    images: Count
    accuracy: Share
    neurons: Count
    ann_operations: Count


class AnnRecord(Record):
    """ann.json: the ANN on the test set."""

    epochs: Count
    training_images: Count
    test_set: Count
    """Images that there are, of which the first `images` were tested on."""


class SnnRecord(Record):
    """snn.json: the spiking network at the last simulated step."""

    arithmetic: Literal["exact", "faithful"]
    time_steps: Count
    settled: bool
    settled_images: Number
    settled_step_mean: Amount | None
    settled_step_max: Amount | None
    positive_spikes_per_image: Amount
    negative_spikes_per_image: Amount
    operations_per_image: Amount
    simulated_steps: Count
    batch_size: Count


class CertificateRecord(Lenient):
    """certificate.json: every neuron's net spike count beside the activation of the ANN on the same grid."""

    images: Count
    neurons_compared: Count
    mismatches: Number
    mismatches_in_settled_images: Number
    grid_ann_accuracy: Share


class NoiseRecord(Lenient):
    """A row of noise.csv: the ANN on test images under one draw of noise."""

    ratio: Share
    noise_seed: Number
    images: Count
    accuracy: Share


class NoiseRecords(Lenient):
    """noise.csv."""

    rows: Annotated[tuple[NoiseRecord, ...], Field(min_length=1)]


@dataclass(frozen=True)
class RunDirectory:
    """The logs of one network: `ann` and, but for FP32, `snn`, its `certificate` and the four log files.

    Where robustness to noise was tested there is noise.csv, too.
    """

    path: Path
    ann: AnnRecord
    snn: SnnRecord | None = None
    certificate: CertificateRecord | None = None

    @classmethod
    def read(cls, path: str | Path) -> "RunDirectory":
        """Read the records; raises LosslessError where one is missing, malformed, or another network's."""
        path = Path(path)
        ann = _read_record(AnnRecord, path / "ann.json")
        if ann.precision == "fp32":
            return cls(path, ann)
        snn = _read_record(SnnRecord, path / "snn.json")
        _agree(path / "snn.json", snn, path / "ann.json", ann, (*_COMMON, "precision", "seed"))
        certificate = _read_record(CertificateRecord, path / "certificate.json")
        _agree(path / "certificate.json", certificate, path / "snn.json", snn, ("images",))
        if snn.arithmetic == "exact" and certificate.mismatches_in_settled_images:
            raise LosslessError(
                f"{path / 'certificate.json'}: violated: {certificate.mismatches_in_settled_images:,} neurons of "
                "settled images differ from the ANN's; convert and simulate again"
            )
        return cls(path, ann, snn, certificate)

    def log(self, name: str) -> np.ndarray:
        """A log file as int64 (batches, steps): one integer a line, batch after batch.

        Raises LosslessError where the file is missing, has a line that is no integer, or not
        as many lines as snn.json says.
        """
        path = self.path / f"{name}.txt"
        lines = _read_text(path).splitlines()
        batches, steps = -(-self.snn.images // self.snn.batch_size), self.snn.simulated_steps
        if len(lines) != batches * steps:
            raise LosslessError(
                f"{path}: {len(lines):,} lines, expected {batches * steps:,} "
                f"({batches:,} batches of {steps:,} steps, by snn.json); simulate again"
            )
        return np.array([_integer(line, path, i) for i, line in enumerate(lines, 1)], np.int64).reshape(batches, steps)

    def accuracy_by_step(self) -> np.ndarray:
        """Share of the test images predicted right at each time step, float64 (steps,).

        Raises LosslessError as `log` does, and where the last value is not snn.json's accuracy.
        """
        accuracy = self.log("accuracy").sum(axis=0) / self.snn.images
        if not np.isclose(accuracy[-1], self.snn.accuracy, rtol=0, atol=1e-9):
            raise LosslessError(
                f"{self.path / 'accuracy.txt'}: ends at {accuracy[-1]:.2%}, "
                f"snn.json says {self.snn.accuracy:.2%}; simulate again"
            )
        return accuracy

    def noise(self) -> pd.DataFrame:
        """noise.csv: a row a test, with the columns of `NoiseRecord`.

        Raises LosslessError where it is missing, malformed, or of other images than ann.json's.
        """
        path = self.path / "noise.csv"
        if not path.is_file():
            raise LosslessError(f"{path}: no such file; make it with `lossless-snn noise CHECKPOINT --out {path}`")
        table = validate(NoiseRecords, {"rows": list(csv.DictReader(_read_text(path).splitlines()))}, path)
        for row in table.rows:
            _agree(path, row, self.path / "ann.json", self.ann, ("images",))
        return pd.DataFrame([row.model_dump() for row in table.rows])


# What runs that are compared must have in common.
_COMMON = ("experiment", "budget", "dataset", "neurons", "ann_operations")


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
        _agree(run.path / "ann.json", run.ann, before.path / "ann.json", before.ann, _COMMON)
        if _order(run) == _order(before):
            raise LosslessError(f"{run.path}: {run.ann.precision}, seed {run.ann.seed} again, after {before.path}")
        if run.ann.precision == before.ann.precision and run.snn:
            names = run.path / "snn.json", before.path / "snn.json"
            _agree(names[0], run.snn, names[1], before.snn, ("arithmetic", "simulated_steps", "images"))
    energies = read_energies(energy)
    return Results(tuple(runs), load_published(published, _compared_with(runs[0].ann.experiment), energies), energies)


def _compared_with(experiment: str) -> str:
    """The experiment of published.csv that `experiment` says it is to be compared with; its own name without a file."""
    if not (EXPERIMENT_FOLDER / f"{experiment}.yaml").is_file():
        return experiment
    return load_experiment(experiment).published or experiment


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
    of_snn = set(SnnRecord.model_fields) - set(Record.model_fields) - {"settled", "arithmetic"}
    spiking |= {name: snn and getattr(snn, name) for name in sorted(of_snn)}
    return row | {name: np.nan if value is None else float(value) for name, value in spiking.items()}


def _grid_cost(run: RunDirectory) -> float | None:
    """Accuracy of the ANN in single precision minus that on the grid; None unless both saw the same images."""
    if run.certificate is None or run.certificate.images != run.ann.images:
        return None
    return run.ann.accuracy - run.certificate.grid_ann_accuracy


def _read_record(model: type[Lenient], path: Path) -> Any:
    try:
        content = json.loads(_read_text(path))
    except ValueError as error:
        raise LosslessError(f"{path}: truncated or not JSON ({error}); make it again") from None
    return validate(model, content, path)


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise LosslessError(f"{path}: no such file; is {path.parent} a finished run's folder?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LosslessError(f"{path}: cannot be read ({error})") from None


def _integer(line: str, path: Path, number: int) -> int:
    try:
        return int(line)
    except ValueError:
        raise LosslessError(f"{path}: line {number}: '{line}' is no integer; simulate again") from None


def _agree(path: Path, record: Lenient, other_path: Path, other: Lenient, keys: tuple[str, ...]) -> None:
    for key in keys:
        ours, theirs = getattr(record, key), getattr(other, key)
        if ours != theirs:
            raise LosslessError(f"{path}: {key} {ours}, but {other_path} has {theirs}: not runs to be compared")
