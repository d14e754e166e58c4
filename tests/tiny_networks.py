"""Random networks on small inputs, and the reference's view of them."""

from dataclasses import replace

import numpy as np
import reference

from lossless_snn.checkpoints import Checkpoint, CheckpointMetadata
from lossless_snn.conversion.convert import Unit, normalised, thresholds
from lossless_snn.conversion.spiking_network import SpikingNetwork
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.networks.graph import parameter_shapes

SHAPES = [(1, 1, 1), (1, 4, 4), (1, 6, 6), (1, 8, 8), (2, 6, 6), (3, 5, 5), (2, 8, 6)]


def dataset_name(shape):
    return "tiny-" + "x".join(map(str, shape))


def dataset_entries():
    return {dataset_name(shape): replace(DATASETS["mnist"], title="tiny", shape=shape, files={}) for shape in SHAPES}


def checkpoint_of(parameters, network, shape, k, padding="valid"):
    recipe = {"dataset": dataset_name(shape), "network": network, "padding": padding}
    metadata = {"experiment": "tiny", "budget": "quick", "precision": "fp32" if k is None else f"k{k}", "seed": 0}
    metadata |= {"epochs": 1, "training_images": 60, "recipe": recipe}
    arrays = {name: np.asarray(a, dtype=np.float32) for name, a in parameters.items()}
    return Checkpoint(arrays, CheckpointMetadata(**metadata))


def random_checkpoint(rng, network, shape, k, padding="valid", gamma=(0.5, 1.0), zero_gammas=0.0, variance=1.0):
    """Weights, gamma, beta and mean normal; variances exponential with mean `variance`."""
    blank = checkpoint_of({}, network, shape, k, padding)
    parameters = {}
    for name, size in parameter_shapes(blank.graph).items():
        kind = name.split(".")[1]
        if kind == "gamma":
            parameters[name] = rng.normal(*gamma, size) * (rng.random(size) >= zero_gammas)
        elif kind == "variance":
            parameters[name] = variance * rng.exponential(1, size)
        else:
            parameters[name] = rng.normal(0, 0.3 if kind == "weight" else 0.5, size)
    return checkpoint_of(parameters, network, shape, k, padding)


def random_parameters(rng, graph):
    """Weights, biases, gamma, beta and mean normal, some gammas 0; variances exponential."""
    parameters = {}
    for name, shape in parameter_shapes(graph).items():
        kind = name.split(".")[-1]
        values = {
            "gamma": lambda s: rng.normal(0.5, 0.7, s) * (rng.random(s) > 0.1),
            "variance": lambda s: rng.exponential(1, s),
            "weight": lambda s: rng.normal(0, 0.4, s),
        }.get(kind, lambda s: rng.normal(0.2, 0.5, s))(shape)
        parameters[name] = values.astype(np.float32)
    return parameters


def random_pixels(rng, images, shape):
    return rng.integers(0, 256, (images, *shape)).astype(np.uint8)


def thresholds_of(checkpoint, index):
    """Weights, thresholds and bases of a chain's layer, as the method gives them, in 64-bit floats."""
    parts = normalised(checkpoint.graph, checkpoint.parameters, index, np.float64)
    return thresholds(parts, checkpoint.graph.quantiser(index, checkpoint.k), Unit(2.0**-checkpoint.k, 1))


def reference_layers(checkpoint):
    recipe = checkpoint.metadata.recipe
    return reference.lay_out(recipe.network, checkpoint.data.input_shape, 10, recipe.padding)


def simulate_as_published(checkpoint, pixels, steps):
    """The reference's record, in floats, from the checkpoint alone; one image (C, H, W)."""
    layers, k = reference_layers(checkpoint), checkpoint.k
    constants = [reference.spiking_constants(layer, checkpoint.parameters, i, k) for i, layer in enumerate(layers[:-1])]
    readout = checkpoint.parameters[f"{len(layers) - 1}.weight"].astype(float)
    return reference.simulate(layers, constants, readout, 2**k * pixels.astype(float) / 256, steps)


def simulate_in_integers(snn: SpikingNetwork, pixels, steps):
    """The reference's record on the network's grid, in Python integers: twice the unit, so that bases are whole."""
    layers = reference.lay_out(snn.metadata.network, snn.data.input_shape, 10, snn.metadata.padding)
    constants = [
        (
            layer.matrix(2 * spiking.grid_weight.astype(object)),
            reference.per_neuron(layer, 2 * spiking.grid_threshold.astype(object)),
            reference.per_neuron(layer, 2 * spiking.grid_offset.astype(object) - 1),
        )
        for layer, spiking in zip(layers, snn.hidden, strict=False)
    ]
    return reference.simulate(layers, constants, snn.grid_readout.astype(object), pixels.astype(object), steps)


def integer_ann(snn: SpikingNetwork, pixels):
    """Activations by layer, and logits, of the ANN on the grid, in Python integers; one image (C, H, W).

    An activation is the number of thresholds passed, n = #{m >= 1: V > base + m theta}.
    """
    layers = reference.lay_out(snn.metadata.network, snn.data.input_shape, 10, snn.metadata.padding)
    activation, activations = pixels.astype(object).ravel(), []
    for layer, spiking in zip(layers, snn.hidden, strict=False):
        total = 2 * (layer.matrix(spiking.grid_weight.astype(object)) @ activation)
        theta = reference.per_neuron(layer, 2 * spiking.grid_threshold.astype(object))
        base = reference.per_neuron(layer, 2 * spiking.grid_offset.astype(object) - 1)
        # the largest m with base + m theta < V: ceil of (V - base) / theta, less one
        activation = np.array(
            [max(-((b - v) // t) - 1, 0) for v, t, b in zip(total, theta, base, strict=True)], dtype=object
        )
        activations.append(activation)
    return activations, list(layers[-1].matrix(snn.grid_readout.astype(object)) @ activation)


def assert_same_record(trace, image, record):
    """Everything that a Trace has on one image."""
    assert trace.predictions[image].tolist() == record.predictions
    assert trace.positive[image].tolist() == record.positive
    assert trace.negative[image].tolist() == record.negative
    assert trace.operations[image].tolist() == record.operations
    assert trace.settled_step[image] == record.settled_step
    for count, expected in zip(trace.counts, record.counts, strict=True):
        assert count[image].ravel().tolist() == expected.tolist()


def assert_same_bytes(trace, other):
    for name in ("predictions", "positive", "negative", "operations", "settled_step"):
        a, b = getattr(trace, name), getattr(other, name)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name
    for a, b in zip(trace.counts, other.counts, strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
