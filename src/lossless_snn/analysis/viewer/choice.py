"""Which test images to show: those that teach something, then one of each class."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...conversion.spiking_network import SpikingNetwork
from ...datasets import Images
from ...errors import LosslessError
from ...simulation import simulator
from ...simulation.certificate import grid_activations

# The first test images, among which a wrong prediction is looked for, and how many of them at once.
SEARCHED = 1000
TOGETHER = 50


class Choice(NamedTuple):
    """A test image by its `index` in the test set, and what it was chosen for."""

    index: int
    reason: str


def choose(networks: list[SpikingNetwork], images: Images, count: int, steps: int) -> list[Choice]:
    """Choose `count` test images, or all where there are fewer.

    The first one is predicted right by the first of the networks, but wrong without negative spikes, in
    `steps` time steps at most; the last one is predicted wrong by the last of the networks; where there are
    such among the first test images. Between them are the first images of other classes.
    """
    searched = images[:SEARCHED]
    telling = _first(searched, lambda batch: _needs_negative_spikes(networks[0], batch, steps))
    wrong = _first(searched, lambda batch: _predictions(networks[-1], batch) != batch.labels) if count > 1 else None
    chosen = {index: "wrong without negative spikes" for index in [telling] if index is not None}
    last = {index: "predicted wrong" for index in [wrong] if index is not None and index not in chosen}
    classes = {int(images.labels[index]) for index in (*chosen, *last)}
    for index, label in enumerate(images.labels.tolist()):
        if label not in classes:
            classes.add(label)
            chosen[index] = "the first of its class"
    for index in range(min(count, len(images))):
        if index not in last:
            chosen.setdefault(index, "one of the first")
    return [Choice(*item) for item in [*list(chosen.items())[: count - len(last)], *last.items()]]


def _first(images: Images, test: Callable[[Images], np.ndarray]) -> int | None:
    """Index of the first image that passes the test of a batch, (N,) bool."""
    for start in range(0, len(images), TOGETHER):
        passed = np.flatnonzero(test(images[start : start + TOGETHER]))
        if passed.size:
            return start + int(passed[0])
    return None


def _predictions(network: SpikingNetwork, images: Images) -> np.ndarray:
    *_, logits = grid_activations(network, network.data.encoding.integers(images.pixels))
    return logits.argmax(axis=1)


def _needs_negative_spikes(network: SpikingNetwork, images: Images, steps: int) -> np.ndarray:
    pixels = network.data.encoding.integers(images.pixels)
    without = simulator(network, negative_spikes=False).run(pixels, steps).predictions[:, -1]
    return (_predictions(network, images) == images.labels) & (without != images.labels)


def named(indices: tuple[int, ...], images: Images) -> list[Choice]:
    """The test images that a person asks for; raises LosslessError where there is no such image."""
    for index in indices:
        if not 0 <= index < len(images):
            raise LosslessError(f"--image {index}: the test set has images 0 to {len(images) - 1}")
    return [Choice(index, "asked for") for index in dict.fromkeys(indices)]
