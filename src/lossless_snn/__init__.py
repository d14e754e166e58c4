"""Quantised neural networks as spiking neural networks with negative spikes, without loss.

The chain, a package a stage, in the order in which data flow: files, networks, datasets, config, runs, checkpoints,
conversion, evaluation, training and simulation, analysis; provenance beside it, and the command line above all.
The method is that of Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with
Negative-Spike Dynamics", Advanced Intelligent Systems, 2023.
"""

__version__ = "0.1.0"
