"""How images become a network's inputs: integers, exact on every machine, and the unit that they count.

What a network is tested on, and what its spiking version receives, is integer / 2^`bits`, in
either encoding; so both see the same numbers, to the last bit.
"""

from dataclasses import dataclass
from math import isqrt, prod

import numpy as np

from ..networks.notation import Shape

LARGEST_PIXEL = 255


@dataclass(frozen=True)
class Scaled:
    """Pixels p as p / 2^`bits`."""

    bits: int = 8
    signed = False

    def input_shape(self, shape: Shape) -> Shape:
        """Shape (C, H, W) of the inputs for images of this shape."""
        return shape

    def peak(self, shape: Shape) -> int:
        """The largest absolute value that an input's integer can have, for images of this shape."""
        return LARGEST_PIXEL

    def integers(self, pixels: np.ndarray) -> np.ndarray:
        """8-bit pixels (N, C, H, W) as they are, int32."""
        return pixels.astype(np.int32)


@dataclass(frozen=True)
class Standardised:
    """The central `crop` x `crop` pixels, standardised image by image, rounded to multiples of 2^-`bits`.

    (x - mean) / max(std, 1/sqrt(n)) over the n values of an image's crop. With 16 bits the largest
    of them, sqrt(n - 1), is still below 2^24 units for every crop up to 147 x 147: single precision
    holds them exactly.
    """

    crop: int
    bits: int = 16
    signed = True

    def input_shape(self, shape: Shape) -> Shape:
        """Shape (C, H, W) of the inputs for images of this shape."""
        return (shape[0], self.crop, self.crop)

    def peak(self, shape: Shape) -> int:
        """The largest absolute value that an input's integer can have, for images of this shape.

        |x - mean| / std is at most sqrt(n - 1): of one value that differs from all others.
        """
        return (isqrt(shape[0] * self.crop**2 - 1) + 1) << self.bits

    def integers(self, pixels: np.ndarray) -> np.ndarray:
        """8-bit pixels (N, C, H, W) as integers (N, C, crop, crop), int32.

        By sums of integers, one square root and one division, which IEEE 754 rounds the same
        everywhere: with n values of sum S and sum of squares R, n std = sqrt(n R - S^2).
        """
        top, left = ((size - self.crop) // 2 for size in pixels.shape[2:])
        values = pixels[:, :, top : top + self.crop, left : left + self.crop].astype(np.int64)
        n = prod(values.shape[1:])
        total, squares = (array.sum(axis=(1, 2, 3), keepdims=True) for array in (values, values**2))
        spread = np.sqrt(np.maximum(n * squares - total**2, n).astype(np.float64))
        return np.rint((n * values - total) * 2.0**self.bits / spread).astype(np.int32)


Encoding = Scaled | Standardised
