"""The geometry of synapses between two maps of neurons: which reach which, and how many there are."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

Shape = tuple[int, int, int]
"""Channels, height, width."""

Pair = tuple[int, int]
"""Along the height, along the width."""

Padding = tuple[Pair, Pair]
"""Rows above and below, columns left and right."""


@dataclass(frozen=True)
class Layer:
    """One convolution: all synapses are such, those of fully connected layers, poolings and identities too.

    With `groups`, filter f sees the input channels of its own group alone: f // (filters / groups) is their number.
    """

    token: str
    in_shape: Shape
    out_shape: Shape
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    groups: int = 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights: (filters, input channels of a group, kernel height, kernel width)."""
        return (self.out_shape[0], self.in_shape[0] // self.groups, *self.kernel)

    @property
    def is_fully_connected(self) -> bool:
        """Whether the kernel covers the whole input map."""
        return self.kernel == self.in_shape[1:] and not any(map(any, self.padding)) and self.groups == 1

    @property
    def neurons(self) -> int:
        """Number of outputs."""
        return prod(self.out_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass, those on padding included (as published)."""
        return prod(self.out_shape[1:]) * prod(self.weight_shape)

    @cached_property
    def fan_out(self) -> np.ndarray:
        """Synapses that a spike at each input position crosses, int64, shape (H, W).

        Exact: fewer at the borders, none into padding. The same for every input channel.
        """
        rows, columns = (self.covered(axis) for axis in (0, 1))
        return np.outer(rows, columns) * (self.out_shape[0] // self.groups)

    def covered(self, axis: int) -> np.ndarray:
        """Number of output positions along `axis` whose window covers each input position, int64."""
        reached = np.zeros(self.in_shape[1 + axis], dtype=np.int64)
        for position in range(self.out_shape[1 + axis]):
            start = position * self.stride[axis] - self.padding[axis][0]
            reached[max(start, 0) : max(start + self.kernel[axis], 0)] += 1
        return reached


def strided(token: str, shape: Shape, filters: int, kernel: Pair, stride: Pair, padding: Padding, groups: int) -> Layer:
    """The convolution of a map of `shape` with windows of `kernel`, every `stride`; its map is as large as they fit.

    The map is empty, of a size of 0 or less, where the kernel is larger than the padded map.
    """
    height, width = (
        (size + sum(pad) - window) // step + 1
        for size, window, step, pad in zip(shape[1:], kernel, stride, padding, strict=True)
    )
    return Layer(token, shape, (filters, height, width), kernel, stride, padding, groups)
