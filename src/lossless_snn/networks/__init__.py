"""Networks in the paper's notation and as graphs, their geometry and quantiser, and the quantised network in PyTorch.

PyTorch takes seconds to import: `quantised` and `device` are imported by those alone that calculate with it.
"""

from .geometry import Layer, Shape
from .graph import Graph, chain_graph
from .notation import parse
from .quantiser import quantiser_level

__all__ = ["Graph", "Layer", "Shape", "chain_graph", "parse", "quantiser_level"]
