"""Values that configuration is made of, with their bounds."""

import os
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from ..datasets.catalogue import find
from ..errors import LosslessError, did_you_mean
from ..networks.quantiser import MOST_STEPS, quantiser_level
from .variants import split_name

PRECISIONS = ("fp32", "k0", "k1", "k2", "k3")
"""Those that a person may have meant, or begun to type; any k<N> is one."""


def checked_precision(value: str) -> str:
    """The precision; raises ValueError, with what may have been meant, where it is none."""
    try:
        quantiser_level(value)
    except ValueError as error:
        raise ValueError(f"{error}{did_you_mean(value, PRECISIONS)}") from None
    return value


def _dataset(value: str) -> str:
    find(value)
    return value


def _experiment(value: str) -> str:
    try:
        split_name(value)
    except LosslessError as error:
        raise ValueError(str(error)) from None
    return value


Item = TypeVar("Item")


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("empty (list one at least)")
    if repeated := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return items


Distinct = Annotated[tuple[Item, ...], AfterValidator(_each_once)]
Precision = Annotated[str, AfterValidator(checked_precision)]
ExperimentName = Annotated[str, AfterValidator(_experiment)]
DatasetName = Annotated[str, AfterValidator(_dataset)]
NetworkName = Annotated[str, Field(max_length=1000)]
"""The paper's notation, or a name from `networks.named`."""
UpperBound = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Of activations, whose unit is that of batch norm's output."""
BudgetName = Literal["quick", "paper", "fast"]
"""Minutes, to see everything work; the published recipe and epochs; our own recipe."""
# Bits depend on threads, so that a job may have more than there are processors, but not so many that none is left to
# other programs.
MOST_THREADS = max(64, os.cpu_count() or 1)
ThreadCount = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
# What NumPy's and PyTorch's generators take, both.
MOST_SEED = 2**63 - 1
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
WeightBits = Annotated[int, Field(ge=2, le=24)]
"""Its sign included."""
Share = Annotated[float, Field(ge=0, le=1)]
