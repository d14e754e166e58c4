"""`lossless-snn viewer`."""

from pathlib import Path

import click

from ....analysis.viewer.choice import choose, named
from ....analysis.viewer.data import check_comparable, page_data
from ....analysis.viewer.page import write_page
from ....config.energy import read_energies
from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ...options import local_option
from ...results_options import energy_option


@click.command()
@click.argument("networks", metavar="SNN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="HTML file to write.")
@click.option("--count", type=click.IntRange(min=1), default=6, help="Test images to show.")
@click.option(
    "--image", "indices", metavar="INDEX", type=int, multiple=True, help="Show this test image; may be repeated."
)
@click.option("--steps", type=click.IntRange(1, 1000), default=200, help="Time steps at most; a network at rest ends.")
@energy_option
@local_option
def command(networks, out, count, indices, steps, energy, local) -> None:
    """Write a page that shows how images run through the networks SNN, one a precision.

    The page is one file that needs no network. Without --image it shows an image that is predicted wrong,
    one that needs negative spikes, where there are such, and the first images of other classes.

    \b
    Example:
        lossless-snn viewer results/quick/digits-lenet/checkpoints/k*/seed0.snn.safetensors --out viewer.html
    """
    energies, spiking = read_energies(energy), [SpikingNetwork.load(path) for path in networks]
    check_comparable(spiking)
    images = load(spiking[0].metadata.dataset, "test", local=local)
    choices = named(indices, images) if indices else choose(spiking, images, count, steps)
    size = write_page(page_data(spiking, images, choices, energies, steps), out)
    click.echo(f"{out}: {len(choices)} images at {len(spiking)} precisions, {size / 1e6:.1f} MB")
