"""The same network with larger or smaller activations, on which a quantiser is finer or coarser."""

import numpy as np

from ..errors import LosslessError
from ..networks.graph import IMAGE, Convolution, Graph, parameter_prefix
from ..networks.quantiser import BATCH_NORM_EPS
from .checkpoint import Checkpoint
from .metadata import CheckpointMetadata


def rescaled_checkpoint(checkpoint: Checkpoint, scale: float) -> Checkpoint:
    """The checkpoint with `scale` times the activations, see `rescaled`.

    Its metadata are the given one's, and say by what it was rescaled and from which file, by its SHA-256.

    Raises:
        LosslessError: The network cannot be rescaled, or its parameters leave the range of 32-bit floats.
    """
    with np.errstate(over="ignore"):
        parameters = rescaled(checkpoint.parameters, checkpoint.graph, scale)
    if not all(np.isfinite(array).all() for array in parameters.values()):
        raise LosslessError(f"scale {scale:g}: parameters leave the range of 32-bit floats; choose one nearer to 1")
    extra = {"rescaled_by": scale, "rescaled_from": checkpoint.sha256}
    metadata = CheckpointMetadata(**checkpoint.metadata.model_dump(exclude_unset=True) | extra)
    return Checkpoint(parameters, metadata)


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
        LosslessError: Activations have an upper bound or a layer has a quantiser of its own, whose step and stop would
            have to be scaled, too; or a layer adds the image itself to what it receives.
    """
    found = {name: array.astype(np.float64) for name, array in parameters.items()}
    if graph.upper_bound is not None:
        raise LosslessError(f"activations have the upper bound {graph.upper_bound:g}, and cannot be rescaled")
    output = len(graph.nodes)
    for index in (*graph.neurons, output):
        if index < output and graph.nodes[index].quantiser is not None:
            raise LosslessError(f"{graph.place(index)}: has a quantiser of its own, and cannot be rescaled")
        to = 1.0 if index == output else scale
        for number, part in enumerate(graph.inputs(index)):
            since = 1.0 if part.source == IMAGE else scale
            if isinstance(part, Convolution):
                _rescale(found, parameter_prefix(index, number), part, since, to)
            elif since != to:
                raise LosslessError(f"{graph.place(index)}: adds the image itself, and cannot be rescaled")
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
