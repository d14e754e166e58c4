"""The metrics of a spiking network on a test set: the four step logs, and what follows from them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..runs.step_logs import StepLogs
from .trace import Trace


@dataclass
class Metrics:
    """Collects batch after batch; each list holds a row of T integers a batch, as `StepLogs` defines."""

    accuracy: list[np.ndarray] = field(default_factory=list)
    spike_num: list[np.ndarray] = field(default_factory=list)
    spike_collect: list[np.ndarray] = field(default_factory=list)
    sop_num: list[np.ndarray] = field(default_factory=list)
    settled_step: list[np.ndarray] = field(default_factory=list)

    def add(self, trace: Trace, labels: np.ndarray) -> None:
        """Add one batch of images with the given labels (N,)."""
        positive, negative = trace.positive.sum(axis=0), trace.negative.sum(axis=0)
        self.accuracy.append((trace.predictions == labels[:, None]).sum(axis=0))
        self.spike_num.append((positive + negative).cumsum())
        self.spike_collect.append((positive - negative).cumsum())
        self.sop_num.append(trace.operations.sum(axis=0).cumsum())
        self.settled_step.append(trace.settled_step)

    def step_logs(self) -> StepLogs:
        """The four logs, each (batches, T)."""
        return StepLogs(**{name: np.stack(getattr(self, name)) for name in StepLogs.model_fields})

    def summary(self) -> dict[str, Any]:
        """Accuracy, steps, spikes and operations over all images, by the names that snn.json has for them."""
        settled_step = np.concatenate(self.settled_step)
        settled = settled_step[settled_step >= 0]
        images = len(settled_step)
        last = {name: float(mean[-1]) for name, mean in self.step_logs().means(images).items()}
        return {
            "images": images,
            "time_steps": time_steps(np.sum(self.accuracy, axis=0)),
            "settled": len(settled) == images,
            "settled_images": len(settled),
            "settled_step_mean": float(settled.mean()) if len(settled) else None,
            "settled_step_max": int(settled.max()) if len(settled) else None,
            **last,
        }


def time_steps(correct: np.ndarray) -> int:
    """Steps, counted from 1, from which the number of images predicted right (T,) stays at its last value."""
    changing = np.flatnonzero(correct != correct[-1])
    return int(changing[-1]) + 2 if len(changing) else 1
