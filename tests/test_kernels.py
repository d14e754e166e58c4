"""The kernels' speed, for pytest-benchmark: `pytest tests/test_kernels.py --benchmark-enable`.

Without that option each runs once, and what it computes is checked. No test fails on time.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossless_snn.checkpoints import Checkpoint, CheckpointMetadata
from lossless_snn.conversion.convert import convert
from lossless_snn.networks import notation
from lossless_snn.networks import quantised as network
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certificate import grid_activations

LENET, SHAPE = "20C5-P2-50C5-P2-500", (1, 28, 28)
LAYERS = notation.parse(LENET, SHAPE, 10)
IMAGES, STEPS = 20, 20


def lenet(k):
    """LeNet as it starts, with the batch-norm statistics of one batch."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = network.QuantisedNetwork(LAYERS, k)
    net.initialise(0)
    net.to(memory_format=torch.channels_last).train()
    for _ in range(50):
        net(torch.from_numpy(pixels()).float() / 256)
    return net


def pixels():
    """Images whose pixels vary slowly, as a picture's do."""
    coarse = np.random.default_rng(0).integers(0, 256, (IMAGES, 1, 7, 7))
    return coarse.repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8)


@pytest.fixture(scope="module")
def spiking():
    parameters = {name: tensor.contiguous().numpy() for name, tensor in lenet(1).state_dict().items()}
    recipe = {"dataset": "mnist", "network": LENET, "padding": "valid"}
    metadata = {"experiment": "lenet", "budget": "quick", "precision": "k1", "seed": 0}
    return convert(Checkpoint(parameters, CheckpointMetadata(**metadata, epochs=1, recipe=recipe)))


@pytest.mark.parametrize("engine", ["event", "dense"])
def test_simulation(benchmark, spiking, engine):
    engine = simulator(spiking, engine)
    trace = benchmark(engine.run, pixels(), STEPS)
    at_rest = trace.settled_step >= 0
    assert at_rest.any()
    for count, activation in zip(trace.counts, grid_activations(spiking, pixels()), strict=False):
        assert (count[at_rest] == activation[at_rest]).all()


def test_certificate(benchmark, spiking):
    *activations, logits = benchmark(lambda: list(grid_activations(spiking, pixels())))
    assert [activation.shape[1:] for activation in activations] == [layer.out_shape for layer in LAYERS[:-1]]
    assert logits.shape == (IMAGES, 10)


def test_training_step(benchmark):
    net = lenet(1)
    x = (torch.from_numpy(pixels()).float() / 256).contiguous(memory_format=torch.channels_last)

    def step():
        net.zero_grad()
        loss = F.cross_entropy(net(x), torch.zeros(IMAGES, dtype=torch.int64))
        loss.backward()
        return loss

    assert benchmark(step).item() > 0
    assert all(parameter.grad.abs().max() > 0 for parameter in net.parameters())
