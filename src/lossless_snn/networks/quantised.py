"""The quantised network: convolution without bias -> batch norm -> ReLU -> rounding quantiser; and graphs of these."""

from collections import deque
from collections.abc import Iterator
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .geometry import Layer
from .graph import IMAGE, Convolution, Graph, Identity, Neurons, Pooling, Quantiser, chain_graph
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


class _Floor(torch.autograd.Function):
    """step min(floor(a / step + 1/2 + shift), levels) for a >= 0; the identity, up to the upper stop, backward."""

    @staticmethod
    def forward(ctx, activation: Tensor, quantiser: Quantiser) -> Tensor:
        level = torch.floor(activation / quantiser.step + (0.5 + quantiser.shift)).clamp_(min=0)
        if quantiser.levels is not None:
            ctx.save_for_backward(activation <= quantiser.levels * quantiser.step)
            level.clamp_(max=quantiser.levels)
        return level.mul_(quantiser.step)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return (gradient * ctx.saved_tensors[0] if ctx.saved_tensors else gradient), None


class _Narrow(torch.autograd.Function):
    """s round(W / s) with s = max |W| / (2^(bits - 1) - 1) of each filter; the identity in the backward pass."""

    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        unit = weight.abs().amax(dim=(1, 2, 3), keepdim=True) / (2 ** (bits - 1) - 1)
        # A filter of zeros stays one.
        unit.clamp_(min=torch.finfo(weight.dtype).tiny)
        return torch.round(weight / unit).mul_(unit)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class Synapses(nn.Module):
    """A convolution, with batch norm and bias as far as it has them, or an identity: (N, C, H, W) to (N, C', H', W').

    The state has the names of the method: weight, gamma, beta, mean, variance, and bias. `arithmetic` is the
    type that the convolution calculates in, if not that of the parameters, which what is `rounded` afterwards has.
    With `weight_bits` it calculates with weights that `conversion.widths` makes integers of so many bits unchanged.
    """

    weight_bits: int | None = None

    def __init__(
        self, part: Convolution | Identity, layer: Layer, arithmetic: torch.dtype | None = None, rounded: bool = True
    ) -> None:
        super().__init__()
        self.part, self.layer, self.arithmetic, self.rounded = part, layer, arithmetic, rounded
        if isinstance(part, Identity):
            return
        filters = layer.out_shape[0]
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))
        if part.batch_norm:
            self.gamma = nn.Parameter(torch.empty(filters))
            self.beta = nn.Parameter(torch.zeros(filters))
            self.register_buffer("mean", torch.zeros(filters))
            self.register_buffer("variance", torch.ones(filters))
        if part.bias:
            self.bias = nn.Parameter(torch.zeros(filters))

    @property
    def shifts(self) -> tuple[nn.Parameter, ...]:
        """What is added to the sums of a channel: beta, and the bias."""
        return tuple(getattr(self, name) for name in ("beta", "bias") if hasattr(self, name))

    def initialise(self, generator: torch.Generator, identity: bool) -> None:
        """Draw the parameters: as published, or with filters that pass their inputs on.

        Published: weights truncated normal with std 0.02 (cut at two std), gamma normal around 1.
        With `identity`: weights normal with std 1/sqrt(3 fan-in), see `pass_on` for what follows.
        """
        if isinstance(self.part, Identity):
            return
        if identity:
            inputs = self.weight[0].numel()
            nn.init.normal_(self.weight, std=(3 * inputs) ** -0.5, generator=generator)
        else:
            nn.init.trunc_normal_(self.weight, std=0.02, a=-0.04, b=0.04, generator=generator)
        if self.part.batch_norm:
            nn.init.normal_(self.gamma, 1.0, 0.002, generator=generator)

    @torch.no_grad()
    def pass_on(self) -> None:
        """Have the first filters of a convolution or pooling pass one input channel on each, as far as there are any.

        Its centre in a convolution of stride 1, its sum times the root of 1 / (kernel's size) in a pooling (Dirac
        initialisation, as in KellerJordan/cifar10-zoo). Fully connected layers stay as they are.
        """
        if isinstance(self.part, Identity) or self.layer.is_fully_connected or self.layer.groups > 1:
            return
        passed = torch.arange(min(self.layer.in_shape[0], len(self.weight)))
        self.weight[passed] = 0.0
        if self.layer.stride == (1, 1):
            centre = [(size - 1) // 2 for size in self.layer.kernel]
            self.weight[passed, passed, *centre] = 1.0
        else:
            self.weight[passed, passed] = 1.0 / self.weight[0, 0].numel() ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.part, Identity):
            return x
        arithmetic = self.arithmetic or self.weight.dtype
        weight = self.weight if self.weight_bits is None else _Narrow.apply(self.weight, self.weight_bits)
        x = convolve(x.to(arithmetic), weight.to(arithmetic), self.layer)
        if self.rounded:
            # Without a quantiser the next convolution rounds to the same 16 bits what is left in them here.
            x = x.to(self.weight.dtype)
        if self.part.bias:
            x = x + self.bias.to(x.dtype)[:, None, None]
        if not self.part.batch_norm:
            return x
        return F.batch_norm(
            x, self.mean, self.variance, self.gamma, self.beta, self.training, BATCH_NORM_MOMENTUM, BATCH_NORM_EPS
        )


