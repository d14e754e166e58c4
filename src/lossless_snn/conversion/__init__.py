"""From a quantised network to a spiking one, on a grid of integers on which nothing is lost."""

from .convert import convert, convert_parameters
from .spiking_network import SpikingLayer, SpikingNetwork

__all__ = ["SpikingLayer", "SpikingNetwork", "convert", "convert_parameters"]
