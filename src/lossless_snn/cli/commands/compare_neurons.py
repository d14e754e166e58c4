"""`lossless-snn compare-neurons`."""

from pathlib import Path

import click
import numpy as np

from ...config.parameters import comparison_options
from ...conversion.spiking_network import SpikingNetwork
from ...datasets import load
from ...files.progress import batches
from ...networks.method import MOST_STEPS
from ...runs.neurons import FILE, NEURONS
from ...simulation import simulator
from ...simulation.certificate import grid_activations
from ...simulation.comparison import write_comparison
from ...simulation.integrate_and_fire import RateCodedSimulator
from ...simulation.metrics import Measures
from ..options import local_option, threads_option

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
    """Simulate SNN with its own neuron, without negative spikes, and with the usual neuron; write neurons.csv."""
    network = SpikingNetwork.load(snn)
    if steps is None or batch_size is None or limit is None:
        defaults = comparison_options(network.metadata["experiment"])
        steps, limit, batch_size = steps or defaults[0], limit or defaults[1], batch_size or defaults[2]
    name, encoded = network.metadata["dataset"], network.data.encoding.integers
    calibration = encoded(load(name, "train", local=local).pixels[:CALIBRATION_IMAGES])
    images = load(name, "test", local=local)
    labels = images.labels[:limit]
    usual = RateCodedSimulator(network, calibration, threads)
    signed, unsigned = (simulator(network, threads=threads, negative_spikes=negative) for negative in (True, False))
    by_neuron = {neuron: Measures() for neuron in NEURONS}
    correct = np.zeros(2, dtype=int)
    for batch in batches(len(labels), batch_size, f"Compare neurons of {snn}"):
        pixels = encoded(images.pixels[batch])
        for measures, engine in zip(by_neuron.values(), (signed, unsigned, usual), strict=True):
            measures.add(engine.run(pixels, steps), labels[batch])
        *_, logits = grid_activations(network, pixels)
        predictions = np.stack([logits.argmax(axis=1), usual.predict(pixels)])
        correct += (predictions == labels[batch]).sum(axis=1)
    write_comparison(out / FILE, by_neuron, len(labels), *(correct / len(labels)))
    ends = (f"{neuron} {sum(m[-1] for m in by_neuron[neuron].accuracy) / len(labels):.2%}" for neuron in NEURONS)
    print(
        f"{snn}: after {steps} steps, {', '.join(ends)} of {len(labels):,} test images predicted right; "
        f"the ANN {correct[0] / len(labels):.2%}, without its quantisers {correct[1] / len(labels):.2%}"
    )
