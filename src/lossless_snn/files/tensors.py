"""Tensors with their metadata as safetensors files: the same content gives the same bytes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import LosslessError, quoted
from .atomic import replacing
from .reading import reading

# The format keeps metadata in a hash map without a fixed order: a single key, holding JSON with
# sorted keys, gives the same bytes for the same content.
_METADATA_KEY = "lossless_snn"
# By the format's names.
_NUMPY_TYPES = {"BOOL", "U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64", "F16", "F32", "F64", "C64"}


def save_tensors(path: str | Path, kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write `tensors` and `metadata` as a safetensors file of the given `kind`, atomically."""
    with replacing(path) as partial:
        partial.write_bytes(_content(kind, tensors, metadata))


def tensors_sha256(kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> str:
    """SHA-256 of the file that `save_tensors` writes, in hexadecimal digits."""
    return hashlib.sha256(_content(kind, tensors, metadata)).hexdigest()


def _content(kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> bytes:
    header = json.dumps({**metadata, "kind": kind}, sort_keys=True)
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    return save(contiguous, {_METADATA_KEY: header})


class TensorSpec(NamedTuple):
    """What a tensor must be."""

    shape: tuple[int, ...]
    dtype: str


def load_tensors(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read back what `save_tensors` wrote: (tensors, metadata).

    Raises LosslessError where the file is missing, truncated, or of another kind, or where its
    tensors are of a type that NumPy has not got, such as bfloat16.
    """
    try:
        with reading(path), safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"), parse_constant=_refuse)
            types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (no mapping)
            if foreign := {name: dtype for name, dtype in types.items() if dtype not in _NUMPY_TYPES}:
                name, dtype = next(iter(foreign.items()))
                raise LosslessError(f"{path}: '{quoted(name)}' is of type {dtype}, which nothing here writes")
            tensors = {name: file.get_tensor(name) for name in types}
    except (SafetensorError, ValueError, RecursionError) as error:
        raise LosslessError(f"{path}: truncated or not a safetensors file ({quoted(error)}); make it again") from None
    found = metadata.pop("kind", None) if isinstance(metadata, dict) else None
    if found != kind:
        known = quoted(found) if isinstance(found, str) else "foreign tensors"
        raise LosslessError(f"{path}: expected a {kind}, found {known}")
    return tensors, metadata


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def check_tensors(tensors: Mapping[str, np.ndarray], expected: Mapping[str, TensorSpec], source: str | Path) -> None:
    """Raise LosslessError, naming `source`, unless the tensors are those expected, and finite."""
    if unmatched := sorted(tensors.keys() ^ expected.keys()):
        names = ", ".join(quoted(name, 50) for name in unmatched[:5]) + (", ..." if len(unmatched) > 5 else "")
        raise LosslessError(f"{source}: parameters missing or in excess: {names}")
    for name, (shape, dtype) in expected.items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise LosslessError(f"{source}: {name} has shape {tensor.shape}, the network needs {shape}")
        if tensor.dtype != dtype:
            raise LosslessError(f"{source}: {name} is of type {tensor.dtype}, expected {dtype}")
        if not np.isfinite(tensor).all():
            raise LosslessError(f"{source}: {name} is not finite")
