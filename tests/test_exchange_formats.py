"""ONNX, NIR and ST-BIF: what other programs read, run by them or by hand, and what comes back."""

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import lossless_snn as ls
from lossless_snn.conversion.modules import module_graph
from lossless_snn.errors import LosslessError
from lossless_snn.exchange.nir_file import read_nir, write_nir
from lossless_snn.exchange.onnx_file import write_onnx
from lossless_snn.exchange.stbif import stbif_state, write_stbif
from lossless_snn.networks.activations import ClippedQuantiser, RoundingQuantiser


class Residual(nn.Module):
    """Residual, with grouped and strided convolutions, average pooling, a clip, and a quantiser without one."""

    def __init__(self, max_pooling=False):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), RoundingQuantiser(1))
        self.pool = nn.MaxPool2d(2) if max_pooling else nn.AvgPool2d(2)
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(4))
        self.act, self.fc = ClippedQuantiser(5, 0.25), nn.Linear(16, 3)

    def forward(self, x):
        x = self.pool(self.stem(x))
        return self.fc(self.act(self.branch(x) + x).flatten(1))


@pytest.fixture
def images():
    return torch.round(torch.rand(20, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 256) / 256


@pytest.fixture
def module(images):
    return ready(Residual(), images)


def ready(module, images):
    torch.manual_seed(1)
    for name, parameter in module.named_parameters():
        if "weight" in name and parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.4)
    with torch.no_grad():
        for _ in range(20):
            module.train()(images)
    return module.eval()


