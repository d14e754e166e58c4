"""NeuroBench's measures of our spiking networks, from its own hooks on a PyTorch module, against ours.

Both definitions agree number for number, with these readings of NeuroBench 2.3:

- ActivationSparsity is the share of zeros in the outputs of all neurons over all steps: a spike of
  either sign is an activation. Its complement times neurons, steps and images is spike_num.
- SynapticOperations counts, for each input that is not 0, the synapses that it crosses, none into
  padding. Inputs all in {-1, 0, 1} are ACs, others MACs: pixels, which reach the first layer once, are
  the MACs, and spikes of either sign the ACs. The output layer is a layer like any other, which
  accounts for the 10 operations of every spike of the last spiking layer. Averages are per image.
- A synapse whose weight is 0 is none for NeuroBench, where method.md counts every synapse of the
  architecture. That is the one difference; the last test pins it down.
- Dense is the same for all inputs at all steps; the method's ANN presents its input once.

Weights are on the network's grid, 64-bit: NeuroBench adds up its counts in the type of the weights.
"""

from dataclasses import replace

import numpy as np
import pytest
import tiny_networks
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy, SynapticOperations
from neurobench.models import TorchModel
from test_graphs import random_parameters, spiking_network
from torch import nn

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.conversion.convert import convert
from lossless_snn.datasets import Images, load
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.exchange.neurobench import neurobench_results
from lossless_snn.networks.builder import GraphBuilder
from lossless_snn.networks.graph import IMAGE, Identity
from lossless_snn.simulation import simulator
from lossless_snn.simulation.dense import DenseSimulator
from lossless_snn.simulation.test_set import simulate_test_set

pytestmark = pytest.mark.usefixtures("tiny_datasets")


class SignedNeurons(nn.Module):
    """The method's neurons, one call a time step; `threshold` and `base` (C, 1, 1)."""

    def __init__(self, threshold, base):
        super().__init__()
        self.threshold, self.base = threshold, base

    def reset(self):
        self.membrane, self.shadow = 0.0, self.base

    def forward(self, received):
        self.membrane = self.membrane + received
        d = torch.clamp(self.membrane, min=self.base) - self.shadow
        spikes = torch.where(d > self.threshold, 1.0, torch.where(d < 0, -1.0, 0.0)).double()
        self.shadow = self.shadow + spikes * self.threshold
        return spikes


class SteppedNetwork(nn.Module):
    """A spiking network of convolutions and identities as a user of PyTorch would write it, node by node."""

    def __init__(self, snn, steps):
        super().__init__()
        self.graph, self.steps = snn.graph, steps
        self.synapses = nn.ModuleList()
        for index, spiking in zip(snn.graph.neurons, snn.hidden, strict=True):
            self.synapses.append(nn.ModuleList(connections(snn.graph, index, spiking.grid_weights)))
        self.synapses.append(nn.ModuleList(connections(snn.graph, len(snn.hidden), [snn.grid_readout])))
        self.neurons = nn.ModuleList(
            SignedNeurons(
                *(
                    torch.from_numpy(constant.astype(float))[:, None, None]
                    for constant in (spiking.grid_threshold, spiking.grid_offset - 0.5)
                )
            )
            for spiking in snn.hidden
        )

    @torch.no_grad()
    def forward(self, pixels):
        for neurons in self.neurons:
            neurons.reset()
        logits = 0
        for step in range(self.steps):
            emitted = {IMAGE: pixels if step == 0 else torch.zeros_like(pixels)}
            for index, synapses in enumerate(self.synapses):
                sources = self.graph.sources(index)
                received = sum(synapse(emitted[source]) for synapse, source in zip(synapses, sources, strict=True))
                emitted[index] = self.neurons[index](received) if index < len(self.neurons) else received
            logits = logits + received.flatten(1)
        return logits


