"""The quantised network: convolution without bias -> batch norm -> ReLU -> rounding quantiser."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .method import BATCH_NORM_EPS, ROUNDING_SHIFT
from .notation import Layer

# Running averages decay by 0.9: the weight of a new batch is what is left.
BATCH_NORM_MOMENTUM = 0.1


class _Round(torch.autograd.Function):
    """round(2^k a + 1e-5) / 2^k, half to even; the identity in the backward pass."""

    @staticmethod
    def forward(ctx, activation: Tensor, scale: float) -> Tensor:
        return activation.mul(scale).add_(ROUNDING_SHIFT).round_().mul_(1 / scale)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def quantise(activation: Tensor, k: int) -> Tensor:
    """q_k(a) = round(2^k a + 1e-5) / 2^k with a straight-through gradient; any shape, no upper clip."""
    return _Round.apply(activation, 2.0**k)


class QuantisedLayer(nn.Module):
    """A spiking layer's ANN: maps (N, C, H, W) to (N, C', H', W') as its `Layer` says.

    The state has the names of the method: weight, gamma, beta, mean, variance.
    """

    def __init__(self, layer: Layer, k: int | None) -> None:
        super().__init__()
        self.layer, self.k = layer, k
        filters = layer.out_shape[0]
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))
        self.gamma = nn.Parameter(torch.empty(filters))
        self.beta = nn.Parameter(torch.zeros(filters))
        self.register_buffer("mean", torch.zeros(filters))
        self.register_buffer("variance", torch.ones(filters))

    def initialise(self, generator: torch.Generator) -> None:
        """Weights truncated normal with std 0.02 (cut at two std), gamma normal around 1."""
        nn.init.trunc_normal_(self.weight, std=0.02, a=-0.04, b=0.04, generator=generator)
        nn.init.normal_(self.gamma, 1.0, 0.002, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        # In mixed precision the convolution gives 16 bits: too few for what follows to be rounded as it should.
        x = convolve(x, self.weight, self.layer).to(self.gamma.dtype)
        x = F.batch_norm(
            x, self.mean, self.variance, self.gamma, self.beta, self.training, BATCH_NORM_MOMENTUM, BATCH_NORM_EPS
        )
        x = F.relu(x, inplace=True)
        return x if self.k is None else quantise(x, self.k)


class OutputLayer(nn.Module):
    """The last linear layer: no bias, no batch norm, no quantiser."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))

    def initialise(self, generator: torch.Generator) -> None:
        """Weights truncated normal with std 0.1 (cut at two std)."""
        nn.init.trunc_normal_(self.weight, std=0.1, a=-0.2, b=0.2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.layer).flatten(1)


class QuantisedNetwork(nn.Sequential):
    """The whole ANN: images (N, C, H, W) to logits (N, classes). `k` None leaves the quantisers out."""

    def __init__(self, layers: tuple[Layer, ...], k: int | None) -> None:
        super().__init__(*(QuantisedLayer(layer, k) for layer in layers[:-1]), OutputLayer(layers[-1]))

    def initialise(self, seed: int) -> None:
        """Draw all parameters from one generator with this seed."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self:
            layer.initialise(generator)


def convolve(x: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    """Convolution of x (N, C, H, W) with weight (filters, C, kh, kw), padded as `layer` says."""
    if layer.is_fully_connected:
        return F.linear(x.flatten(1), weight.flatten(1))[:, :, None, None]
    before, after = layer.padding
    if before != after:
        x = F.pad(x, (before, after, before, after))
        before = 0
    return F.conv2d(x, weight, stride=layer.stride, padding=before)
