"""`lossless-snn evaluate`."""

from pathlib import Path

import click
import torch

from ...checkpoints.checkpoint import Checkpoint
from ...datasets import load
from ...evaluation.accuracy import encode
from ...evaluation.exact import ExactNetwork
from ...files.atomic import write_json
from ...networks.device import prepare
from ...networks.notation import ann_operations, neuron_count
from ..options import device_option, local_option, threads_option


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file to write the result to.")
@click.option("--limit", type=click.IntRange(min=1), help="Test on the first images of the test set only.")
@threads_option
@device_option
@local_option
def command(checkpoint, out, limit, threads, device, local) -> None:
    """Print the test accuracy of CHECKPOINT's network, in 64-bit floats."""
    trained, target = Checkpoint.load(checkpoint), prepare(device, threads)
    images = load(trained.metadata["recipe"]["dataset"], "test", local=local)
    inputs, labels = encode(images.pixels[:limit], trained.data, target), torch.from_numpy(images.labels[:limit])
    share = ExactNetwork(trained, target).correct(inputs, labels.to(target)) / len(labels)
    print(f"{checkpoint}: {share:.2%} of {len(labels)} test images predicted right")
    if out is not None:
        result = {key: trained.metadata[key] for key in ("experiment", "budget", "precision", "seed")}
        result |= {
            "dataset": trained.metadata["recipe"]["dataset"],
            "epochs": trained.metadata["epochs"],
            "training_images": trained.metadata.get("training_images"),
            "images": len(labels),
            "test_set": len(images),
            "accuracy": share,
            "neurons": neuron_count(trained.layers),
            "ann_operations": ann_operations(trained.layers),
        }
        write_json(out, result)
