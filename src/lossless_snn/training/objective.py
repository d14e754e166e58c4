"""What training makes small: cross-entropy, with what a recipe of our own adds to it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config.recipe import Recipe
from ..networks.quantised import QuantisedLayer, QuantisedNetwork


class Objective:
    """The loss of a batch under a recipe.

    With labels y, outputs z and the activations a_l of the layers,

        H(y, z) + activation_penalty mean_l mean(2^k a_l)

    where H is cross-entropy, its labels smoothed, and 2^k a the thresholds that a neuron will pass: its net
    spike count.

    Args:
        recipe: Smoothing of the labels, and weight of the activations.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    def __call__(self, network: QuantisedNetwork, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, a scalar, and the network's outputs (N, classes) for inputs (N, C, H, W), labels (N,)."""
        activity = []
        for layer, x in network.run(inputs):
            if self._recipe.activation_penalty and isinstance(layer, QuantisedLayer):
                activity.append(x.float().mean() * layer.levels_of_one)
        loss = F.cross_entropy(x, labels, label_smoothing=self._recipe.label_smoothing)
        if activity:
            loss = loss + self._recipe.activation_penalty * torch.stack(activity).mean()
        return loss, x
