"""`lossless-snn evaluate`."""

from pathlib import Path

import click
import torch

from ..artifacts import write_json
from ..checkpoints import Checkpoint
from ..datasets import load
from ..evaluation import accuracy, build, encode, select_device
from ..notation import ann_operations, neuron_count
from ..options import device_option, local_option, threads_option


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file to write the result to.")
@threads_option
@device_option
@local_option
def command(checkpoint, out, threads, device, local) -> None:
    """Print the test accuracy of CHECKPOINT's network."""
    torch.set_num_threads(threads)
    trained, target = Checkpoint.load(checkpoint), select_device(device)
    images = load(trained.metadata["recipe"]["dataset"], "test", local=local)
    inputs, labels = encode(images.pixels, trained.data, target), torch.from_numpy(images.labels).to(target)
    _, share = accuracy(build(trained, target), inputs, labels)
    print(f"{checkpoint}: {share:.2%} of {len(labels)} test images predicted right")
    if out is not None:
        result = {key: trained.metadata[key] for key in ("experiment", "budget", "precision", "seed")}
        result |= {
            "dataset": trained.metadata["recipe"]["dataset"],
            "epochs": trained.metadata["epochs"],
            "images": len(labels),
            "accuracy": share,
            "neurons": neuron_count(trained.layers),
            "ann_operations": ann_operations(trained.layers),
        }
        write_json(out, result)
