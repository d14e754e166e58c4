"""A spiking network bound to the checkpoint that it claims to be of: the conversion, made again and compared."""

from pathlib import Path

from ..checkpoints import Checkpoint
from ..errors import LosslessError
from .convert import convert
from .spiking_network import SpikingNetwork
from .widths import narrow


def check_conversion(network: SpikingNetwork, checkpoint: Checkpoint, source: str | Path = "network") -> None:
    """Convert `checkpoint` again, and compare every tensor and all metadata with the `network`'s, bit for bit.

    The certificate compares spike counts with the ANN on the network's own grid. What ties that
    grid to the trained network is this.

    Args:
        network: The spiking network.
        checkpoint: The trained network that it is to be of.
        source: Where the spiking network came from, for messages.

    Raises:
        LosslessError: Where they differ; it names the first tensor, or field of the metadata, that does.
    """
    expected = convert(checkpoint)
    if network.metadata.widths:
        expected = narrow(expected, network.metadata.widths)
    ours, theirs = network.metadata.model_dump(), expected.metadata.model_dump()
    # The digest last: where anything else differs, that says more.
    for name in sorted(theirs, key=lambda name: name == "checkpoint_sha256"):
        if ours[name] != theirs[name]:
            raise LosslessError(f"{source}: {name} {ours[name]}, but the checkpoint's conversion has {theirs[name]}")
    tensors = network.tensors()
    for name, tensor in expected.tensors().items():
        if tensor.tobytes() != tensors[name].tobytes():
            raise LosslessError(f"{source}: {name} is not that of the checkpoint's conversion; convert it again")
