"""widths.csv: one network with weights and membranes of few bits, and what that costs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ..files.records import Natural, Positive, Record, Share, check_at_most, described, read_csv, write_csv

FILE = "widths.csv"


class WidthRecord(Record):
    """A row of widths.csv: the network at one pair of widths, over all images."""

    weight_bits: Positive = described("Bits of a weight, its sign included")
    membrane_bits: Positive = described("Bits of a membrane, its sign included; the first layer's have more")
    overflow: Literal["refuse", "saturate"] = described("What happens where a membrane does not fit")
    images: Positive = described("Test images, the first ones", "images")
    accuracy: Share = described("Accuracy of the spiking network", "1")
    grid_ann_accuracy: Share = described("Accuracy of the quantised network of the same integers", "1")
    full_accuracy: Share = described("Accuracy of the network at full width on the same images", "1")
    neurons_compared: Positive = described("Neurons of all images", "neurons")
    neurons_that_differ: Natural = described("Net spike counts that are not that network's activations", "neurons")
    predictions_that_differ: Natural = described("Images of which the two predict another class", "images")
    images_not_settled: Natural = described("Images of which a neuron could still spike", "images")


def write(path: Path, rows: Iterable[WidthRecord]) -> None:
    """Write widths.csv, atomically."""
    write_csv(path, WidthRecord, rows)


def read_widths(path: Path) -> tuple[WidthRecord, ...]:
    """The rows of widths.csv; raises LosslessError where it is missing or malformed."""
    key, shared = ("weight_bits", "membrane_bits", "overflow"), ("images", "full_accuracy", "neurons_compared")
    rows = read_csv(WidthRecord, path, "make it by lossless-snn widths", key=key, shared=shared)
    for row in rows:
        check_at_most(row, ("predictions_that_differ", "images_not_settled"), row.images, path)
        check_at_most(row, ("neurons_that_differ",), row.neurons_compared, path)
    return rows