class QuantisedLayer(Synapses):
    """A spiking layer's ANN: the sum of its inputs -> ReLU -> quantiser, maps (N, C, H, W) to (N, C', H', W').

    The parameters of the first input are its own, those of input j > 0 the module "j"'s. `k` None leaves the network's
    quantiser out, but neither a layer's own nor the upper bound.

    Args:
        node: The layer of neurons.
        layers: The geometry of each of its inputs.
        k: Level of the network's quantiser.
        upper_bound: That of the activations, where the layer has no quantiser of its own.
        arithmetic: Type that convolutions calculate in.
    """

    def __init__(
        self,
        node: Neurons,
        layers: tuple[Layer, ...],
        k: int | None,
        upper_bound: float | None = None,
        arithmetic: torch.dtype | None = None,
    ) -> None:
        rounded = k is not None or node.quantiser is not None
        super().__init__(node.inputs[0], layers[0], arithmetic, rounded)
        self.k, self.quantiser, self.upper_bound = k, node.quantiser, upper_bound
        for number, (part, layer) in enumerate(zip(node.inputs[1:], layers[1:], strict=True), 1):
            self.add_module(str(number), Synapses(part, layer, arithmetic, rounded))

    @property
    def levels_of_one(self) -> float:
        """Net spikes that an activation of 1 stands for; 1 without a quantiser."""
        return 1 / self.quantiser.step if self.quantiser is not None else 2.0 ** (self.k or 0)

    @property
    def synapses(self) -> tuple[Synapses, ...]:
        """The synapses of each input."""
        return (self, *self.children())

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        x = super().forward(first)
        for synapses, other in zip(self.children(), others, strict=True):
            x = x + synapses(other)
        x = F.relu(x, inplace=x is not first)
        if self.quantiser is not None:
            return _Floor.apply(x, self.quantiser)
        if self.upper_bound is not None:
            x = x.clamp(max=self.upper_bound)
        return x if self.k is None else quantise(x, self.k)


class PoolingLayer(nn.Module):
    """The largest value, the sum or the average of each window, (N, C, H, W) to (N, C, H', W'), of values from 0 up."""

    def __init__(self, node: Pooling) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = self.node.padding
        x = F.pad(x, (left, right, top, bottom))
        if self.node.pooling == "max":
            return F.max_pool2d(x, self.node.kernel, self.node.stride)
        divisor = 1 if self.node.pooling == "sum" else None
        return F.avg_pool2d(x, self.node.kernel, self.node.stride, divisor_override=divisor)


