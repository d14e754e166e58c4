"""Robustness to input noise: accuracy on test images whose inputs are disturbed.

Every input x, independently of all others, becomes

    x (1 + u),   u uniform in +-r/2,

at noise ratios r from 0 to 1. It is the ANN that is tested, at any precision. What it gives is the
spiking network's accuracy too, as far as certificate.json says that the two agree, but for one thing:
disturbed inputs are off the grid of integers that the spiking network takes, and would have to be
rounded to it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..datasets import Images
from ..runs.noise import NoiseRecord
from .accuracy import accuracy, build, encode

# As in the published experiment.
RATIOS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def robustness(checkpoint: Checkpoint, images: Images, seeds: int, device: torch.device) -> Iterator[NoiseRecord]:
    """Test the checkpoint's network at every ratio, under noise seeds 0, 1, ..., `seeds` - 1 at each."""
    network, labels = build(checkpoint, device), torch.from_numpy(images.labels).to(device)
    inputs = encode(images.pixels, checkpoint.data, device)
    for index, ratio in enumerate(RATIOS):
        for seed in range(seeds):
            _, share = accuracy(network, disturb(inputs, index, seed), labels)
            yield NoiseRecord(ratio=ratio, noise_seed=seed, images=len(images), accuracy=share)


def disturb(inputs: Tensor, index: int, seed: int) -> Tensor:
    """Inputs (N, C, H, W) with noise of ratio `RATIOS[index]`, float32, the same for every network."""
    draw = np.random.default_rng([seed, index]).random(inputs.shape, np.float32)
    return inputs * torch.from_numpy(1 + RATIOS[index] * (draw - 0.5)).to(inputs.device)
