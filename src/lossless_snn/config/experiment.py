"""Experiment files (config/experiments/*.yaml) as typed models: defaults, validation, messages."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..datasets.catalogue import find
from ..datasets.encoding import Encoding, Standardised
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError, did_you_mean
from ..files.configuration import configured, configured_names
from ..files.keys import validate_keys
from ..files.typed import Strict, read_yaml
from ..networks.geometry import Layer
from ..networks.graph import Graph
from ..networks.rescaling import check_rescalable
from .architecture import Factory, network_graph
from .recipe import ActivationScale, Augmentation, Muon, Penalty, PenaltyPower, Phase, Recipe
from .values import (
    BudgetName,
    Count,
    DatasetName,
    Distinct,
    NetworkName,
    Precision,
    Seed,
    Share,
    Steps,
    UpperBound,
    WeightBits,
)
from .variants import changed, split_name, variant_name

EXPERIMENT_FOLDER = Path("config/experiments")

Phases = Annotated[tuple[Phase, ...], Field(min_length=1)]
HeldOut = Annotated[int, Field(ge=0)]


class FineTuning(Strict):
    """How the network of one precision is trained on from the one before it in the list, the first from FP32's.

    It starts with `activation_scale` times that one's activations. What else is not given is the budget's.
    """

    precision: Precision
    phases: Phases
    augmentation: Augmentation | None = None
    activation_penalty: Penalty | None = None
    penalty_power: PenaltyPower | None = None
    activation_scale: ActivationScale = 1.0


class Budget(Strict):
    """How long to train; and what differs from the experiment's recipe.

    `seeds` are those of all precisions, or of each that there is.
    `steps` are the time steps to simulate; the first `train_images` are trained on, the first `test_images` tested on.
    The fields from `augmentation` on are for recipes of our own, see `Recipe`; what is not given is as published.
    `activation_penalty` is that of all levels, `fp32_penalty` that of FP32.
    """

    phases: Phases
    seeds: Distinct[Seed] | Annotated[dict[Precision, Distinct[Seed]], Field(min_length=1)] = (0,)
    batch_size: Count | None = None
    train_images: Count | None = None
    test_images: Count | None = None
    steps: Steps | None = None
    augmentation: Augmentation | None = None
    validation_images: HeldOut | None = None
    optimiser: Muon | None = None
    arithmetic: Literal["float32", "bfloat16"] = "float32"
    initialisation: Literal["published", "identity"] = "published"
    label_smoothing: Share = 0.0
    activation_penalty: Penalty = 0.0
    fp32_penalty: Penalty = 0.0
    penalty_power: PenaltyPower = 1
    weight_bits: WeightBits | None = None
    fine_tuning: tuple[FineTuning, ...] = ()

    def stage(self, precision: str) -> dict[str, Any]:
        """What the recipe of one precision has of its own, such as its phases and the network that it starts from."""
        if precision == "fp32" or not self.fine_tuning:
            own = {"phases": self.phases, "augmentation": self.augmentation}
            of_fp32 = _penalty(self.fp32_penalty, self.penalty_power)
            return own | (of_fp32 if precision == "fp32" else self._of_spikes(self))
        names = [stage.precision for stage in self.fine_tuning]
        # A level that is not listed is trained on from FP32, as the first of the list.
        place = names.index(precision) if precision in names else 0
        chosen = self.fine_tuning[place]
        own = {
            "phases": chosen.phases,
            "augmentation": chosen.augmentation or self.augmentation,
            "initial": names[place - 1] if place else "fp32",
            "activation_scale": chosen.activation_scale,
        }
        return own | self._of_spikes(chosen)

    def _of_spikes(self, stage: "FineTuning | Budget") -> dict[str, Any]:
        """What only networks have that are to spike: few bits, and a penalty, the stage's or else the budget's."""
        weight, power = (
            getattr(self if getattr(stage, name) is None else stage, name)
            for name in ("activation_penalty", "penalty_power")
        )
        return {"weight_bits": self.weight_bits, **_penalty(weight, power)}


def _penalty(weight: float, power: int) -> dict[str, Any]:
    """A recipe's penalty; without one, nothing of its power either."""
    return {"activation_penalty": weight, "penalty_power": power} if weight else {}


def _unlike(augmentation: Augmentation, encoding: Encoding) -> str | None:
    """What images vary to, where that is not how the network is tested; None where it is."""
    crop = augmentation.crop
    if crop is not None:
        return None if encoding == Standardised(crop) else f"standardised crops of {crop} x {crop}"
    if isinstance(encoding, Standardised):
        return "whole images (name its crop)"
    return "other brightness or contrast" if augmentation.varies_light else None


