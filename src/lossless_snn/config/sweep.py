"""Sweeps (config/sweeps/*.yaml): which networks to make and to compare, as grids and lists of an experiment's keys."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..errors import LosslessError
from ..files.keys import validate_keys
from ..files.typed import Strict, read_yaml
from .experiment import EXPERIMENT_FOLDER, Experiment, experiment_file, fewest_changes, load_experiment, trainings
from .figure_style import FigureStyle
from .values import BudgetName, Distinct, Precision, Seed
from .variants import Scalar, variant_name

SWEEP_FOLDER = Path("config/sweeps")

Key = Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")]
Axis = Literal["experiment", "precision"] | Key
_OWN_AXES = ("experiment", "precision")


class SweepFigure(Strict):
    """A figure of a sweep: column `y` of its table against axis `x`, a line for each combination of the others."""

    y: str
    x: Axis

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.y}-{self.x}"


class Point(Strict):
    """One network of a sweep, whatever its seed.

    Attributes:
        experiment: The experiment or variant that it is made as.
        precision: Level of its quantiser, or none.
        seeds: The seeds that it is trained with.
        settings: Its place on each of the sweep's axes, None where the experiment's own value stands.
    """

    experiment: str
    precision: Precision
    seeds: Distinct[Seed]
    settings: dict[str, Scalar]


class Sweep(Strict):
    """Every one of `points` with every combination of `grid`, for each experiment, precision and seed.

    Keys of `points` and `grid` are those of `variants`. Without `seeds`, each experiment has those of its budget.
    """

    experiments: Distinct[str]
    budget: BudgetName
    precisions: Distinct[Precision]
    seeds: Distinct[Seed] | None = None
    grid: dict[Key, Distinct[Scalar]] = Field(default_factory=dict)
    points: Annotated[tuple[dict[Key, Scalar], ...], Field(min_length=1)] = ({},)
    figures: tuple[SweepFigure, ...] = ()
    style: FigureStyle = FigureStyle()

    @model_validator(mode="after")
    def _axes_fit(self) -> "Sweep":
        if reserved := set(_OWN_AXES).intersection(self._keys):
            raise ValueError(f"{', '.join(sorted(reserved))}: has a list of its own, above grid and points")
        if both := set(self.grid).intersection(*[set().union(*self.points)]):
            raise ValueError(f"{', '.join(sorted(both))}: in grid and points (one of them)")
        for figure in self.figures:
            if figure.x not in self.axes:
                raise ValueError(f"figures: no axis '{figure.x}' (there are {', '.join(self.axes)})")
        return self

    @property
    def _keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.grid, *(key for point in self.points for key in point)]))

    @property
    def axes(self) -> tuple[str, ...]:
        """What differs between the points, in the order of the table's first columns."""
        return (*_OWN_AXES, *self._keys)

    def expanded(self, folder: Path = EXPERIMENT_FOLDER) -> Iterator[Point]:
        """The points, each as the variant with the fewest changes that is the same at the sweep's budget.

        So what a sweep has in common with another one, or with the experiment itself, is made once.

        Raises:
            LosslessError: An experiment or variant is wrong or lacks the budget, or two points are the same.
        """
        seen: dict[tuple[str, str], dict[str, Scalar]] = {}
        for name in self.experiments:
            for listed, values in product(self.points, product(*self.grid.values())):
                changes = {**listed, **dict(zip(self.grid, values, strict=True))}
                variant = fewest_changes(variant_name(name, changes), self._decides, folder)
                experiment = load_experiment(variant, folder)
                for precision in self.precisions:
                    if not (seeds := self.seeds or experiment.seeds(self.budget, precision)):
                        lacking = f"its {self.budget} budget has none at {precision}"
                        raise LosslessError(f"seeds: {name}: {lacking}; give the sweep its own")
                    settings = {"experiment": name, "precision": precision, **dict.fromkeys(self._keys), **changes}
                    if (variant, precision) in seen:
                        raise LosslessError(f"{settings} is the same as {seen[variant, precision]}")
                    seen[variant, precision] = settings
                    yield Point(experiment=variant, precision=precision, seeds=seeds, settings=settings)

    def _decides(self, experiment: Experiment) -> Any:
        """All that decides what runs of an experiment give at the sweep's budget."""
        if self.budget not in experiment.training.budgets:
            raise LosslessError(f"no budget '{self.budget}' (it has {', '.join(experiment.training.budgets)})")
        simulated = experiment.simulated_steps(self.budget), experiment.simulation.batch_size
        seeds = [experiment.seeds(self.budget, precision) for precision in self.precisions]
        return trainings(experiment, self.budget), simulated, experiment.test_images(self.budget), seeds


def load_sweep(name: str, folder: Path = SWEEP_FOLDER, experiments: Path = EXPERIMENT_FOLDER) -> Sweep:
    """The sweep of that name, from `folder`/NAME.yaml.

    Raises:
        LosslessError: The file is missing or wrong, or names an experiment that has no file.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml"))) or "none"
        raise LosslessError(f"{path}: no such sweep (found: {known})")
    sweep = validate_keys(Sweep, read_yaml(path), path)
    for experiment in sweep.experiments:
        if not experiment_file(experiment, experiments).is_file():
            raise LosslessError(f"{path}: experiments: '{experiment}' has no file in {experiments}/")
    return sweep


def sweep_points(name: str) -> list[Point]:
    """The points of a sweep; raises LosslessError, naming its file, where they or the file are wrong."""
    sweep = load_sweep(name)
    try:
        return list(sweep.expanded())
    except LosslessError as error:
        raise LosslessError(f"{SWEEP_FOLDER / name}.yaml: {error}") from None
