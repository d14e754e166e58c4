"""Experiment files (config/experiments/*.yaml) as typed models: defaults, validation, messages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from ..datasets.catalogue import find
from ..datasets.encoding import Standardised
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.typed import Strict, read_yaml, validate
from ..networks import notation
from ..networks.method import MOST_STEPS
from ..networks.quantiser import quantiser_level
from .architecture import network_layers

EXPERIMENT_FOLDER = Path("config/experiments")


def _precision(value: str) -> str:
    quantiser_level(value)
    return value


def _dataset(value: str) -> str:
    find(value)
    return value


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the smallest comes first (found {value[0]:g}, {value[1]:g})")
    return value


Item = TypeVar("Item")


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("empty (list one at least)")
    if repeated := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return items


Several = Annotated[tuple[Item, ...], AfterValidator(_each_once)]
Precision = Annotated[str, AfterValidator(_precision)]
DatasetName = Annotated[str, AfterValidator(_dataset)]
BudgetName = Literal["quick", "paper"]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]


class Phase(Strict):
    """A stretch of training with one learning rate; each starts with a fresh Adam."""

    epochs: Count
    learning_rate: Annotated[float, Field(gt=0)]


class Budget(Strict):
    """How long to train; and what differs from the experiment's, where it is meant to end soon.

    `seeds` are trained one by one. `steps` are the time steps to simulate; the first `train_images` are
    trained on, and the first `test_images` tested on.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    seeds: Several[Seed] = (0,)
    batch_size: Count | None = None
    train_images: Count | None = None
    test_images: Count | None = None
    steps: Steps | None = None

    def schedule(self, epochs: int | None = None) -> tuple[Phase, ...]:
        """The phases; cut off, or the last one prolonged, where `epochs` says how many in all."""
        phases = list(self.phases)
        if epochs is None:
            return self.phases
        while len(phases) > 1 and sum(phase.epochs for phase in phases[:-1]) >= epochs:
            phases.pop()
        last = epochs - sum(phase.epochs for phase in phases[:-1])
        return (*phases[:-1], phases[-1].model_copy(update={"epochs": last}))


class Augmentation(Strict):
    """How training images are varied, see `augmentation`; they are standardised afterwards."""

    crop: Count
    flip: bool = True
    brightness: Annotated[float, Field(ge=0)] = 0.0
    contrast: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)] = (1.0, 1.0)


class Training(Strict):
    """The recipe: Adam on cross-entropy, the last images of the training set held out."""

    batch_size: Count = 200
    validation_images: Annotated[int, Field(ge=0)]
    augmentation: Augmentation | None = None
    budgets: dict[BudgetName, Budget]


class Simulation(Strict):
    """Steps to simulate, and images that share a line in the log files."""

    steps: Steps
    batch_size: Count


class Comparison(Strict):
    """Steps and test images of the comparison with other neurons, some of which need many more steps."""

    steps: Steps = 100
    images: Count = 1000


class Experiment(Strict):
    """One network on one data set, with its recipe.

    `published` is the experiment of published.csv to compare with; the one of its own name if not given.
    """

    published: str | None = None
    dataset: DatasetName
    network: str
    padding: Literal["valid", "same"] = "valid"
    training: Training
    simulation: Simulation
    comparison: Comparison = Comparison()

    @model_validator(mode="after")
    def _augmentation_fits(self) -> "Experiment":
        augmentation, encoding = self.training.augmentation, self.data.encoding
        if augmentation and encoding != Standardised(augmentation.crop):
            raise ValueError(
                f"training.augmentation: gives standardised crops of {augmentation.crop} x {augmentation.crop}, "
                f"but {self.dataset} is tested as {encoding}"
            )
        return self

    @model_validator(mode="after")
    def _network_fits(self) -> "Experiment":
        try:
            _ = self.layers
        except LosslessError as error:
            raise ValueError(f"network: {error}") from None
        return self

    @property
    def data(self) -> DatasetSpec:
        return find(self.dataset)

    @property
    def layers(self) -> tuple[notation.Layer, ...]:
        return network_layers(self.architecture)

    @property
    def architecture(self) -> dict[str, Any]:
        """What a checkpoint needs to rebuild the network: data set, network and padding."""
        return self.model_dump(include={"dataset", "network", "padding"})

    def simulated_steps(self, budget: str) -> int:
        """Time steps to simulate a network trained at `budget`."""
        chosen = self.training.budgets.get(budget)
        return (chosen and chosen.steps) or self.simulation.steps

    def test_images(self, budget: str) -> int | None:
        """How many images, the first, to test a network on that was trained at `budget`; None for all."""
        return self.training.budgets[budget].test_images if budget in self.training.budgets else None

    def seeds(self, budget: str) -> tuple[int, ...]:
        """The seeds to train with at `budget`, unless others are asked for."""
        return self.training.budgets[budget].seeds

    def recipe(self, budget: str, epochs: int | None = None) -> dict[str, Any]:
        """All that decides what training gives, and nothing else: an input of the training step."""
        training = self.training
        if budget not in training.budgets:
            raise LosslessError(f"no budget '{budget}' (it has {', '.join(training.budgets)})")
        chosen = training.budgets[budget]
        return {
            **self.architecture,
            "batch_size": chosen.batch_size or training.batch_size,
            "train_images": chosen.train_images,
            "validation_images": training.validation_images,
            "augmentation": training.augmentation and training.augmentation.model_dump(mode="json"),
            "phases": [phase.model_dump() for phase in chosen.schedule(epochs)],
        }


def merged(content: Any, changes: Any) -> Any:
    """`content` with `changes` made, key by key in nested mappings."""
    if not (isinstance(content, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**content, **{key: merged(content.get(key), value) for key, value in changes.items()}}


def load_experiment(name: str, folder: Path = EXPERIMENT_FOLDER) -> Experiment:
    """The experiment of that name, from `folder`/NAME.yaml.

    Where the file `extends` another experiment, it only has what differs. Raises LosslessError
    where a file is missing or wrong.
    """
    return validate(Experiment, _content(name, folder, ()), folder / f"{name}.yaml")


def _content(name: str, folder: Path, extending: tuple[str, ...]) -> Any:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none: run in the repository's root"
        raise LosslessError(f"{path}: no such experiment (found: {known})")
    content = read_yaml(path)
    if not (isinstance(content, Mapping) and "extends" in content):
        return content
    if name in extending:
        raise LosslessError(f"{path}: extends: in a circle ({' -> '.join((*extending, name))})")
    own = dict(content)
    return merged(_content(str(own.pop("extends")), folder, (*extending, name)), own)
