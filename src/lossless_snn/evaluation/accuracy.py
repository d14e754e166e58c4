"""The trained network on images: in the single precision of training, or without its rounding.

A quantiser turns a rounding error into a whole level where a sum comes close to a half, and the layers
after it turn one level into many. In 64 bits that has not been seen to happen: what is tested there is
the network that its parameters define, which is what the spiking network is made from.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints.checkpoint import Checkpoint
from ..datasets import Images
from ..datasets.spec import DatasetSpec
from ..files.progress import progress
from ..networks.quantised import QuantisedNetwork
from ..runs.ann import AnnRecord

# Images evaluated at once; in 64 bits they take twice the memory, and kernels that take more beside it.
EVALUATION_BATCH = {torch.float32: 500, torch.float64: 100}


def encode(pixels: np.ndarray, data: DatasetSpec, device: torch.device) -> Tensor:
    """8-bit pixels (N, C, H, W) as the network's float32 inputs, see `DatasetSpec.encoding`."""
    integers = torch.from_numpy(data.encoding.integers(pixels))
    inputs = integers.to(device, torch.float32).mul_(2.0**-data.encoding.bits)
    return inputs.contiguous(memory_format=torch.channels_last)


def build(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype = torch.float32) -> QuantisedNetwork:
    """The checkpoint's network, with its parameters, for evaluation in `dtype`."""
    network = QuantisedNetwork(checkpoint.graph, checkpoint.k)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in checkpoint.parameters.items()})
    # As in training, channels come last in single precision; kernels of 64 bits have no use for that.
    order = torch.channels_last if dtype == torch.float32 else torch.contiguous_format
    return network.to(device, dtype, memory_format=order).eval()


@torch.inference_mode()
def accuracy(network: QuantisedNetwork, inputs: Tensor, labels: Tensor, title: str = "") -> tuple[float, float]:
    """Loss and accuracy with running batch-norm statistics, in the precision of the network's parameters.

    Args:
        network: the network; it is left in evaluation mode.
        inputs: float32 (N, C, H, W), which any precision holds exactly.
        labels: classes (N,).
        title: of a progress bar; without one there is none.

    Returns:
        Mean cross-entropy, and the share predicted right: the greatest logit, the first of equals.
    """
    network.eval()
    dtype = network[-1].weight.dtype
    loss, correct = 0.0, 0
    batches = inputs.split(EVALUATION_BATCH[dtype])
    pairs = zip(batches, labels.split(EVALUATION_BATCH[dtype]), strict=True)
    for x, y in progress(pairs, title, len(batches), "batches", delay=1) if title else pairs:
        logits = network(x.to(dtype))
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), correct / len(labels)


def evaluate(checkpoint: Checkpoint, images: Images, device: torch.device, limit: int | None = None) -> AnnRecord:
    """Test the checkpoint's network, in 64-bit floats, on the first `limit` of the test images, or all of them."""
    trained, chosen = checkpoint.metadata, images[:limit]
    inputs, labels = encode(chosen.pixels, checkpoint.data, device), torch.from_numpy(chosen.labels).to(device)
    title = f"Test {trained.experiment} {trained.precision}"
    _, share = accuracy(build(checkpoint, device, torch.float64), inputs, labels, title)
    return AnnRecord(
        **trained.model_dump(include={"experiment", "budget", "precision", "seed", "epochs", "training_images"}),
        dataset=trained.recipe.dataset,
        images=len(chosen),
        test_set=len(images),
        accuracy=share,
        neurons=checkpoint.graph.neuron_count,
        ann_operations=checkpoint.graph.ann_operations,
    )


@torch.inference_mode()
def predict(checkpoint: Checkpoint, images: Images, device: torch.device) -> np.ndarray:
    """The classes that the checkpoint's network predicts, in 64-bit floats: the greatest logit, the first of equals.

    Returns:
        Classes, int64 (N,), in the order of the images.
    """
    network = build(checkpoint, device, torch.float64)
    batches = encode(images.pixels, checkpoint.data, device).split(EVALUATION_BATCH[torch.float64])
    return torch.cat([network(batch.double()).argmax(1) for batch in batches]).cpu().numpy()
