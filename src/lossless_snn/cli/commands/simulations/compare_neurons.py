"""`lossless-snn compare-neurons`."""

from pathlib import Path

import click

from ....config.parameters import comparison_options
from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ....networks.quantiser import MOST_STEPS
from ....runs import neurons
from ....simulation.neuron_comparison import compare_neurons
from ...options import local_option, threads_option

# Training images, the first ones, that set the thresholds of the integrate-and-fire neurons.
CALIBRATION_IMAGES = 1000


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; those of the experiment's `comparison`.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images simulated at once; the experiment's.")
@click.option("--limit", type=click.IntRange(min=1), help="First images of the test set; those of the comparison.")
@threads_option
@local_option
def command(snn, out, steps, batch_size, limit, threads, local) -> None:
    """Simulate SNN with its own neuron, without negative spikes, and with the usual neuron; write neurons.csv.

    \b
    Example:
        lossless-snn compare-neurons k1.snn.safetensors --out logs/ --steps 100 --limit 1000
    """
    network = SpikingNetwork.load(snn)
    if steps is None or batch_size is None or limit is None:
        defaults = comparison_options(network.metadata.experiment)
        steps, limit, batch_size = steps or defaults[0], limit or defaults[1], batch_size or defaults[2]
    name = network.metadata.dataset
    calibration = load(name, "train", local=local)[:CALIBRATION_IMAGES]
    images = load(name, "test", local=local)[:limit]
    title = f"Compare neurons of {snn}"
    rows = compare_neurons(network, calibration, images, steps, batch_size, threads=threads, title=title)
    neurons.write(out / neurons.FILE, rows)
    last = rows[-1]
    ends = (f"{row.neuron} {row.accuracy:.2%}" for row in rows if row.time_step == steps)
    click.echo(
        f"{snn}: after {steps} steps, {', '.join(ends)} of {last.images:,} test images predicted right; "
        f"the ANN {last.ann_accuracy:.2%}, without its quantisers {last.unquantised_accuracy:.2%}"
    )
