"""activity.json: what every layer of a spiking network does in every step, and its ANN beside it."""

from pathlib import Path

from pydantic import model_validator

from ..errors import LosslessError
from ..files.atomic import write_together
from ..files.records import Natural, Positive, Record, described, json_text, read_json

FILE = "activity.json"


class LayerActivity(Record):
    """One layer, over all images; the lists have a value for each time step.

    The output layer emits no spikes and keeps no state: its spikes and updates are 0.
    """

    token: str = described("The layer in the network's notation; `output` for the last")
    neurons: Positive = described("Outputs of the layer", "neurons")
    inputs: Positive = described("Inputs of the layer", "neurons")
    macs: Positive = described("Multiply-accumulates of the dense layer for one image, padding included", "operations")
    active_inputs: Natural = described("Inputs of the quantised ANN's layer that are not 0", "neurons")
    active_macs: Natural = described("Synapses that they cross", "operations")
    largest_input: Natural = described("The largest of them, its sign aside; for the first layer a pixel's integer")
    operations: list[Natural] = described("Synapses that what arrives crosses: pixels, then spikes", "operations")
    positive: list[Natural] = described("Positive spikes emitted", "spikes")
    negative: list[Natural] = described("Negative spikes emitted", "spikes")
    updates: list[Natural] = described("Neurons whose membrane is looked at, see simulation.activity", "neurons")


class ActivityRecord(Record):
    """activity.json: sums over the images."""

    images: Positive = described("Test images, the first ones", "images")
    correct: list[Natural] = described("Images predicted right after each step", "images")
    settled: list[Natural] = described("Images by the steps until no neuron spiked any more, from 0", "images")
    layers: list[LayerActivity] = described("First layer first, the output layer last", min_length=2)

    @model_validator(mode="after")
    def _of_one_length(self) -> "ActivityRecord":
        for layer in self.layers:
            for name in ("operations", "positive", "negative", "updates"):
                if len(getattr(layer, name)) != self.steps:
                    raise ValueError(f"layer {layer.token}: {name} of other steps than `correct`")
        if len(self.settled) != self.steps + 1 or sum(self.settled) > self.images:
            raise ValueError("settled: other steps than `correct`, or more images than there are")
        return self

    @property
    def steps(self) -> int:
        """Simulated time steps."""
        return len(self.correct)


def write(folder: Path, record: ActivityRecord) -> None:
    """Write activity.json to `folder`, atomically."""
    write_together(folder, {FILE: json_text(record)})


def read(path: Path) -> ActivityRecord:
    """Read activity.json; raises LosslessError where it is missing or malformed, or has more than its layers can do."""
    record = read_json(ActivityRecord, path, "make it by lossless-snn activity")
    if max(record.correct) > record.images:
        raise LosslessError(f"{path}: correct: more than the {record.images} images; make it again")
    for layer in record.layers:
        spikes = map(sum, zip(layer.positive, layer.negative, strict=True))
        for name, counts, most in (
            ("active_inputs", [layer.active_inputs], layer.inputs),
            ("active_macs", [layer.active_macs], layer.macs),
            ("operations", layer.operations, layer.macs),
            ("positive and negative", spikes, layer.neurons),
            ("updates", layer.updates, layer.neurons),
        ):
            if max(counts) > most * record.images:
                raise LosslessError(f"{path}: layer {layer.token}: {name}: more than {most:,} an image; make it again")
    return record
