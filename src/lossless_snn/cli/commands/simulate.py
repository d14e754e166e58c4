"""`lossless-snn simulate`."""

from pathlib import Path

import click

from ...config.parameters import simulation_options
from ...conversion.spiking_network import SpikingNetwork
from ...datasets import load
from ...errors import LosslessError
from ...files.atomic import write_json
from ...files.progress import batches
from ...networks.method import MOST_STEPS
from ...networks.notation import ann_operations, neuron_count
from ...simulation import ARITHMETICS, ENGINES, simulator
from ...simulation.certificate import Certificate
from ...simulation.metrics import Measures
from ..options import local_option, threads_option


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; the experiment's if not given.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images a line of the logs; the experiment's.")
@click.option("--limit", type=click.IntRange(min=1), help="Simulate the first images of the test set only.")
@click.option(
    "--arithmetic",
    type=click.Choice(ARITHMETICS),
    default="exact",
    help="On integers, lossless and certified; or rounded as the published code rounds.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="auto", help="All give the same bytes, if exact.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
@threads_option
@local_option
def command(snn, logs, steps, batch_size, limit, arithmetic, engine, device, threads, local) -> None:
    """Simulate SNN on the test set; write the four log files, snn.json and certificate.json."""
    network = SpikingNetwork.load(snn)
    if steps is None or batch_size is None:
        defaults = simulation_options(network.metadata["experiment"], network.metadata["budget"])
        steps, batch_size = steps or defaults[0], batch_size or defaults[1]
    images = load(network.metadata["dataset"], "test", local=local)
    labels = images.labels[:limit]
    engine = simulator(network, engine, threads, device, arithmetic)
    measures, certificate = Measures(), Certificate(network)
    for batch in batches(len(labels), batch_size, f"Simulate {snn}"):
        pixels = network.data.encoding.integers(images.pixels[batch])
        trace = engine.run(pixels, steps)
        measures.add(trace, labels[batch])
        certificate.add(pixels, labels[batch], trace)
    proof = {"arithmetic": arithmetic, **certificate.summary()}
    write_json(logs / "certificate.json", proof)
    # Rounding may differ from the grid's: there a mismatch is a finding, in exact arithmetic it is a bug.
    if arithmetic == "exact" and certificate.first_offender:
        raise LosslessError(
            f"{snn}: not lossless: {proof['mismatches_in_settled_images']} neurons at rest differ from the ANN's, "
            f"the first in {certificate.first_offender}"
        )
    measures.write_logs(logs)
    summary = measures.summary()
    result = {key: network.metadata[key] for key in ("experiment", "budget", "precision", "seed", "dataset")}
    result |= {"arithmetic": arithmetic, **summary, "neurons": neuron_count(network.layers)}
    result |= {"ann_operations": ann_operations(network.layers), "simulated_steps": steps, "batch_size": batch_size}
    write_json(logs / "snn.json", result)
    print(
        f"{snn}: {summary['accuracy']:.2%} of {summary['images']} test images predicted right after {steps} steps, "
        f"{summary['settled_images']} settled; {proof['mismatches_in_settled_images']} neurons of "
        f"{proof['neurons_compared']:,} differ from the ANN's"
    )
