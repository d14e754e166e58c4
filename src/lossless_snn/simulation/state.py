"""What a simulated batch leaves behind for the next one, as a file: an interrupted simulation goes on from there."""

import hashlib
import time
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ..datasets import Images
from ..errors import LosslessError
from ..files.records import Natural, Record
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors
from ..files.typed import validate
from ..runs.step_logs import LOGS
from .certificate import Certificate
from .metrics import Metrics

KIND = "simulation state"
# Seconds between two states: shorter simulations leave none, and a state is written in far less.
INTERVAL = 10.0


class _Counted(Record):
    """The certificate's counts so far, by the names of its fields."""

    images: Annotated[int, Field(ge=1)]
    not_settled: Natural
    mismatches: dict[str, Natural]
    mismatches_settled: Natural
    predictions_differ: Natural
    ann_correct: Natural
    first_offender: str | None


class State:
    """The state of one simulation, at one place.

    Args:
        path: Where it is, or will be; None where no state is kept.
        identity: All that decides what the simulation gives.
    """

    def __init__(self, path: Path | None, identity: dict[str, Any]) -> None:
        self._path, self._identity = path, identity
        self._saved = time.monotonic()

    def restore(self, metrics: Metrics, certificate: Certificate) -> int:
        """Fill both with what a state of the same simulation has; the images that were simulated for it.

        A state of another simulation, or a damaged one, is passed over: all of it can be computed again.
        """
        if self._path is None or not self._path.exists():
            return 0
        try:
            tensors, content = load_tensors(self._path, KIND)
            if differing := [name for name, value in self._identity.items() if content.get(name) != value]:
                print(f"{self._path}: of another {', '.join(differing)}; starting from the first image", flush=True)
                return 0
            counted = validate(_Counted, content.get("certificate"), self._path)
            batches, steps = -(-counted.images // self._identity["batch_size"]), self._identity["steps"]
            specs = {name: TensorSpec((batches, steps), "int64") for name in LOGS}
            check_tensors(tensors, {**specs, "settled_step": TensorSpec((counted.images,), "int64")}, self._path)
        except LosslessError as error:
            print(f"{error}; starting from the first image", flush=True)
            return 0
        for name in LOGS:
            getattr(metrics, name).extend(tensors[name])
        metrics.settled_step.append(tensors["settled_step"])
        for name, value in counted.model_dump().items():
            setattr(certificate, name, value)
        print(f"{self._path}: going on after {counted.images:,} images", flush=True)
        return counted.images

    def save(self, metrics: Metrics, certificate: Certificate) -> None:
        """Write the state after a batch, atomically, unless one was written a moment ago."""
        if self._path is None or time.monotonic() - self._saved < INTERVAL:
            return
        logs = {name: np.stack(getattr(metrics, name)).astype(np.int64) for name in LOGS}
        settled = np.concatenate(metrics.settled_step).astype(np.int64)
        counted = {field.name: getattr(certificate, field.name) for field in fields(certificate)}
        del counted["network"]
        save_tensors(self._path, KIND, {**logs, "settled_step": settled}, {**self._identity, "certificate": counted})
        self._saved = time.monotonic()


def content_sha256(images: Images) -> str:
    """SHA-256 of pixels and labels, in hexadecimal digits."""
    digest = hashlib.sha256(np.ascontiguousarray(images.pixels))
    digest.update(np.ascontiguousarray(images.labels))
    return digest.hexdigest()
