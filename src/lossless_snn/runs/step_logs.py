"""The four step logs: one integer a line, the time steps of a batch one after the other, batch after batch.

Those of our own runs are read beside their snn.json, and must agree with it. Logs of other code, the published
one's among them, may come alone.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, model_validator

from ..errors import LosslessError
from ..files.atomic import write_together
from ..files.reading import read_text
from ..files.records import LARGEST_INTEGER, Record, described, json_text
from ..files.typed import validate
from . import certificate, snn
from .certificate import CertificateRecord
from .identity import UNFINISHED
from .snn import SnnRecord


def _counts(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError("expected integers (batches, steps)")
    return array.astype(np.int64)


Counts = Annotated[np.ndarray, BeforeValidator(_counts)]
"""int64 (batches, steps)."""


class StepLogs(Record):
    """accuracy.txt, spike_num.txt, spike_collect.txt and sop_num.txt, each int64 (batches, steps)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    accuracy: Counts = described("Images of the batch predicted right at the step, not cumulative", "images")
    spike_num: Counts = described("Spikes of either sign so far, all spiking layers", "spikes")
    spike_collect: Counts = described("Positive less negative spikes so far, all spiking layers", "spikes")
    sop_num: Counts = described("Synaptic operations so far", "operations")

    @model_validator(mode="after")
    def _are_of_one_simulation(self) -> "StepLogs":
        if len({getattr(self, name).shape for name in LOGS}) > 1:
            raise ValueError("logs of other batches or steps")
        if (abs(self.spike_collect) > self.spike_num).any():
            raise ValueError("spike_collect has more spikes than spike_num")
        return self

    def means(self, images: int) -> dict[str, np.ndarray]:
        """What the logs say an image comes to after each step, over all `images`: float64 (steps,).

        By the names that snn.json has for the last step: `accuracy`, `positive_spikes_per_image`,
        `negative_spikes_per_image` and `operations_per_image`.
        """
        accuracy, spikes, net, operations = (getattr(self, name).sum(axis=0) for name in LOGS)
        return {
            "accuracy": accuracy / images,
            "positive_spikes_per_image": (spikes + net) / 2 / images,
            "negative_spikes_per_image": (spikes - net) / 2 / images,
            "operations_per_image": operations / images,
        }


LOGS = tuple(StepLogs.model_fields)
# Never fewer than at the step before.
_CUMULATIVE = ("spike_num", "sop_num")


def write_simulation(folder: Path, logs: StepLogs, record: SnnRecord, proof: CertificateRecord) -> None:
    """Write the four logs, snn.json and certificate.json to `folder`: all of them, or none."""
    texts = {f"{name}.txt": "".join(f"{value}\n" for value in getattr(logs, name).flat) for name in LOGS}
    write_together(folder, {**texts, snn.FILE: json_text(record), certificate.FILE: json_text(proof)})


def read_logs(folder: Path, record: SnnRecord) -> StepLogs:
    """All four logs of a run, checked against its snn.json and each other; raises as `read_log` does."""
    return validate(StepLogs, {name: read_log(folder, name, record) for name in LOGS}, folder)


def read_log(folder: Path, name: str, record: SnnRecord) -> np.ndarray:
    """One of the four logs as int64 (batches, steps), checked against snn.json.

    Raises LosslessError where the file is missing, has a line that is no integer or that no
    simulation gives, not as many lines as snn.json says, or ends elsewhere.
    """
    path = folder / f"{name}.txt"
    lines = read_text(path, UNFINISHED).splitlines()
    batches, steps = -(-record.images // record.batch_size), record.simulated_steps
    if len(lines) != batches * steps:
        raise LosslessError(
            f"{path}: {len(lines):,} lines, expected {batches * steps:,} "
            f"({batches:,} batches of {steps:,} steps, by snn.json); simulate again"
        )
    counts = np.array([_integer(line, path, i) for i, line in enumerate(lines, 1)], np.int64).reshape(batches, steps)
    _check_counts(counts, path, name, record.images, record.batch_size)
    _check_end(counts, path, name, record)
    return counts


def read_lone_logs(folder: Path, steps: int, images: int) -> StepLogs:
    """The four logs of another code's simulation, in a folder that need have nothing else.

    Their lines may be floats that are whole, such as `911647.0`, as the published code writes some of them.

    Args:
        folder: Where accuracy.txt, spike_num.txt, spike_collect.txt and sop_num.txt lie.
        steps: Time steps of each batch.
        images: Test images in all. They were shared out to batches of one size; the last one may be smaller.

    Raises:
        LosslessError: A file is missing, has a line that is no whole number or that no simulation gives, or not as
            many lines as so many steps take.
    """
    counts = {}
    for name in LOGS:
        path = folder / f"{name}.txt"
        lines = read_text(path, "all four logs must be there").splitlines()
        batches, rest = divmod(len(lines), steps)
        if rest or not 0 < batches <= images:
            raise LosslessError(
                f"{path}: {len(lines):,} lines are no batches of {steps:,} steps of {images:,} images; "
                "is this the log of another network?"
            )
        whole = [_integer(re.sub(r"\.0+$", "", line), path, number) for number, line in enumerate(lines, 1)]
        counts[name] = np.array(whole, np.int64).reshape(batches, steps)
        _check_counts(counts[name], path, name, images, -(-images // batches))
    return validate(StepLogs, counts, folder)


def _integer(line: str, path: Path, number: int) -> int:
    # int() takes 1_0, spaces and every script's digits, too.
    if not (line.isascii() and line.removeprefix("-").isdigit() and len(line) < 20 and int(line) <= LARGEST_INTEGER):
        raise LosslessError(f"{path}: line {number}: {line[:40]!r} is no integer of 64 bits; simulate again")
    return int(line)


def _check_counts(counts: np.ndarray, path: Path, name: str, images: int, batch_size: int) -> None:
    """Raise LosslessError unless `counts` (batches, steps) are what a simulation of so many images can give."""
    wrong = np.zeros(counts.shape, dtype=bool)
    if name == "accuracy":
        sizes = np.full(len(counts), batch_size)
        sizes[-1] = images - batch_size * (len(counts) - 1)
        wrong = (counts < 0) | (counts > sizes[:, None])
        reason = "negative, or more than the batch has images"
    elif name in _CUMULATIVE:
        wrong = np.diff(counts, axis=1, prepend=0) < 0
        reason = "less than before, though it only grows"
    if wrong.any():
        number = int(wrong.argmax()) + 1
        raise LosslessError(f"{path}: line {number}: {counts.flat[number - 1]} is {reason}; simulate again")


def _check_end(counts: np.ndarray, path: Path, name: str, record: SnnRecord) -> None:
    """Raise LosslessError unless the last step comes to what snn.json says."""
    last, expected = counts[:, -1].sum() / record.images, _expected(name, record)
    if not np.isclose(last, expected, rtol=1e-12, atol=1e-9):
        form = "{:.2%}" if name == "accuracy" else "{:,.6g} an image"
        raise LosslessError(
            f"{path}: ends at {form.format(last)}, snn.json says {form.format(expected)}; simulate again"
        )


def _expected(name: str, record: SnnRecord) -> float:
    """What a log comes to at the last step, per image, by snn.json."""
    positive, negative = record.positive_spikes_per_image, record.negative_spikes_per_image
    return {
        "accuracy": record.accuracy,
        "spike_num": positive + negative,
        "spike_collect": positive - negative,
        "sop_num": record.operations_per_image,
    }[name]
