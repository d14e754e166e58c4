"""The quantised network: convolution without bias -> batch norm -> ReLU -> rounding quantiser."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .notation import Layer
from .quantiser import BATCH_NORM_EPS, ROUNDING_SHIFT

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
    """A spiking layer's ANN: convolution -> batch norm -> ReLU -> quantiser, (N, C, H, W) to (N, C', H', W').

    The state has the names of the method: weight, gamma, beta, mean, variance. `arithmetic` is the
    type that the convolution calculates in, if not that of the parameters, which what is rounded afterwards has.
    """

    def __init__(self, layer: Layer, k: int | None, arithmetic: torch.dtype | None = None) -> None:
        super().__init__()
        self.layer, self.k, self.arithmetic = layer, k, arithmetic
        filters = layer.out_shape[0]
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))
        self.gamma = nn.Parameter(torch.empty(filters))
        self.beta = nn.Parameter(torch.zeros(filters))
        self.register_buffer("mean", torch.zeros(filters))
        self.register_buffer("variance", torch.ones(filters))

    def initialise(self, generator: torch.Generator, identity: bool) -> None:
        """Draw the parameters: as published, or with filters that pass their inputs on.

        Published: weights truncated normal with std 0.02 (cut at two std), gamma normal around 1.
        With `identity`: weights normal with std 1/sqrt(3 fan-in), see `pass_on` for what follows.
        """
        if identity:
            inputs = self.weight[0].numel()
            nn.init.normal_(self.weight, std=(3 * inputs) ** -0.5, generator=generator)
        else:
            nn.init.trunc_normal_(self.weight, std=0.02, a=-0.04, b=0.04, generator=generator)
        nn.init.normal_(self.gamma, 1.0, 0.002, generator=generator)

    @torch.no_grad()
    def pass_on(self) -> None:
        """Have the first filters of a convolution or pooling pass one input channel on each, as far as there are any.

        Its centre in a convolution of stride 1, its sum times the root of 1 / (kernel's size) in a pooling (Dirac
        initialisation, as in KellerJordan/cifar10-zoo). Fully connected layers stay as they are.
        """
        if self.layer.is_fully_connected:
            return
        passed = torch.arange(min(self.layer.in_shape[0], len(self.weight)))
        self.weight[passed] = 0.0
        if self.layer.stride == 1:
            centre = (self.layer.kernel[0] - 1) // 2
            self.weight[passed, passed, centre, centre] = 1.0
        else:
            self.weight[passed, passed] = 1.0 / self.weight[0, 0].numel() ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        arithmetic = self.arithmetic or self.weight.dtype
        x = convolve(x.to(arithmetic), self.weight.to(arithmetic), self.layer)
        if self.k is not None:
            # Without a quantiser the next convolution rounds to the same 16 bits what is left in them here.
            x = x.to(self.weight.dtype)
        x = F.batch_norm(
            x, self.mean, self.variance, self.gamma, self.beta, self.training, BATCH_NORM_MOMENTUM, BATCH_NORM_EPS
        )
        x = F.relu(x, inplace=True)
        return x if self.k is None else quantise(x, self.k)


class OutputLayer(nn.Module):
    """The last linear layer, in its parameters' type: no bias, no batch norm, no quantiser."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))

    def initialise(self, generator: torch.Generator) -> None:
        """Weights truncated normal with std 0.1 (cut at two std)."""
        nn.init.trunc_normal_(self.weight, std=0.1, a=-0.2, b=0.2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x.to(self.weight.dtype), self.weight, self.layer).flatten(1)


class QuantisedNetwork(nn.Sequential):
    """The whole ANN: images (N, C, H, W) to logits (N, classes). `k` None leaves the quantisers out."""

    def __init__(self, layers: tuple[Layer, ...], k: int | None, arithmetic: torch.dtype | None = None) -> None:
        hidden = (QuantisedLayer(layer, k, arithmetic) for layer in layers[:-1])
        super().__init__(*hidden, OutputLayer(layers[-1]))

    def initialise(self, seed: int, identity: bool = False) -> None:
        """Draw all parameters from one generator with this seed, see `QuantisedLayer.initialise`."""
        generator = torch.Generator().manual_seed(seed)
        first, *others, output = self
        first.initialise(generator, identity)
        for layer in others:
            layer.initialise(generator, identity)
            if identity:
                layer.pass_on()
        output.initialise(generator)


def convolve(x: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    """Convolution of x (N, C, H, W) with weight (filters, C, kh, kw), padded as `layer` says."""
    if layer.is_fully_connected:
        return F.linear(x.flatten(1), weight.flatten(1))[:, :, None, None]
    before, after = layer.padding
    if before != after:
        x = F.pad(x, (before, after, before, after))
        before = 0
    return F.conv2d(x, weight, stride=layer.stride, padding=before)
