"""What the commands take that simulate a sample: the first images of the test set, for the experiment's time steps."""

from collections.abc import Callable
from pathlib import Path

import click

from ..config.parameters import comparison_options, simulation_options
from ..conversion.spiking_network import SpikingNetwork
from ..datasets import Images, load
from ..networks.quantiser import MOST_STEPS
from .options import local_option, threads_option

_PARAMETERS = (
    click.argument("snn", type=click.Path(path_type=Path)),
    click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to."),
    click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; the experiment's."),
    click.option("--batch-size", type=click.IntRange(min=1), default=50, help="Images simulated at once."),
    click.option(
        "--limit", type=click.IntRange(min=1), help="First images of the test set; those of the `comparison`."
    ),
    threads_option,
    local_option,
)


def sample_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes `snn`, `out`, `steps`, `batch_size`, `limit`, `threads` and `local`."""
    for parameter in reversed(_PARAMETERS):
        command = parameter(command)
    return command


def sample(snn: Path, steps: int | None, limit: int | None, local: Path | None) -> tuple[SpikingNetwork, Images, int]:
    """The network in a file, its test images and its time steps: the experiment's, where none are asked for."""
    network = SpikingNetwork.load(snn)
    experiment = network.metadata.experiment
    steps = steps or simulation_options(experiment, network.metadata.budget)[0]
    images = load(network.metadata.dataset, "test", local=local)[: limit or comparison_options(experiment)[1]]
    return network, images, steps
