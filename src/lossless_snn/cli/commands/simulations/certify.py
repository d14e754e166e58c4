"""`lossless-snn certify`."""

from pathlib import Path

import click
import torch

from ....checkpoints import Checkpoint
from ....config.parameters import simulation_options
from ....conversion import SpikingNetwork
from ....conversion.binding import check_conversion
from ....datasets import load
from ....errors import LosslessError
from ....networks.quantiser import MOST_STEPS
from ....runs import certified
from ....simulation.certification import Factory, Judgement, judge, load_factory
from ...options import local_option, threads_option

# Training images, the first ones, that an implementation may set its thresholds by.
CALIBRATION_IMAGES = 1000


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), help="Checkpoint of the trained network.")
@click.option("--implementation", metavar="MODULE:FACTORY", help="Any spiking implementation of SNN, to be judged.")
@click.option("--name", help="What --out calls the implementation; MODULE:FACTORY if not given.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps of the implementation; the experiment's.")
@click.option("--limit", type=click.IntRange(min=1), help="First images of the test set; all if not given.")
@click.option("--batch-size", type=click.IntRange(min=1), default=50, help="Images at once.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV file to write, step by step; differences are no error then.",
)
@threads_option
@local_option
def command(snn, against, implementation, name, steps, limit, batch_size, out, threads, local) -> None:
    """Certify SNN, and any implementation of it.

    With --against: convert the checkpoint again, and compare SNN with what that gives, bit for bit. With
    --implementation: run it on the test set, and compare every neuron and prediction with the quantised network's.

    \b
    Example:
        lossless-snn certify k1.snn.safetensors --against k1.safetensors
    """
    if not (against or implementation):
        raise click.UsageError("give --against, --implementation or both")
    network = SpikingNetwork.load(snn)
    if against:
        trained = Checkpoint.load(against)
        check_conversion(network, trained, snn)
        click.echo(f"{snn}: the conversion of {against} (SHA-256 {trained.sha256}), bit for bit")
    if not implementation:
        return
    if steps is None:
        steps, _ = simulation_options(network.metadata.experiment, network.metadata.budget)
    found = judged(network, load_factory(implementation), steps, limit, batch_size, threads, local)
    if out:
        certified.write(out, found.rows(name or implementation))
    for line in found.lines():
        click.echo(line)
    if found.offenders and not out:
        raise LosslessError(f"{snn}: {implementation} is not lossless: {found.offenders[0]}")


def judged(
    network: SpikingNetwork,
    factory: Factory,
    steps: int,
    limit: int | None,
    batch_size: int,
    threads: int,
    local: Path | None,
) -> Judgement:
    """An implementation on the first images of its network's test set, calibrated on training images."""
    torch.set_num_threads(threads)
    data, encoded = network.metadata.dataset, network.data.encoding.integers
    calibration = encoded(load(data, "train", local=local)[:CALIBRATION_IMAGES].pixels)
    images = load(data, "test", local=local)[:limit]
    return judge(network, factory(network, calibration), images, steps, batch_size)
