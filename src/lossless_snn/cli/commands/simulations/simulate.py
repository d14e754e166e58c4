"""`lossless-snn simulate`."""

import json
from pathlib import Path

import click

from ....checkpoints import Checkpoint
from ....config.parameters import simulation_options
from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ....networks.quantiser import MOST_STEPS
from ....provenance.code.entries import command_code
from ....simulation import ARITHMETICS, ENGINES
from ....simulation.test_set import simulate_test_set
from ...options import OneOf, json_option, local_option, threads_option


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--against", type=click.Path(path_type=Path), help="Checkpoint that SNN must be the conversion of.")
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; the experiment's if not given.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images a line of the logs; the experiment's.")
@click.option("--limit", type=click.IntRange(min=1), help="Simulate the first images of the test set only.")
@click.option(
    "--arithmetic",
    type=OneOf(ARITHMETICS),
    default="exact",
    help="On integers, lossless and certified; or rounded as the published code rounds.",
)
@click.option("--engine", type=OneOf(ENGINES), default="auto", help="All give the same bytes, if exact.")
@click.option("--device", type=OneOf(["cpu", "cuda"]), default="cpu", help="What simulates.")
@threads_option
@local_option
@json_option
def command(snn, logs, against, steps, batch_size, limit, local, as_json, **execution) -> None:
    """Simulate SNN on the test set; write the four log files, snn.json and certificate.json.

    The certificate compares every neuron's net spike count with the activation of the quantised ANN. An interrupted
    simulation goes on after its last saved batch.

    \b
    Example:
        lossless-snn simulate k1.snn.safetensors --against k1.safetensors --logs logs/
    """
    network, checkpoint = SpikingNetwork.load(snn), Checkpoint.load(against) if against else None
    if steps is None or batch_size is None:
        defaults = simulation_options(network.metadata.experiment, network.metadata.budget)
        steps, batch_size = steps or defaults[0], batch_size or defaults[1]
    images = load(network.metadata.dataset, "test", local=local)[:limit]
    state = logs.with_name(f"{logs.name}.simulation")
    kept = {"state": state, "code": command_code("simulate")}
    simulation = simulate_test_set(
        network, images, steps, batch_size, checkpoint=checkpoint, source=snn, **kept, **execution
    )
    simulation.write(logs)
    state.unlink(missing_ok=True)
    simulation.check(snn)
    record, proof = simulation.record, simulation.certificate
    if as_json:
        click.echo(json.dumps({"snn": record.model_dump(), "certificate": proof.model_dump()}, indent=2))
        return
    click.echo(
        f"{snn}: {record.accuracy:.2%} of {record.images} test images predicted right after {steps} steps, "
        f"{record.settled_images} settled; {proof.mismatches_in_settled_images} neurons of "
        f"{proof.neurons_compared:,} differ from the ANN's"
        + ("" if proof.bound_to_checkpoint else " on SNN's own grid; --against CHECKPOINT compares that, too")
    )
