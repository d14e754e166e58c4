"""`lossless-snn equivalent`."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from ....errors import LosslessError
from ....provenance.jobs import Place
from ....provenance.probes.probe import lacking_a_probe, probe
from ....provenance.records import Records


@click.command()
@click.argument("file", required=False)
@click.option(
    "--all", "every", is_flag=True, help="In place of FILE: one seed of each job that no probe speaks for yet."
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=2,
    help="Epochs to train: of the training, or of the network to simulate if that is not here.",
)
@click.option(
    "--images", type=click.IntRange(min=1), help="Train on the first so many images, and simulate so many, not all."
)
def command(file: str | None, every: bool, epochs: int, images: int | None) -> None:
    """Show that the present code trains or simulates as the code did that made FILE, an output of a recorded job.

    Both run a part of the same job, apart from each other: the first epochs of a training, or the first test images of
    a simulation, of which FILE is snn.json, say. Every byte of what they give is compared. If it is the same,
    `make restore` and `make verify` accept what the old code made, and say by what.

    Both simulate the recorded network if that is here, else one that the present code trains and converts for them.

    \b
    Example:
        lossless-snn equivalent results/paper/mnist-lenet/checkpoints/k1/seed0.safetensors --epochs 2
    """
    if every == (file is not None):
        raise LosslessError("equivalent: give either a FILE, or --all")
    records = Records()
    if file is not None:
        path = os.path.relpath(file)
        found = records.made(path)
        if found is None:
            raise LosslessError(f"{path}: no record says how it was made")
        with TemporaryDirectory() as folder:
            _show(path, *found, epochs, images, Path(folder))
        return
    places = lacking_a_probe(records)
    differing = 0
    with TemporaryDirectory() as folder:
        for number, place in enumerate(places, 1):
            try:
                _show(f"[{number}/{len(places)}] {place}", place, records[place], epochs, images, Path(folder))
            except LosslessError as error:
                differing += 1
                click.echo(f"[{number}/{len(places)}] {error}", err=True)
    if differing:
        raise LosslessError(f"{differing} of {len(places)} jobs were not shown to be the same, see above")
    if not places:
        click.echo("no job lacks a probe: the present code made all, or equivalences lead to it")


def _show(name: str, place: Place, record: Mapping[str, Any], epochs: int, images: int | None, folder: Path) -> None:
    written, equivalence = probe(place, record, epochs, images, folder)
    recorded, present = equivalence.codes
    click.echo(
        f"{name}: the codes {recorded} and {present} give the same bytes in a probe of {equivalence.probe.extent}; "
        f"{written} has the {len(equivalence.digests)} digests"
    )