class Scaling(nn.Module):
    """An identity on the grid: what a spike adds, by channel. Of its modules NeuroBench counts none of this kind."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, spikes):
        return spikes * self.factor


def connections(graph, index, weights):
    """A module for each input of a node."""
    for part, layer, weight in zip(graph.inputs(index), graph.geometry[index], weights, strict=True):
        if isinstance(part, Identity):
            yield Scaling(torch.from_numpy(weight.astype(float)).reshape(1, -1, 1, 1))
            continue
        (top, bottom), (left, right) = layer.padding
        channels = layer.in_shape[0], layer.out_shape[0]
        kernel = {"kernel_size": layer.kernel, "stride": layer.stride, "groups": layer.groups}
        convolution = nn.Conv2d(*channels, **kernel, bias=False, dtype=torch.float64)
        convolution.weight.data = torch.from_numpy(weight.astype(float))
        yield nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), convolution)


def measured_by_neurobench(snn, pixels, steps, batch_size):
    """Activation sparsity and synaptic operations, by name."""
    torch.set_num_threads(1)
    model = TorchModel(SteppedNetwork(snn, steps))
    model.add_activation_module(SignedNeurons)
    images = torch.from_numpy(pixels.astype(float))
    batches = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, torch.zeros(len(images))), batch_size=batch_size
    )
    return Benchmark(model, batches, [], [], [[], [ActivationSparsity, SynapticOperations]]).run(quiet=True)


def assert_agreement(snn, pixels, steps, batch_size=None):
    assert all(layer.grid_weight.all() for layer in snn.hidden)
    assert snn.grid_readout.all()
    trace = simulator(snn, "event").run(pixels, steps)
    measured = measured_by_neurobench(snn, pixels, steps, batch_size or len(pixels))
    spikes = int((trace.positive + trace.negative).sum())
    activations = sum(layer.neurons for layer in snn.layers[:-1]) * steps * len(pixels)
    operations = measured["SynapticOperations"]
    assert trace.positive.any()
    assert trace.negative.any()
    # NeuroBench averages the batches' sparsities, which rounds
    assert (1 - measured["ActivationSparsity"]) * activations == pytest.approx(spikes, rel=1e-12, abs=1e-3)
    assert operations["Effective_ACs"] == trace.operations.sum() / len(pixels)
    encoding = (np.count_nonzero(pixels, axis=1) * snn.layers[0].fan_out).sum()
    assert operations["Effective_MACs"] == encoding / len(pixels)
    assert operations["Dense"] == steps * sum(layer.macs for layer in snn.layers)


@pytest.mark.parametrize(
    ("network", "shape", "padding", "k"),
    [
        ("4C3-P2-5C2-7", (1, 8, 8), "valid", 0),
        ("3C3-4C2-P3-6-5", (2, 6, 6), "same", 1),  # an even kernel: padded on one side only
        ("9-8-7", (3, 5, 5), "valid", 2),
    ],
)
def test_random_networks(network, shape, padding, k):
    rng = np.random.default_rng(k)
    snn = convert(tiny_networks.random_checkpoint(rng, network, shape, k, padding))
    assert_agreement(snn, tiny_networks.random_pixels(rng, 6, shape), steps=25)


def test_several_batches_of_unequal_size():
    rng = np.random.default_rng(3)
    snn = convert(tiny_networks.random_checkpoint(rng, "4C3-P2-6", (1, 6, 6), 1))
    assert_agreement(snn, tiny_networks.random_pixels(rng, 7, (1, 6, 6)), steps=20, batch_size=3)


def test_a_trained_network_on_digits(trained, digits_root):
    images = load("digits", "test", root=digits_root / "data").pixels[:20]
    assert_agreement(convert(Checkpoint.load(trained)), images, steps=40)


def test_lenet(monkeypatch):
    shape = (1, 28, 28)
    monkeypatch.setitem(DATASETS, tiny_networks.dataset_name(shape), replace(DATASETS["mnist"], files={}))
    rng = np.random.default_rng(4)
    checkpoint = tiny_networks.random_checkpoint(rng, "20C5-P2-50C5-P2-500", shape, 1)
    for name, values in checkpoint.parameters.items():
        if name.endswith("weight"):
            # of 400,000 weights a few would be 0 on the grid
            values[np.abs(values) < 1e-4] = 1e-4
    assert_agreement(convert(checkpoint), tiny_networks.random_pixels(rng, 3, shape), steps=20)


def test_weights_of_zero_are_no_synapses_for_neurobench():
    rng = np.random.default_rng(5)
    checkpoint = tiny_networks.random_checkpoint(rng, "6-5", (1, 4, 4), 1)
    # Two of ten classes listen to no neuron: of the 10 operations of a last spike, 2 are not counted.
    checkpoint.parameters["2.weight"][3:5] = 0
    snn = convert(checkpoint)
    pixels = tiny_networks.random_pixels(rng, 5, (1, 4, 4))
    trace = simulator(snn, "event").run(pixels, 20)
    spikes = (trace.positive + trace.negative).sum()
    # A spike of the first layer crosses 5 synapses, one of the last layer 10.
    last_layer_spikes = (trace.operations.sum() - 5 * spikes) / (10 - 5)
    measured = measured_by_neurobench(snn, pixels, 20, len(pixels))["SynapticOperations"]
    assert last_layer_spikes > 0
    assert measured["Effective_ACs"] * len(pixels) == trace.operations.sum() - 2 * last_layer_spikes


def measured_by_us(snn, pixels, steps):
    trace = simulator(snn, "event").run(pixels, steps)
    images = len(pixels)
    return neurobench_results(
        snn,
        pixels,
        steps=steps,
        accuracy=0.5,
        spikes_per_image=(trace.positive + trace.negative).sum() / images,
        operations_per_image=trace.operations.sum() / images,
    )


@pytest.mark.parametrize("residual", [False, True])
def test_a_graph(residual):
    """Branches, strides, groups; an identity's synapses have no weights, and only we count them."""
    build = GraphBuilder((2, 6, 6))
    first = build.neurons(build.convolution(IMAGE, 4, 3, padding=1))
    branches = (build.convolution(first, 4, 3, padding=1, groups=2), build.convolution(IMAGE, 4, 1))
    second = build.neurons(*branches, *([Identity(source=first)] if residual else []))
    third = build.neurons(build.convolution(second, 6, 2, stride=2, bias=True, batch_norm=False))
    graph = build.graph(build.linear(third, 3, bias=True))
    rng = np.random.default_rng(8)
    # No filter is 0 for its batch norm: synapses with a weight of 0 are another test's.
    parameters = {name: abs(x) + 0.1 if "gamma" in name else x for name, x in random_parameters(rng, graph).items()}
    snn = spiking_network(graph, parameters, 1)
    pixels = rng.integers(1, 256, (3, 2, 6, 6)).astype(np.int32)
    ours, theirs = measured_by_us(snn, pixels, 30), measured_by_neurobench(snn, pixels, 30, 3)
    spikes_of_first = []
    DenseSimulator(snn).run(pixels, 30, lambda emitted: spikes_of_first.append(int(emitted[0].abs().sum())))
    assert sum(spikes_of_first) > 0
    assert ours["ActivationSparsity"] == pytest.approx(theirs["ActivationSparsity"], rel=1e-12)
    static = TorchModel(SteppedNetwork(snn, 30))
    assert ours["ConnectionSparsity"] == ConnectionSparsity()(static)
    # Theirs have 64 bits; ours 32, two constants a channel, and the output's offsets.
    assert ours["Footprint"] == Footprint()(static) / 2 + 4 * (2 * (4 + 4 + 6) + 3)
    ours, theirs = ours["SynapticOperations"], theirs["SynapticOperations"]
    assert ours["Effective_MACs"] == theirs["Effective_MACs"]
    assert ours["Effective_ACs"] == theirs["Effective_ACs"] + residual * sum(spikes_of_first) / 3
    assert ours["Dense"] == theirs["Dense"] + residual * 30 * 4 * 6 * 6


