"""The embedded data set: scikit-learn's 1,797 handwritten digits as IDX files like MNIST's.

The first 1,297 images are for training, the last 500 for testing, in scikit-learn's order, which
goes writer by writer (13 people): the writers of the test images differ from those of the training
images, but for the one whose images the split falls into.
"""

from pathlib import Path

import numpy as np

from . import idx
from .catalogue import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS

TRAINING_IMAGES = 1297
SIDE = 28
# Counts of inked dots in blocks of 4 x 4.
_LARGEST_VALUE = 16


def write_files(folder: Path) -> dict[str, Path]:
    """Write the four IDX files into `folder`; returns where each one is."""
    from sklearn.datasets import load_digits  # takes seconds to import, and most callers never need it

    digits = load_digits()
    pixels, labels = enlarge(digits.images.astype(np.int64)), digits.target.astype(np.uint8)
    contents = {
        TRAIN_IMAGES: pixels[:TRAINING_IMAGES],
        TRAIN_LABELS: labels[:TRAINING_IMAGES],
        TEST_IMAGES: pixels[TRAINING_IMAGES:],
        TEST_LABELS: labels[TRAINING_IMAGES:],
    }
    for name, array in contents.items():
        idx.write(folder / name, array)
    return {name: folder / name for name in contents}


def enlarge(images: np.ndarray) -> np.ndarray:
    """Integer images (N, h, w) of values 0..16, resized bilinearly to uint8 (N, 28, 28) of 0..255.

    In integers alone, because the bytes must be the same everywhere: libraries differ in the
    last bit, and from release to release.
    """
    rows, row_unit = _bilinear_weights(images.shape[1])
    columns, column_unit = _bilinear_weights(images.shape[2])
    unit = row_unit * column_unit * _LARGEST_VALUE
    weighted = rows @ images @ columns.T
    return ((2 * 255 * weighted + unit) // (2 * unit)).astype(np.uint8)


def _bilinear_weights(size: int) -> tuple[np.ndarray, int]:
    """Weights, int64 (28, size), of `size` inputs in each of 28 outputs, and what each row sums to.

    Pixels are squares: the centre of output i lies at (i + 1/2) size / 28 - 1/2 between the
    centres of the inputs, and at the nearest of them beyond the first and the last.
    """
    unit = 2 * SIDE
    centres = np.clip((2 * np.arange(SIDE) + 1) * size - SIDE, 0, (size - 1) * unit)
    distances = np.abs(centres[:, None] - unit * np.arange(size))
    return np.maximum(unit - distances, 0), unit
