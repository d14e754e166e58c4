"""A network as checkpoints and experiments name it."""

from collections.abc import Mapping
from typing import Any

from ..datasets.catalogue import find
from ..networks import notation


def network_layers(architecture: Mapping[str, Any]) -> tuple[notation.Layer, ...]:
    """The layers of the network that the keys `dataset`, `network` and `padding` describe.

    Raises:
        LosslessError: The network does not fit the data set's inputs, or there is no such data set.
    """
    data = find(architecture["dataset"])
    return notation.parse(architecture["network"], data.input_shape, data.classes, architecture["padding"])
