"""What runs will cost: jobs, core hours, GPU hours and disk, before anything is run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from statistics import mean
from typing import Any, NamedTuple

from tabulate import tabulate

from ..config.costs import STEPS, Costs, Step
from ..config.experiment import Experiment, load_experiment

Measured = Callable[[str, str, str], Sequence[Mapping[str, Any]]]
"""What gives the measured attempts of a budget's, an experiment's and a rule's jobs: processor_seconds, memory (MB)."""

# Figures and tables of one experiment at one budget.
_DRAWN = 5
_ON_GPU = ("train", "evaluate", "simulate")


class Row(NamedTuple):
    """The jobs of one step of one experiment.

    Attributes:
        experiment, budget, step: Which.
        jobs: How many.
        core_hours: Of all of them.
        longest: Hours of one core that the longest of them takes.
        memory: MB that one of them occupies.
        disk: MB that all of them write.
        source: What the costs are from.
    """

    experiment: str
    budget: str
    step: Step
    jobs: int
    core_hours: float
    longest: float
    memory: float
    disk: float
    source: str


def plan(
    costs: Costs,
    experiments: Iterable[str],
    budget: str,
    precisions: Sequence[str],
    seeds: Sequence[int] | None,
    measured: Measured,
) -> list[Row]:
    """A row for each experiment and step.

    Args:
        costs: What jobs cost by config/costs.yaml.
        experiments: Names of experiments.
        budget: How long they are trained.
        precisions: "fp32" and levels "k<N>".
        seeds: Seeds of each; those of the budget where none are given.
        measured: What jobs here have cost, which is taken where there are any.

    Raises:
        LosslessError: There is no such experiment, or it has not got that budget.
    """
    rows = []
    for name in experiments:
        experiment = load_experiment(name)
        experiment.recipe(budget, "fp32")  # if there is no such budget, it says so
        there = experiment.precisions(budget, precisions)
        runs = [precision for precision in there for _ in seeds or experiment.seeds(budget, precision)]
        for step in STEPS:
            rows.append(_row(costs, name, experiment, budget, runs, step, measured))
    return [row for row in rows if row.jobs]


def _row(costs, name, experiment, budget, runs, step, measured) -> Row:
    """The row of a step; `runs` are the precisions of all of them, each as often as it has seeds."""
    spiking = [precision for precision in runs if precision != "fp32"]
    of_step = spiking if step in ("convert", "simulate") else runs
    if step == "draw":
        of_step = ["fp32"] * _DRAWN
    estimates = [costs.estimate(step, name, budget, precision) for precision in of_step]
    seconds, memory = [each.seconds for each in estimates], [each.memory for each in estimates]
    attempts = [] if step == "draw" else measured(budget, name, step)
    if attempts:
        seconds = [mean(attempt["processor_seconds"] for attempt in attempts)] * len(of_step)
        memory = [max(attempt["memory"] for attempt in attempts)]
    disk = sum(_megabytes(experiment, budget, step) for _ in of_step)
    return Row(
        name,
        budget,
        step,
        len(of_step),
        sum(seconds) / 3600,
        max(seconds, default=0) / 3600,
        max(memory, default=0),
        disk,
        f"{len(attempts)} jobs here" if attempts else "config/costs.yaml",
    )


def _megabytes(experiment: Experiment, budget: str, step: Step) -> float:
    """What one job leaves: a network's 32-bit parameters and batch norm, or its logs (a line a batch and step)."""
    if step in ("train", "convert"):
        layers = experiment.layers
        return sum(prod(layer.weight_shape) + 4 * layer.weight_shape[0] for layer in layers) * 4 / 1e6
    if step == "simulate":
        images = experiment.test_images(budget) or 10_000
        return 4 * 8 * images / experiment.simulation.batch_size * experiment.simulated_steps(budget) / 1e6
    return 0.2 if step == "draw" else 0.001


def in_words(rows: Sequence[Row], device: str) -> str:
    """A table of rows, and the sums in a line.

    Args:
        rows: What `plan` gave.
        device: "cuda" where trainings, tests and simulations run on a GPU. What that saves was not measured, so that
            hours of a core stand for the most that it may take.
    """
    table = tabulate(
        [
            (row.experiment, row.step, row.jobs, row.core_hours, row.longest, row.memory, row.disk, row.source)
            for row in rows
        ],
        ["experiment", "step", "jobs", "core hours", "longest (h)", "memory (MB)", "disk (MB)", "costs of"],
        tablefmt="github",
        floatfmt=("", "", "", ".2f", ".2f", ".0f", ".1f", ""),
    )
    gpu = sum(row.core_hours for row in rows if device == "cuda" and row.step in _ON_GPU)
    on_gpu = f", {gpu:.2f} GPU hours at the most (as long as on a core)" if device == "cuda" else ", no GPU hours"
    return (
        f"{table}\n\n{sum(row.jobs for row in rows):,} jobs, {sum(row.core_hours for row in rows) - gpu:.2f} core hours"
        f"{on_gpu}, {sum(row.disk for row in rows):,.0f} MB of disk"
    )
