"""A module of one's own as a torch.fx graph with shapes, its quantisers recognised and left whole."""

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from ..errors import LosslessError
from .staircase import NoStaircase, Staircase, may_quantise, staircase


class Traced:
    """A module traced by torch.fx.

    Attributes:
        module: A copy of the module in evaluation mode, which the graph's targets are of.
        graph: What it does with one batch, operation by operation; every node knows its output's shape.
        quantisers: The modules that were found to be quantisers, by their paths.
    """

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self.module = copy.deepcopy(module).eval()
        try:
            with torch.no_grad():
                self.module(example)
        except Exception as error:  # what the module itself raises for this example
            raise LosslessError(f"module: does not run on the example input ({str(error).splitlines()[0]})") from None
        self.quantisers, self._refused = _quantisers(self.module)
        tracer = _Tracer(self.quantisers)
        try:
            self.graph = tracer.trace(self.module)
        except Exception as error:  # whatever the module's own code does with what is no tensor while it is traced
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise LosslessError(
                f"{tracer.place}: torch.fx cannot trace it ({reason}){self._why(tracer.place)}"
            ) from None
        with torch.no_grad():
            ShapeProp(fx.GraphModule(self.module, self.graph)).propagate(example)

    def path(self, node: fx.Node) -> str:
        """The path of the module that a node is, or is an operation of, with what it does there."""
        if node.op == "call_module":
            return f"{node.target} ({type(self.module.get_submodule(node.target)).__name__})"
        stack = node.meta.get("nn_module_stack") or {}
        within = next(reversed(stack)) if stack else ""
        what = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        return f"{within or 'forward'}: {what}"

    def why_no_quantiser(self, node: fx.Node) -> str:
        """What kept a module that `node` is an operation of from being a quantiser; nothing where there was none."""
        return self._why(next(reversed(node.meta.get("nn_module_stack") or {"": None})))

    def _why(self, path: str) -> str:
        return f"; it was taken for no quantiser, because {self._refused[path]}" if path in self._refused else ""


def _quantisers(module: nn.Module) -> tuple[dict[str, Staircase], dict[str, str]]:
    """The quantisers in a module by their paths, and why others that might be some are none."""
    found, refused = {}, {}
    for path, part in module.named_modules():
        if path and may_quantise(part):
            try:
                found[path] = staircase(copy.deepcopy(part).double())
            except NoStaircase as error:
                refused[path] = str(error)
    return found, refused


def shape_of(node: fx.Node) -> tuple[int, ...] | None:
    """Shape of a node's output for the example; None of what is no tensor."""
    found = node.meta.get("tensor_meta")
    return tuple(found.shape) if hasattr(found, "shape") else None


class _Tracer(fx.Tracer):
    """Follows calls into the user's modules, but not into PyTorch's own, nor into quantisers."""

    def __init__(self, quantisers: Collection[str]) -> None:
        super().__init__()
        self._quantisers = quantisers
        self.place = "module"

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        return path in self._quantisers or super().is_leaf_module(module, path)

    def call_module(self, module: nn.Module, forward: Any, arguments: Any, keywords: Any) -> Any:
        before, self.place = self.place, self.path_of_module(module)
        result = super().call_module(module, forward, arguments, keywords)
        self.place = before
        return result
