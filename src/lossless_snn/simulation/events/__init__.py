"""Event-driven simulation: the work is that of the spikes, not that of the layers.

The network is a directed acyclic graph, so that it can be simulated node by node, each over all time steps:
a node's spikes for one image are a list (`SpikeList`), which is all that the nodes after it need. Each image
runs through the network on its own, so that images are shared out to threads.

layout     the network's arrays in the order in which spikes need them
kernel     the compiled loops over images, nodes, time steps and spikes
threads    the same loop on several threads
simulator  the engine: layout in, trace out
"""

from .simulator import EventSimulator

__all__ = ["EventSimulator"]