@pytest.mark.parametrize("max_pooling", [False, True])
def test_onnx_gives_what_the_module_gives(images, tmp_path, max_pooling):
    onnxruntime = pytest.importorskip("onnxruntime")
    module = ready(Residual(max_pooling), images)
    write_onnx(*module_graph(module, images), None, tmp_path / "module.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "module.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": images.numpy()})
    with torch.no_grad():
        assert torch.from_numpy(logits).allclose(module(images), atol=1e-4)
    first = (tmp_path / "module.onnx").read_bytes()
    write_onnx(*module_graph(module, images), None, tmp_path / "module.onnx")
    assert (tmp_path / "module.onnx").read_bytes() == first


def test_nir_keeps_the_network_and_says_what_is_lost(module, images, tmp_path):
    nir = pytest.importorskip("nir")
    network = ls.convert(module, images)
    write_nir(network, tmp_path / "network.nir")
    again = read_nir(tmp_path / "network.nir")
    assert again.sha256 == network.sha256
    for name, tensor in network.tensors().items():
        assert again.tensors()[name].tobytes() == tensor.tobytes()
    graph = nir.read(tmp_path / "network.nir")
    assert str(graph.metadata["lossy"]).startswith("Lossy: ")
    assert set(graph.nodes) == {
        "input", "synapses0.0", "neurons0", "neurons1", "synapses2.0", "synapses2.1", "neurons2", "flat3.0",
        "synapses3.0", "output",
    }  # fmt: skip
    assert set(graph.edges) >= {("neurons1", "synapses2.0"), ("neurons1", "synapses2.1"), ("synapses2.1", "neurons2")}
    # What the first layer's neurons are due, in thresholds, from NIR's own numbers: rounded, the module's levels.
    part = graph.nodes["synapses0.0"]
    with torch.no_grad():
        due = nn.functional.conv2d(images, torch.from_numpy(part.weight), torch.from_numpy(part.bias), 2, 1)
        levels = 2 * module.stem(images)
    assert torch.round(due).clamp(min=0).equal(levels)
    assert levels.max() > 1


def test_nir_of_what_it_cannot_say(images, tmp_path):
    pytest.importorskip("nir")
    network = ls.convert(ready(Residual(max_pooling=True), images), images)
    with pytest.raises(LosslessError, match=r"layer 2 \(pool\): NIR has no max pooling"):
        write_nir(network, tmp_path / "network.nir")
    assert not list(tmp_path.iterdir())


def test_nir_files_that_are_not_ours_or_were_altered(module, images, tmp_path):
    nir = pytest.importorskip("nir")
    write_nir(ls.convert(module, images), tmp_path / "network.nir")
    graph = nir.read(tmp_path / "network.nir")
    graph.metadata["tensor readout"] = graph.metadata["tensor readout"] * np.float32(0.5)
    nir.write(tmp_path / "altered.nir", graph)
    with pytest.raises(LosslessError, match=r"altered.nir: altered since it was converted"):
        read_nir(tmp_path / "altered.nir")
    graph.metadata = {}
    nir.write(tmp_path / "other.nir", graph)
    with pytest.raises(LosslessError, match=r"other.nir: written by another program"):
        read_nir(tmp_path / "other.nir")
    (tmp_path / "damaged.nir").write_bytes(b"no HDF5")
    with pytest.raises(LosslessError, match=r"damaged.nir: damaged, or no NIR file"):
        read_nir(tmp_path / "damaged.nir")


@pytest.mark.parametrize(("package", "write"), [("nir", write_nir), ("onnx", write_onnx)])
def test_a_missing_package_is_one_line(monkeypatch, tmp_path, module, images, package, write):
    monkeypatch.setitem(sys.modules, package, None)
    content = (ls.convert(module, images),) if package == "nir" else (*module_graph(module, images), None)
    with pytest.raises(LosslessError, match=rf"^{package}: not installed; pip install 'lossless-snn\[exchange\]'$"):
        write(*content, tmp_path / "file")


class Bipolar:
    """SpikingJelly's STBIFNode, from its documentation: residual charge on 1/2, counts between two stops.

    Itself, where it is installed: test_other_libraries.py.
    """

    def __init__(self, state, name):
        self.step, self.most, self.least = (state[f"{name}.{key}"] for key in ("q_threshold", "pos_max", "neg_min"))
        self.charge, self.count = 0.5, 0.0

    def __call__(self, received):
        self.charge = self.charge + received / self.step
        if isinstance(self.count, float):
            self.count = torch.zeros_like(received)
        spikes = ((self.charge >= 1) & (self.count < self.most)).double()
        spikes -= ((self.charge < 0) & (self.count > self.least)).double()
        self.charge, self.count = self.charge - spikes, self.count + spikes
        return spikes * self.step


def test_st_bif_neurons_come_to_the_same_counts(images, tmp_path):
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), RoundingQuantiser(1), nn.Flatten(),
        nn.Linear(36, 12), ClippedQuantiser(2, 0.2), nn.Linear(12, 3),
    )  # fmt: skip
    torch.manual_seed(2)
    with torch.no_grad():
        for _ in range(20):
            module.train()(images)
    network = ls.convert(module.eval(), images)
    run = ls.simulate(network, images, 60, engine="dense")
    write_stbif(network, tmp_path / "network.stbif.safetensors")
    state = {name: array.double() for name, array in load_file(tmp_path / "network.stbif.safetensors").items()}
    assert state.keys() == stbif_state(network).keys()
    neurons = [Bipolar(state, f"neurons.{index}") for index in range(2)]
    logits = state["output.bias"]
    for step in range(60):
        once = 1.0 if step == 0 else 0.0
        convolved = nn.functional.conv2d(images.double() * once, state["layers.0.weight"], stride=2)
        spikes = neurons[0](convolved + once * state["layers.0.bias"][:, None, None])
        received = nn.functional.linear(spikes.flatten(1), state["layers.1.weight"], once * state["layers.1.bias"])
        logits = logits + nn.functional.linear(neurons[1](received), state["output.weight"])
    for index, layer in enumerate(run.layers):
        assert neurons[index].count.int().equal(run.counts(layer).reshape(neurons[index].count.shape))
    assert neurons[1].count.max() == 2
    assert logits.argmax(1).equal(run.predictions[:, -1])
