"""Data sets as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from . import idx
from .catalogue import DATASETS, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from .sources import acquire

Split = Literal["train", "test"]

_IDX_FILES = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}


@dataclass(frozen=True)
class Images:
    """Images as stored, and their classes: `pixels` uint8 (N, C, H, W), `labels` int64 (N,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice) -> "Images":
        return Images(self.pixels[chosen], self.labels[chosen])


def load(name: str, split: Split, root: Path = Path("data"), local: Path | None = None) -> Images:
    """The training or test images of data set `name`, in the order of its files.

    Files that are missing or damaged below `root` are acquired first, see `sources.acquire`
    for `local` and for the errors.
    """
    paths = acquire(name, root, local)
    pixels, labels = (idx.read(paths[file]) for file in _IDX_FILES[split])
    return Images(pixels.reshape(-1, *DATASETS[name].shape), labels.astype(np.int64))
