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


@torch.inference_mode()
def misfits(checkpoint: Checkpoint, inputs: Tensor, precisions: Iterable[str]) -> dict[str, float]:
    """How far the sums of a chain's layers lie from the means that batch norm kept, for each precision.

    A quantiser of another level gives the layers after it sums of other means.

    Args:
        checkpoint: The network; its precision does not count.
        inputs: Images as `accuracy.encode` gives them, (N, C, H, W), of the training set.
        precisions: The precisions to try.

    Returns:
        By precision the mean, over the channels of all layers but the first, of the squared difference between the
        mean over the images and the running mean, over the running variance; nothing where there is no such layer.
    """
    tried = ((precision, _misfit(_at(checkpoint, precision), inputs)) for precision in precisions)
    return {precision: misfit for precision, misfit in tried if misfit is not None}


def _at(checkpoint: Checkpoint, precision: str) -> Checkpoint:
    return replace(checkpoint, metadata=checkpoint.metadata.model_copy(update={"precision": precision}))


def _misfit(checkpoint: Checkpoint, inputs: Tensor) -> float | None:
    *hidden, _ = build(checkpoint, inputs.device)
    activation, squares = inputs, []
    for index, layer in enumerate(hidden):
        if index:
            mean = convolve(activation, layer.weight, layer.layer).mean((0, 2, 3))
            squares.append((mean - layer.mean) ** 2 / (layer.variance + BATCH_NORM_EPS))
        activation = layer(activation)
    return torch.cat(squares).mean().item() if squares else None
