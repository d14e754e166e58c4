"""Dense simulation in PyTorch: every layer at every step, on any device, with nothing compiled.

The method's neuron, word for word, in 64-bit floats, on either of two sets of numbers:

exact     The grid's. All are integers or half-odd, so that this gives the bytes of the event-driven
          simulation as long as they stay below 2^52, which is checked.
faithful  The published code's: weights, thresholds and bases as 32-bit floats computed in 32 bits,
          the image as 2^k x. Sums are rounded here, so that nothing is certain about neurons whose
          membrane comes within a rounding error of a threshold.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..conversion.spiking_network import SpikingNetwork
from ..errors import LosslessError
from ..networks.device import prepare
from ..networks.geometry import Layer
from ..networks.graph import IMAGE, Pooling, passes_on
from ..networks.quantised import convolve
from .trace import Trace

# Not d < 0: off the grid, a membrane that comes back may miss its threshold by a rounding error.
NEGATIVE_TOLERANCE = 1e-5


class _Constants(NamedTuple):
    """What a layer of neurons calculates with: weights by input, thresholds and bases (filters,), its upper stop."""

    weights: tuple[np.ndarray, ...]
    threshold: np.ndarray
    base: np.ndarray
    upper_stop: float


class _Numbers(NamedTuple):
    """What a simulation calculates with: constants of each layer, output weights and offsets, a pixel's unit."""

    hidden: list[_Constants]
    readout: np.ndarray
    readout_offset: np.ndarray
    pixel: float


def _exact(network: SpikingNetwork) -> _Numbers:
    hidden = [
        _Constants(layer.grid_weights, layer.grid_threshold, layer.grid_offset - 0.5, layer.upper_stop or np.inf)
        for layer in network.hidden
    ]
    offset = np.zeros(1) if network.readout_offset is None else network.readout_offset
    return _Numbers(hidden, network.grid_readout, offset, 1.0)


def _faithful(network: SpikingNetwork) -> _Numbers:
    network.graph.chain("faithful arithmetic")
    hidden = [
        _Constants((layer.weight,), layer.threshold, layer.base, layer.upper_stop or np.inf) for layer in network.hidden
    ]
    # An integer p of the image stands for x = p / 2^bits, and the image is scaled by 2^k.
    pixel = 2.0 ** (network.k - network.inputs.bits)
    return _Numbers(hidden, network.readout, np.zeros(1), pixel)


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
        self._graph = network.graph
        self._must_be_exact = arithmetic == "exact"
        self._floor = -NEGATIVE_TOLERANCE if negative_spikes else -np.inf
        self._hidden, readout, offset, self._pixel = _NUMBERS[arithmetic](network)
        self._readout, self._readout_offset = self._tensor(readout), self._tensor(offset)
        self._fan_out = [self._tensor(fan_out) for fan_out in self._graph.fan_out]
        bits = (network.membrane_bits(index) for index in range(len(network.hidden)))
        self._saturates_at = [2.0 ** (width - 1) if network.saturates else None for width in bits]

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
        graph, images = self._graph, len(pixels)
        units = self._units(images)
        predictions, positive, negative, operations = torch.zeros((4, images, steps), dtype=torch.int64)
        injected = self._tensor(pixels) * self._pixel
        for t in range(steps):
            emitted = {IMAGE: injected if t == 0 else torch.zeros_like(injected)}
            for index, unit in enumerate(units):
                emitted[index] = spikes = unit.step([emitted[source] for source in graph.sources(index)])
                if passes_on(graph.nodes[index]):
                    continue
                positive[:, t] += (spikes > 0).sum((1, 2, 3)).cpu()
                negative[:, t] += (spikes < 0).sum((1, 2, 3)).cpu()
                operations[:, t] += (spikes.abs() * self._fan_out[index]).sum((1, 2, 3)).long().cpu()
            if observe:
                observe([emitted[index] for index in graph.spiking])
            # Of the counts, not a running sum: rounded, what spikes of both signs add would not cancel out.
            logits = convolve(units[graph.output.source].count, self._readout, graph.readout).flatten(1)
            predictions[:, t:] = (logits + self._readout_offset).argmax(1, keepdim=True).cpu()
            if not (positive[:, t] + negative[:, t]).any():
                # Where no neuron spikes nothing changes, and so none will.
                break
        if self._must_be_exact:
            peaks = {IMAGE: injected.abs().amax((0, 2, 3))} | {index: unit.peak for index, unit in enumerate(units)}
            for index, unit in enumerate(units):
                unit.check_range([peaks[source] for source in graph.sources(index)])
        at_rest = torch.stack([unit.at_rest() for unit in units]).all(0).cpu().numpy()
        fired = (positive + negative).numpy() > 0
        last_spike = np.where(fired.any(1), steps - fired[:, ::-1].argmax(1), 0)
        return Trace(
            *(record.numpy() for record in (predictions, positive, negative, operations)),
            np.where(at_rest, last_spike, -1),
            tuple(units[index].count.int().cpu().numpy() for index in graph.spiking),
        )

    def _units(self, images: int) -> "list[_Unit]":
        """What simulates each node, at step 0."""
        hidden = zip(self._hidden, self._saturates_at, strict=True)

        def neurons(name: str, layers: tuple[Layer, ...]) -> _Population:
            constants, saturates_at = next(hidden)
            return _Population(name, layers, constants, self._tensor, self._floor, images, saturates_at)

        return [
            _Pool(node, layers[0], images, self._device) if isinstance(node, Pooling) else neurons(node.name, layers)
            for node, layers in zip(self._graph.nodes, self._graph.geometry, strict=False)
        ]


