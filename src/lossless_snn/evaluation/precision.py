"""Which quantiser a network was trained with, by the statistics that its batch norms kept of the training."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..networks.quantised import convolve
from ..networks.quantiser import BATCH_NORM_EPS
from .accuracy import build

# What is compared with the precision that was named.
CANDIDATES = ("fp32", "k0", "k1", "k2", "k3")
# Running means are of the last batches of training, and stray: how much nearer makes another precision the better one,
# as a factor, and in standard errors over the channels. docs/own.md says what the two let through.
CLEAR_FACTOR, CLEAR_ERRORS = 1.5, 3


@torch.inference_mode()
def misfits(checkpoint: Checkpoint, inputs: Tensor, precisions: Iterable[str]) -> dict[str, Tensor]:
    """How far the sums of a chain's layers lie from the means that batch norm kept, for each precision.

    A quantiser of another level gives the layers after it sums of other means.

    Args:
        checkpoint: The network; its precision does not count.
        inputs: Images as `accuracy.encode` gives them, (N, C, H, W), of the training set.
        precisions: The precisions to try.

    Returns:
        By precision, for each channel of all layers but the first, the squared difference between the mean over the
        images and the running mean, over the running variance: (channels,), empty where there is no such layer.
    """
    return {precision: _misfit(_at(checkpoint, precision), inputs) for precision in precisions}


def fits_better(other: Tensor, named: Tensor) -> bool:
    """Whether the misfits of one precision are so much smaller than another's that it is not by chance.

    Args:
        other: Of the precision that may fit better, see `misfits`.
        named: Of the precision that was named.
    """
    lead = named - other
    if len(lead) < 2:
        return False
    error = lead.std() / len(lead) ** 0.5
    return bool(named.mean() > CLEAR_FACTOR * other.mean() and lead.mean() > CLEAR_ERRORS * error)


def _at(checkpoint: Checkpoint, precision: str) -> Checkpoint:
    return replace(checkpoint, metadata=checkpoint.metadata.model_copy(update={"precision": precision}))


def _misfit(checkpoint: Checkpoint, inputs: Tensor) -> Tensor:
    *hidden, _ = build(checkpoint, inputs.device)
    activation, found = inputs, [inputs.new_empty(0)]
    for index, layer in enumerate(hidden):
        if index:
            mean = convolve(activation, layer.weight, layer.layer).mean((0, 2, 3))
            found.append((mean - layer.mean) ** 2 / (layer.variance + BATCH_NORM_EPS))
        activation = layer(activation)
    return torch.cat(found)
