"""What a simulation records."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trace:
    """One batch of N images, simulated for T time steps. Steps are counted from 0.

    Attributes:
        predictions: (N, T) int64, arg max of the logits at step t, the first of equals.
        positive: (N, T) int64, positive spikes at step t, of all spiking layers.
        negative: (N, T) int64, negative spikes, likewise.
        operations: (N, T) int64, synaptic operations that the spikes at step t cause.
        settled_step: (N,) int64, steps until no neuron spikes any more; -1 if some still can after T.
        counts: for each spiking layer the net spike counts after T steps, (N, C, H, W) int32.
        membranes: for each spiking layer V - offset after T steps, (N, C, H, W) int64, 0 for units of max pooling;
            None where membranes are no integers.
    """

    predictions: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    operations: np.ndarray
    settled_step: np.ndarray
    counts: tuple[np.ndarray, ...]
    membranes: tuple[np.ndarray, ...] | None = None
