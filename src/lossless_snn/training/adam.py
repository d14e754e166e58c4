"""Adam with the published constants, by PyTorch's functional form.

Its class imports PyTorch's compiler when it is made: seconds, more than a small network trains for.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Adam:
    """Adam on `parameters`, with fresh moments."""

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self._parameters, self._learning_rate = list(parameters), learning_rate
        # Adam walks through memory: its moments lie there as their parameters do.
        self._moments, self._squares = ([torch.zeros_like(p) for p in self._parameters] for _ in range(2))
        self._steps = [torch.zeros((), device=p.device) for p in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters along their gradients, and forget these."""
        adam(
            self._parameters,
            [p.grad for p in self._parameters],
            self._moments,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=self._learning_rate,
            weight_decay=0.0,
            eps=EPS,
            maximize=False,
        )
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by name; the tensors themselves, to be read or copied into."""
        parts = {"moment": self._moments, "square": self._squares, "step": self._steps}
        return {f"adam.{i}.{name}": tensor for name, part in parts.items() for i, tensor in enumerate(part)}
