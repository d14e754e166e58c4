"""Precisions: the level of the quantiser, or none."""

import re


def quantiser_level(precision: str) -> int | None:
    """The k of precision "k<N>"; None for "fp32". Raises ValueError for anything else."""
    if precision == "fp32":
        return None
    if not re.fullmatch(r"k(0|[1-9]\d?)", precision, re.ASCII):
        raise ValueError(f"'{precision}' is no precision (expected fp32, k0, k1, k2 or any k<N> up to k99)")
    return int(precision[1:])
