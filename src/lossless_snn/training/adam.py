"""Adam, by PyTorch's functional form.

Its class imports PyTorch's compiler when it is made: 1.4 s of processor time (PyTorch 2.15, AMD EPYC), half as much
again as PyTorch itself, for each training of a small network; 13 s where no file of it is in memory yet.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam

# The published constants, TensorFlow's defaults.
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma and Ba 2015) on `parameters`, with fresh moments.

    Args:
        parameters: What to train.
        beta2: Decay of the mean squared gradient.
    """

    def __init__(self, parameters: Iterable[Tensor], beta2: float = BETA2) -> None:
        self._parameters, self._beta2 = list(parameters), beta2
        # Adam walks through memory: its moments lie there as their parameters do.
        self._moments, self._squares = ([torch.zeros_like(p) for p in self._parameters] for _ in range(2))
        self._steps = [torch.zeros((), device=p.device) for p in self._parameters]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
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
            beta2=self._beta2,
            lr=learning_rate,
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
