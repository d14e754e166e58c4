"""config/costs.yaml as a typed model: what jobs cost, and what to ask a scheduler for."""

from functools import cache
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from ..files.typed import Strict, read_yaml, validate
from ..networks.quantiser import quantiser_level
from .experiment import Experiment, load_experiment
from .values import Count

COSTS_FILE = Path("config/costs.yaml")

Step = Literal["train", "evaluate", "simulate", "convert", "draw"]
STEPS = get_args(Step)

Above = Annotated[float, Field(gt=0)]


class Images(Strict):
    """How many images a data set has."""

    train: Count
    test: Count


class PerImage(Strict):
    """One figure for each step that goes through images."""

    train: Above
    evaluate: Above
    simulate: Above


class Cost(Strict):
    """Of one experiment, on one core.

    Attributes:
        images: Sizes of the data set.
        milliseconds: An image and epoch of training, an image of one test, of one simulation at k = 1.
        memory: MB that a job occupies at the most.
    """

    images: Images
    milliseconds: PerImage
    memory: PerImage


class Margin(Strict):
    """How many times of what was measured is asked for."""

    seconds: Above
    memory: Above


class Fixed(Strict):
    """Of steps that cost the same whatever the network."""

    convert: Above
    draw: Above


class FixedSeconds(Fixed):
    """Likewise, with what every job takes beside its work."""

    start: Above


class Estimate(NamedTuple):
    """What a job needs: seconds of one core, MB, and the seconds that it cannot be interrupted in."""

    seconds: float
    memory: float
    between_states: float = 0.0


class Costs(Strict):
    """The whole file; `others` is an experiment's cost for a million multiply-accumulates."""

    measured_on: str
    margin: Margin
    shortest_minutes: Count
    short_minutes: Count
    experiments: dict[str, Cost]
    others: Cost
    seconds: FixedSeconds
    memory: Fixed

    def estimate(self, step: Step, name: str, budget: str, precision: str = "fp32") -> Estimate:
        """What one job of an experiment costs.

        Args:
            step: What the job does; "draw" is a figure or a table.
            name: The experiment.
            budget: How long it is trained.
            precision: "fp32" or "k<N>"; simulations cost more the higher k is.

        Raises:
            LosslessError: There is no such experiment, or it has not got that budget.
        """
        if step in ("convert", "draw"):
            return Estimate(self.seconds.start + getattr(self.seconds, step), getattr(self.memory, step))
        experiment = load_experiment(name)
        cost, millions = self.experiments.get(name), 1.0
        if cost is None:
            # A point of a sweep (NAME@KEY=VALUE) has the data of its experiment.
            images = self.experiments.get(name.partition("@")[0], self.others).images
            cost = self.others.model_copy(update={"images": images})
            millions = sum(layer.macs for node in experiment.graph.geometry for layer in node) / 1e6
        seconds = millions * getattr(cost.milliseconds, step) / 1000 * _images(step, experiment, cost, budget)
        memory = getattr(cost.memory, step)
        if step == "simulate":
            seconds *= 0.4 + 0.3 * 2 ** (quantiser_level(precision) or 0)
        if step != "train":
            return Estimate(self.seconds.start + seconds, memory)
        epochs = sum(phase.epochs for phase in experiment.recipe(budget, precision).phases)
        return Estimate(self.seconds.start + epochs * seconds, memory, seconds)

    def minutes(self, estimate: Estimate, attempt: int = 1, threads: int = 1) -> int:
        """The run time to ask for: twice as much with each attempt, and always enough to get to the next state."""
        seconds = max(
            estimate.seconds * self.margin.seconds / threads, 2 * self.margin.seconds * estimate.between_states
        )
        return max(self.shortest_minutes, ceil(seconds / 60)) * 2 ** (attempt - 1)

    def megabytes(self, estimate: Estimate, attempt: int = 1) -> int:
        """The memory to ask for: half as much again with each attempt."""
        return ceil(estimate.memory * self.margin.memory * 1.5 ** (attempt - 1))

    def is_short(self, name: str, budget: str, precision: str) -> bool:
        """Whether a training is scheduled together with what follows it."""
        return self.estimate("train", name, budget, precision).seconds <= 60 * self.short_minutes


def _images(step: Step, experiment: Experiment, cost: Cost, budget: str) -> int:
    """Images that a job goes through, of one epoch for a training."""
    if step != "train":
        return min(experiment.test_images(budget) or cost.images.test, cost.images.test)
    recipe = experiment.recipe(budget, "fp32")
    return min(recipe.train_images or cost.images.train, cost.images.train)


@cache
def read_costs(path: Path = COSTS_FILE) -> Costs:
    """The costs in the file at `path`; raises LosslessError where it is wrong."""
    content: Any = read_yaml(path)
    return validate(Costs, content, path)
