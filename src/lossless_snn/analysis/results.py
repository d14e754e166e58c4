"""What runs came to, as data frames: seeds summarised, published values joined."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.energy import ENERGY, OperationEnergies, read_energies
from ..config.experiment import experiment_file
from ..config.parameters import compared_with
from ..config.settings import PUBLISHED
from ..errors import LosslessError
from ..networks.quantiser import quantiser_level
from ..runs.ann import AnnRecord
from ..runs.directory import COMMON, RunDirectory
from ..runs.identity import agree
from ..runs.step_logs import StepLogs
from .published import load_published, load_published_logs, published_experiments
from .quantities import QUANTITIES, quantities_of


@dataclass(frozen=True)
class Results:
    """The runs of one experiment and budget, FP32 first, then by k and seed, beside what was published."""

    runs: tuple[RunDirectory, ...]
    published: pd.DataFrame
    """The experiment's rows of published.csv by precision; no rows where nothing was published."""
    energies: OperationEnergies
    published_logs: dict[str, StepLogs]
    """What was published of the experiment step by step, by precision; empty where those logs are not at hand."""

    @property
    def first(self) -> AnnRecord:
        """Any record: for what all runs have in common."""
        return self.runs[0].ann

    @property
    def spiking(self) -> tuple[RunDirectory, ...]:
        """All runs but FP32's; raises LosslessError where there are none."""
        runs = tuple(run for run in self.runs if run.snn)
        if not runs:
            raise LosslessError(f"{self.runs[0].path}: only FP32 runs given; a spiking one (k0, k1, ...) is needed")
        return runs

    def by_logs(self) -> "Results":
        """The same results, taken from the step logs; raises LosslessError where snn.json contradicts them."""
        return replace(self, runs=tuple(run.by_logs() for run in self.runs))

    @property
    def has_spread(self) -> bool:
        """Whether a precision has runs of more than one seed, so that they have a standard deviation."""
        return bool((self.by_precision["seeds"] > 1).any())

    @property
    def unsettled(self) -> list[str]:
        """Precisions with an image that still spiked at the last step."""
        return [precision for precision, settled in self.by_precision["settled"].items() if not settled]

    @cached_property
    def by_run(self) -> pd.DataFrame:
        """One row a run: precision, seed, settled, every one of `QUANTITIES` and what captions need."""
        return pd.DataFrame([quantities_of(run, self.energies) for run in self.runs])

    @cached_property
    def by_precision(self) -> pd.DataFrame:
        """One row a precision, indexed by it: `seeds`, `settled`, and for every quantity

        its mean over the seeds, `_std` (of the sample, divided by n - 1; NaN for one seed),
        `_published`, and `_difference` (ours minus published), as far as it can have them.
        The settled step's maximum is that over all seeds; what the certificates compare is added up.
        Published energies are derived: nobody published them, but the operations that they follow from.
        """
        groups = self.by_run.groupby("precision", sort=False)
        summary = groups[["settled"]].all()
        summary.insert(0, "seeds", groups.size())
        published = self.published.reindex(summary.index)
        for name, column, measured, over_seeds in QUANTITIES:
            # A sum of nothing, FP32's, is not 0.
            summary[name] = groups[name].agg(over_seeds, **({"min_count": 1} if over_seeds == "sum" else {}))
            if measured and over_seeds == "mean":
                summary[f"{name}_std"] = groups[name].std()
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
    def steps_beside_published(self) -> pd.DataFrame:
        """Ours and published step by step: precision, time_step (from 1), quantity, ours, published, difference.

        Ours are means over the seeds. The quantities are those of `StepLogs.means`; the steps, those that both
        simulated; the precisions, those of which there are published logs.
        """
        tables = [
            self._steps_beside(precision, logs.means(self.first.test_set))
            for precision, logs in self.published_logs.items()
            if precision in self.by_precision.index
        ]
        columns = ["precision", "time_step", "quantity", "ours", "published", "difference"]
        return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)

    def _steps_beside(self, precision: str, published: dict[str, np.ndarray]) -> pd.DataFrame:
        ours = [run.means_by_step() for run in self.spiking if run.ann.precision == precision]
        steps = min(len(published["accuracy"]), len(ours[0]["accuracy"]))
        tables = [
            pd.DataFrame(
                {"ours": np.mean([run[name][:steps] for run in ours], axis=0), "published": theirs[:steps]}
            ).assign(precision=precision, quantity=name, time_step=np.arange(1, steps + 1))
            for name, theirs in published.items()
        ]
        return pd.concat(tables).assign(difference=lambda table: table["ours"] - table["published"])

    @cached_property
    def noise_curves(self) -> pd.DataFrame:
        """Accuracy under noise: precision, seed, ratio, noise_seed, images, accuracy; a row a test."""
        tables = [run.noise().assign(precision=run.ann.precision, seed=run.ann.seed) for run in self.runs]
        return pd.concat(tables, ignore_index=True)


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
    experiment = runs[0].ann.experiment
    named = compared_with(experiment)
    if named not in (experiment, *published_experiments(published)):
        raise LosslessError(f"{experiment_file(experiment)}: published: {published} has no '{named}'")
    table = load_published(published, named, energies)
    logs = load_published_logs(published, named, table, runs[0].ann.test_set)
    return Results(tuple(runs), table, energies, logs)


def _order(run: RunDirectory) -> tuple[int, int]:
    level = quantiser_level(run.ann.precision)
    return (-1 if level is None else level, run.ann.seed)


def largest_deviations(steps: pd.DataFrame) -> pd.DataFrame:
    """Of `Results.steps_beside_published`, for each precision and quantity the step where the two are furthest apart.

    The first of equals, the largest difference by its absolute value; rows and columns as there.
    """
    groups = steps.groupby(["precision", "quantity"], sort=False)["difference"]
    return steps.loc[[difference.abs().idxmax() for _, difference in groups]].reset_index(drop=True)
