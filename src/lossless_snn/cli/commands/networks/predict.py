"""`lossless-snn predict`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....datasets import load
from ....evaluation.accuracy import predict
from ....networks.device import prepare
from ....runs import predictions
from ...options import device_option, local_option, threads_option


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV file to write.")
@click.option("--limit", type=click.IntRange(min=1), help="Predict the first images of the test set only.")
@threads_option
@device_option
@local_option
def command(checkpoint, out, limit, threads, device, local) -> None:
    """Write the class that CHECKPOINT's network predicts for each test image, in 64-bit floats, beside its label.

    \b
    Example:
        lossless-snn predict results/quick/digits-lenet/checkpoints/k1/seed0.safetensors --out predictions.csv
    """
    trained = Checkpoint.load(checkpoint)
    images = load(trained.metadata.recipe.dataset, "test", local=local)[:limit]
    classes = predict(trained, images, prepare(device, threads))
    pairs = zip(images.labels.tolist(), classes.tolist(), strict=True)
    predictions.write(out, (predictions.PredictionRecord(label=label, prediction=found) for label, found in pairs))
    click.echo(f"{out}: classes of {len(images)} test images by {checkpoint}")
