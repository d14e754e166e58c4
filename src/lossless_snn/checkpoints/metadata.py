"""What a trained network's file says of it, beside its parameters."""

from typing import Literal

from pydantic import ConfigDict, model_validator

from ..config.architecture import network_graph
from ..config.values import DatasetName, ExperimentName, NetworkName, Precision, UpperBound
from ..datasets.catalogue import find
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..files.records import Natural, Positive, Record
from ..networks.graph import Graph
from ..networks.quantiser import quantiser_level
from ..runs.identity import Origin


class Architecture(Record):
    """What is needed to lay out a network: its data set, its notation, and the padding of its convolutions.

    In place of the notation there may be a network's name or its graph; an upper bound of activations may be there.
    """

    dataset: DatasetName
    network: NetworkName | Graph
    padding: Literal["valid", "same"]
    upper_bound: UpperBound | None = None

    @model_validator(mode="after")
    def _can_be_laid_out(self) -> "Architecture":
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
        return network_graph(dict(self))


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
