"""`lossless-snn neurobench`."""

from pathlib import Path

import click

from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ....errors import LosslessError
from ....exchange.neurobench import neurobench_results
from ....files.atomic import write_json
from ....runs import snn as snn_record
from ...options import local_option


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False), required=True, help="What `simulate` wrote.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSON file to write.")
@local_option
def command(snn, logs, out, local) -> None:
    """Write the results of SNN's simulation by NeuroBench's names and definitions.

    \b
    Example:
        lossless-snn neurobench k1.snn.safetensors --logs logs/ --out neurobench.json
    """
    network, record = SpikingNetwork.load(snn), snn_record.read(logs / snn_record.FILE)
    ours, theirs = (
        tuple(getattr(of, name) for name in ("experiment", "budget", "precision", "seed"))
        for of in (network.metadata, record)
    )
    if ours != theirs:
        raise LosslessError(f"{logs / snn_record.FILE}: of another network than {snn}: {theirs}, not {ours}")
    images = load(network.metadata.dataset, "test", local=local)[: record.images]
    results = neurobench_results(
        network,
        network.data.encoding.integers(images.pixels),
        steps=record.simulated_steps,
        accuracy=record.accuracy,
        spikes_per_image=record.positive_spikes_per_image + record.negative_spikes_per_image,
        operations_per_image=record.operations_per_image,
    )
    write_json(out, results)
    operations = results["SynapticOperations"]
    click.echo(
        f"{out}: {results['ClassificationAccuracy']:.2%} predicted right, {operations['Effective_ACs']:,.0f} ACs and "
        f"{operations['Effective_MACs']:,.0f} MACs an image"
    )
