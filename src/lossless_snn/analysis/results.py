"""What runs came to, as data frames: seeds summarised, published values joined."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

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
from .published import load_published, published_experiments
from .quantities import QUANTITIES, quantities_of


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

    @property
    def spiking(self) -> tuple[RunDirectory, ...]:
        """All runs but FP32's; raises LosslessError where there are none."""
        runs = tuple(run for run in self.runs if run.snn)
        if not runs:
            raise LosslessError(f"{self.runs[0].path}: only FP32 runs given; a spiking one (k0, k1, ...) is needed")
        return runs

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
    return Results(tuple(runs), load_published(published, named, energies), energies)


def _order(run: RunDirectory) -> tuple[int, int]:
    level = quantiser_level(run.ann.precision)
    return (-1 if level is None else level, run.ann.seed)
