"""Dense simulation in PyTorch: every layer at every step, on any device, with nothing compiled.

The method's neuron, word for word, in 64-bit floats, on either of two sets of numbers:

exact     The grid's. All are integers or half-odd, so that this gives the bytes of the event-driven
          simulation as long as they stay below 2^52, which is checked.
faithful  The published code's: weights, thresholds and bases as 32-bit floats computed in 32 bits,
          the image as 2^k x. Sums are rounded here, so that nothing is certain about neurons whose
          membrane comes within a rounding error of a threshold.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..conversion.spiking_network import SpikingNetwork
from ..errors import LosslessError
from ..networks.device import prepare
from ..networks.notation import Layer
from ..networks.quantised import convolve
from .trace import Trace

# Not d < 0: off the grid, a membrane that comes back may miss its threshold by a rounding error.
NEGATIVE_TOLERANCE = 1e-5


class _Numbers(NamedTuple):
    """What a simulation calculates with: (weight, threshold, base) by layer, output weights, a pixel's unit."""

    hidden: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    readout: np.ndarray
    pixel: float


def _exact(network: SpikingNetwork) -> _Numbers:
    hidden = [(layer.grid_weight, layer.grid_threshold, layer.grid_offset - 0.5) for layer in network.hidden]
    return _Numbers(hidden, network.grid_readout, 1.0)


def _faithful(network: SpikingNetwork) -> _Numbers:
    hidden = [(layer.weight, layer.threshold, layer.base) for layer in network.hidden]
    # An integer p of the image stands for x = p / 2^bits, and the image is scaled by 2^k.
    pixel = 2.0 ** (network.k - network.data.encoding.bits)
    return _Numbers(hidden, network.readout, pixel)


_NUMBERS = {"exact": _exact, "faithful": _faithful}