def test_our_file_of_results_says_what_neurobench_measures():
    rng = np.random.default_rng(6)
    checkpoint = tiny_networks.random_checkpoint(rng, "4C3-P2-7", (1, 8, 8), 1)
    # Half of the output's weights are 0; those are no synapses for NeuroBench.
    checkpoint.parameters["3.weight"][:5] = 0
    snn = convert(checkpoint)
    images = Images(tiny_networks.random_pixels(rng, 6, (1, 8, 8)), np.arange(6) % 3)
    record = simulate_test_set(snn, images, 25, 4).record
    ours = neurobench_results(
        snn,
        images.pixels.astype(np.int32),
        steps=25,
        accuracy=record.accuracy,
        spikes_per_image=record.positive_spikes_per_image + record.negative_spikes_per_image,
        operations_per_image=record.operations_per_image,
    )
    theirs = measured_by_neurobench(snn, images.pixels, 25, 6)
    static = TorchModel(SteppedNetwork(snn, 25))
    assert ours["ConnectionSparsity"] == ConnectionSparsity()(static) > 0
    # Their weights have 64 bits here, ours 32, and two constants a channel.
    assert ours["Footprint"] == Footprint()(static) / 2 + 4 * 2 * (4 + 4 + 7)
    assert ours["ActivationSparsity"] == pytest.approx(theirs["ActivationSparsity"], rel=1e-12)
    operations = ours["SynapticOperations"]
    assert operations["Dense"] == theirs["SynapticOperations"]["Dense"]
    assert operations["Effective_MACs"] == theirs["SynapticOperations"]["Effective_MACs"]
    assert operations["Effective_ACs"] > theirs["SynapticOperations"]["Effective_ACs"]
    right = ClassificationAccuracy()(static, torch.tensor([0, 1]), (None, torch.tensor([0, 2])))
    assert (right, set(theirs)) == (0.5, {"ActivationSparsity", "SynapticOperations"})
    assert set(ours) == {*theirs, "ConnectionSparsity", "Footprint", "ClassificationAccuracy"}