class _Unit(Protocol):
    """A node of the graph in time: what it has counted (N, C, H, W), and each channel's largest count so far (C,)."""

    count: Tensor
    peak: Tensor

    def step(self, received: list[Tensor]) -> Tensor:
        """Take up what each input brings in one time step, (N, C, H, W), and give what is emitted."""

    def at_rest(self) -> Tensor:
        """Whether nothing would be emitted without further input, by image, (N,)."""

    def check_range(self, peaks: list[Tensor]) -> None:
        """Raise LosslessError unless inputs of absolute values up to `peaks` (C,) keep every sum exact."""


class _Population:
    """The neurons of one spiking layer: membrane, shadow and count are (N, C, H, W).

    Below `floor`, which is -inf where there are none, they emit negative spikes; above the upper stop none. V - Q stays
    within +-`saturates_at`.
    """

    def __init__(
        self,
        name: str,
        layers: tuple[Layer, ...],
        constants: _Constants,
        tensor: Callable[[np.ndarray], Tensor],
        floor: float,
        images: int,
        saturates_at: float | None = None,
    ) -> None:
        self._saturates_at = saturates_at
        self._name, self._layers, self._floor, self._upper_stop = name, layers, floor, constants.upper_stop
        self._weights = [tensor(weight) for weight in constants.weights]
        self._threshold, self._base = (tensor(a)[:, None, None] for a in (constants.threshold, constants.base))
        shape = (images, *layers[0].out_shape)
        self._membrane = torch.zeros(shape, dtype=torch.float64, device=self._base.device)
        self._shadow = self._base + self._membrane
        self.count = torch.zeros_like(self._membrane)
        self.peak = self.count.amax((0, 2, 3))

    def step(self, received: list[Tensor]) -> Tensor:
        """V += W received, input by input; spike s; Q += s theta; n += s. Returns the spikes."""
        for values, weight, layer in zip(received, self._weights, self._layers, strict=True):
            # Most of the time is spent here, and most images come to rest long before the last step.
            reached = values.flatten(1).any(1)
            if reached.any():
                self._membrane[reached] += convolve(values[reached], weight, layer)
        if self._saturates_at:
            self._saturate()
        spikes = self._spikes()
        self._shadow += spikes * self._threshold
        self.count += spikes
        self.peak = torch.maximum(self.peak, self.count.amax((0, 2, 3)))
        return spikes

    def _saturate(self) -> None:
        # The base is half-odd, and so is V - Q, whose integer is the one below.
        most = self._saturates_at - 0.5
        self._membrane = self._shadow + (self._membrane - self._shadow).clamp(-most, most)

    def _spikes(self) -> Tensor:
        """s = +1 if d > theta and n below the upper stop, -1 if d < floor, else 0, with d = max(V, b) - Q."""
        d = torch.maximum(self._membrane, self._base) - self._shadow
        rising = d > self._threshold
        if self._upper_stop < np.inf:
            rising &= self.count < self._upper_stop
        return rising.double() - (d < self._floor).double()

    def at_rest(self) -> Tensor:
        return ~self._spikes().flatten(1).any(1)

    def check_range(self, peaks: list[Tensor]) -> None:
        reach = self._base.abs().flatten() + self._threshold.flatten()
        for weight, peak, layer in zip(self._weights, peaks, self._layers, strict=True):
            magnitudes = weight.abs().sum((2, 3)).view(layer.groups, -1, weight.shape[1])
            reach = reach + (magnitudes @ peak.view(layer.groups, -1, 1)).flatten()
        if reach.max() >= 2.0**52:
            raise LosslessError(f"layer {self._name}: sums may pass 2^52; simulate with --engine event")


class _Pool:
    """A pooling: what each input has counted, and what each unit has emitted in all.

    Sum and average emit what their windows bring. A unit of max pooling emits the sign of its window's largest count
    less its own.
    """

    def __init__(self, node: Pooling, layer: Layer, images: int, device: torch.device) -> None:
        self._largest, self._layer = node.pooling == "max", layer
        self._inputs = torch.zeros((images, *layer.in_shape), dtype=torch.float64, device=device)
        self.count = torch.zeros((images, *layer.out_shape), dtype=torch.float64, device=device)
        self.peak = self.count.amax((0, 2, 3))

    def step(self, received: list[Tensor]) -> Tensor:
        self._inputs += received[0]
        emitted = self._due() - self.count
        if self._largest:
            emitted = emitted.sign()
        self.count += emitted
        self.peak = torch.maximum(self.peak, self.count.amax((0, 2, 3)))
        return emitted

    def _due(self) -> Tensor:
        (top, bottom), (left, right) = self._layer.padding
        counts = F.pad(self._inputs, (left, right, top, bottom))
        if self._largest:
            return F.max_pool2d(counts, self._layer.kernel, self._layer.stride)
        return F.avg_pool2d(counts, self._layer.kernel, self._layer.stride, divisor_override=1)

    def at_rest(self) -> Tensor:
        return ~(self._due() != self.count).flatten(1).any(1)

    def check_range(self, peaks: list[Tensor]) -> None:
        """Counts of no more than 2^20 steps, and sums of them, are exact."""
