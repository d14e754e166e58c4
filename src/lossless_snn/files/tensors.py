"""Tensors with their metadata as safetensors files: the same content gives the same bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import LosslessError
from .atomic import replacing

# The format keeps metadata in a hash map without a fixed order: a single key, holding JSON with
# sorted keys, gives the same bytes for the same content.
_METADATA_KEY = "lossless_snn"


def save_tensors(path: str | Path, kind: str, tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write `tensors` and `metadata` as a safetensors file of the given `kind`, atomically."""
    header = json.dumps({**metadata, "kind": kind}, sort_keys=True)
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    with replacing(path) as partial:
        partial.write_bytes(save(contiguous, {_METADATA_KEY: header}))


def load_tensors(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read back what `save_tensors` wrote: (tensors, metadata).

    Raises LosslessError where the file is missing, truncated, or of another kind.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise LosslessError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise LosslessError(f"{path}: truncated or not a safetensors file ({error}); make it again") from None
    if metadata.get("kind") != kind:
        raise LosslessError(f"{path}: expected a {kind}, found {metadata.get('kind') or 'foreign tensors'}")
    return tensors, metadata
