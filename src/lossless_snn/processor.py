"""The processor that a job runs on: its model, its maker, and the instructions that decide the bits of a training."""

import platform
from collections.abc import Iterator
from pathlib import Path

# By falling precedence: sums are added in another order where they are wider, and rounded otherwise in bfloat16.
_DECISIVE = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "bf16")
_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
_CPUINFO = Path("/proc/cpuinfo")


def model() -> str:
    """The processor's model, or its architecture where the system does not say."""
    return next(_said("model name"), platform.machine())


def maker() -> str:
    """Who made it, in the words of the system; nothing where that does not say."""
    return next(_said("vendor_id", "CPU implementer"), "")


def kind() -> str:
    """Architecture and decisive instructions, such as "x86_64 avx512_bf16 avx512f avx2"; Linux alone says which."""
    found = _instructions()
    return " ".join([platform.machine(), *(name for name in _DECISIVE if name in found)])


def lacks_bfloat16() -> bool:
    """Whether the processor is known to have no instructions for products of bfloat16 numbers."""
    found = _instructions()
    return bool(found) and not found & _BFLOAT16


def _instructions() -> frozenset[str]:
    """All that the first processor has; nothing where the system does not say."""
    return frozenset(next(_said("flags", "Features"), "").split())


def _said(*keys: str) -> Iterator[str]:
    """The values that the system gives for any of the keys, processor by processor."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in lines)
    return (value.strip() for key, _, value in pairs if key.strip() in keys)
