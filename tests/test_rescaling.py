"""Networks with larger or smaller activations: the same function, on which a quantiser is finer or coarser."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_networks import random_parameters
from torch import Tensor

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.conversion import convert
from lossless_snn.datasets import load
from lossless_snn.errors import LosslessError
from lossless_snn.networks.builder import GraphBuilder
from lossless_snn.networks.graph import IMAGE, Graph, Identity, Quantiser, chain_graph
from lossless_snn.networks.notation import parse
from lossless_snn.networks.quantised import QuantisedNetwork
from lossless_snn.networks.rescaling import rescaled
from lossless_snn.simulation.certificate import grid_activations

CHAIN = chain_graph(parse("4C3-P2-5", (2, 6, 6), 3, "same"))


def branched() -> Graph:
    """Biases with and without batch norm, groups, the image in two layers, a residual, poolings of every kind."""
    build = GraphBuilder((2, 6, 6))
    first = build.neurons(build.convolution(IMAGE, 4, 3, padding=1, bias=True))
    second = build.neurons(
        build.convolution(first, 4, 3, padding=1, groups=2, bias=True, batch_norm=False),
        build.convolution(IMAGE, 4, 1, bias=True, batch_norm=False),
        Identity(source=first),
    )
    pooled = [build.pooling(kind, second, (2, 2), stride=2) for kind in ("max", "sum", "average")]
    last = build.neurons(*(build.linear(source, 5, batch_norm=source != pooled[1]) for source in pooled))
    return build.graph(build.linear(last, 3, bias=True))


def maps(graph: Graph, parameters: dict[str, np.ndarray], k: int | None) -> list[Tensor]:
    """What each node gives, the logits last, for some images, in 64-bit floats."""
    network = QuantisedNetwork(graph, k)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})
    network.double().eval()
    images = torch.rand(20, *graph.input_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        return [values for _, values in network.run(images)]


@pytest.mark.parametrize("graph", [CHAIN, branched()], ids=["chain", "graph"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7, 64.0])
def test_activations_are_scaled_and_outputs_stay(graph, scale):
    given = random_parameters(np.random.default_rng(3), graph)
    *before, logits = maps(graph, given, None)
    *after, same = maps(graph, rescaled(given, graph, scale), None)
    assert all(values.max() > 0.5 for values in before)
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, scale * old, rtol=1e-4, atol=1e-5 * scale)
    torch.testing.assert_close(same, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("graph", [CHAIN, branched()], ids=["chain", "graph"])
def test_twice_the_activations_have_the_spike_counts_of_the_next_level(graph):
    given = random_parameters(np.random.default_rng(3), graph)
    finer, twice = maps(graph, given, 2), maps(graph, rescaled(given, graph, 2.0), 1)
    for old, new in zip(finer[:-1], twice[:-1], strict=True):
        torch.testing.assert_close(2 * new, 4 * old, rtol=0, atol=1e-9)
    torch.testing.assert_close(twice[-1], finer[-1], rtol=1e-5, atol=1e-5)


def test_a_scale_of_one_keeps_every_bit_and_shares_no_array():
    given = random_parameters(np.random.default_rng(3), CHAIN)
    given["0.variance"][:] = 1e-20
    found = rescaled(given, CHAIN, 1.0)
    for name, array in given.items():
        assert array.tobytes() == found[name].tobytes()
        assert array.dtype == found[name].dtype
        assert not np.shares_memory(array, found[name])


def test_a_channel_that_never_varied_keeps_a_variance():
    given = random_parameters(np.random.default_rng(3), CHAIN)
    given["1.variance"][:] = 0
    assert (rescaled(given, CHAIN, 0.1)["1.variance"] == 0).all()
    np.testing.assert_allclose(rescaled(given, CHAIN, 3.0)["1.variance"], 8e-5, rtol=1e-6)


def test_what_cannot_be_rescaled_is_refused():
    bounded = CHAIN.model_copy(update={"upper_bound": 2.0})
    with pytest.raises(LosslessError, match="upper bound 2, and cannot be rescaled"):
        rescaled(random_parameters(np.random.default_rng(3), CHAIN), bounded, 2.0)
    for inputs, quantiser, said in (
        ((), Quantiser(step=0.5), "layer 1 .*: has a quantiser of its own"),
        ((Identity(source=IMAGE),), None, "layer 1 .*: adds the image itself"),
    ):
        build = GraphBuilder((2, 6, 6))
        first = build.neurons(build.convolution(IMAGE, 2, 3, padding=1), *inputs, quantiser=quantiser)
        graph = build.graph(build.linear(first, 3))
        with pytest.raises(LosslessError, match=said):
            rescaled(random_parameters(np.random.default_rng(3), graph), graph, 2.0)


def test_the_command_writes_a_network_that_is_converted_like_any_other(
    digits_root, command_line, tmp_path, monkeypatch
):
    monkeypatch.chdir(digits_root)
    start, twice, again = (tmp_path / f"{name}.safetensors" for name in ("start", "twice", "again"))
    arguments = ["train", "tiny", "--budget", "quick", "--device", "cpu", "--epochs", "1", "--precision", "k1"]
    assert command_line(*arguments, "--out", start) == 0
    assert command_line("rescale", start, "--by", "2", "--out", twice) == 0
    assert command_line("rescale", start, "--by", "2", "--out", again) == 0
    assert twice.read_bytes() == again.read_bytes()
    made, given = Checkpoint.load(twice), Checkpoint.load(start)
    assert made.metadata.model_extra["rescaled_by"] == 2
    assert made.metadata.model_extra["rescaled_from"] == given.sha256
    assert made.metadata.recipe == given.metadata.recipe
    # At level 1 its spike counts are those that the given network has at level 2.
    finer = Checkpoint(given.parameters, given.metadata.model_copy(update={"precision": "k2"}))
    images = load("digits", "test").pixels[:50]
    for old, new in zip(*(grid_activations(convert(network), images) for network in (finer, made)), strict=True):
        assert (np.asarray(old) == np.asarray(new)).all()
    for scale in ("0", "nan", "1e6"):
        assert command_line("rescale", start, "--by", scale, "--out", tmp_path / "none") != 0
    assert not (tmp_path / "none").exists()
    assert "32-bit floats" in command_line("rescale", huge(given, tmp_path), "--by", "1000", "--out", tmp_path / "none")


def huge(checkpoint: Checkpoint, folder: Path) -> Path:
    """The checkpoint, with parameters that cannot be a thousand times as large."""
    parameters = checkpoint.parameters | {"0.gamma": np.full_like(checkpoint.parameters["0.gamma"], 1e37)}
    Checkpoint(parameters, checkpoint.metadata).save(folder / "huge.safetensors")
    return folder / "huge.safetensors"
