"""`lossless-snn activity`."""

from pathlib import Path

import click

from ....config.parameters import comparison_options, simulation_options
from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ....networks.quantiser import MOST_STEPS
from ....runs import activity
from ....simulation.activity import measure_activity
from ...options import local_option, threads_option


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; the experiment's.")
@click.option("--batch-size", type=click.IntRange(min=1), default=50, help="Images simulated at once.")
@click.option("--limit", type=click.IntRange(min=1), help="First images of the test set; those of the `comparison`.")
@threads_option
@local_option
def command(snn, out, steps, batch_size, limit, threads, local) -> None:
    """Count what every layer of SNN and of its ANN does in every step; write activity.json.

    \b
    Example:
        lossless-snn activity k1.snn.safetensors --out logs
    """
    network = SpikingNetwork.load(snn)
    experiment = network.metadata.experiment
    steps = steps or simulation_options(experiment, network.metadata.budget)[0]
    limit = limit or comparison_options(experiment)[1]
    images = load(network.metadata.dataset, "test", local=local)[:limit]
    record = measure_activity(network, images, steps, batch_size, threads=threads, title=f"Count activity of {snn}")
    activity.write(out, record)
    spikes = sum(sum(layer.positive) + sum(layer.negative) for layer in record.layers)
    click.echo(f"{snn}: {record.images:,} test images, {steps} steps, {spikes / record.images:,.1f} spikes an image")
