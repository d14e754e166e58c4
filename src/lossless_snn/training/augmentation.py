"""Augmentation of training images, a batch at a time, on the device that trains.

Every image is cropped, flipped, shifted in brightness and changed in contrast, independently of all
others, and then standardised. The random numbers come from the processor: they depend on seed and
epoch alone, whatever trains.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config.recipe import Augmentation

# Sets these draws apart from others of the same seed and epoch.
_STREAM = 1
# Which images are flipped in the first epoch, where each is flipped every other one: no epoch has this number.
_FLIPS = 2**32 - 1


@dataclass(frozen=True)
class Draws:
    """What happens to each of some images; one number an image in each tensor (N,).

    `top` and `left` of the crop, int64; `flipped`, bool; `shift` added to every pixel, and the factor
    `contrast` for its distance from its channel's mean, float32.
    """

    top: Tensor
    left: Tensor
    flipped: Tensor
    shift: Tensor
    contrast: Tensor

    def __getitem__(self, images: slice) -> "Draws":
        return Draws(*(getattr(self, name)[images] for name in self.__dataclass_fields__))

    def to(self, device: torch.device) -> "Draws":
        """The same numbers on `device`."""
        return Draws(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def draw(recipe: Augmentation, chosen: np.ndarray, images: int, size: tuple[int, int], seed: int, epoch: int) -> Draws:
    """Draws for the images of an epoch; a function of seed and epoch.

    Args:
        recipe: How images are varied.
        chosen: The images in the order of training, int64 (N,), out of as many as `images` says.
        images: How many training images there are.
        size: Their height and width.
        seed: The training's seed.
        epoch: The epoch, from 0.
    """
    count = len(chosen)
    numbers = np.random.default_rng([seed, epoch, _STREAM])
    top, left = (numbers.integers(*_offsets(side, recipe), count, endpoint=True) for side in size)
    flipped = numbers.random(count) < (0.5 if recipe.flip else 0.0)
    if recipe.flip == "alternating":
        first = np.random.default_rng([seed, _FLIPS]).random(images) < 0.5
        flipped = first[chosen] ^ bool(epoch % 2)
    shift = numbers.uniform(-recipe.brightness, recipe.brightness, count).astype(np.float32)
    contrast = numbers.uniform(*recipe.contrast, count).astype(np.float32)
    return Draws(*map(torch.from_numpy, (top, left, flipped, shift, contrast)))


def _offsets(side: int, recipe: Augmentation) -> tuple[int, int]:
    """The first and the last place where a crop may begin."""
    last = side - recipe.crop
    if recipe.shift is None:
        return 0, last
    centre = last // 2
    return max(centre - recipe.shift, 0), min(centre + recipe.shift, last)


def augment(pixels: Tensor, images: Tensor, draws: Draws, recipe: Augmentation) -> Tensor:
    """The chosen `images` (N,) of 8-bit `pixels` (M, C, H, W), as standardised inputs (N, C, crop, crop), float32."""
    crop = recipe.crop
    varied = recipe.brightness > 0 or recipe.contrast != (1.0, 1.0)
    line = torch.arange(crop, device=pixels.device)
    rows = draws.top[:, None] + line
    columns = draws.left[:, None] + torch.where(draws.flipped[:, None], line.flip(0), line)
    # Indices apart from each other put the channels last: (N, crop, crop, C).
    values = pixels[images[:, None, None], :, rows[:, :, None], columns[:, None, :]].float()
    if varied:
        values += draws.shift[:, None, None, None]
        mean = values.mean((1, 2), keepdim=True)
        values = (values - mean) * draws.contrast[:, None, None, None] + mean
    return standardise(values).permute(0, 3, 1, 2)


def standardise(values: Tensor) -> Tensor:
    """(x - mean) / max(std, 1/sqrt(n)) over the n values of each image; `values` has images first."""
    flat = values.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    spread = centred.square().mean(1, keepdim=True).sqrt().clamp_min(flat.shape[1] ** -0.5)
    return (centred / spread).reshape(values.shape)
