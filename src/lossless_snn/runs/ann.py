"""ann.json: the ANN on the test set."""

from pathlib import Path

from pydantic import model_validator

from ..files.atomic import write_text
from ..files.records import Positive, Share, described, json_text, read_json
from .identity import UNFINISHED, NetworkRecord

FILE = "ann.json"


class AnnRecord(NetworkRecord):
    """ann.json: the trained network on the first images of the test set, in 64-bit floats."""

    epochs: Positive | None = described("Epochs trained; null where it was imported", "epochs")
    training_images: Positive | None = described("Images trained on; null where it was imported", "images")
    images: Positive = described("Test images it was tested on, the first ones", "images")
    test_set: Positive = described("Test images that there are", "images")
    accuracy: Share = described("Share of the images predicted right", "1")
    neurons: Positive = described("Outputs of all layers but the last", "neurons")
    ann_operations: Positive = described("Operations of one pass, three a multiply-accumulate", "operations")

    @model_validator(mode="after")
    def _is_of_its_test_set(self) -> "AnnRecord":
        if self.images > self.test_set:
            raise ValueError(f"images {self.images}, more than the test set's {self.test_set}")
        return self


def write(path: Path, record: AnnRecord) -> None:
    """Write ann.json, atomically."""
    write_text(path, json_text(record))


def read(path: Path) -> AnnRecord:
    """Read ann.json; raises LosslessError where it is missing or malformed."""
    return read_json(AnnRecord, path, UNFINISHED)
