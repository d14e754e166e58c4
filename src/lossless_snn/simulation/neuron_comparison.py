"""One network with three kinds of neuron on the same images, step by step: what `runs.neurons` stores."""

import numpy as np

from ..conversion.spiking_network import SpikingNetwork
from ..datasets import Images
from ..files.progress import batches
from ..runs.neurons import NEURONS, NeuronRecord
from . import simulator
from .certificate import grid_activations
from .integrate_and_fire import RateCodedSimulator
from .metrics import Metrics


def compare_neurons(
    network: SpikingNetwork,
    calibration: Images,
    images: Images,
    steps: int,
    batch_size: int,
    *,
    threads: int = 1,
    title: str = "Compare neurons",
) -> tuple[NeuronRecord, ...]:
    """Simulate `images` with the network's own neuron, without negative spikes, and with integrate-and-fire.

    Args:
        network: the spiking network.
        calibration: training images, that set the thresholds of the integrate-and-fire neurons.
        images: test images as stored, uint8 (N, C, H, W), and their classes.
        steps: time steps of each simulation.
        batch_size: images simulated at once.
        threads: of the simulations.
        title: of the progress bar.

    Returns:
        A row for each neuron and time step (from 1), over all images.
    """
    encoded = network.data.encoding.integers
    usual = RateCodedSimulator(network, encoded(calibration.pixels), threads)
    signed, unsigned = (simulator(network, threads=threads, negative_spikes=negative) for negative in (True, False))
    by_neuron = {neuron: Metrics() for neuron in NEURONS}
    correct = np.zeros(2, dtype=int)
    for batch in batches(len(images), batch_size, title):
        pixels, labels = encoded(images.pixels[batch]), images.labels[batch]
        for metrics, run in zip(by_neuron.values(), (signed.run, unsigned.run, usual.run), strict=True):
            metrics.add(run(pixels, steps), labels)
        *_, logits = grid_activations(network, pixels)
        predictions = np.stack([logits.argmax(axis=1), usual.predict(pixels)])
        correct += (predictions == labels).sum(axis=1)
    ann, unquantised = (correct / len(images)).tolist()
    return tuple(
        NeuronRecord(
            neuron=neuron,
            time_step=step,
            accuracy=accuracy,
            spikes_per_image=spikes,
            operations_per_image=operations,
            images=len(images),
            ann_accuracy=ann,
            unquantised_accuracy=unquantised,
        )
        for neuron, metrics in by_neuron.items()
        for step, (accuracy, spikes, operations) in enumerate(_means(metrics, len(images)), 1)
    )


def _means(metrics: Metrics, images: int) -> list[list[float]]:
    """Accuracy, spikes and operations so far, over all images, by time step."""
    totals = np.sum((metrics.accuracy, metrics.spike_num, metrics.sop_num), axis=1)
    return (totals / images).T.tolist()
