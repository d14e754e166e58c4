"""`lossless-snn noise`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....datasets import load
from ....evaluation.noise import RATIOS, robustness
from ....files.progress import progress
from ....networks.device import prepare
from ....runs import noise
from ...options import device_option, local_option, threads_option


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV file to write.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, help="Draws of the noise at each ratio.")
@threads_option
@device_option
@local_option
def command(checkpoint, out, seeds, threads, device, local) -> None:
    """Test CHECKPOINT's network on noisy test images; write its accuracy at each noise ratio.

    \b
    Example:
        lossless-snn noise k1.safetensors --out noise.csv --seeds 5
    """
    trained, target = Checkpoint.load(checkpoint), prepare(device, threads)
    images = load(trained.metadata.recipe.dataset, "test", local=local)
    tests = robustness(trained, images, seeds, target)
    rows = list(progress(tests, f"Noise on {checkpoint}", seeds * len(RATIOS), "tests"))
    noise.write(out, rows)
    accuracies = [[row.accuracy for row in rows if row.ratio == ratio] for ratio in RATIOS]
    means = (f"{sum(shares) / seeds:.2%} at {ratio:g}" for ratio, shares in zip(RATIOS, accuracies, strict=True))
    click.echo(f"{checkpoint}: predicted right, by noise ratio: {', '.join(means)}")
