"""Quantised neural networks as spiking neural networks with negative spikes, without loss.

The chain, a package a stage, in the order in which data flow: files, networks, datasets, config, runs, checkpoints,
conversion, evaluation, training and simulation, analysis; provenance beside it, and the command line above all.
The method is that of Zou et al., "Toward a Lossless Conversion for Spiking Neural Networks with
Negative-Spike Dynamics", Advanced Intelligent Systems, 2023.

What the package offers in Python is in `interface`, imported when it is first asked for: commands need not have it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "Certification",
    "ClippedQuantiser",
    "LosslessError",
    "RoundingQuantiser",
    "Run",
    "SpikingNetwork",
    "certify",
    "convert",
    "load",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lossless_snn' has no attribute {name!r}")
    return getattr(import_module(".interface", __name__), name)
