"""The same network with larger or smaller activations, on which a quantiser is finer or coarser."""

import numpy as np

from ..errors import LosslessError
from .graph import IMAGE, Convolution, Graph, parameter_prefix
from .quantiser import BATCH_NORM_EPS


def check_rescalable(graph: Graph) -> None:
    """Refuse networks whose activations cannot be scaled by their parameters alone.

    Raises:
        LosslessError: Activations have an upper bound or a layer has a quantiser of its own, whose step and stop would
            have to be scaled, too; or a layer adds the image itself to what it receives.
    """
    if graph.upper_bound is not None:
        raise LosslessError(f"activations have the upper bound {graph.upper_bound:g}, and cannot be rescaled")
    output = len(graph.nodes)
    for index in (*graph.neurons, output):
        if index < output and graph.nodes[index].quantiser is not None:
            raise LosslessError(f"{graph.place(index)}: has a quantiser of its own, and cannot be rescaled")
        for part in graph.inputs(index):
            if not isinstance(part, Convolution) and (part.source == IMAGE) != (index == output):
                raise LosslessError(f"{graph.place(index)}: adds the image itself, and cannot be rescaled")


def rescaled(parameters: dict[str, np.ndarray], graph: Graph, scale: float) -> dict[str, np.ndarray]:
    """Parameters whose network has `scale` times the activations, and the same outputs without quantisers.

    With s the scale, and s' that of a layer's input (1 of the image's, s of all others),

        gamma, beta <- s gamma, s beta,    mean <- s' mean,    variance + eps <- s'^2 (variance + eps)

    and the output layer's weights are divided by s. A neuron of the scaled network at level k has the count that it
    has in the given one where the quantiser's step is 2^-k / s: with s = 2 that of level k + 1.

    Args:
        parameters: float32, by the names that `networks.graph.parameter_shapes` has.
        graph: The network.
        scale: What activations are multiplied by, above 0.

    Returns:
        dict: float32 parameters of the same names and shapes; no array is shared with `parameters`.

    Raises:
        LosslessError: See `check_rescalable`.
    """
    check_rescalable(graph)
    found = {name: array.astype(np.float64) for name, array in parameters.items()}
    output = len(graph.nodes)
    for index in (*graph.neurons, output):
        to = 1.0 if index == output else scale
        for number, part in enumerate(graph.inputs(index)):
            if isinstance(part, Convolution):
                since = 1.0 if part.source == IMAGE else scale
                _rescale(found, parameter_prefix(index, number), part, since, to)
    return {name: array.astype(np.float32) for name, array in found.items()}


def _rescale(parameters: dict[str, np.ndarray], prefix: str, part: Convolution, since: float, to: float) -> None:
    """Have a convolution take inputs that are `since` times as large, and give `to` times as much."""
    if part.batch_norm:
        variance = parameters[f"{prefix}variance"]
        # Below 0 where activations shrink and a channel hardly varied, so that eps is all there is.
        variance[...] = np.maximum(since**2 * variance + (since**2 - 1) * BATCH_NORM_EPS, 0.0)
        factors = {"mean": since, "gamma": to, "beta": to} | ({"bias": since} if part.bias else {})
    else:
        factors = {"weight": to / since} | ({"bias": to} if part.bias else {})
    for name, factor in factors.items():
        parameters[prefix + name] *= factor
