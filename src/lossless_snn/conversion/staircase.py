"""What a module that quantises does, found by asking it: its step, its levels, where it rounds."""

from dataclasses import dataclass

import torch
from torch import nn

from ..networks.graph import Quantiser
from ..networks.quantiser import ROUNDING_SHIFT

# Layers; what contains one is no quantiser.
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)
# Where the first level is looked for, as powers of two, and points between two of these.
_LEAST, _MOST, _A_POWER = -30, 20, 40
# No staircase with more levels is told from one without an upper clip.
_FAR = 2.0**22
_PROBES = 4096
# Of a step: closer to a threshold than this, rounding errors of the module itself decide.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Staircase:
    """A quantiser that a module was found to be, and whether it gives 0 below 0 without a ReLU before it."""

    quantiser: Quantiser
    rectifies: bool


class NoStaircase(ValueError):
    """A module that is no uniform quantiser, and why."""


def may_quantise(module: nn.Module) -> bool:
    """Whether a module can be a quantiser: no layer of PyTorch's own, and nothing in it has more than one number."""
    if type(module).__module__.startswith("torch.nn"):
        return False
    numbers = [*module.parameters(), *module.buffers()]
    return not any(isinstance(part, _LAYERS) for part in module.modules()) and all(n.numel() <= 1 for n in numbers)


@torch.no_grad()
def staircase(module: nn.Module) -> Staircase:
    """The quantiser that `module` is, by what it gives, in 64-bit floats.

        q(a) = step min(max(floor(a / step + 1/2 + shift), 0), levels)

    The step is its least output above 0, the levels follow from its output for a large input, and the shift from where
    its first level begins, by bisection. It is then compared with q at thousands of points.

    Args:
        module: An elementwise module in evaluation mode, in 64-bit floats.

    Raises:
        NoStaircase: It gives something else.
    """
    points = torch.logspace(_LEAST, _MOST, (_MOST - _LEAST) * _A_POWER + 1, base=2.0, dtype=torch.float64)
    outputs = _asked(module, points)
    risen = outputs > 0
    if _asked(module, torch.zeros(1, dtype=torch.float64)).item() != 0 or risen[0] or not risen[-1]:
        raise NoStaircase("it gives no steps between 0 and large activations")
    first = int(risen.to(torch.int8).argmax())
    step = outputs[first].item()
    largest = _asked(module, torch.tensor([_FAR * step], dtype=torch.float64)).item()
    levels = None if abs(largest - _FAR * step) <= step else round(largest / step)
    if levels is not None:
        if not 1 <= levels < 2**31 or abs(largest / step - levels) > 1e-3:
            raise NoStaircase(f"it rises by {step:.6g} at first, and to {largest:.6g}, no multiple of that")
        step = largest / levels
    shift = 0.5 - _threshold(module, points[first - 1].item(), points[first].item()) / step
    for known in (0.0, -0.5, ROUNDING_SHIFT):
        if abs(shift - known) < 1e-7:
            shift = known
    if not -0.5 <= shift <= 0.5:
        raise NoStaircase(f"its first level begins at {0.5 - shift:.3g} steps")
    quantiser = Quantiser(step=step, levels=levels, shift=shift)
    _compare(module, quantiser)
    below = _asked(module, -points)
    return Staircase(quantiser, rectifies=not below.any().item())


def _asked(module: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """What a module gives for values (n,), as one map."""
    try:
        given = module(values[None, None, None])
    except Exception as error:  # whatever the user's code raises for a map of another size
        raise NoStaircase(f"it cannot be asked ({type(error).__name__}: {error})") from None
    if not isinstance(given, torch.Tensor) or given.shape != (1, 1, 1, len(values)) or not given.isfinite().all():
        raise NoStaircase("it gives no map of the same size, of finite numbers")
    return given[0, 0, 0].to(torch.float64)


def _threshold(module: nn.Module, below: float, above: float) -> float:
    """The least input between the two that gives more than 0."""
    for _ in range(60):
        middle = (below + above) / 2
        if _asked(module, torch.tensor([middle], dtype=torch.float64)).item() > 0:
            above = middle
        else:
            below = middle
    return above


def _compare(module: nn.Module, quantiser: Quantiser) -> None:
    """Raise NoStaircase, with the first point, unless the module gives what the quantiser does."""
    highest = (quantiser.levels or 100) + 2
    generator = torch.Generator().manual_seed(0)
    scaled = highest * torch.rand(_PROBES, dtype=torch.float64, generator=generator)
    exact = scaled + 0.5 + quantiser.shift
    near = (exact - exact.round()).abs() < _TOLERANCE
    expected = exact.floor().clamp(0, quantiser.levels) * quantiser.step
    given = _asked(module, scaled * quantiser.step)
    wrong = ((given - expected).abs() > 1e-4 * quantiser.step) & ~near
    if wrong.any():
        at = int(wrong.to(torch.int8).argmax())
        raise NoStaircase(
            f"its steps are not even: {given[at]:.6g} for {scaled[at] * quantiser.step:.6g}, "
            f"where steps of {quantiser.step:.6g} give {expected[at]:.6g}"
        )
