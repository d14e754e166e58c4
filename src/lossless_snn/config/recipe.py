"""Recipes: all that decides what a training gives, beside its seed and the quantiser's level."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat

from ..files.typed import Strict
from ..networks.graph import Graph
from .values import Count, DatasetName, NetworkName, Precision, Share, UpperBound, WeightBits

# An epoch's schedule is laid out in memory; the published recipe has 200.
MOST_EPOCHS = 100_000
# Cross-entropy's gradients are of the order of 1: larger steps than this have never led anywhere.
LARGEST_RATE = 100.0

LearningRate = Annotated[float, Field(gt=0, le=LARGEST_RATE, allow_inf_nan=False)]
Penalty = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Counts of a few dozen to this power, and the sum over a batch of them, are far within 32-bit floats.
PenaltyPower = Annotated[int, Field(ge=1, le=16)]
Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
ActivationScale = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the smallest comes first (found {value[0]:g}, {value[1]:g})")
    return value


class Phase(Strict):
    """A stretch of training that starts with a fresh optimiser.

    The rate is `learning_rate` throughout, or rises to it linearly over the share `warm_up` of the
    phase's steps and falls to 0 linearly over the rest where `decay` is "linear".
    """

    epochs: Epochs
    learning_rate: LearningRate
    decay: Literal["none", "linear"] = "none"
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of one step, counted from 0, of the phase's `steps`."""
        if self.decay == "none":
            return self.learning_rate
        rising = self.warm_up * steps
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (steps - step) / (steps - rising)


class Augmentation(Strict):
    """How training images are varied, see `training.augmentation`; they are encoded afterwards.

    `flip` mirrors half of the images, drawn anew each epoch; "alternating" mirrors each image every
    other epoch. The crop lies anywhere in the image or, with `shift`, no further than so many pixels from its
    centre in either direction. Without `crop` the whole image moves by at most `shift` pixels, and what moves in
    is 0.
    """

    crop: Count | None = None
    flip: bool | Literal["alternating"] = True
    brightness: Annotated[float, Field(ge=0, le=255)] = 0.0
    contrast: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)] = (1.0, 1.0)
    shift: Count | None = None

    @property
    def varies_light(self) -> bool:
        """Whether brightness or contrast change, and not only where things are."""
        return self.brightness > 0 or self.contrast != (1.0, 1.0)


class Muon(Strict):
    """Muon for the filters, Adam for batch norm and the output layer, see `training.muon`.

    The phases' learning rate is that of the filters. Adam's rates follow the same schedule, and are
    `gamma_rate`, `beta_rate` and `output_rate` times the filters' rate.
    """

    momentum: Annotated[float, Field(ge=0, lt=1)]
    newton_schulz_steps: Annotated[int, Field(ge=1, le=10)]
    gamma_rate: LearningRate
    beta_rate: LearningRate
    output_rate: LearningRate
    beta2: Annotated[float, Field(ge=0, lt=1)]


class Recipe(Strict):
    """One training: network, data, how long, and how.

    The fields from `optimiser` on are of recipes of our own. Their defaults are what the published
    recipe does (Zou et al. 2023), and are left out of what is recorded.
    """

    dataset: DatasetName
    network: NetworkName | Graph
    padding: Literal["valid", "same"]
    batch_size: Count
    train_images: Count | None
    validation_images: Annotated[int, Field(ge=0)]
    augmentation: Augmentation | None
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    optimiser: Muon | None = None
    """None is Adam with the published constants."""
    upper_bound: UpperBound | None = None
    """Of activations; None is the published quantiser, which has none."""
    arithmetic: Literal["float32", "bfloat16"] = "float32"
    """Of the convolutions; all else, and all that is stored, has 32 bits."""
    initialisation: Literal["published", "identity"] = "published"
    label_smoothing: Share = 0.0
    activation_penalty: Penalty = 0.0
    """Times the mean activation of each quantised layer, in thresholds, added to the loss."""
    penalty_power: PenaltyPower = 1
    """The power mean that is meant: 1 is the mean, and the largest activations weigh more with larger ones."""
    weight_bits: WeightBits | None = None
    """Of the filters while training, see `conversion.widths`; what is trained is at that width exactly."""
    initial: Precision | None = None
    """The precision of the trained network that this one starts from."""
    activation_scale: ActivationScale = 1.0
    """What that network's activations are multiplied by before the first step, see `networks.rescaling`."""

    def recorded(self) -> dict[str, Any]:
        """The recipe as JSON has it: an input of the training step, part of a checkpoint's metadata."""
        content = self.model_dump(mode="json")
        if isinstance(self.network, Graph):
            content["network"] = self.network.model_dump(mode="json", exclude_defaults=True)
        fields = list(Recipe.model_fields)
        for name in fields[fields.index("optimiser") :]:
            if getattr(self, name) == Recipe.model_fields[name].default:
                del content[name]
        for phase in content["phases"]:
            if phase["decay"] == "none":
                del phase["decay"], phase["warm_up"]
        if self.augmentation and self.augmentation.shift is None:
            del content["augmentation"]["shift"]
        return content
