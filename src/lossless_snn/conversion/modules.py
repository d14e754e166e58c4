"""A PyTorch module of one's own as a spiking network: what torch.fx traces, read as a graph of layers of neurons.

The operations are gone through in order. Each gives one of two things: a map, which is the output of a layer of
neurons, of a pooling, or the image; or a sum, of what maps give through convolutions and as they are, which a
quantiser makes a layer of neurons of. What is neither cannot be exact, and is refused with the path of the module.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..errors import LosslessError
from ..files.typed import validate
from ..networks.geometry import Padding, Pair, Shape
from ..networks.graph import (
    IMAGE,
    Convolution,
    Graph,
    Identity,
    Neurons,
    Pooling,
    Quantiser,
    laid_out,
    parameter_prefix,
)
from ..networks.quantiser import BATCH_NORM_EPS, ROUNDING_SHIFT
from .tracing import Traced, shape_of

Parameters = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Map:
    """Counts of a node, or the image: (N, C, H, W), or `flat` (N, C H W)."""

    node: int
    flat: bool = False


@dataclass(frozen=True)
class _Term:
    """What a sum has of one map, and with which parameters."""

    part: Convolution | Identity
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class _Sum:
    """What a layer of neurons would receive, up to its quantiser.

    `ceiling` is an upper bound by ReLU6 and its like; `pools` are max poolings in front of the quantiser; `last` says
    that a softmax came, which changes no prediction.
    """

    terms: tuple[_Term, ...]
    where: str
    flat: bool = False
    rectified: bool = False
    ceiling: float | None = None
    pools: tuple[dict[str, Any], ...] = ()
    last: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing but convolutions, batch norm and additions made it."""
        return not (self.rectified or self.ceiling or self.pools or self.last)


def module_graph(module: nn.Module, example: Tensor, k: int | None = None) -> tuple[Graph, Parameters]:
    """The graph of a module, and its parameters by the names that graphs give them, float32.

    Args:
        module: The trained module; what it does in evaluation mode counts.
        example: A batch of inputs, (N, C, H, W) or (N, F).
        k: Level of the quantiser of ReLUs that have none behind them; None if all have one.

    Raises:
        LosslessError: The module cannot be converted without loss; names the path of what is in the way, and why.
    """
    return _Reader(Traced(module, example), example, k).read()


class _Refusal(Exception):
    """Why the operation at hand cannot be converted."""


