"""`lossless-snn equivalent`."""

import os

import click

from ....errors import LosslessError
from ....provenance.probe import probe
from ....provenance.records import Records


@click.command()
@click.argument("file")
@click.option("--epochs", type=click.IntRange(min=1), default=2, help="Epochs that both versions of the code train.")
@click.option("--images", type=click.IntRange(min=1), help="Train on the first so many images, not on all.")
def command(file: str, epochs: int, images: int | None) -> None:
    """Show that the present code trains as the code did that made FILE, a recorded checkpoint or history.

    Both train the first epochs of the same job, apart from each other; every byte of what they give is compared. If it
    is the same, `make restore` and `make verify` accept what the old code made, and say by what.

    \b
    Example:
        lossless-snn equivalent results/paper/mnist-lenet/checkpoints/k1/seed0.safetensors --epochs 2
    """
    path = os.path.relpath(file)
    found = Records().made(path)
    if found is None:
        raise LosslessError(f"{path}: no record says how it was made")
    written, equivalence = probe(*found, epochs, images)
    recorded, present = equivalence.codes
    click.echo(
        f"{path}: the codes {recorded} and {present} give the same {len(equivalence.digests) - 1} tensors and the same "
        f"history in {equivalence.extent}: {written}"
    )
