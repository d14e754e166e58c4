"""What a training sees: which images, in which order, and varied how."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..config.recipe import Recipe
from ..datasets import Images
from ..datasets.catalogue import find
from ..datasets.spec import DatasetSpec
from ..errors import LosslessError
from ..evaluation.accuracy import encode
from .augmentation import augment, bordered, draw


def split(images: Images, recipe: Recipe) -> tuple[Images, Images]:
    """Training and validation images: the last are held out, and of the others the first are trained on.

    Raises LosslessError where there are too few of them.
    """
    held_out, available = recipe.validation_images, len(images)
    rest = available - held_out
    wanted = recipe.train_images or rest
    if rest < wanted:
        raise LosslessError(
            f"{recipe.dataset}: {available} training images, {held_out} of them held out, "
            f"are fewer than the {wanted} to train on"
        )
    if wanted < recipe.batch_size:
        raise LosslessError(
            f"{recipe.dataset}: {wanted} images to train on, of {available} with {held_out} held out, "
            f"do not fill one batch of {recipe.batch_size}"
        )
    return images[:wanted], images[rest:]


def digest(training: Images, validation: Images, data: DatasetSpec) -> str:
    """SHA-256 of the pixels and classes of both, and of how pixels become inputs."""
    found = hashlib.sha256(repr(data.encoding).encode())
    for array in (training.pixels, training.labels, validation.pixels, validation.labels):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


class TrainingSet:
    """Training images, all of them resident on the device that trains."""

    def __init__(self, images: Images, recipe: Recipe, device: torch.device) -> None:
        self._batch_size, self._augmentation = recipe.batch_size, recipe.augmentation
        self._labels = torch.from_numpy(images.labels).to(device)
        self._size = images.pixels.shape[2:]
        if self._augmentation and self._augmentation.crop:
            self._inputs = torch.from_numpy(images.pixels).to(device)
        else:
            encoded = encode(images.pixels, find(recipe.dataset), device)
            self._inputs = bordered(encoded, self._augmentation) if self._augmentation else encoded

    @property
    def batches(self) -> int:
        """Batches an epoch. What does not fill one sits an epoch out."""
        return len(self._labels) // self._batch_size

    def epoch(self, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled batches: inputs (batch size, C, H, W) and labels (batch size,).

        A function of seed and epoch, so that resuming needs no generator's state. A network that is trained on from
        another one counts its epochs on from those of that one, so that it is shown other crops.
        """
        order = np.random.default_rng([seed, epoch]).permutation(len(self._labels))
        order = order[: self.batches * self._batch_size]
        chosen = torch.from_numpy(order).to(self._labels.device)
        if self._augmentation:
            draws = draw(self._augmentation, order, len(self._labels), self._size, seed, epoch).to(chosen.device)
        for start in range(0, len(chosen), self._batch_size):
            place = slice(start, start + self._batch_size)
            images = chosen[place]
            if self._augmentation:
                yield augment(self._inputs, images, draws[place], self._augmentation), self._labels[images]
            else:
                yield self._inputs[images], self._labels[images]