class DenseSimulator:
    """A spiking network in 64-bit floats, on `threads` threads of the CPU or on a GPU.

    Without `negative_spikes` a neuron fires upwards only: s = +1 if d > theta, else 0.
    Raises LosslessError for "cuda" where there is none.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        threads: int = 1,
        device: str = "cpu",
        arithmetic: str = "exact",
        negative_spikes: bool = True,
    ) -> None:
        self._device = prepare(device, threads)
        self._layers = network.layers
        self._must_be_exact = arithmetic == "exact"
        self._floor = -NEGATIVE_TOLERANCE if negative_spikes else -np.inf
        self._hidden, readout, self._pixel = _NUMBERS[arithmetic](network)
        self._readout = self._tensor(readout)
        bits = (network.membrane_bits(index) for index in range(len(network.hidden)))
        self._saturates_at = [2.0 ** (width - 1) if network.saturates else None for width in bits]
        self._fan_out = [self._tensor(layer.fan_out) for layer in self._layers[1:]]

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array.astype(np.float64)).to(self._device)

    @torch.inference_mode()
    def run(self, pixels: np.ndarray, steps: int, observe: Callable[[Sequence[Tensor]], None] | None = None) -> Trace:
        """Simulate images with integer `pixels` (N, C, H, W) for `steps` time steps.

        `observe` is called after each step, up to the first in which no neuron spikes, with the spikes of every
        spiking layer, (N, C, H, W) each.

        In exact arithmetic, raises LosslessError where a membrane may have left the range in which
        64-bit floats are exact.
        """
        images = len(pixels)
        populations = [
            _Population(layer, *map(self._tensor, constants), self._floor, images, saturates_at)
            for layer, constants, saturates_at in zip(self._layers, self._hidden, self._saturates_at, strict=False)
        ]
        predictions, positive, negative, operations = torch.zeros((4, images, steps), dtype=torch.int64)
        injected = self._tensor(pixels) * self._pixel
        for t in range(steps):
            spikes, emitted = injected if t == 0 else torch.zeros_like(injected), []
            for population, fan_out in zip(populations, self._fan_out, strict=True):
                spikes = population.step(spikes)
                emitted.append(spikes)
                positive[:, t] += (spikes > 0).sum((1, 2, 3)).cpu()
                negative[:, t] += (spikes < 0).sum((1, 2, 3)).cpu()
                operations[:, t] += (spikes.abs() * fan_out).sum((1, 2, 3)).long().cpu()
            if observe:
                observe(emitted)
            # Of the counts, not a running sum: rounded, what spikes of both signs add would not cancel out.
            logits = convolve(populations[-1].count, self._readout, self._layers[-1]).flatten(1)
            predictions[:, t:] = logits.argmax(1, keepdim=True).cpu()
            if not (positive[:, t] + negative[:, t]).any():
                # Where no neuron spikes nothing changes, and so none will.
                break
        if self._must_be_exact:
            peaks = [injected.abs().amax((0, 2, 3)), *(population.peak for population in populations[:-1])]
            for population, peak in zip(populations, peaks, strict=True):
                population.check_range(peak)
        at_rest = torch.stack([population.at_rest() for population in populations]).all(0).cpu().numpy()
        fired = (positive + negative).numpy() > 0
        last_spike = np.where(fired.any(1), steps - fired[:, ::-1].argmax(1), 0)
        return Trace(
            *(record.numpy() for record in (predictions, positive, negative, operations)),
            np.where(at_rest, last_spike, -1),
            tuple(population.count.int().cpu().numpy() for population in populations),
        )


class _Population:
    """The neurons of one spiking layer: membrane, shadow and count are (N, C, H, W).

    Below `floor`, which is -inf where there are none, they emit negative spikes. V - Q stays within +-`saturates_at`.
    """

    def __init__(
        self,
        layer: Layer,
        weight: Tensor,
        threshold: Tensor,
        base: Tensor,
        floor: float,
        images: int,
        saturates_at: float | None = None,
    ) -> None:
        self.saturates_at = saturates_at
        self.layer, self.weight, self.floor = layer, weight, floor
        self.threshold, self.base = threshold[:, None, None], base[:, None, None]
        self.membrane = torch.zeros((images, *layer.out_shape), dtype=torch.float64, device=weight.device)
        self.shadow = self.base + self.membrane
        self.count = torch.zeros_like(self.membrane)
        self.peak = self.count.amax((0, 2, 3))

    def step(self, received: Tensor) -> Tensor:
        """V += W received; spike s; Q += s theta; n += s. Returns the spikes."""
        # Most of the time is spent here, and most images come to rest long before the last step.
        reached = received.flatten(1).any(1)
        if reached.any():
            self.membrane[reached] += convolve(received[reached], self.weight, self.layer)
        if self.saturates_at:
            self._saturate()
        spikes = self._spikes()
        self.shadow += spikes * self.threshold
        self.count += spikes
        self.peak = torch.maximum(self.peak, self.count.amax((0, 2, 3)))
        return spikes

    def _saturate(self) -> None:
        # The base is half-odd, and so is V - Q, whose integer is the one below.
        most = self.saturates_at - 0.5
        self.membrane = self.shadow + (self.membrane - self.shadow).clamp(-most, most)

    def _spikes(self) -> Tensor:
        """s = +1 if d > theta, -1 if d < floor, else 0, with d = max(V, b) - Q."""
        d = torch.maximum(self.membrane, self.base) - self.shadow
        return (d > self.threshold).double() - (d < self.floor).double()

    def at_rest(self) -> Tensor:
        """Whether no neuron of an image would spike without further input, (N,)."""
        return ~self._spikes().flatten(1).any(1)

    def check_range(self, peak: Tensor) -> None:
        """Raise LosslessError unless inputs of absolute values up to `peak` (C,) keep every sum exact."""
        reach = self.weight.abs().sum((2, 3)) @ peak + self.base.abs().flatten() + self.threshold.flatten()
        if reach.max() >= 2.0**52:
            raise LosslessError(f"layer {self.layer.token}: sums may pass 2^52; simulate with --engine event")
