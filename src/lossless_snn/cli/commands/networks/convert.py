"""`lossless-snn convert`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....conversion.convert import convert


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Network to write.")
def command(checkpoint, out) -> None:
    """Convert CHECKPOINT's quantised network into a spiking network.

    \b
    Example:
        lossless-snn convert k1.safetensors --out k1.snn.safetensors
    """
    convert(Checkpoint.load(checkpoint)).save(out)
    click.echo(f"{out}: spiking network of {checkpoint}")
