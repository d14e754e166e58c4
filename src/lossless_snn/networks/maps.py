"""How large a network's maps may be: padding makes maps of any size that no weights stand behind."""

from math import prod
from pathlib import Path

from ..errors import LosslessError
from .graph import Graph

# Of all maps of a network together: VGG-16 on images of 224 x 224 has 15 million.
MOST_VALUES = 1 << 25


def require_possible_maps(graph: Graph, source: str | Path) -> None:
    """Raise LosslessError, which names `source`, where the maps of an image have more values than any network's."""
    values = sum(prod(graph.shape(index)) for index in range(-1, len(graph.nodes)))
    if values > MOST_VALUES:
        raise LosslessError(
            f"{source}: its network's maps have {values:,} values an image; nothing that runs here has more than "
            f"{MOST_VALUES:,}"
        )
