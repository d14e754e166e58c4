"""`lossless-snn certify`."""

from pathlib import Path

import click

from ....checkpoints import Checkpoint
from ....conversion import SpikingNetwork
from ....conversion.binding import check_conversion


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), required=True, help="Checkpoint of the trained network.")
def command(snn, against) -> None:
    """Convert the checkpoint again, and compare SNN with what that gives, bit for bit."""
    network, trained = SpikingNetwork.load(snn), Checkpoint.load(against)
    check_conversion(network, trained, snn)
    click.echo(f"{snn}: the conversion of {against} (SHA-256 {trained.sha256}), bit for bit")
