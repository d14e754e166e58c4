"""The ANN's accuracy."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..datasets.spec import DatasetSpec
from ..networks.quantised import QuantisedNetwork

EVALUATION_BATCH = 500


def encode(pixels: np.ndarray, data: DatasetSpec, device: torch.device) -> Tensor:
    """8-bit pixels (N, C, H, W) as the network's float32 inputs, see `DatasetSpec.encoding`."""
    integers = torch.from_numpy(data.encoding.integers(pixels))
    inputs = integers.to(device, torch.float32).mul_(2.0**-data.encoding.bits)
    return inputs.contiguous(memory_format=torch.channels_last)


def build(checkpoint: Checkpoint, device: torch.device) -> QuantisedNetwork:
    """The checkpoint's network, with its parameters, for evaluation."""
    network = QuantisedNetwork(checkpoint.layers, checkpoint.k)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in checkpoint.parameters.items()})
    return network.to(device, memory_format=torch.channels_last).eval()


@torch.inference_mode()
def accuracy(network: QuantisedNetwork, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """(mean loss, share predicted right) over inputs (N, C, H, W), with running batch-norm statistics."""
    network.eval()
    loss, correct = 0.0, 0
    for x, y in zip(inputs.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        logits = network(x)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), correct / len(labels)