def lasting(phases: tuple[Phase, ...], epochs: int | None) -> tuple[Phase, ...]:
    """The phases; cut off, or the last one prolonged, where `epochs` says how many in all."""
    if epochs is None:
        return phases
    kept = list(phases)
    while len(kept) > 1 and sum(phase.epochs for phase in kept[:-1]) >= epochs:
        kept.pop()
    last = epochs - sum(phase.epochs for phase in kept[:-1])
    return (*kept[:-1], kept[-1].model_copy(update={"epochs": last}))


class Training(Strict):
    """The recipe: Adam on cross-entropy, the last images of the training set held out."""

    batch_size: Count = 200
    validation_images: HeldOut
    augmentation: Augmentation | None = None
    budgets: dict[BudgetName, Budget]


class Simulation(Strict):
    """Steps to simulate, and images that share a line in the log files."""

    steps: Steps
    batch_size: Count


class Comparison(Strict):
    """Steps and test images of the comparison with other neurons, some of which need many more steps.

    `judged_images` are those that other implementations of the network are judged on.
    """

    steps: Steps = 100
    images: Count = 1000
    judged_images: Count = 100


class Experiment(Strict):
    """One network on one data set, with its recipe.

    `published` is the experiment of published.csv to compare with; the one of its own name if not given. `padding` is
    that of the paper's notation, `upper_bound` that of all activations.
    """

    published: str | None = None
    dataset: DatasetName
    network: NetworkName | Factory
    padding: Literal["valid", "same"] = "valid"
    upper_bound: UpperBound | None = None
    training: Training
    simulation: Simulation
    comparison: Comparison = Comparison()

    @model_validator(mode="after")
    def _augmentation_fits(self) -> "Experiment":
        encoding = self.data.encoding
        found = {"training": self.training.augmentation}
        for name, budget in self.training.budgets.items():
            found[f"training.budgets.{name}"] = budget.augmentation
            for stage in budget.fine_tuning:
                found[f"training.budgets.{name}.fine_tuning.{stage.precision}"] = stage.augmentation
        for place, augmentation in found.items():
            if augmentation and (given := _unlike(augmentation, encoding)):
                raise ValueError(f"{place}.augmentation: gives {given}, but {self.dataset} is tested as {encoding}")
        return self

    @model_validator(mode="after")
    def _network_fits(self) -> "Experiment":
        try:
            _ = self.graph
        except LosslessError as error:
            raise ValueError(f"network: {error}") from None
        return self

    @property
    def data(self) -> DatasetSpec:
        return find(self.dataset)

    @property
    def graph(self) -> Graph:
        return network_graph(self.architecture)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a chain; raises LosslessError where the network is none."""
        return self.graph.chain()

    @property
    def architecture(self) -> dict[str, Any]:
        """What a checkpoint needs to rebuild the network: data set, network and padding, and the upper bound if any.

        Of a network that a factory makes, the graph that it gives: files never name code.
        """
        content = self.model_dump(include={"dataset", "network", "padding"})
        if isinstance(self.network, Factory):
            graph = self.network.graph(self.data.input_shape, self.data.classes)
            content["network"] = graph.model_dump(mode="json", exclude_defaults=True)
        return content if self.upper_bound is None else {**content, "upper_bound": self.upper_bound}

    def simulated_steps(self, budget: str) -> int:
        """Time steps to simulate a network trained at `budget`."""
        chosen = self.training.budgets.get(budget)
        return (chosen and chosen.steps) or self.simulation.steps

    def test_images(self, budget: str) -> int | None:
        """How many images, the first, to test a network on that was trained at `budget`; None for all."""
        return self.training.budgets[budget].test_images if budget in self.training.budgets else None

    def seeds(self, budget: str, precision: str) -> tuple[int, ...]:
        """The seeds to train with at `budget`, unless others are asked for; none where it lacks that precision."""
        found = self.training.budgets[budget].seeds
        return found.get(precision, ()) if isinstance(found, dict) else found

    def precisions(self, budget: str, asked: Sequence[str]) -> tuple[str, ...]:
        """Those of the precisions that are asked for which there are at `budget`."""
        return tuple(precision for precision in asked if self.seeds(budget, precision))

    def recipe(self, budget: str, precision: str, epochs: int | None = None) -> Recipe:
        """All that decides what training gives at `budget` and `precision`, for `epochs` in place of the budget's.

        Raises LosslessError where the experiment has no such budget, and where it scales activations that cannot be.
        """
        training = self.training
        if budget not in training.budgets:
            raise LosslessError(f"no budget '{budget}' (it has {', '.join(training.budgets)})")
        chosen = training.budgets[budget]
        stage = chosen.stage(precision)
        if stage.get("activation_scale", 1) != 1:
            # Of this recipe alone: a variant with an upper bound has other budgets, which scale nothing.
            try:
                check_rescalable(self.graph)
            except LosslessError as error:
                place = f"training.budgets.{budget}.fine_tuning.{precision}.activation_scale"
                raise LosslessError(f"{place}: {error}; set it to 1") from None
        held_out = chosen.validation_images
        return Recipe(
            **self.architecture,
            batch_size=chosen.batch_size or training.batch_size,
            train_images=chosen.train_images,
            validation_images=training.validation_images if held_out is None else held_out,
            optimiser=chosen.optimiser,
            arithmetic=chosen.arithmetic,
            initialisation=chosen.initialisation,
            label_smoothing=chosen.label_smoothing,
            **stage
            | {
                "phases": lasting(stage["phases"], epochs),
                "augmentation": stage["augmentation"] or training.augmentation,
            },
        )


def merged(content: Any, changes: Any) -> Any:
    """`content` with `changes` made, key by key in nested mappings."""
    if not (isinstance(content, Mapping) and isinstance(changes, Mapping)):
        return changes
    return {**content, **{key: merged(content.get(key), value) for key, value in changes.items()}}


def experiment_file(name: str, folder: Path = EXPERIMENT_FOLDER) -> Path:
    """The file of an experiment; of a variant, that of the experiment which it is of. It may be missing."""
    return configured(folder / f"{split_name(name)[0]}.yaml")


def load_experiment(name: str, folder: Path = EXPERIMENT_FOLDER) -> Experiment:
    """The experiment of that name, from `folder`/NAME.yaml or the package's, or the variant of one, see `variants`.

    Where the file `extends` another experiment, it only has what differs. Raises LosslessError
    where a file is missing or wrong.
    """
    base, changes = split_name(name)
    content = _content(base, folder, ())
    source = folder / f"{base}.yaml"
    if not changes:
        return validate_keys(Experiment, content, source)
    return validate_keys(Experiment, changed(content, changes, name), f"{source}, as {name}")


def trainings(experiment: Experiment, budget: str) -> tuple[Recipe, ...]:
    """The recipes of all precisions at `budget`: levels that have none of their own are trained like k = 0."""
    levels = [stage.precision for stage in experiment.training.budgets[budget].fine_tuning] or ["k0"]
    return tuple(experiment.recipe(budget, precision) for precision in ("fp32", *levels))


def stages(experiment: Experiment, budget: str, precision: str) -> tuple[Recipe, ...]:
    """The recipes that a network at `precision` goes through: FP32's or its own first, its own last."""
    recipe = experiment.recipe(budget, precision)
    return (recipe,) if recipe.initial is None else (*stages(experiment, budget, recipe.initial), recipe)


