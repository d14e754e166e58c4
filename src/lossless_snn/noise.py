"""Robustness to input noise: accuracy on test images whose pixels are disturbed.

Every pixel p, independently of all others, becomes

    p (1 + u),   u uniform in +-r/2,

at noise ratios r from 0 to 1. It is the ANN that is tested, at any precision. What it gives is the
spiking network's accuracy too, as far as certificate.json says that the two agree, but for one thing:
disturbed pixels are no integers, and the spiking network's input is a grid of integers, to which they
would have to be rounded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from .checkpoints import Checkpoint
from .datasets import Images
from .evaluation import accuracy, build, encode

# As in the published experiment.
RATIOS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Disturbed(NamedTuple):
    """Share of the images predicted right, `accuracy`, at one ratio under one draw of the noise."""

    ratio: float
    noise_seed: int
    images: int
    accuracy: float


def robustness(checkpoint: Checkpoint, images: Images, seeds: int, device: torch.device) -> Iterator[Disturbed]:
    """Test the checkpoint's network at every ratio, under noise seeds 0, 1, ..., `seeds` - 1 at each."""
    network, labels = build(checkpoint, device), torch.from_numpy(images.labels).to(device)
    for index, ratio in enumerate(RATIOS):
        for seed in range(seeds):
            inputs = encode(disturb(images.pixels, index, seed), checkpoint.data, device)
            _, share = accuracy(network, inputs, labels)
            yield Disturbed(ratio, seed, len(images), share)


def disturb(pixels: np.ndarray, index: int, seed: int) -> np.ndarray:
    """Pixels (N, C, H, W) with noise of ratio `RATIOS[index]`, float32, the same for every network."""
    draw = np.random.default_rng([seed, index]).random(pixels.shape, np.float32)
    return pixels * (1 + RATIOS[index] * (draw - 0.5))
