"""`lossless-snn evaluate`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....datasets import load
from ....evaluation.accuracy import evaluate
from ....files.records import json_text
from ....networks.device import prepare
from ....runs import ann
from ...options import device_option, json_option, local_option, threads_option


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file to write the result to.")
@click.option("--limit", type=click.IntRange(min=1), help="Test on the first images of the test set only.")
@threads_option
@device_option
@local_option
@json_option
def command(checkpoint, out, limit, threads, device, local, as_json) -> None:
    """Print the test accuracy of CHECKPOINT's network, in 64-bit floats.

    \b
    Example:
        lossless-snn evaluate results/quick/digits-lenet/checkpoints/k1/seed0.safetensors --json
    """
    trained = Checkpoint.load(checkpoint)
    images = load(trained.metadata.recipe.dataset, "test", local=local)
    record = evaluate(trained, images, prepare(device, threads), limit)
    said = f"{checkpoint}: {record.accuracy:.2%} of {record.images} test images predicted right\n"
    click.echo(json_text(record) if as_json else said, nl=False)
    if out is not None:
        ann.write(out, record)
