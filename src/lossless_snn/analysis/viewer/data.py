"""What the page shows: for each image and network, the runs with and without negative spikes beside the ANN."""

import base64
from typing import Any

import numpy as np

from ...config.energy import OperationEnergies
from ...conversion.spiking_network import SpikingNetwork
from ...datasets import Images
from ...errors import LosslessError
from ...files.progress import progress
from ...simulation.certificate import grid_activations
from .choice import Choice
from .encoding import gaps, packed, zigzag
from .recording import PARTS, Recorder, Recording

# Neurons of a layer whose membranes are kept, for one image. Those of the published LeNets that ever spike
# are fewer; of larger layers those with the most negative spikes are kept, and the page remains small.
MOST_MEMBRANES = 6000


def page_data(
    networks: list[SpikingNetwork],
    images: Images,
    choices: list[Choice],
    energies: OperationEnergies,
    steps: int,
) -> dict[str, Any]:
    """All that the page knows, ready for JSON.

    Args:
        networks: One experiment's spiking networks, one a precision, see `check_comparable`.
        images: The test set.
        choices: The images to show.
        energies: What an operation costs.
        steps: Time steps to simulate at most; a run ends where no neuron spikes any more.

    Raises:
        LosslessError: The network at rest differs from the ANN.
    """
    check_comparable(networks)
    first, data = networks[0].metadata, networks[0].data
    pairs = [(choice, network) for choice in choices for network in networks]
    shown = progress(pairs, f"Images of {first.experiment}", unit="runs")
    runs = [_run(network, images, choice.index, steps) for choice, network in shown]
    names = getattr(data, "class_names", None) or [str(label) for label in range(data.classes)]
    return {
        "experiment": first.experiment,
        "budget": first.budget,
        "dataset": data.title,
        "classes": list(names),
        "shape": list(data.shape),
        "parts": PARTS,
        "energy": {
            "terms": energies.terms,
            "joulesPerOperation": energies.of_snn(1),
            "annJoules": energies.of_ann(networks[0].graph.ann_operations),
            "annOperations": networks[0].graph.ann_operations,
        },
        "layers": [{"token": layer.token, "shape": list(layer.out_shape)} for layer in networks[0].layers[:-1]],
        "networks": [_network(network) for network in networks],
        "images": [_image(images, choice) for choice in choices],
        "runs": [runs[start : start + len(networks)] for start in range(0, len(runs), len(networks))],
    }


def check_comparable(networks: list[SpikingNetwork]) -> None:
    """Raise LosslessError unless the networks are one experiment's, at one budget, and of a precision each."""
    first = networks[0].metadata
    for network in networks[1:]:
        for key in ("experiment", "budget", "dataset", "network", "padding"):
            ours, theirs = getattr(network.metadata, key), getattr(first, key)
            if ours != theirs:
                raise LosslessError(f"one page shows one experiment: {key} {ours!r} beside {theirs!r}")
    precisions = [network.metadata.precision for network in networks]
    if repeated := sorted({precision for precision in precisions if precisions.count(precision) > 1}):
        raise LosslessError(f"one page shows one network a precision: {', '.join(repeated)} is there twice")


def _network(network: SpikingNetwork) -> dict[str, Any]:
    return {
        "precision": network.metadata.precision,
        "k": network.k,
        "seed": network.metadata.seed,
        # In the method's units, a value a channel; for people to read.
        "thresholds": [_rounded(layer.threshold) for layer in network.hidden],
        "bases": [_rounded(layer.base) for layer in network.hidden],
    }


def _image(images: Images, choice: Choice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "reason": choice.reason,
        "label": int(images.labels[choice.index]),
        "pixels": base64.b64encode(images.pixels[choice.index].tobytes()).decode(),
    }


def _run(network: SpikingNetwork, images: Images, index: int, steps: int) -> dict[str, Any]:
    pixels = network.data.encoding.integers(images.pixels[index : index + 1])
    *activations, logits = (array[0] for array in grid_activations(network, pixels))
    signed, unsigned = (Recorder(network, negative).record(pixels[0], steps) for negative in (True, False))
    if signed.at_rest and any((n != a).any() for n, a in zip(signed.counts, activations, strict=True)):
        raise LosslessError(
            f"test image {index} at {network.metadata.precision}: not lossless: at rest, net spike counts "
            "differ from the ANN's activations; convert the checkpoint again"
        )
    unit = 2.0 ** (network.metadata.readout_exponent - network.k)
    chosen = [_membranes_kept(*layers) for layers in zip(signed.spikes, unsigned.spikes, strict=True)]
    return {
        "ann": {
            "activations": packed(*activations),
            "logits": _rounded(logits * unit),
            "prediction": int(logits.argmax()),
        },
        "neurons": packed(*(part for kept in chosen for part in ([len(kept)], gaps(kept)))),
        "signed": _recorded(signed, chosen, unit),
        "unsigned": _recorded(unsigned, chosen, unit),
    }


def _membranes_kept(signed: np.ndarray, unsigned: np.ndarray) -> np.ndarray:
    """Neurons of a layer, ascending, that spike in either run (T, C, H, W); the most negative ones of too many."""
    negative, spikes, spikes_without = (
        kind.reshape(len(kind), -1).sum(axis=0) for kind in (signed < 0, signed != 0, unsigned != 0)
    )
    alive = np.flatnonzero(spikes + spikes_without)
    ranked = alive[np.lexsort((alive, -spikes[alive], -negative[alive]))]
    return np.sort(ranked[:MOST_MEMBRANES])


def _recorded(recording: Recording, chosen: list[np.ndarray], unit: float) -> dict[str, Any]:
    kept = [
        layer.reshape(recording.steps, -1)[:, neurons].T
        for layer, neurons in zip(recording.membranes, chosen, strict=True)
    ]
    return {
        "steps": recording.steps,
        "atRest": recording.at_rest,
        "spikes": packed(*(part for t in range(recording.steps) for part in _spikes_of_step(recording, t))),
        "membranes": packed(*(zigzag(np.diff(layer, axis=1, prepend=0)) for layer in kept)),
        "operations": recording.operations.tolist(),
        "predictions": recording.predictions.tolist(),
        "logits": [_rounded(logits * unit) for logits in recording.logits],
    }


def _spikes_of_step(recording: Recording, t: int) -> list[np.ndarray]:
    """For each layer the number of its spikes, then each one's distance from the one before it, and its sign.

    Distance and sign share an integer: twice the distance, and one more for a negative spike.
    """
    parts = []
    for layer in recording.spikes:
        spikes = layer[t].ravel()
        positions = np.flatnonzero(spikes)
        parts += [np.array([len(positions)]), 2 * gaps(positions) + (spikes[positions] < 0)]
    return parts


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values.ravel()]
