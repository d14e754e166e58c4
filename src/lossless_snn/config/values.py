"""Values that configuration is made of, with their bounds."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from ..datasets.catalogue import find
from ..networks.quantiser import MOST_STEPS, quantiser_level


def _precision(value: str) -> str:
    quantiser_level(value)
    return value


def _dataset(value: str) -> str:
    find(value)
    return value


Item = TypeVar("Item")


def _each_once(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise ValueError("empty (list one at least)")
    if repeated := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return items


Distinct = Annotated[tuple[Item, ...], AfterValidator(_each_once)]
Precision = Annotated[str, AfterValidator(_precision)]
DatasetName = Annotated[str, AfterValidator(_dataset)]
NetworkName = Annotated[str, Field(max_length=1000)]
"""The paper's notation, or a name from `networks.named`."""
UpperBound = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Of activations, whose unit is that of batch norm's output."""
BudgetName = Literal["quick", "paper", "fast"]
"""Minutes, to see everything work; the published recipe and epochs; our own recipe."""
Count = Annotated[int, Field(ge=1, lt=2**31)]
# What NumPy's and PyTorch's generators take, both.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]
Share = Annotated[float, Field(ge=0, le=1)]
