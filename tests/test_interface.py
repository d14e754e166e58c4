"""The interface in Python: modules converted, against what the modules themselves give; and what cannot be."""

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lossless_snn as ls
from lossless_snn import __main__ as program
from lossless_snn import interface
from lossless_snn.conversion.modules import module_graph
from lossless_snn.conversion.staircase import NoStaircase, staircase
from lossless_snn.networks import activations
from lossless_snn.provenance.code.entries import entries
from lossless_snn.provenance.code.fingerprint import PACKAGE, Sources
from lossless_snn.simulation import batches

STEPS = 80


class Qcfs(nn.Module):
    """Bu et al. 2022, as its users write it."""

    def __init__(self, levels, threshold):
        super().__init__()
        self.L, self.thresh = levels, nn.Parameter(torch.tensor([threshold]))

    def forward(self, x):
        x = torch.clamp(x / self.thresh, 0, 1)
        return torch.floor(x * self.L + 0.5) / self.L * self.thresh


class RoundPassStraight(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.round()

    @staticmethod
    def backward(context, gradient):
        return gradient


class Lsq(nn.Module):
    """Esser et al. 2020, unsigned, of so many bits; torch.fx cannot follow into it."""

    def __init__(self, bits, step):
        super().__init__()
        self.most, self.s = 2**bits - 1, nn.Parameter(torch.tensor(step))

    def forward(self, x):
        return RoundPassStraight.apply((x / self.s).clamp(0, self.most)) * self.s


class Uneven(nn.Module):
    def forward(self, x):
        return torch.floor(torch.relu(x)) ** 2


class Block(nn.Module):
    """A residual block, whose shortcut is a convolution where the map gets smaller."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, groups=2, bias=False)
        self.norm, self.act = nn.BatchNorm2d(after), activations.ClippedQuantiser(7, 0.3)
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, padding="same"), nn.BatchNorm2d(after, eps=1e-3))
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride), nn.BatchNorm2d(after, affine=False))
        self.shortcut = self.shortcut if stride > 1 else nn.Identity()
        self.out = Qcfs(8, 2.0)

    def forward(self, x):
        return self.out(self.second(self.act(self.norm(self.first(x)))) + self.shortcut(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2), nn.ReLU6(), Lsq(4, 0.4))
        self.blocks = nn.ModuleList([Block(4, 4, 1), Block(4, 8, 2)])
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, 1)
        return F.log_softmax(self.fc(x.view(x.size(0), -1)), dim=1)


def settled_statistics(module, images):
    """The module, with the running statistics of its batch norms from `images`."""
    module.train()
    with torch.no_grad():
        for _ in range(20):
            module(images)
    return module.eval()


def outputs(module, images, paths):
    """What parts of the module give for the images, in 64-bit floats."""
    found, exact = {}, module.double().eval()
    hooks = [
        exact.get_submodule(path).register_forward_hook(lambda _, __, out, path=path: found.update({path: out}))
        for path in paths
    ]
    with torch.no_grad():
        found[""] = exact(images.double())
    for hook in hooks:
        hook.remove()
    module.float()
    return found


def test_a_residual_network_neuron_by_neuron():
    torch.manual_seed(0)
    images = torch.round(torch.rand(12, 2, 8, 8) * 256) / 256
    module = settled_statistics(Residual(), images)
    run = ls.simulate(ls.convert(module, images), images, STEPS, engine="dense")
    # ReLU6's bound is 15 of Lsq's steps; its pooling, before the quantiser in the module, comes behind it.
    names = ("stem.3", "stem.1", "blocks.0.act", "blocks.0.out", "blocks.1.act", "blocks.1.out")
    assert set(run.layers) == {"stem.3", "stem.3-2", *names[2:]}
    assert (run.settled_step >= 0).all()
    expected = outputs(module, images, [*names[2:], "stem"])
    for path, layer, step in [
        ("stem", "stem.3-2", 0.4),
        ("blocks.0.act", "blocks.0.act", 0.3),
        ("blocks.0.out", "blocks.0.out", 0.25),
        ("blocks.1.act", "blocks.1.act", 0.3),
        ("blocks.1.out", "blocks.1.out", 0.25),
    ]:
        counted = torch.round(expected[path] / step)
        assert counted.max() > 1
        assert run.counts(layer).equal(counted.int()), layer
    assert run.predictions[:, -1].equal(expected[""].argmax(1))
    certification = ls.certify(run, module)
    assert certification.lossless
    assert (certification.images, certification.predictions_unlike_module) == (12, 0)


def counting() -> torch.nn.Sequential:
    """One neuron, whose count at rest is the input: it takes as many steps."""
    layers = torch.nn.Linear(1, 1), torch.nn.ReLU(), ls.RoundingQuantiser(0), torch.nn.Linear(1, 2)
    for linear in (layers[0], layers[3]):
        torch.nn.init.ones_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
    return torch.nn.Sequential(*layers).eval()


@pytest.mark.parametrize("largest", [0.0, 3.0, 32.0, 33.0, 100.0])
def test_without_steps_images_come_to_rest_and_no_step_is_too_many(monkeypatch, largest):
    """Batch by batch of two, so that they need different numbers of steps; a count of n takes n steps."""
    monkeypatch.setattr(interface, "_BATCH", 2)
    images = torch.tensor([[0.0], [1.0], [largest], [2.0], [0.0]])
    network = ls.convert(counting(), torch.full((1, 1), 100.0))
    run = ls.simulate(network, images)
    steps = int(max(largest, 2.0))
    assert run.predictions.shape == (5, steps)
    assert run.settled_step.tolist() == [0, 1, largest, 2, 0]
    given = ls.simulate(network, images, steps)
    for name in ("predictions", "positive_spikes", "negative_spikes", "operations", "settled_step"):
        assert getattr(run, name).equal(getattr(given, name)), name
    assert run.counts(0).equal(given.counts(0))
    assert ls.certify(run).lossless


def test_images_that_need_more_steps_than_can_be_simulated_are_refused(monkeypatch):
    monkeypatch.setattr(batches, "MOST_STEPS", 50)
    network = ls.convert(counting(), torch.full((1, 1), 100.0))
    with pytest.raises(ls.LosslessError, match="images: not at rest after 50 steps"):
        ls.simulate(network, torch.tensor([[60.0]]))


def test_what_a_run_shows_adds_up(tmp_path):
    torch.manual_seed(1)
    images = torch.rand(3, 2, 8, 8)
    network = ls.convert(settled_statistics(Residual(), images), images)
    run = ls.simulate(network, images, STEPS, engine="dense")
    positive = negative = 0
    for layer in run.layers:
        time, neuron, sign = run.spikes(layer, image=2).T
        assert (time.diff() >= 0).all()
        counts = torch.zeros_like(run.counts(layer)[2]).flatten().long().index_add_(0, neuron, sign)
        assert counts.equal(run.counts(layer)[2].flatten().long())
        positive, negative = positive + int((sign > 0).sum()), negative + int((sign < 0).sum())
    assert (positive, negative) == (run.positive_spikes[2].sum(), run.negative_spikes[2].sum())
    # At rest a membrane's whole thresholds are the count, as far as the upper stop allows.
    membrane = run.membrane("blocks.1.out", image=2)
    assert membrane.shape == (STEPS, 8, 2, 2)
    assert membrane[-1].floor().clamp(0, 8).int().equal(run.counts("blocks.1.out")[2])
    assert run.membrane("blocks.1.out", 5, image=2).equal(membrane.flatten(1)[:, 5])
    network.save(tmp_path / "network.safetensors")
    again = ls.simulate(ls.load(tmp_path / "network.safetensors"), images, STEPS, engine="dense")
    assert again.operations.equal(run.operations)
    labels = run.predictions[:, -1].clone()
    labels[0] += 1
    assert run.accuracy(labels)[-1].item() == pytest.approx(2 / 3)
    assert repr(run).startswith("Run(3 images, 80 steps: 3 settled, ")
    # 4 x 8 x 8 before max pooling, two layers of 4 x 4 x 4, two of 8 x 2 x 2.
    assert repr(network) == "SpikingNetwork(Residual: 5 layers, 448 neurons)"


def test_one_neuron_by_hand():
    """Of weight 2, bias 1/2, steps of 1 and at most 3: for 1.5 it is due 4, of which the clip leaves 3."""
    module = nn.Sequential(nn.Linear(1, 1), activations.ClippedQuantiser(levels=3, rounding="floor"), nn.Linear(1, 2))
    module[0].weight.data.fill_(2.0)
    module[0].bias.data.fill_(0.5)
    run = ls.simulate(ls.convert(module, torch.tensor([[1.5]])), torch.tensor([[1.5], [0.3], [-1.0]]), 6)
    assert run.spikes("1", 0).tolist() == [[0, 0, 1], [1, 0, 1], [2, 0, 1]]
    assert run.counts("1").flatten().tolist() == [3, 1, 0]
    # 3.5, 1.1 and -1.5 thresholds above 0; the base is a whole threshold below the first one.
    assert run.membrane("1", 0, 0)[-1].item() == pytest.approx(3.5, abs=1e-4)
    assert run.settled_step.tolist() == [3, 1, 0]


@pytest.mark.parametrize(
    ("module", "step", "levels", "shift", "rectifies"),
    [
        (Qcfs(8, 2.0), 0.25, 8, 0.0, True),
        (Lsq(2, 0.7), 0.7, 3, 0.0, True),
        (activations.RoundingQuantiser(2), 0.25, None, 1e-5, False),
        (activations.ClippedQuantiser(5, 0.1, "floor"), 0.1, 5, -0.5, True),
        (activations.ClippedQuantiser(1, 3.0), 3.0, 1, 0.0, True),
    ],
)
def test_quantisers_are_found_by_what_they_give(module, step, levels, shift, rectifies):
    found = staircase(module.double())
    assert (found.quantiser.levels, found.quantiser.shift, found.rectifies) == (levels, shift, rectifies)
    assert found.quantiser.step == pytest.approx(step, rel=1e-6)


@pytest.mark.parametrize("module", [Uneven(), nn.Identity(), nn.Sigmoid(), nn.Conv2d(1, 1, 1)])
def test_other_modules_are_no_quantisers(module):
    with pytest.raises(NoStaircase):
        staircase(module.double())


def test_the_clipped_quantiser_has_the_gradients_of_lsq():
    quantiser = activations.ClippedQuantiser(levels=3, step=0.5)
    x = torch.tensor([-1.0, 0.3, 0.8, 9.0], requires_grad=True)
    given = quantiser(x)
    given.sum().backward()
    assert given.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]
    # The rounding errors in steps, 1 - 0.6 and 2 - 1.6, and the number of levels beyond the clip.
    assert quantiser.step.grad.item() == pytest.approx(0.4 + 0.4 + 3)


class Concatenation(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3), activations.ClippedQuantiser(3)

    def forward(self, x):
        return torch.cat([self.act(self.a(x)), self.act(self.b(x))], 1)


class Decides(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def behind(*layers):
    return nn.Sequential(nn.Conv2d(1, 4, 3), *layers, nn.Flatten(), nn.Linear(144, 3))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (behind(nn.ReLU()), r"2 \(Flatten\): receives what 1 \(ReLU\) gives without a quantiser; put one there, or"),
        (behind(nn.GELU()), r"1 \(GELU\): GELU is none of the layers that spikes can carry"),
        (behind(Uneven()), r"1: floor: this operation is none .*; it was taken for no quantiser, because it rises by"),
        (behind(activations.RoundingQuantiser(1)), r"1 \(RoundingQuantiser\): quantises what no ReLU stands before"),
        (
            behind(nn.ReLU6(), activations.ClippedQuantiser(99, 0.7)),
            r"the bound 6 before it is no multiple of its step",
        ),
        (Concatenation(), r"forward: cat: this operation is none that spikes can carry"),
        (nn.Sequential(Decides(), nn.Flatten()), r"0: torch.fx cannot trace it \(TraceError: "),
        (
            behind(nn.MaxPool2d(2, ceil_mode=True), nn.Upsample(scale_factor=2)),
            r"1 \(MaxPool2d\): pools with ceil_mode",
        ),
        (nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2), nn.Flatten()), r"0 \(Conv2d\): dilation \(2, 2\); 1 can be"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 3)), r"module: does not run on the example input"),
    ],
)
def test_what_cannot_be_converted_is_named(module, message):
    with pytest.raises(ls.LosslessError, match=message) as error:
        module_graph(module, torch.rand(1, 1, 8, 8))
    assert "\n" not in str(error.value)


def test_k_puts_the_method_s_quantiser_behind_a_relu_once():
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3))
    graph, _ = module_graph(module, torch.rand(1, 1, 8, 8), k=2)
    assert [node.name for node in graph.nodes] == ["1", "3"]
    quantiser = graph.nodes[0].quantiser
    assert (quantiser.step, quantiser.levels, quantiser.shift) == (0.25, None, 1e-5)


def test_images_that_the_network_does_not_take():
    module = nn.Sequential(nn.Linear(4, 3), activations.ClippedQuantiser(3), nn.Linear(3, 2))
    network = ls.convert(module, torch.ones(1, 4))
    for images, message in [
        (torch.full((1, 4), 2.5), r"from 2.5 to 2.5, but the network was converted for values from -2 to 2"),
        (torch.full((1, 4), float("nan")), "another input_range"),
        (torch.ones(1, 5), r"of shape \(1, 5\), but the network takes \(N, 4, 1, 1\)"),
        (torch.ones(1, 4, dtype=torch.uint8), "the network takes floats"),
    ]:
        with pytest.raises(ls.LosslessError, match=message):
            ls.simulate(network, images, 3, engine="dense")
    run = ls.simulate(network, torch.ones(1, 4), 3, engine="dense")
    with pytest.raises(ls.LosslessError, match="no layer 'conv'; there are 1"):
        run.spikes("conv")
    with pytest.raises(ls.LosslessError, match="image 1: 1 were simulated, from 0"):
        run.spikes("1", image=1)


def test_arguments_out_of_range_are_one_line():
    module = nn.Sequential(nn.Linear(4, 3), activations.ClippedQuantiser(3), nn.Linear(3, 2))
    images = torch.rand(5, 4)
    run = ls.simulate(ls.convert(module, images), images, 3, engine="dense")
    for refused, message in [
        (lambda: ls.convert(module, images, k=-1), "k -1: from 0 to 99"),
        (lambda: ls.convert(module, images, k=100), "k 100: from 0 to 99"),
        (lambda: ls.convert(module, images, input_bits=40), "input_bits 40, input_range [0-9.]+: bits: .*found 40"),
        (lambda: ls.convert(module, images, input_range=-1.0), "input_range -1: the largest absolute value"),
        (lambda: ls.convert(module, images * float("nan")), "input_range nan: the largest absolute value"),
        (lambda: ls.convert(module, torch.zeros(0, 4)), r"example_input: of shape \(0, 4\); one input"),
        (
            lambda: ls.convert(module, images.numpy()),
            "example_input: expected a tensor, found ndarray; torch",
        ),
        (lambda: ls.convert(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), images), "module: nothing in it spikes"),
        (lambda: ls.simulate(run.network, images, 3, engine="evnt"), "engine 'evnt': .*; did you mean 'event'"),
        (lambda: ls.simulate(run.network, images.numpy(), 3), "images: expected a tensor, found ndarray"),
        (lambda: ls.simulate(run.network, images, 0), "steps 0: from 1 to"),
        (lambda: run.accuracy(torch.zeros(4)), r"labels: of shape \(4,\), but 5 images were simulated"),
        (lambda: run.accuracy([0] * 5), "labels: expected a tensor, found list"),
        (lambda: ls.certify(run, nn.Linear(5, 2)), "module: does not take the run's images: RuntimeError: "),
    ]:
        with pytest.raises(ls.LosslessError, match=message) as error:
            refused()
        assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("command", "lacking"),
    [
        (["simulate", "own.safetensors", "--logs", "logs"], "experiment"),
        (["simulate", "own.safetensors", "--logs", "logs", "--steps", "3", "--batch-size", "5"], "dataset"),
        (["activity", "own.safetensors", "--out", "activity.json"], "experiment"),
        (["compare-neurons", "own.safetensors", "--out", "neurons"], "experiment"),
        (["widths", "own.safetensors", "--out", "widths.csv"], "experiment"),
        (["certify", "own.safetensors", "--implementation", "operator:add"], "experiment"),
        (["viewer", "own.safetensors", "--out", "viewer.html"], "precision"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_commands_that_need_an_experiment_say_so_of_a_module(tmp_path, monkeypatch, command, lacking):
    monkeypatch.chdir(tmp_path)
    module = nn.Sequential(nn.Linear(4, 3), activations.ClippedQuantiser(3), nn.Linear(3, 2))
    ls.convert(module, torch.rand(5, 4)).save("own.safetensors")
    monkeypatch.setattr(sys, "argv", ["lossless-snn", *command])
    with pytest.raises(SystemExit) as stop:
        program.run()
    assert stop.value.code == (
        f"lossless-snn: a network that was converted from a module has no {lacking}, which this command needs: use it "
        "in Python (docs/interface.md)"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["own.safetensors"]


@pytest.mark.parametrize("module", [interface, activations])
def test_examples_of_the_docstrings(module):
    np.random.seed(0)
    torch.manual_seed(0)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.attempted > 1
    assert not results.failed


def test_the_package_alone_imports_no_torch_and_commands_do_not_reach_the_interface():
    program = "import sys, lossless_snn; before = set(sys.modules); lossless_snn.convert; "
    program += "print('torch' in before, 'torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False True\n"
    assert set(ls.__all__) == set(interface.__all__)
    for command in ("train", "convert", "simulate", "figure sops"):
        reached = {reference.module for reference in Sources(PACKAGE).reached(*entries(command))}
        assert not {"lossless_snn.interface", "lossless_snn.conversion.modules"} & reached
