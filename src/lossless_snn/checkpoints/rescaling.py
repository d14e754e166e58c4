"""Checkpoints with larger or smaller activations, on which a quantiser is finer or coarser."""

import numpy as np

from ..errors import LosslessError
from ..networks.rescaling import rescaled
from .checkpoint import Checkpoint
from .metadata import CheckpointMetadata


def rescaled_checkpoint(checkpoint: Checkpoint, scale: float) -> Checkpoint:
    """The checkpoint with `scale` times the activations, see `networks.rescaling`.

    Its metadata are the given one's, and say by what it was rescaled and from which file, by its SHA-256.

    Raises:
        LosslessError: The network cannot be rescaled, or its parameters leave the range of 32-bit floats.
    """
    with np.errstate(over="ignore"):
        parameters = rescaled(checkpoint.parameters, checkpoint.graph, scale)
    if not all(np.isfinite(array).all() for array in parameters.values()):
        raise LosslessError(f"scale {scale:g}: parameters leave the range of 32-bit floats; choose one nearer to 1")
    extra = {"rescaled_by": scale, "rescaled_from": checkpoint.sha256}
    metadata = CheckpointMetadata(**checkpoint.metadata.model_dump(exclude_unset=True) | extra)
    return Checkpoint(parameters, metadata)
