"""The trained network without the rounding of single precision.

A quantiser turns a rounding error into a whole level where a sum comes close to a half, and the layers
after it turn one level into many. In 64 bits that has not been seen to happen: what is tested is the
network that its parameters define, which is what the spiking network is made from.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..networks.method import BATCH_NORM_EPS
from ..networks.quantised import convolve, quantise

# Images evaluated at once.
TOGETHER = 100


class ExactNetwork:
    """A checkpoint's network in 64-bit floats, for evaluation."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self._layers, self._k = checkpoint.layers, checkpoint.k
        self._parameters = {
            name: torch.from_numpy(array).to(device, torch.float64) for name, array in checkpoint.parameters.items()
        }

    @torch.inference_mode()
    def activations(self, inputs: Tensor) -> Iterator[Tensor]:
        """Activations (N, C, H, W) of each layer for inputs (N, C, H, W), then logits (N, classes), float64."""
        x = inputs.double()
        for index, layer in enumerate(self._layers[:-1]):
            weight, gamma, beta, mean, variance = (
                self._parameters[f"{index}.{name}"] for name in ("weight", "gamma", "beta", "mean", "variance")
            )
            x = F.batch_norm(convolve(x, weight, layer), mean, variance, gamma, beta, eps=BATCH_NORM_EPS).relu_()
            x = x if self._k is None else quantise(x, self._k)
            yield x
        last = len(self._layers) - 1
        yield convolve(x, self._parameters[f"{last}.weight"], self._layers[last]).flatten(1)

    def correct(self, inputs: Tensor, labels: Tensor) -> int:
        """How many of the inputs (N, C, H, W) are predicted right: the greatest logit, the first of equals."""
        count = 0
        for x, y in zip(inputs.split(TOGETHER), labels.split(TOGETHER), strict=True):
            *_, logits = self.activations(x)
            count += int((logits.argmax(1) == y).sum())
        return count
