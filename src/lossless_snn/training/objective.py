"""What training makes small: cross-entropy, with what a recipe of our own adds to it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config.recipe import Recipe
from ..networks.quantised import QuantisedLayer, QuantisedNetwork


class Objective:
    """The loss of a batch under a recipe.

    With labels y, outputs z and the activations a_l of the layers,

        H(y, z) + activation_penalty mean_l mean((2^k a_l)^p)^(1/p)

    where H is cross-entropy, its labels smoothed, 2^k a the thresholds that a neuron will pass, its net spike count,
    and p `penalty_power`. With p = 1 all spikes count alike. The larger p, the more the largest counts do, which say
    how many time steps a layer needs.

    Args:
        recipe: Smoothing of the labels, weight of the activations, and p.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __call__(self, network: QuantisedNetwork, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, a scalar, and the network's outputs (N, classes) for inputs (N, C, H, W), labels (N,)."""
        activity = []
        for layer, x in network.run(inputs):
            if self._recipe.activation_penalty and isinstance(layer, QuantisedLayer):
                activity.append(power_mean(x.float(), self._recipe.penalty_power) * layer.levels_of_one)
        loss = F.cross_entropy(x, labels, label_smoothing=self._recipe.label_smoothing)
        if activity:
            loss = loss + self._recipe.activation_penalty * torch.stack(activity).mean()
        return loss, x


def power_mean(activations: Tensor, power: int) -> Tensor:
    """mean(a^p)^(1/p) of activations none of which is below 0, a scalar; without a gradient where all are 0."""
    if power == 1:
        return activations.mean()
    return _PowerMoment.apply(activations, power).clamp_min(torch.finfo(torch.float32).tiny).pow(1 / power)


class _PowerMoment(torch.autograd.Function):
    """mean(a^p), with its gradient p a^(p-1) / n in one array: PyTorch's own takes three, and three times as long."""

    @staticmethod
    def forward(context, activations: Tensor, power: int) -> Tensor:
        context.save_for_backward(activations)
        context.power = power
        return activations.pow(power).mean()

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        (activations,) = context.saved_tensors
        return activations.pow(context.power - 1).mul_(context.power * (gradient / activations.numel())), None
