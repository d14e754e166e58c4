"""`lossless-snn rescale`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....checkpoints.rescaling import rescaled_checkpoint


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--by", "scale", type=click.FloatRange(0, 1000, min_open=True), required=True, help="Times activations.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Checkpoint to write.")
def command(checkpoint, scale, out) -> None:
    """Multiply the activations of CHECKPOINT's network, whose function stays what it is without quantisers.

    A quantiser rounds larger activations more finely: more accurate, with more spikes, time steps and operations.
    Twice the activations have the spike counts of the next level k. `train` goes on from what is written, as from any
    checkpoint of its precision.

    \b
    Example:
        lossless-snn rescale k0.safetensors --by 1.5 --out k0-finer.safetensors
    """
    rescaled_checkpoint(Checkpoint.load(checkpoint), scale).save(out)
    click.echo(f"{out}: network of {checkpoint}, with {scale:g} times its activations")
