"""Trained networks as files, ours and the published code's."""

from .checkpoint import Checkpoint

__all__ = ["Checkpoint"]
