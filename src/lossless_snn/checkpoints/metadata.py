"""What a trained network's file says of it, beside its parameters."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from ..config.architecture import network_layers
from ..config.values import DatasetName, ExperimentName, Precision
from ..datasets.catalogue import find
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.records import Natural, Positive, Record
from ..networks.notation import Layer
from ..networks.quantiser import quantiser_level
from ..runs.identity import Origin


class Architecture(Record):
    """What is needed to lay out a network: its data set, its notation, and the padding of its convolutions."""

    dataset: DatasetName
    network: Annotated[str, Field(max_length=1000)]
    padding: Literal["valid", "same"]

    @model_validator(mode="after")
    def _can_be_laid_out(self) -> "Architecture":
        try:
            _ = self.layers
        except LosslessError as error:
            raise ValueError(f"network: {error}") from None
        return self

    @property
    def data(self) -> DatasetSpec:
        return find(self.dataset)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return network_layers(dict(self))


class Recipe(Architecture):
    """The architecture, and whatever else decided what training gave; see `Experiment.recipe`."""

    model_config = ConfigDict(extra="allow")


class CheckpointMetadata(Record):
    """Which network it is, how it was trained, and what else decided its bytes, such as the training's code."""

    model_config = ConfigDict(extra="allow")

    experiment: ExperimentName
    budget: Origin
    precision: Precision
    seed: Natural | None
    epochs: Positive | None
    training_images: Positive | None = None
    recipe: Recipe

    @property
    def k(self) -> int | None:
        """Level of the quantiser; None for FP32."""
        return quantiser_level(self.precision)
