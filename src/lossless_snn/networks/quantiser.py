"""The quantiser of an activation, by its level k, and the constants around it that training and conversion share.

    q_k(a) = round(2^k a + 1e-5) / 2^k          round half to even

(Zou et al. 2023.) Not in PyTorch, which `quantised` is: most of what needs these numbers does not calculate with it.
"""

import re

# Batch norm before the quantiser: sigma = sqrt(variance + this).
BATCH_NORM_EPS = 1e-5
# The quantiser is round(2^k a + this) / 2^k: an activation a rounding error below a half still passes it.
ROUNDING_SHIFT = 1e-5

# No simulation may take more steps: conversion proves that sums fit for counts up to this.
MOST_STEPS = 2**20

# Integer weights, their sign aside.
WEIGHT_BITS = 30
# No membrane, and no partial sum of one, may ever leave this range.
MEMBRANE_BITS = 62


def quantiser_level(precision: str) -> int | None:
    """The k of precision "k<N>"; None for "fp32". Raises ValueError for anything else."""
    if precision == "fp32":
        return None
    if not re.fullmatch(r"k(0|[1-9]\d?)", precision, re.ASCII):
        raise ValueError(f"'{precision}' is no precision (expected fp32, k0, k1, k2 or any k<N> up to k99)")
    return int(precision[1:])
