"""One image through a spiking network, with every spike and every membrane kept.

On the grid all is integers. With U = V - offset, the base being offset - 1/2, the number of thresholds
that a neuron's membrane has passed is

    passed = max(U, 0) // theta                 d > theta  <=>  passed > n,   d < 0  <=>  passed < n

(up to the upper stop, where there is one), so that the method's neuron is the one line

    s = sign(passed - n)

and a network at rest, where no s is left but 0, has n = passed: the ANN's activation.
"""

from dataclasses import dataclass

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ...networks.geometry import Layer

# Parts of a threshold that membranes are recorded in.
PARTS = 64
# Membranes lower than this many thresholds below the base are recorded as if they were there.
LOWEST = -8


@dataclass(frozen=True)
class Recording:
    """One image's T time steps, up to the last one with a spike, or to the last that was simulated.

    spikes: for each spiking layer, (T, C, H, W) int8, the spike s of each neuron in each step.
    membranes: for each spiking layer, (T, C, H, W) int32, floor(PARTS (V - b) / theta), at least PARTS LOWEST.
        V is never b + m theta itself, so that its floor over PARTS says exactly how many thresholds are passed.
    logits: (T, classes) int64, on the network's grid.
    operations: (T,) int64, synaptic operations in each step.
    at_rest: whether no neuron would spike any more.
    """

    spikes: tuple[np.ndarray, ...]
    membranes: tuple[np.ndarray, ...]
    logits: np.ndarray
    operations: np.ndarray
    at_rest: bool

    @property
    def steps(self) -> int:
        """T, the number of recorded time steps."""
        return len(self.operations)

    @property
    def predictions(self) -> np.ndarray:
        """The class predicted after each step, (T,) int64: the greatest logit, the first of equals."""
        return self.logits.argmax(axis=1)

    @property
    def counts(self) -> tuple[np.ndarray, ...]:
        """Net spike counts after the last step, (C, H, W) int64 for each spiking layer."""
        return tuple(layer.sum(axis=0, dtype=np.int64) for layer in self.spikes)


class Recorder:
    """A spiking network in 64-bit integers, one image at a time.

    Args:
        network: The spiking network.
        negative_spikes: Without them a neuron fires upwards only: s = max(sign(passed - n), 0).
    """

    def __init__(self, network: SpikingNetwork, negative_spikes: bool = True) -> None:
        self._layers = network.layers
        self._lowest_spike = -1 if negative_spikes else 0
        self._constants = [
            (
                layer.grid_weight.astype(np.int64),
                layer.grid_threshold[:, None, None],
                layer.grid_offset[:, None, None],
                np.iinfo(np.int64).max if layer.upper_stop is None else layer.upper_stop,
            )
            for layer in network.hidden
        ]
        self._readout = network.grid_readout.astype(np.int64)

    def record(self, pixels: np.ndarray, steps: int) -> Recording:
        """Simulate one image until no neuron spikes any more, for `steps` time steps at most.

        Args:
            pixels: The image as the network's integer inputs, (C, H, W).
            steps: Time steps at most, 1 at least.

        Returns:
            What happened, from the first step on; of a network that never spikes, one step.
        """
        membranes = [np.zeros(layer.out_shape, np.int64) for layer in self._layers[:-1]]
        counts = [np.zeros(layer.out_shape, np.int64) for layer in self._layers[:-1]]
        rows: list[tuple[list[np.ndarray], list[np.ndarray], np.ndarray, int]] = []
        for t in range(steps):
            received = pixels.astype(np.int64) if t == 0 else None
            spikes, parts, operations = [], [], 0
            for index, (weight, threshold, offset, stop) in enumerate(self._constants):
                if received is not None and received.any():
                    membranes[index] += weighted_sums(received, weight, self._layers[index])
                above = membranes[index] - offset
                passed = np.minimum(np.maximum(above, 0) // threshold, stop)
                received = np.sign(passed - counts[index]).clip(self._lowest_spike, 1)
                counts[index] += received
                spikes.append(received.astype(np.int8))
                parts.append(_in_parts(above, threshold))
                operations += int((np.abs(received) * self._layers[index + 1].fan_out).sum())
            if rows and not any(layer.any() for layer in spikes):
                # Where no neuron spikes nothing changes, and so none will.
                return _recording(rows, at_rest=True)
            logits = weighted_sums(counts[-1], self._readout, self._layers[-1]).ravel()
            rows.append((spikes, parts, logits, operations))
        return _recording(rows, at_rest=self._is_at_rest(membranes, counts))

    def _is_at_rest(self, membranes: list[np.ndarray], counts: list[np.ndarray]) -> bool:
        return all(
            not np.sign(np.minimum(np.maximum(membrane - offset, 0) // threshold, stop) - count)
            .clip(self._lowest_spike, 1)
            .any()
            for membrane, count, (_, threshold, offset, stop) in zip(membranes, counts, self._constants, strict=True)
        )


def weighted_sums(received: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    """Convolution of integers (C, H, W) with weights (filters, C, kh, kw), int64 (filters, H', W')."""
    padded = np.pad(received, ((0, 0), *layer.padding))
    _, height, width = layer.out_shape
    total = np.zeros(layer.out_shape, np.int64)
    for y, x in np.ndindex(*layer.kernel):
        rows, columns = (
            slice(at, at + step * size, step)
            for at, size, step in zip((y, x), (height, width), layer.stride, strict=True)
        )
        total += np.tensordot(weight[:, :, y, x], padded[:, rows, columns], axes=1)
    return total


def _in_parts(above: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """floor(PARTS (U + 1/2) / theta), exact in its whole thresholds, not below PARTS LOWEST."""
    whole, rest = np.divmod(above, threshold)
    parts = PARTS * whole + np.floor(PARTS * ((rest + 0.5) / threshold)).astype(np.int64).clip(max=PARTS - 1)
    return parts.clip(PARTS * LOWEST, np.iinfo(np.int32).max).astype(np.int32)


def _recording(rows: list[tuple[list[np.ndarray], list[np.ndarray], np.ndarray, int]], at_rest: bool) -> Recording:
    spikes, parts, logits, operations = zip(*rows, strict=True)
    return Recording(
        spikes=tuple(np.stack(steps) for steps in zip(*spikes, strict=True)),
        membranes=tuple(np.stack(steps) for steps in zip(*parts, strict=True)),
        logits=np.stack(logits),
        operations=np.array(operations, np.int64),
        at_rest=at_rest,
    )
