"""certificate.json: every neuron's net spike count beside the activation of the ANN on the same grid."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from ..files.records import Natural, Positive, Record, Sha256, Share, described, read_json
from .identity import UNFINISHED

FILE = "certificate.json"


class CertificateRecord(Record):
    """certificate.json: what was compared, and what differs.

    Files of earlier versions lack the last three fields: what they certify is bound to no checkpoint.
    """

    arithmetic: Literal["exact", "faithful"] = described("On integers, or rounded as the published code rounds")
    images: Positive = described("Test images compared", "images")
    neurons_compared: Positive = described("Spike counts compared with activations, of all images", "neurons")
    mismatches: Natural = described("Counts that differ, in images that may not have settled, too", "neurons")
    mismatches_by_layer: dict[str, Natural] = described("The same by layer, as N:TOKEN, layers from 1", "neurons")
    predictions_that_differ: Natural = described("Images of which the two predict another class", "images")
    images_not_settled: Natural = described("Images of which a neuron could still spike", "images")
    mismatches_in_settled_images: Natural = described("Counts that differ in the other images: 0, or a bug", "neurons")
    grid_ann_accuracy: Share = described("Accuracy of the ANN on the grid, on these images", "1")
    first_offender: str | None = described("The first neuron or prediction that differs in a settled image")
    network_sha256: Sha256 | None = described("SHA-256 of the spiking network's file", default=None)
    checkpoint_sha256: Sha256 | None = described("SHA-256 of the checkpoint it says it is of", default=None)
    bound_to_checkpoint: bool = described(
        "Whether that checkpoint was at hand, and its conversion, made again, is the network bit for bit", default=False
    )

    @model_validator(mode="after")
    def _adds_up(self) -> "CertificateRecord":
        if sum(self.mismatches_by_layer.values()) != self.mismatches:
            raise ValueError(f"mismatches {self.mismatches}, but its layers have others")
        if not self.mismatches_in_settled_images <= self.mismatches <= self.neurons_compared:
            raise ValueError("more mismatches than there are neurons to compare")
        if max(self.predictions_that_differ, self.images_not_settled) > self.images:
            raise ValueError(f"more predictions differ, or images have not settled, than the {self.images} images")
        return self


def read(path: Path) -> CertificateRecord:
    """Read certificate.json; raises LosslessError where it is missing or malformed."""
    return read_json(CertificateRecord, path, UNFINISHED)
