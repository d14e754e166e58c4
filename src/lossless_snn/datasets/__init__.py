"""The data sets as arrays; below: what is known of each, where its files come from, how they are read.

Nothing here imports torch, and scikit-learn, Pillow and pooch are imported only where they are needed:
most commands only want the catalogue.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import cifar, idx
from .catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find
from .sources import acquire
from .spec import DECODED_FILES, Split

__all__ = ["Images", "load"]

# A split's images and labels: of built-in data sets, and of image folders.
_IDX_FILES = {
    "train": ((TRAIN_IMAGES, TRAIN_LABELS), DECODED_FILES["train"]),
    "test": ((TEST_IMAGES, TEST_LABELS), DECODED_FILES["test"]),
}


@dataclass(frozen=True)
class Images:
    """Images as stored, and their classes.

    Shape:
        pixels: uint8 (N, C, H, W).
        labels: int64 (N,).
    """

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice) -> "Images":
        return Images(self.pixels[chosen], self.labels[chosen])


def load(name: str, split: Split, root: Path = Path("data"), local: Path | None = None) -> Images:
    """The images of a data set, in the order of its files.

    Args:
        name: A data set that `catalogue.find` knows.
        split: "train" or "test".
        root: The folder below which its files lie; those that are missing or damaged are acquired first.
        local: Where they are looked for first, see `sources.retrieve`.

    Raises:
        LosslessError: No source has the files, or they cannot be read.
    """
    paths = acquire(name, root, local)
    # No data set has these files any more: two lines to take away when the trainings are made anew for another reason.
    if cifar.BATCHES[split][0] in paths:
        return Images(*cifar.read_split(paths, split))
    (names,) = [names for names in _IDX_FILES[split] if names[0] in paths]
    pixels, labels = (idx.read(paths[file]) for file in names)
    return Images(pixels.reshape(-1, *find(name).shape), labels.astype(np.int64))
