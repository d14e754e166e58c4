"""IDX files, the format of MNIST: a magic number, the sizes of the axes, then the bytes."""

import struct
from math import prod
from pathlib import Path

import numpy as np

from ..errors import LosslessError
from ..files.reading import read_bytes

# The magic number is two zero bytes, the type of the values, the number of axes.
_UNSIGNED_BYTE = 0x08


def write(path: str | Path, array: np.ndarray) -> None:
    """Write a uint8 `array` of any shape. Raises TypeError for any other type."""
    if array.dtype != np.uint8:
        raise TypeError(f"IDX files of unsigned bytes cannot hold {array.dtype}")
    Path(path).write_bytes(header(array.shape) + array.tobytes())


def header(shape: tuple[int, ...]) -> bytes:
    """What precedes the values, uint8, of an array of this shape."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, _UNSIGNED_BYTE, len(shape), *shape)


def read(path: str | Path) -> np.ndarray:
    """The uint8 array in a decompressed IDX file, of the shape that its header gives.

    Raises LosslessError where the file is missing, is no IDX file of unsigned bytes, or has
    another size than its header says.
    """
    content = read_bytes(path)
    if len(content) < 4 or content[:3] != bytes((0, 0, _UNSIGNED_BYTE)):
        raise LosslessError(f"{path}: not an IDX file of unsigned bytes (it starts with 0x{content[:4].hex()})")
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise LosslessError(f"{path}: IDX header cut off ({len(content)} bytes, expected {start})")
    shape = struct.unpack_from(f">{axes}I", content, 4)
    if len(content) - start != prod(shape):
        sizes = " x ".join(map(str, shape))
        raise LosslessError(f"{path}: {len(content) - start} bytes of values, but the IDX header says {sizes}")
    # A copy, because an array on top of bytes is read-only, which torch warns about.
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
