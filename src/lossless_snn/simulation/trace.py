"""What a simulation records."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trace:
    """Per image (N) and time step (T), of one batch of images.

    predictions (N, T) int64: arg max of the logits at t, the first of equals.
    positive, negative (N, T) int64: spikes of each sign at t, all spiking layers.
    operations (N, T) int64: synaptic operations at t.
    settled_step (N,) int64: steps until no neuron spikes any more; -1 if some still can after T.
    counts: for each spiking layer the final net spike counts, (N, C, H, W) int32.
    """

    predictions: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    operations: np.ndarray
    settled_step: np.ndarray
    counts: tuple[np.ndarray, ...]
