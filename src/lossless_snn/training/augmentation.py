"""Augmentation of training images, a batch at a time, on the device that trains.

Every image is cropped, flipped, shifted in brightness and changed in contrast, independently of all
others, and then standardised; or, where the recipe has no crop, moved and flipped. The random numbers
come from the processor: they depend on seed and epoch alone, whatever trains.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
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
    if recipe.crop is None:
        return 0, 2 * (recipe.shift or 0)
    last = side - recipe.crop
    if recipe.shift is None:
        return 0, last
    centre = last // 2
    return max(centre - recipe.shift, 0), min(centre + recipe.shift, last)


def bordered(inputs: Tensor, recipe: Augmentation) -> Tensor:
    """Encoded `inputs` (M, C, H, W) with the 0 around them that moves in with the shifts of a recipe without crop."""
    return F.pad(inputs, [recipe.shift or 0] * 4)


def augment(pixels: Tensor, images: Tensor, draws: Draws, recipe: Augmentation) -> Tensor:
    """The chosen `images` (N,), varied as drawn.

    Args:
        pixels: All images: 8-bit ones (M, C, H, W), or encoded ones as `bordered` gives them where `recipe`
            has no crop.
        images: Which ones, int64 (N,).
        draws: What happens to each of them.
        recipe: How images are varied.

    Returns:
        Tensor: float32 inputs, channels last in memory: standardised (N, C, crop, crop), or encoded (N, C, H, W).
    """
    border = 2 * (recipe.shift or 0)
    height, width = ((recipe.crop or side - border) for side in pixels.shape[2:])
    down, along = (torch.arange(size, device=pixels.device) for size in (height, width))
    rows = draws.top[:, None] + down
    columns = draws.left[:, None] + torch.where(draws.flipped[:, None], along.flip(0), along)
    # Indices apart from each other put the channels last: (N, height, width, C).
    values = pixels[images[:, None, None], :, rows[:, :, None], columns[:, None, :]].float()
    if recipe.crop is None:
        return values.permute(0, 3, 1, 2)
    if recipe.varies_light:
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
