"""The certificate as a tool: any spiking implementation of a quantised network against the network's own activations.

The protocol. An implementation is a function of integer pixels (N, C, H, W) and a number of time steps T. It returns
`Spikes`: for each step the spikes of every spiking layer, first layer first, each (N, C, H, W). One that knows no more
than net spike counts returns their list, an array (N, C, H, W) a layer; what happened when is not known then.
A factory makes an implementation of a spiking network, and of training images to calibrate thresholds with:

    def factory(network: SpikingNetwork, calibration: np.ndarray) -> Implementation: ...

`lossless-snn certify SNN --implementation package.module:factory` calls it. Factories for published neurons are in
`neurons`, those for other libraries in `peers`.

The judgement. A level is the quantiser's step 2^-k; the quantised network's activations are integers of it. After
step t a neuron stands for the value

    level n(t)             where spikes add up (the method, STBIF), or
    level n(t) / (t + 1)   where the mean rate counts (integrate-and-fire with the image at every step),

n being its net spike count. It differs where that is half a level or more from the activation: rounded to the nearest
level, it would be another one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import NamedTuple

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ...datasets import Images
from ...errors import LosslessError
from ...files.progress import batches
from ...runs.certified import CertifiedRecord
from ..certificate import grid_activations

MOST_OFFENDERS = 10
"""Neurons that a judgement names, the first ones."""


@dataclass(frozen=True)
class Spikes:
    """What an implementation did with a batch of N images.

    Attributes:
        by_step: For each step, for each spiking layer, the spikes of that step: (N, C, H, W), negative ones below 0,
            2 for two at once. May end early: nothing spikes in the steps that are left.
        levels: What one spike of each layer stands for, in levels of the quantiser; 1 if not given.
        rate: Whether a neuron stands for the mean over the steps, and not for the sum.
    """

    by_step: Iterable[Sequence[np.ndarray]]
    levels: Sequence[float] | None = None
    rate: bool = False


Implementation = Callable[[np.ndarray, int], Spikes | Sequence[np.ndarray]]
Factory = Callable[[SpikingNetwork, np.ndarray], Implementation]


class Offender(NamedTuple):
    """A neuron that differs after the last step.

    Attributes:
        image: Its place among the images, from 0.
        layer: Number and token, such as "2:P2", layers from 1.
        neuron: Channel, row and column, from 0.
        value: What the implementation's neuron stands for, in levels.
        activation: The quantised network's, in levels.
        step: The step of its last spike, from 0; -1 where it never spiked; None where only counts are known.
    """

    image: int
    layer: str
    neuron: tuple[int, int, int]
    value: float
    activation: int
    step: int | None

    def __str__(self) -> str:
        since = {None: "", -1: ", without a spike"}.get(self.step, f", since step {self.step}")
        channel, row, column = self.neuron
        return (
            f"image {self.image}, layer {self.layer}, channel {channel}, row {row}, column {column}: "
            f"{self.value:g} in place of {self.activation}{since}"
        )


class Difference(NamedTuple):
    """How much of one layer differs in one image, after the last step; `most` in levels."""

    image: int
    layer: str
    neurons: int
    most: float


class Judgement:
    """Collects comparisons of an implementation, batch after batch.

    Attributes:
        images: Images so far.
        correct: Images predicted right after each step, int64 (T,).
        predictions: Images of which another class is predicted than by the quantised network, int64 (T,).
        neurons: Neurons that differ after each step, by layer, int64 (T, layers).
        spikes: Spikes of either sign in each step, int64 (T,).
        operations: Synaptic operations that they cause, int64 (T,).
        rate: Whether the mean over the steps counts, and not the sum.
        active: Images in which a neuron spiked in the last step.
        ann_correct: Images that the quantised network predicts right.
        differences: Layers that differ, by image.
        offenders: The first neurons that differ.
    """

    def __init__(self, network: SpikingNetwork, steps: int) -> None:
        self._network, self.steps = network, steps
        self.layers = tuple(f"{index}:{layer.token}" for index, layer in enumerate(network.layers[:-1], 1))
        self.images = self.ann_correct = self.active = 0
        self.rate = False
        self.correct, self.predictions, self.spikes, self.operations = np.zeros((4, steps), np.int64)
        self.neurons = np.zeros((steps, len(self.layers)), np.int64)
        self.differences: list[Difference] = []
        self.offenders: list[Offender] = []

    @property
    def neurons_compared(self) -> int:
        """Neurons of all images."""
        return self.images * sum(layer.neurons for layer in self._network.layers[:-1])

    @property
    def neurons_that_differ(self) -> int:
        """After the last step, of all images."""
        return int(self.neurons[-1].sum())

    def rows(self, name: str) -> list[CertifiedRecord]:
        """What certified.csv says of the implementation, called `name`, a row a time step."""
        spikes, operations = self.spikes.cumsum() / self.images, self.operations.cumsum() / self.images
        return [
            CertifiedRecord(
                implementation=name,
                time_step=t + 1,
                accuracy=self.correct[t] / self.images,
                predictions_that_differ=int(self.predictions[t]),
                neurons_that_differ=int(self.neurons[t].sum()),
                spikes_per_image=spikes[t],
                operations_per_image=operations[t],
                code="rate" if self.rate else "sum",
                images=self.images,
                images_active=self.active,
                neurons_compared=self.neurons_compared,
                ann_accuracy=self.ann_correct / self.images,
            )
            for t in range(self.steps)
        ]

    def lines(self, name: str = "") -> list[str]:
        """What a person reads: the sum, a line for each layer that differs, and the first neurons that do."""
        images = len({difference.image for difference in self.differences})
        lines = [
            f"{name + ': ' if name else ''}{self.images:,} images, {self.steps} steps: "
            f"{self.neurons_that_differ:,} of {self.neurons_compared:,} neurons, in {images:,} images, "
            f"and {self.predictions[-1]:,} predictions differ"
        ]
        for layer, neurons in zip(self.layers, self.neurons[-1], strict=True):
            if neurons:
                found = [difference for difference in self.differences if difference.layer == layer]
                most = max(difference.most for difference in found)
                lines.append(f"layer {layer}: {neurons:,} neurons in {len(found):,} images, by {most:g} levels at most")
        return lines + [str(offender) for offender in self.offenders]

    def add(self, pixels: np.ndarray, labels: np.ndarray, response: Spikes | Sequence[np.ndarray]) -> None:
        """Compare what an implementation did with a batch of integer `pixels` (N, C, H, W) of classes `labels` (N,)."""
        *activations, logits = grid_activations(self._network, pixels)
        expected = logits.argmax(axis=1)
        batch = _Batch(self._network, [activation.astype(np.float32) for activation in activations])
        counts_alone = not isinstance(response, Spikes)
        response = Spikes([response]) if counts_alone else response
        self.rate = response.rate
        t = -1
        for t, spikes in enumerate(islice(response.by_step, self.steps)):
            batch.receive(t, spikes, response)
            self._keep(slice(t, None), batch, labels, expected)
            self.spikes[t] += batch.spikes
            self.operations[t] += batch.operations
        if t < 0:
            raise LosslessError("the implementation returned no step")
        ended = t + 1 < self.steps or not batch.spiking.any()
        self.active += 0 if ended else int(batch.spiking.sum())
        self.ann_correct += int((expected == labels).sum())
        self._name(batch, counts_alone)
        self.images += len(pixels)

    def _keep(self, steps: slice, batch: "_Batch", labels: np.ndarray, expected: np.ndarray) -> None:
        """Count this state for all steps to come, and take back what the one before counted for them."""
        state = (
            (batch.predictions == labels).sum(),
            (batch.predictions != expected).sum(),
            np.array([(np.abs(value) >= 0.5).sum() for value in batch.excess]),
        )
        before = batch.kept or (0, 0, 0)
        for record, now, then in zip((self.correct, self.predictions, self.neurons), state, before, strict=True):
            record[steps] += now - then
        batch.kept = state

    def _name(self, batch: "_Batch", counts_alone: bool) -> None:
        for index, (layer, excess) in enumerate(zip(self.layers, batch.excess, strict=True)):
            differs = np.abs(excess) >= 0.5
            for image in np.flatnonzero(differs.any(axis=(1, 2, 3))):
                most = float(np.abs(excess[image]).max())
                self.differences.append(Difference(self.images + int(image), layer, int(differs[image].sum()), most))
            room = MOST_OFFENDERS - len(self.offenders)
            for place in map(tuple, np.argwhere(differs)[:room].tolist()):
                activation = int(batch.activations[index][place])
                value = float(excess[place]) + activation
                step = None if counts_alone else int(batch.last_spike[index][place])
                self.offenders.append(Offender(self.images + place[0], layer, place[1:], value, activation, step))


def judge(
    network: SpikingNetwork,
    implementation: Implementation,
    images: Images,
    steps: int,
    batch_size: int,
    title: str = "Certify",
) -> Judgement:
    """Run an implementation on test images and compare it with the quantised network.

    Args:
        network: The spiking network, whose grid says what the activations are.
        implementation: What is judged.
        images: Test images as stored, uint8 (N, C, H, W), and their classes.
        steps: Time steps T.
        batch_size: Images at once.
        title: Of the progress bar.

    Raises:
        LosslessError: Where the implementation returns arrays of other shapes than the network's layers have.
    """
    judgement, encoded = Judgement(network, steps), network.data.encoding.integers
    for batch in batches(len(images), batch_size, title):
        pixels = encoded(images.pixels[batch])
        judgement.add(pixels, images.labels[batch], implementation(pixels, steps))
    return judgement


class _Batch:
    """A batch while it runs: net spike counts, and what they stand for beside the activations."""

    def __init__(self, network: SpikingNetwork, activations: list[np.ndarray]) -> None:
        self.activations = activations
        self.counts = [np.zeros_like(activation) for activation in activations]
        self.last_spike = [np.full(activation.shape, -1, np.int32) for activation in activations]
        self.kept: tuple | None = None
        self._fan_out = [layer.fan_out for layer in network.layers[1:]]
        self._readout = network.grid_readout.reshape(len(network.readout), -1).T.astype(np.float64)

    def receive(self, t: int, spikes: Sequence[np.ndarray], response: Spikes) -> None:
        """Add the spikes of step t of every layer; raises LosslessError where they have other shapes."""
        if (shapes := [array.shape for array in spikes]) != [array.shape for array in self.counts]:
            raise LosslessError(
                f"the implementation returned arrays of shapes {shapes} at step {t}, "
                f"but the network has {[array.shape for array in self.counts]}"
            )
        levels = response.levels or [1.0] * len(self.counts)
        self.spikes = self.operations = 0
        self.spiking = np.zeros(len(self.counts[0]), bool)
        self.excess = []
        layers = zip(spikes, self.counts, self.last_spike, self._fan_out, levels, self.activations, strict=True)
        for fired, count, last, fan_out, level, activation in layers:
            count += fired
            last[fired != 0] = t
            by_place = np.abs(fired).sum(axis=1, dtype=np.int64)
            self.spikes += int(by_place.sum())
            self.operations += int((by_place * fan_out).sum())
            self.spiking |= by_place.any(axis=(1, 2))
            self.excess.append(count * np.float32(level / (t + 1) if response.rate else level) - activation)
        # What a spike of the last layer stands for, the same for all, does not change which logit is the greatest.
        self.predictions = (self.counts[-1].reshape(len(self.spiking), -1) @ self._readout).argmax(axis=1)


def load_factory(name: str) -> Factory:
    """The factory named "package.module:function"; raises LosslessError where there is none."""
    module, _, function = name.partition(":")
    try:
        factory = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise LosslessError(f"--implementation {name}: {error}; expected package.module:function") from None
    return factory