class _Reader:
    """Goes through a traced module, and collects nodes and parameters."""

    def __init__(self, traced: Traced, example: Tensor, k: int | None) -> None:
        if example.ndim not in (2, 4):
            raise LosslessError(f"example input: expected (N, C, H, W) or (N, F), found {tuple(example.shape)}")
        self._traced, self._k = traced, k
        self._shapes: dict[int, Shape] = {IMAGE: (*example.shape[1:], 1, 1)[:3]}
        self._image = _Map(IMAGE, flat=example.ndim == 2)
        self._nodes: list[Neurons | Pooling] = []
        self._parameters: Parameters = {}
        # What the quantiser of level k made of sums that several operations receive.
        self._counted: dict[int, tuple[_Sum, _Map]] = {}
        self._where = ""

    def read(self) -> tuple[Graph, Parameters]:
        values: dict[fx.Node, Any] = {}
        for node in self._traced.graph.nodes:
            self._where = self._traced.path(node)
            try:
                values[node] = self._value(node, values)
            except _Refusal as refusal:
                raise LosslessError(f"{self._where}: {refusal}{self._traced.why_no_quantiser(node)}") from None
        if not self._nodes:
            raise LosslessError("module: nothing in it spikes; a quantised layer before the last is needed")
        output = values[node]
        content = {"input_shape": self._shapes[IMAGE], "nodes": self._nodes, "output": output.part}
        index = len(self._nodes)
        self._parameters |= {f"{index}.{name}": array for name, array in output.parameters.items()}
        return validate(Graph, content, "module"), self._parameters

    def _value(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            if self._image is None:
                raise _Refusal("a second input; networks of one image alone can be converted")
            image, self._image = self._image, None
            return image
        arguments = fx.map_arg(node.args, values.__getitem__)
        keywords = fx.map_arg(node.kwargs, values.__getitem__)
        if node.op == "output":
            return self._output(arguments[0])
        if node.op == "get_attr":
            return _attribute(self._traced.module, node.target)
        if node.op == "call_module" and node.target in self._traced.quantisers:
            found = self._traced.quantisers[node.target]
            return self._quantised(arguments[0], found.quantiser, found.rectifies)
        if node.op == "call_module":
            module = self._traced.module.get_submodule(node.target)
            read = next((read for kind, read in _MODULES.items() if isinstance(module, kind)), None)
            if read is None:
                raise _Refusal(f"{type(module).__name__} is none of the layers that spikes can carry")
            return read(self, module, *arguments, **keywords)
        if shape_of(node) is None or not any(isinstance(values[a], _Map | _Sum) for a in node.all_input_nodes):
            return None  # numbers, such as a batch's size, that only a reshaping asks for
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        read = _FUNCTIONS.get(name.strip("_"))
        if read is None:
            raise _Refusal("this operation is none that spikes can carry")
        if "input" in keywords:
            arguments = (keywords.pop("input"), *arguments)
        return read(self, node, *arguments, **keywords)

    # What operations give.

    def convolution(self, module: nn.Conv2d, x: Any) -> _Sum:
        if module.padding_mode != "zeros":
            raise _Refusal(f"padding '{module.padding_mode}'; zeros can be carried")
        if set(module.dilation) != {1}:
            raise _Refusal(f"dilation {module.dilation}; 1 can be carried")
        part = Convolution(
            source=self._map(x, flat=False).node, filters=module.out_channels, kernel=module.kernel_size,
            stride=module.stride, padding=_padding(module), groups=module.groups, bias=module.bias is not None,
            batch_norm=False,
        )  # fmt: skip
        return _Sum((_Term(part, _weights(module.weight, module.bias)),), self._where)

    def linear(self, module: nn.Linear, x: Any) -> _Sum:
        found = self._map(x)
        shape = self._shapes[found.node]
        if not found.flat and shape[1:] != (1, 1):
            raise _Refusal(f"it takes the last axis of a map {shape} only; flatten it first")
        part = Convolution(
            source=found.node, filters=module.out_features, kernel=shape[1:], bias=module.bias is not None,
            batch_norm=False,
        )  # fmt: skip
        weight = module.weight.reshape(module.out_features, *shape)
        return _Sum((_Term(part, _weights(weight, module.bias)),), self._where, flat=True)

    def batch_norm(self, module: nn.BatchNorm1d | nn.BatchNorm2d, x: Any) -> _Sum:
        if not module.track_running_stats:
            raise _Refusal("batch norm without running statistics depends on the batch")
        if isinstance(x, _Sum) and x.rectified:
            x = self._map(x)
        x = self._each_alone(x) if isinstance(x, _Map) else x
        if not x.is_plain or len(x.terms) > 1 or not isinstance(x.terms[0].part, Convolution):
            raise _Refusal("batch norm has to follow a single convolution, before additions and poolings")
        (term,) = x.terms
        if term.part.batch_norm:
            raise _Refusal("a second batch norm on the same convolution; fold one into the other")
        part = term.part.model_copy(update={"batch_norm": True})
        return replace(x, terms=(_Term(part, term.parameters | _normalisation(module)),), where=self._where)

    def rectify(self, module: Any, x: Any, *_: Any, **__: Any) -> Any:
        return self._bounded(x, None)

    def rectify6(self, module: Any, x: Any, *_: Any, **__: Any) -> Any:
        return self._bounded(x, 6.0)

    def hard_tanh(self, module: nn.Hardtanh, x: Any) -> Any:
        return self.clip(module, x, module.min_val, module.max_val)

    def clip(self, node: Any, x: Any, low: Any = None, high: Any = None, **bounds: Any) -> Any:
        low, high = bounds.get("min", low), bounds.get("max", high)
        if low != 0 or not isinstance(high, int | float | None):
            raise _Refusal(f"clips to ({low}, {high}); activations begin at 0")
        return self._bounded(x, high)

    def add(self, node: Any, x: Any, other: Any, **keywords: Any) -> _Sum:
        if keywords or not all(isinstance(value, _Map | _Sum) for value in (x, other)):
            raise _Refusal("adds a number; put it into the bias of the convolution before it")
        sums = [value if isinstance(value, _Sum) and value.is_plain else self._identity(value) for value in (x, other)]
        if sums[0].flat != sums[1].flat:
            raise _Refusal("adds maps of different shapes")
        return _Sum(sums[0].terms + sums[1].terms, self._where, sums[0].flat)

    def max_pool(self, module: nn.MaxPool2d, x: Any) -> Any:
        if module.ceil_mode or module.return_indices or set(_pair(module.dilation)) != {1}:
            raise _Refusal("pools with ceil_mode, indices or dilation; without these it can be carried")
        pool = _pooling("max", module)
        if isinstance(x, _Sum):
            # The largest of what comes before a monotone quantiser is the largest of what it gives.
            return replace(x, pools=(*x.pools, pool))
        return self._pooled(self._map(x, flat=False), pool)

    def average_pool(self, module: nn.AvgPool2d, x: Any) -> _Map:
        padded = any(map(any, _pooling("average", module)["padding"]))
        if module.ceil_mode or module.divisor_override or (padded and not module.count_include_pad):
            raise _Refusal("pools with ceil_mode, a divisor, or padding that is not counted; without these it can be")
        return self._pooled(self._map(x, flat=False), _pooling("average", module))

    def adaptive_pool(self, module: nn.AdaptiveAvgPool2d, x: Any) -> _Map:
        found = self._map(x, flat=False)
        size = self._shapes[found.node][1:]
        asked = [given or own for given, own in zip(_pair(module.output_size), size, strict=True)]
        if any(own % given for own, given in zip(size, asked, strict=True)):
            raise _Refusal(f"{asked[0]} x {asked[1]} windows do not divide the map of {size[0]} x {size[1]}")
        kernel = tuple(own // given for own, given in zip(size, asked, strict=True))
        if kernel == (1, 1):
            return found
        return self._pooled(found, {"pooling": "average", "kernel": kernel, "stride": kernel})

    def mean(self, node: fx.Node, x: Any, dim: Any = None, keepdim: bool = False, **__: Any) -> _Map:
        axes = sorted(axis % 4 for axis in (dim if isinstance(dim, tuple | list) else [dim]) if axis is not None)
        if axes != [2, 3]:
            raise _Refusal("averages other axes than rows and columns")
        return replace(self.adaptive_pool(nn.AdaptiveAvgPool2d(1), x), flat=not keepdim)

    def pass_on(self, module: Any, x: Any, *_: Any, **__: Any) -> Any:
        return x

    def flatten(self, node: fx.Node | None, x: Any, *_: Any, **__: Any) -> Any:
        if isinstance(x, _Sum) and x.rectified:
            x = self._map(x)
        if isinstance(x, _Sum) and (x.pools or self._shape(x.terms[0].part)[1:] != (1, 1)):
            raise _Refusal("flattens what is not quantised yet; put the quantiser first")
        shape = self._shapes[x.node] if isinstance(x, _Map) else self._shape(x.terms[0].part)
        if node is not None and shape_of(node)[1:] != (prod(shape),):
            raise _Refusal(f"gives the shape {shape_of(node)}; maps can be flattened, and left as they are")
        return replace(x, flat=True)

    def flatten_module(self, module: nn.Flatten, x: Any) -> Any:
        if (module.start_dim, module.end_dim) != (1, -1):
            raise _Refusal("flattens a part of the axes; flatten all but the first")
        return self.flatten(None, x)

    def softmax(self, module: Any, x: Any, *_: Any, **__: Any) -> _Sum:
        if not isinstance(x, _Sum) or not x.is_plain:
            raise _Refusal("a softmax can stand at the end alone")
        return replace(x, last=True)

    # What they are made of.

    def _bounded(self, x: Any, ceiling: float | None) -> Any:
        """A ReLU, with an upper bound or without."""
        if isinstance(x, _Map):
            if x.node == IMAGE or ceiling is not None:
                raise _Refusal("rectifies the image, or bounds what is quantised already")
            return x  # counts at rest are never below 0
        lower = [bound for bound in (x.ceiling, ceiling) if bound is not None]
        return replace(x, rectified=True, ceiling=min(lower, default=None), where=self._where)

    def _map(self, x: Any, flat: bool | None = None) -> _Map:
        """`x` as the map that it is, or that the quantiser of level k makes of it."""
        if not isinstance(x, _Map | _Sum):
            raise _Refusal("takes a number where a map is expected")
        if isinstance(x, _Sum) and not x.rectified:
            raise _Refusal(f"receives what {x.where} gives, which no ReLU and no quantiser makes spikes of")
        if isinstance(x, _Sum):
            if self._k is None:
                raise _Refusal(f"receives what {x.where} gives without a quantiser; put one there, or convert with k")
            if id(x) not in self._counted:
                quantiser = Quantiser(step=2.0**-self._k, shift=ROUNDING_SHIFT)
                self._counted[id(x)] = x, self._quantised(x, quantiser, rectifies=False, where=x.where)
            x = self._counted[id(x)][1]
        if flat is False and x.flat:
            raise _Refusal("takes maps (N, C, H, W), but what it receives is flat")
        return x

    def _quantised(self, x: Any, quantiser: Quantiser, rectifies: bool, where: str | None = None) -> _Map:
        """The layer of neurons that counts what `x` comes to in steps of a quantiser."""
        if isinstance(x, _Map):
            x = replace(self._identity(x), rectified=x.node != IMAGE)
        if x.last or not (x.rectified or rectifies):
            raise _Refusal("quantises what no ReLU stands before; negative activations have no neuron")
        if x.ceiling is not None:
            steps = round(x.ceiling / quantiser.step)
            if abs(steps * quantiser.step - x.ceiling) > 1e-6 * x.ceiling:
                raise _Refusal(f"the bound {x.ceiling:g} before it is no multiple of its step {quantiser.step:.6g}")
            quantiser = quantiser.model_copy(update={"levels": min(steps, quantiser.levels or steps)})
        index = len(self._nodes)
        node = Neurons(name=self._name(where), inputs=tuple(term.part for term in x.terms), quantiser=quantiser)
        for number, term in enumerate(x.terms):
            prefix = parameter_prefix(index, number)
            self._parameters |= {f"{prefix}{name}": array for name, array in term.parameters.items()}
        found = self._add(node, self._shape(x.terms[0].part))
        for pool in x.pools:
            found = self._pooled(found, pool)
        return replace(found, flat=x.flat)

    def _identity(self, x: Any) -> _Sum:
        found = self._map(x)
        return _Sum((_Term(Identity(source=found.node)),), self._where, found.flat)

    def _each_alone(self, x: _Map) -> _Sum:
        """A map through a convolution that gives each channel to itself."""
        channels, *size = self._shapes[x.node]
        if x.flat and size != [1, 1]:
            raise _Refusal(f"normalises a flattened map of {size[0]} x {size[1]}; normalise it before")
        part = Convolution(source=x.node, filters=channels, kernel=(1, 1), groups=channels, batch_norm=False)
        return _Sum((_Term(part, {"weight": np.ones((channels, 1, 1, 1), np.float32)}),), self._where, x.flat)

    def _pooled(self, x: _Map, pool: dict[str, Any]) -> _Map:
        node = Pooling(name=self._name(), source=x.node, **pool)
        return self._add(node, self._shape(node))

    def _output(self, x: Any) -> _Term:
        """The last layer, with its batch norm folded in."""
        if not isinstance(x, _Sum) or not replace(x, last=False).is_plain or len(x.terms) > 1:
            raise _Refusal("the last layer has to be linear, and give one tensor (N, classes)")
        (term,) = x.terms
        if not isinstance(term.part, Convolution) or self._shape(term.part)[1:] != (1, 1):
            raise _Refusal("the last layer has to be linear, and give one tensor (N, classes)")
        return _folded(term) if term.part.batch_norm else term

    def _add(self, node: Neurons | Pooling, shape: Shape) -> _Map:
        self._nodes.append(node)
        self._shapes[len(self._nodes) - 1] = shape
        return _Map(len(self._nodes) - 1)

    def _shape(self, part: Convolution | Identity | Pooling) -> Shape:
        return laid_out(part, "", self._shapes[IMAGE], self._shapes).out_shape

    def _name(self, where: str | None = None) -> str:
        """The path of an operation, of the one at hand if none is given, as a name that no node has yet."""
        path = re.sub(r"[^\w./-]", "", (where or self._where).split(" (")[0].replace(": ", "/"))[:90]
        taken = {node.name for node in self._nodes}
        names = (path if number == 1 else f"{path}-{number}" for number in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)


def _attribute(module: nn.Module, target: str) -> Any:
    return operator.attrgetter(target)(module)


def _weights(weight: Tensor, bias: Tensor | None) -> Parameters:
    arrays = {"weight": weight} | ({"bias": bias} if bias is not None else {})
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in arrays.items()}


def _normalisation(module: nn.BatchNorm1d | nn.BatchNorm2d) -> Parameters:
    """Batch norm's parameters with our epsilon: gamma makes up for another one."""
    ones, zeros = torch.ones(module.num_features), torch.zeros(module.num_features)
    gamma, beta = (ones, zeros) if module.weight is None else (module.weight, module.bias)
    variance = module.running_var.double()
    gamma = gamma.double() * torch.sqrt((variance + BATCH_NORM_EPS) / (variance + module.eps))
    arrays = {"gamma": gamma, "beta": beta, "mean": module.running_mean, "variance": module.running_var}
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in arrays.items()}


