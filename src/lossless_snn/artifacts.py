"""Files that are either whole or not there: atomic writing, tensors with their metadata, digests."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import LosslessError

# The format keeps metadata in a hash map without a fixed order: a single key, holding JSON with
# sorted keys, gives the same bytes for the same content.
_METADATA_KEY = "lossless_snn"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with replacing(path) as partial:
        partial.write_text(text)


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON, atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2) + "\n")


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


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
