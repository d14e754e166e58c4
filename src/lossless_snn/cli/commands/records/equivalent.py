"""`lossless-snn equivalent`."""

import os

import click

from ....errors import LosslessError
from ....provenance.probes.probe import probe
from ....provenance.records import Records


@click.command()
@click.argument("file")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=2,
    help="Epochs to train: of the training, or of the network to simulate if that is not here.",
)
@click.option(
    "--images", type=click.IntRange(min=1), help="Train on the first so many images, and simulate so many, not all."
)
def command(file: str, epochs: int, images: int | None) -> None:
    """Show that the present code trains or simulates as the code did that made FILE, an output of a recorded job.

    Both run a part of the same job, apart from each other: the first epochs of a training, or the first test images of
    a simulation, of which FILE is snn.json, say. Every byte of what they give is compared. If it is the same,
    `make restore` and `make verify` accept what the old code made, and say by what.

    Both simulate the recorded network if that is here, else one that the present code trains and converts for them.

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
        f"{path}: the codes {recorded} and {present} give the same bytes in a probe of {equivalence.probe.extent}; "
        f"{written} has the {len(equivalence.digests)} digests"
    )
