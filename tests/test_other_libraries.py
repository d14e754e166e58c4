"""Brevitas' quantisers and SpikingJelly's neurons themselves, in the environment of peers; see requirements/."""

import subprocess

import pytest
from projects import PEERS, ROOT

pytestmark = pytest.mark.skipif(not PEERS.is_file(), reason="no environment of peers; `make .venv-peers/bin/python`")

QUANT_RELU = """
import torch
from brevitas.nn import QuantReLU
from torch import nn
import lossless_snn as ls

torch.manual_seed(0)
images = torch.rand(20, 1, 8, 8)
module = nn.Sequential(
    nn.Conv2d(1, 4, 3), QuantReLU(bit_width=4), nn.Conv2d(4, 4, 3, padding=1), QuantReLU(bit_width=3),
    nn.Flatten(), nn.Linear(144, 3),
)
for _ in range(30):
    module(images)  # while it trains, Brevitas collects what it takes its scales from
network = ls.convert(module.eval(), images)
for node, place, bits in zip(network.graph.nodes, (1, 3), (4, 3), strict=True):
    module[place].return_quant_tensor = True
    scale = module[place](torch.ones(1)).scale.item()
    module[place].return_quant_tensor = False
    assert (node.name, node.quantiser.levels, node.quantiser.shift) == (str(place), 2**bits - 1, 0.0)
    assert abs(node.quantiser.step / scale - 1) < 1e-6
certification = ls.certify(ls.simulate(network, images, 40, engine="dense"), module)
assert certification.lossless and certification.predictions_unlike_module == 0, certification
"""

STBIF_NODE = """
import torch
from safetensors.torch import load_file
from spikingjelly.activation_based.neuron import STBIFNode
from torch import nn
import lossless_snn as ls
from lossless_snn.exchange.stbif import write_stbif

torch.manual_seed(0)
images = torch.randint(0, 257, (20, 1, 6, 6)) / 256
module = nn.Sequential(
    nn.Conv2d(1, 4, 3, 2), ls.ClippedQuantiser(5, 0.25), nn.Flatten(),
    nn.Linear(16, 12), ls.ClippedQuantiser(2, 0.125), nn.Linear(12, 3),
)
for place in (0, 3):
    module[place].weight.data *= 4  # so that some reach the clip
network = ls.convert(module, images)
run = ls.simulate(network, images, 60, engine="dense")
write_stbif(network, "network.stbif.safetensors")

theirs = nn.Module()
theirs.layers = nn.ModuleList([nn.Conv2d(1, 4, 3, 2), nn.Linear(16, 12)])
theirs.neurons = nn.ModuleList([STBIFNode(1.0, level=2) for _ in range(2)])
theirs.output = nn.Linear(12, 3)
theirs.load_state_dict(load_file("network.stbif.safetensors"))
logits = 0
with torch.no_grad():
    for step in range(60):
        first = float(step == 0)  # the image and the biases come once
        received = first * theirs.layers[0](images)
        spikes = theirs.neurons[0](received).flatten(1)
        received = nn.functional.linear(spikes, theirs.layers[1].weight, first * theirs.layers[1].bias)
        spikes = theirs.neurons[1](received)
        logits = logits + nn.functional.linear(spikes, theirs.output.weight, first * theirs.output.bias)
for neurons, layer in zip(theirs.neurons, run.layers, strict=True):
    counts = torch.round(neurons.accumulated / neurons.q_threshold).int()
    assert counts.equal(run.counts(layer).reshape(counts.shape))
    assert 0 < counts.max() == neurons.pos_max, "the clip was never met"
assert (run.negative_spikes.sum(1) > 0).any()
assert logits.argmax(1).equal(run.predictions[:, -1])
"""


@pytest.mark.parametrize("program", [QUANT_RELU, STBIF_NODE], ids=["Brevitas", "SpikingJelly"])
def test_in_the_environment_of_peers(program, tmp_path):
    environment = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}
    ran = subprocess.run([PEERS, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
