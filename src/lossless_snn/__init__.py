"""Quantised neural networks as spiking neural networks with negative spikes, without loss.

The chain, one module a noun, in the order in which data flow:
notation -> network -> datasets -> training -> conversion -> simulation -> measures -> figures and tables.
The method is that of Zou et al., "Towards a Lossless Conversion for Spiking Neural Networks with
Negative-Spike Dynamics", Advanced Intelligent Systems, 2023.
"""

__version__ = "0.1.0"