def fewest_changes(name: str, decides: Callable[[Experiment], Any], folder: Path = EXPERIMENT_FOLDER) -> str:
    """The variant with the fewest of a variant's changes for which `decides` still gives the same.

    Raises:
        LosslessError: The variant itself is wrong.
    """
    base, changes = split_name(name)
    wanted = decides(load_experiment(name, folder))
    for key in list(changes):
        fewer = {other: value for other, value in changes.items() if other != key}
        try:
            same = decides(load_experiment(variant_name(base, fewer), folder)) == wanted
        except LosslessError:
            continue  # it cannot be without this change
        if same:
            changes = fewer
    return variant_name(base, changes)


def _content(name: str, folder: Path, extending: tuple[str, ...]) -> Any:
    path = configured(folder / f"{name}.yaml")
    if not path.is_file():
        known = configured_names(folder)
        raise LosslessError(f"{path}: no such experiment (found: {', '.join(known)}){did_you_mean(name, known)}")
    content = read_yaml(path)
    if not (isinstance(content, Mapping) and "extends" in content):
        return content
    if name in extending:
        raise LosslessError(f"{path}: extends: in a circle ({' -> '.join((*extending, name))})")
    own = dict(content)
    return merged(_content(str(own.pop("extends")), folder, (*extending, name)), own)
