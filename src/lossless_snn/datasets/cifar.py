"""CIFAR-10's batches: Python 2's pickles of a dict with `data`, uint8 (images, 3072), and `labels`.

A row of `data` is an image, red first, then green and blue, each 32 x 32 row by row.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LosslessError
from ..files.plain_pickle import read_plain
from ..files.reading import reading
from .spec import Split

BATCHES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
SHAPE, CLASSES = (3, 32, 32), 10
# Twice what one of 10,000 images takes.
_LARGEST_BATCH = 64 << 20


def read_split(paths: dict[str, Path], split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (N, 3, 32, 32) and labels int64 (N,) of a split, batch after batch."""
    batches = [read_batch(paths[name]) for name in BATCHES[split]]
    return np.concatenate([pixels for pixels, _ in batches]), np.concatenate([labels for _, labels in batches])


def read_batch(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The images of one file.

    Returns:
        Pixels uint8 (n, 3, 32, 32) and labels int64 (n,).

    Raises:
        LosslessError: It is missing, is damaged, or holds anything but plain data, or other than a batch.
    """
    content = read_plain(BytesIO(_read(Path(path))), f"{path}", path, "a batch of images")
    pixels, labels = _entry(content, "data"), _entry(content, "labels")
    values = int(np.prod(SHAPE))
    if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[1:] == (values,)):
        raise LosslessError(f"{path}: no batch of CIFAR-10: 'data' must be rows of {values:,} bytes")
    if not (isinstance(labels, list) and len(labels) == len(pixels) and all(map(_is_label, labels))):
        raise LosslessError(
            f"{path}: no batch of CIFAR-10: 'labels' must be a list of {len(pixels):,} whole numbers below {CLASSES}"
        )
    return pixels.reshape(-1, *SHAPE), np.array(labels, dtype=np.int64)


def _read(path: Path) -> bytes:
    with reading(path):
        if (size := path.stat().st_size) > _LARGEST_BATCH:
            raise LosslessError(f"{path}: no batch of CIFAR-10: {size:,} bytes, but {_LARGEST_BATCH:,} at the most")
        return path.read_bytes()


def _entry(content: Any, key: str) -> Any:
    """What a dict has under a key, which may be text or bytes; None if nothing."""
    return content.get(key, content.get(key.encode())) if isinstance(content, dict) else None


def _is_label(value: Any) -> bool:
    return type(value) is int and 0 <= value < CLASSES
