"""snn.json: the spiking network on the test set."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..files.records import Amount, Natural, Positive, Share, described, read_json
from .identity import UNFINISHED, NetworkRecord

FILE = "snn.json"


class SnnRecord(NetworkRecord):
    """snn.json: the spiking network at the last simulated step.

    The last two fields are there where the network has max pooling, whose units are no integrate-and-fire neurons.
    """

    arithmetic: Literal["exact", "faithful"] = described("On integers, or rounded as the published code rounds")
    images: Positive = described("Test images simulated, the first ones", "images")
    accuracy: Share = described("Share of the images predicted right at the last step", "1")
    time_steps: Positive = described("Steps from which the accuracy stays at its last value", "steps")
    settled: bool = described("Whether no neuron of any image can spike any more")
    settled_images: Natural = described("Images of which no neuron can spike any more", "images")
    settled_step_mean: Amount | None = described("Steps until they settled, mean; null if none did", "steps")
    settled_step_max: Natural | None = described("Steps until they settled, most; null if none did", "steps")
    positive_spikes_per_image: Amount = described("Positive spikes of all layers, mean over the images", "spikes")
    negative_spikes_per_image: Amount = described("Negative spikes of all layers, mean over the images", "spikes")
    operations_per_image: Amount = described("Synaptic operations, mean over the images", "operations")
    neurons: Positive = described("Spiking neurons", "neurons")
    ann_operations: Positive = described("Operations of the ANN's one pass", "operations")
    simulated_steps: Positive = described("Time steps simulated", "steps")
    batch_size: Positive = described("Images that share a line of the step logs", "images")
    max_pooling_units: Positive | None = described(
        "Units of max pooling, which are not among the neurons", default=None
    )
    max_pooling_state: Positive | None = described(
        "Integers that they keep: each input's net count, and their own", default=None
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> "SnnRecord":
        if self.settled_images > self.images:
            raise ValueError(f"settled_images {self.settled_images}, more than the {self.images} images")
        for key in ("time_steps", "settled_step_mean", "settled_step_max"):
            if (getattr(self, key) or 0) > self.simulated_steps:
                raise ValueError(f"{key} {getattr(self, key)}, more than the {self.simulated_steps} simulated")
        return self


def read(path: Path) -> SnnRecord:
    """Read snn.json; raises LosslessError where it is missing or malformed."""
    return read_json(SnnRecord, path, UNFINISHED)