def _folded(term: _Term) -> _Term:
    """The output layer's batch norm in its weights and bias, computed in 64 bits."""
    given = {name: array.astype(np.float64) for name, array in term.parameters.items()}
    scale = given["gamma"] / np.sqrt(given["variance"] + BATCH_NORM_EPS)
    bias = given["beta"] + (given.get("bias", 0.0) - given["mean"]) * scale
    folded = {"weight": given["weight"] * scale[:, None, None, None], "bias": bias}
    part = term.part.model_copy(update={"batch_norm": False, "bias": True})
    return _Term(part, {name: array.astype(np.float32) for name, array in folded.items()})


def _pair(value: Any) -> Pair:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _padding(module: nn.Conv2d) -> Padding:
    """What a convolution pads: above and below, left and right."""
    if module.padding == "same":
        return tuple(((size - 1) // 2, size // 2) for size in module.kernel_size)
    return ((0, 0), (0, 0)) if module.padding == "valid" else tuple((size, size) for size in module.padding)


def _pooling(kind: str, module: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    kernel = _pair(module.kernel_size)
    stride = _pair(module.stride) if module.stride is not None else kernel
    return {
        "pooling": kind, "kernel": kernel, "stride": stride,
        "padding": tuple((size, size) for size in _pair(module.padding)),
    }  # fmt: skip


def _functional(kind: type[nn.Module], read: Callable) -> Callable:
    """The reading of a function whose arguments are those of a module of PyTorch's."""

    def of_function(reader: _Reader, node: fx.Node, x: Any, *arguments: Any, **keywords: Any) -> Any:
        return read(reader, kind(*arguments, **keywords), x)

    return of_function


_MODULES = {
    nn.Conv2d: _Reader.convolution,
    nn.Linear: _Reader.linear,
    nn.BatchNorm1d | nn.BatchNorm2d: _Reader.batch_norm,
    nn.ReLU: _Reader.rectify,
    nn.ReLU6: _Reader.rectify6,
    nn.Hardtanh: _Reader.hard_tanh,
    nn.MaxPool2d: _Reader.max_pool,
    nn.AvgPool2d: _Reader.average_pool,
    nn.AdaptiveAvgPool2d: _Reader.adaptive_pool,
    nn.Flatten: _Reader.flatten_module,
    nn.Identity | nn.Dropout | nn.Dropout2d: _Reader.pass_on,
    nn.Softmax | nn.LogSoftmax: _Reader.softmax,
}

_FUNCTIONS = {
    "add": _Reader.add,
    "iadd": _Reader.add,
    "relu": _Reader.rectify,
    "relu6": _Reader.rectify6,
    "clamp": _Reader.clip,
    "clip": _Reader.clip,
    "hardtanh": _Reader.clip,
    "flatten": _Reader.flatten,
    "view": _Reader.flatten,
    "reshape": _Reader.flatten,
    "mean": _Reader.mean,
    "max_pool2d": _functional(nn.MaxPool2d, _Reader.max_pool),
    "avg_pool2d": _functional(nn.AvgPool2d, _Reader.average_pool),
    "adaptive_avg_pool2d": _functional(nn.AdaptiveAvgPool2d, _Reader.adaptive_pool),
    "dropout": _Reader.pass_on,
    "dropout2d": _Reader.pass_on,
    "contiguous": _Reader.pass_on,
    "softmax": _Reader.softmax,
    "log_softmax": _Reader.softmax,
}
