"""Networks as the paper writes them, their geometry, their quantiser, and the quantised network in PyTorch.

PyTorch takes seconds to import: `quantised` and `device` are imported by those alone that calculate with it.
"""

from .notation import Layer, Shape, ann_operations, neuron_count, parse
from .quantiser import quantiser_level

__all__ = ["Layer", "Shape", "ann_operations", "neuron_count", "parse", "quantiser_level"]
