"""Quantisers as modules, to be put behind the ReLUs of a model of one's own that is to be converted."""

from typing import Literal

import torch
from torch import Tensor, nn

from .quantised import quantise


class RoundingQuantiser(nn.Module):
    """q_k(a) = round(2^k a + 1e-5) / 2^k, without an upper clip (Zou et al. 2023); to stand behind a ReLU.

    The gradient is passed straight through.

    Args:
        k: Level of the quantiser, 0 or more: steps of 2^-k.

    Shape:
        Input: any, of activations not below 0. Output: the same.

    Example:
        >>> RoundingQuantiser(1)(torch.tensor([0.2, 0.25, 1.8]))
        tensor([0.0000, 0.5000, 2.0000])
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, activation: Tensor) -> Tensor:
        return quantise(activation, self.k)

    def extra_repr(self) -> str:
        return f"k={self.k}"


class ClippedQuantiser(nn.Module):
    """step min(max(round(a / step), 0), levels), or the same with a floor; it contains the ReLU.

    The step may be learned, with the gradients of LSQ (Esser et al. 2020): for an activation between the clips that
    of the rounding error, beyond the upper one `levels`. QCFS (Bu et al. 2022) is this with rounding, and a
    threshold of levels times step.

    Args:
        levels: Steps above 0, 1 or more.
        step: The step that it begins with, above 0.
        rounding: "round", half upwards, or "floor".
        learned: Whether the step is a parameter.

    Shape:
        Input: any. Output: the same.

    Example:
        >>> ClippedQuantiser(levels=3, step=0.5)(torch.tensor([-1.0, 0.3, 0.8, 9.0])).tolist()
        [0.0, 0.5, 1.0, 1.5]
    """

    def __init__(
        self, levels: int, step: float = 1.0, rounding: Literal["round", "floor"] = "round", learned: bool = True
    ) -> None:
        super().__init__()
        if levels < 1 or not step > 0 or rounding not in ("round", "floor"):
            raise ValueError(f"no quantiser has levels {levels}, step {step}, rounding '{rounding}'")
        self.levels, self.rounding = levels, rounding
        if learned:
            self.step = nn.Parameter(torch.tensor(float(step)))
        else:
            self.register_buffer("step", torch.tensor(float(step)))

    def forward(self, activation: Tensor) -> Tensor:
        scaled = (activation / self.step).clamp(0, self.levels)
        counted = torch.floor(scaled + (0.5 if self.rounding == "round" else 0.0))
        # The value of the second, to the last bit, with the gradient of the first.
        return (counted.detach() + (scaled - scaled.detach())) * self.step

    def extra_repr(self) -> str:
        return f"levels={self.levels}, step={float(self.step):.4g}, rounding={self.rounding}"