class OutputLayer(nn.Module):
    """The last linear layer, in its parameters' type: no batch norm, no quantiser, a bias if the graph has one."""

    def __init__(self, part: Convolution, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.weight = nn.Parameter(torch.empty(layer.weight_shape))
        if part.bias:
            self.bias = nn.Parameter(torch.zeros(layer.out_shape[0]))

    def initialise(self, generator: torch.Generator) -> None:
        """Weights truncated normal with std 0.1 (cut at two std)."""
        nn.init.trunc_normal_(self.weight, std=0.1, a=-0.2, b=0.2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        logits = convolve(x.to(self.weight.dtype), self.weight, self.layer).flatten(1)
        return logits + self.bias if hasattr(self, "bias") else logits


class QuantisedNetwork(nn.Sequential):
    """The whole ANN: images (N, C, H, W) to logits (N, classes). `k` None leaves the quantisers out.

    Module i is node i of the graph, the last one the output; a tuple of layers is a chain.
    """

    def __init__(self, graph: Graph | tuple[Layer, ...], k: int | None, arithmetic: torch.dtype | None = None) -> None:
        graph = graph if isinstance(graph, Graph) else chain_graph(graph)
        hidden = (
            QuantisedLayer(node, layers, k, graph.upper_bound, arithmetic)
            if isinstance(node, Neurons)
            else PoolingLayer(node)
            for node, layers in zip(graph.nodes, graph.geometry, strict=False)
        )
        super().__init__(*hidden, OutputLayer(graph.output, graph.readout))
        self.graph = graph

    def initialise(self, seed: int, identity: bool = False) -> None:
        """Draw all parameters from one generator with this seed, see `Synapses.initialise`."""
        generator = torch.Generator().manual_seed(seed)
        first, *others = (synapses for layer in self.neurons for synapses in layer.synapses)
        first.initialise(generator, identity)
        for synapses in others:
            synapses.initialise(generator, identity)
            if identity:
                synapses.pass_on()
        self[-1].initialise(generator)

    def train_at_width(self, bits: int | None) -> None:
        """Calculate with weights of so many bits in all layers of neurons; None is full width."""
        for synapses in self._with_weights:
            synapses.weight_bits = bits

    @torch.no_grad()
    def round_to_width(self) -> None:
        """Hold the weights that the network calculates with, at full width again; what it gives stays the same."""
        for synapses in self._with_weights:
            if synapses.weight_bits is not None:
                synapses.weight.copy_(_Narrow.apply(synapses.weight, synapses.weight_bits))
        self.train_at_width(None)

    @property
    def _with_weights(self) -> Iterator[Synapses]:
        return (synapses for layer in self.neurons for synapses in layer.synapses if hasattr(synapses, "weight"))

    @property
    def neurons(self) -> tuple[QuantisedLayer, ...]:
        """The layers of neurons."""
        return tuple(layer for layer in self if isinstance(layer, QuantisedLayer))

    def run(self, images: Tensor) -> Iterator[tuple[nn.Module, Tensor]]:
        """Each module with what it gives for images (N, C, H, W), in order: maps (N, C, H, W), logits (N, classes)."""
        maps = {IMAGE: images}
        for index, layer in enumerate(self):
            maps[index] = layer(*(maps[source] for source in self.graph.sources(index)))
            yield layer, maps[index]
            for source in [source for source in maps if self._last_use[source] <= index]:
                del maps[source]

    @cached_property
    def _last_use(self) -> dict[int, int]:
        """For the image and each node the last one that receives from it; the output's is its own."""
        uses = {source: index for index in range(len(self)) for source in self.graph.sources(index)}
        return {**uses, len(self) - 1: len(self)}

    def forward(self, images: Tensor) -> Tensor:
        ((_, logits),) = deque(self.run(images), maxlen=1)  # which keeps no map that is done with
        return logits


def convolve(x: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    """Convolution of x (N, C, H, W) with weight (filters, C / groups, kh, kw), padded as `layer` says."""
    if layer.is_fully_connected:
        return F.linear(x.flatten(1), weight.flatten(1))[:, :, None, None]
    (top, bottom), (left, right) = layer.padding
    padding = (top, left)
    if top != bottom or left != right:
        x = F.pad(x, (left, right, top, bottom))
        padding = (0, 0)
    return F.conv2d(x, weight, stride=layer.stride, padding=padding, groups=layer.groups)
