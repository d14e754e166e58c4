"""`lossless-snn export`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....checkpoints.published_npz import write_npz


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .npz file to write.")
def command(checkpoint, out) -> None:
    """Write CHECKPOINT's parameters in the layout of the published code.

    \b
    Example:
        lossless-snn export k1.safetensors --out model_mnist.npz
    """
    trained = Checkpoint.load(checkpoint)
    write_npz(trained.parameters, trained.layers, out)
    click.echo(f"{out}: parameters of {checkpoint}")
