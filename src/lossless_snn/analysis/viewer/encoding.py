"""Integers packed for a page: LEB128, raw deflate, base64; browsers can undo all three without a library."""

import base64
import zlib

import numpy as np

_BITS = 7


def packed(*values: np.ndarray) -> str:
    """Non-negative integers of any shape, one array after the other, as text."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(squeeze.compress(b"".join(map(varints, values))) + squeeze.flush()).decode()


def varints(values: np.ndarray) -> bytes:
    """Each integer in as many bytes as it needs: seven bits a byte, the lowest first, 128 added to all but the last.

    Raises ValueError where one is negative.
    """
    values = np.asarray(values, np.int64).ravel()
    if values.size and values.min() < 0:
        raise ValueError("negative integers have no such form; use `zigzag`")
    width = max(int(values.max(initial=0)).bit_length() + _BITS - 1, _BITS) // _BITS
    rest = values[:, None] >> (_BITS * np.arange(width + 1))
    more = rest[:, 1:] > 0
    used = np.hstack([np.ones((len(values), 1), bool), more[:, :-1]])
    return ((rest[:, :-1] & 0x7F) | (more << _BITS)).astype(np.uint8)[used].tobytes()


def zigzag(values: np.ndarray) -> np.ndarray:
    """Integers of either sign as non-negative ones: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4."""
    values = np.asarray(values, np.int64)
    return np.where(values < 0, -2 * values - 1, 2 * values)


def gaps(positions: np.ndarray) -> np.ndarray:
    """Ascending positions as the distance of each from the one before it, the first one's from 0."""
    return np.diff(positions, prepend=0)
