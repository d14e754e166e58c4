"""noise.csv: the ANN on test images whose inputs are disturbed."""

from collections.abc import Iterable
from pathlib import Path

from ..files.records import Natural, Positive, Record, Share, described, read_csv, write_csv

FILE = "noise.csv"


class NoiseRecord(Record):
    """A row of noise.csv: the test images under one draw of the noise."""

    ratio: Share = described("Noise ratio r: inputs times 1 + u, u uniform in +-r/2", "1")
    noise_seed: Natural = described("Number of the draw, from 0")
    images: Positive = described("Test images", "images")
    accuracy: Share = described("Share of them predicted right", "1")


def write(path: Path, tests: Iterable[NoiseRecord]) -> None:
    """Write noise.csv, atomically."""
    write_csv(path, NoiseRecord, tests)


def read(path: Path) -> tuple[NoiseRecord, ...]:
    """Read noise.csv; raises LosslessError where it is missing or malformed."""
    missing = f"make it with `lossless-snn noise CHECKPOINT --out {path}`"
    return read_csv(NoiseRecord, path, missing, key=("ratio", "noise_seed"), shared=("images",))
