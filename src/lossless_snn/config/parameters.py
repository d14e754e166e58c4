"""What commands take from an experiment's file. The workflow's rules have the same as params.

So no fingerprint follows these functions: an experiment's file may get new keys, and nothing is made anew whose
parameters stay what they are. They return plain values: what methods do, no parameter says.
"""

from typing import Any

from ..boundary import covered_by
from .experiment import experiment_file, fewest_changes, load_experiment, stages


@covered_by("recipe")
def training_recipe(experiment: str, budget: str, precision: str, epochs: int | None = None) -> dict[str, Any]:
    """All that decides what training gives, see `Experiment.recipe`."""
    return load_experiment(experiment).recipe(budget, precision, epochs).recorded()


@covered_by("options")
def simulation_options(experiment: str, budget: str) -> tuple[int, int]:
    """Time steps to simulate a network trained at `budget`, and images a line of the log files."""
    settings = load_experiment(experiment)
    return settings.simulated_steps(budget), settings.simulation.batch_size


@covered_by("options")
def comparison_options(experiment: str) -> tuple[int, int, int]:
    """Time steps, test images and images at once of the comparison of neurons."""
    settings = load_experiment(experiment)
    return settings.comparison.steps, settings.comparison.images, settings.simulation.batch_size


def judged(experiment: str) -> tuple[int, int]:
    """Time steps and test images that other implementations of the networks are judged on."""
    comparison = load_experiment(experiment).comparison
    return comparison.steps, comparison.judged_images


@covered_by("compared_with")
def compared_with(experiment: str) -> str:
    """The experiment of published.csv that `experiment` is to be compared with; its own name without a file."""
    if not experiment_file(experiment).is_file():
        return experiment
    return load_experiment(experiment).published or experiment


def trained_as(experiment: str, budget: str, precision: str) -> str:
    """The variant with the fewest changes whose network at `precision` is trained as that of `experiment`."""
    return fewest_changes(experiment, lambda other: stages(other, budget, precision))
