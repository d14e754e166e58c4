"""Muon for the filters of a network, Adam for the rest of it.

A filter bank W (filters, inputs) moves along its momentum with all singular values made about equal
(K. Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; with the renormalisation of
KellerJordan/cifar10-airbench):

    V <- mu V + G
    W <- W sqrt(filters) / |W|
    W <- W - rate * orthogonal(G + mu V)

Batch norm, which follows every filter bank, makes the length of W mean nothing but how far a step turns it.
"""

import torch
from torch import Tensor

from ..config.recipe import Muon as Settings
from ..networks.quantised import QuantisedNetwork
from .adam import Adam

# The quintic x -> a x + b x^3 + c x^5, which drives singular values from (0, 1] towards 1 fastest near 0.
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: Tensor, steps: int) -> Tensor:
    """U V^T of a matrix U S V^T, approximately, by Newton-Schulz iterations in bfloat16.

    Args:
        matrix: Shape (rows, columns).
        steps: Iterations; three bring singular values to between 0.5 and 1.5 but for the smallest.

    Returns:
        Tensor: float32 (rows, columns).
    """
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    # No singular value is greater than this norm.
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.T if tall else x).float()


class Muon:
    """Muon on the hidden layers' weights of `network`, Adam on gamma, beta, biases and the output layer."""

    def __init__(self, network: QuantisedNetwork, settings: Settings) -> None:
        hidden = [synapses for layer in network.neurons for synapses in layer.synapses]
        self._settings = settings
        self._filters = [synapses.weight for synapses in hidden if hasattr(synapses, "weight")]
        self._momenta = [torch.zeros_like(weight) for weight in self._filters]
        groups = {
            "gamma": ([synapses.gamma for synapses in hidden if hasattr(synapses, "gamma")], settings.gamma_rate),
            "beta": ([shift for synapses in hidden for shift in synapses.shifts], settings.beta_rate),
            "output": (list(network[-1].parameters()), settings.output_rate),
        }
        self._others = {name: (Adam(group, settings.beta2), rate) for name, (group, rate) in groups.items()}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters along their gradients, and forget these; `learning_rate` is that of the filters."""
        momentum = self._settings.momentum
        for weight, moving in zip(self._filters, self._momenta, strict=True):
            moving.mul_(momentum).add_(weight.grad)
            ahead = weight.grad.add(moving, alpha=momentum)
            turn = orthogonal(ahead.flatten(1), self._settings.newton_schulz_steps).view_as(weight)
            weight.mul_(len(weight) ** 0.5 / weight.norm()).sub_(turn, alpha=learning_rate)
            weight.grad = None
        for adam, ratio in self._others.values():
            adam.step(ratio * learning_rate)

    def state(self) -> dict[str, Tensor]:
        """Momenta, moments and step counts by name; the tensors themselves, to be read or copied into."""
        momenta = {f"muon.{i}.momentum": tensor for i, tensor in enumerate(self._momenta)}
        adams = {f"{name}.{key}": t for name, (adam, _) in self._others.items() for key, t in adam.state().items()}
        return momenta | adams
