"""Trained networks as files, ours and the published code's."""

from .checkpoint import Checkpoint
from .metadata import CheckpointMetadata

__all__ = ["Checkpoint", "CheckpointMetadata"]
