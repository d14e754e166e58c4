"""What an image costs in energy: an estimate from counts of operations and the price of each.

The ANN multiplies and accumulates; a spike, whose value is one, only adds:

    ANN               E = (ANN operations / 3) multiply_accumulate
    spiking network   E = (synaptic operations) addition

since ANN operations count three for a multiply-accumulate. The first layer, which takes pixels and
not spikes, is left out of both counts, and so is all that is not arithmetic, such as moving data.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ..files.configuration import configured
from ..files.typed import Strict, read_yaml, validate

ENERGY = Path("config/energy.yaml")

# ANN operations for each multiply-accumulate: a multiplication counts as two additions.
_OPERATIONS_OF_MULTIPLY_ACCUMULATE = 3
_PICO = 1e-12
_WORD_BITS = 32

Picojoules = Annotated[float, Field(gt=0, description="pJ")]


class Hardware(Strict):
    """What integer arithmetic and an access to memory cost, in picojoules, for the breakdown by layer."""

    addition: Picojoules
    multiplication: Picojoules
    memory: Annotated[dict[str, Picojoules], Field(min_length=1)]

    def of_multiply_accumulate(self, bits: int) -> float:
        """Picojoules for a weight of 32 bits times an input of `bits`, added up.

        A multiplier has a row of adders for each bit of its second operand.
        """
        return self.addition + self.multiplication * bits / _WORD_BITS


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


class OperationEnergies(Strict):
    """What one operation costs, in picojoules, in a technology of chips."""

    technology: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    multiply_accumulate: Picojoules
    addition: Picojoules
    # Not among the parameters of what does not use it.
    hardware: Hardware | None = Field(default=None, exclude=True)

    def of_ann(self, operations: float) -> float:
        """Joules for that many ANN operations, counted as three a multiply-accumulate."""
        return operations / _OPERATIONS_OF_MULTIPLY_ACCUMULATE * self.multiply_accumulate * _PICO

    def of_snn(self, operations: float) -> float:
        """Joules for that many synaptic operations."""
        return operations * self.addition * _PICO

    @property
    def terms(self) -> str:
        """What the estimates rest on, in words."""
        return (
            f"{self.technology}: {self.multiply_accumulate:g} pJ a multiply-accumulate (ANN), "
            f"{self.addition:g} pJ a synaptic operation; first layer left out of both"
        )


def read_energies(path: str | Path = ENERGY) -> OperationEnergies:
    """The energies in the file at `path`; raises LosslessError, one line naming file and key, where it is wrong."""
    path = configured(path)
    return validate(OperationEnergies, read_yaml(path), path)
