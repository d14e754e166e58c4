"""Traces of many images, which are simulated batch after batch: put together, taken apart, and as long as they need."""

from collections.abc import Callable

import numpy as np

from ..errors import LosslessError
from ..networks.quantiser import MOST_STEPS
from .trace import Trace

# Tried first where images are to come to rest; as many as small networks need.
_FIRST_STEPS = 32


def at_rest(run: Callable[[np.ndarray, int], Trace], pixels: np.ndarray) -> Trace:
    """The trace of so many steps that all images are at rest: twice as many as before until they are."""
    steps = _FIRST_STEPS
    while (trace := run(pixels, steps)).settled_step.min() < 0:
        if steps == MOST_STEPS:
            raise LosslessError(
                f"images: not at rest after {MOST_STEPS:,} steps; convert with a smaller k, or give steps"
            )
        steps = min(2 * steps, MOST_STEPS)
    return trace


def of_steps(trace: Trace, steps: int) -> Trace:
    """The trace of images at rest for so many steps: after the last spike predictions stay, and nothing is counted."""
    missing = max(0, steps - trace.predictions.shape[1])
    predictions = np.pad(trace.predictions, ((0, 0), (0, missing)), "edge")
    counted = (np.pad(array, ((0, 0), (0, missing))) for array in (trace.positive, trace.negative, trace.operations))
    return Trace(*(array[:, :steps] for array in (predictions, *counted)), trace.settled_step, trace.counts)


def joined(traces: list[Trace]) -> Trace:
    """One trace of all images, without membranes, of which nobody asks for so many."""
    *arrays, counts, _ = zip(*(vars(trace).values() for trace in traces), strict=True)
    return Trace(*map(np.concatenate, arrays), tuple(map(np.concatenate, zip(*counts, strict=True))))


def part_of(trace: Trace, part: slice) -> Trace:
    """The trace of some of the images, without membranes."""
    *arrays, counts, _ = vars(trace).values()
    return Trace(*(array[part] for array in arrays), tuple(layer[part] for layer in counts))
