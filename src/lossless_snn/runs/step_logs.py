"""The four step logs: one integer a line, the time steps of a batch one after the other, batch after batch."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, model_validator

from ..errors import LosslessError
from ..files.atomic import write_together
from ..files.reading import read_text
from ..files.records import LARGEST_INTEGER, Record, described, json_text
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


LOGS = tuple(StepLogs.model_fields)
# Never fewer than at the step before.
_CUMULATIVE = ("spike_num", "sop_num")


def write_simulation(folder: Path, logs: StepLogs, record: SnnRecord, proof: CertificateRecord) -> None:
    """Write the four logs, snn.json and certificate.json to `folder`: all of them, or none."""
    texts = {f"{name}.txt": "".join(f"{value}\n" for value in getattr(logs, name).flat) for name in LOGS}
    write_together(folder, {**texts, snn.FILE: json_text(record), certificate.FILE: json_text(proof)})


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
    _check(counts, path, name, record)
    return counts


def _integer(line: str, path: Path, number: int) -> int:
    # int() takes 1_0, spaces and every script's digits, too.
    if not (line.isascii() and line.removeprefix("-").isdigit() and len(line) < 20 and int(line) <= LARGEST_INTEGER):
        raise LosslessError(f"{path}: line {number}: {line[:40]!r} is no integer of 64 bits; simulate again")
    return int(line)


def _check(counts: np.ndarray, path: Path, name: str, record: SnnRecord) -> None:
    """Raise LosslessError unless `counts` (batches, steps) are what a simulation with that snn.json gives."""
    wrong = np.zeros(counts.shape, dtype=bool)
    if name == "accuracy":
        sizes = np.full(len(counts), record.batch_size)
        sizes[-1] = record.images - record.batch_size * (len(counts) - 1)
        wrong = (counts < 0) | (counts > sizes[:, None])
        reason = "negative, or more than the batch has images"
    elif name in _CUMULATIVE:
        wrong = np.diff(counts, axis=1, prepend=0) < 0
        reason = "less than before, though it only grows"
    if wrong.any():
        number = int(wrong.argmax()) + 1
        raise LosslessError(f"{path}: line {number}: {counts.flat[number - 1]} is {reason}; simulate again")
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
