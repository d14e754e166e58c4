"""Conversion: thresholds and bases, signs of gamma, the grid, refusals, files."""

import math
from fractions import Fraction

import numpy as np
import pytest
import reference
from tiny_networks import checkpoint_of, integer_ann, random_checkpoint, random_pixels, reference_layers, thresholds_of

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.conversion.convert import convert
from lossless_snn.conversion.spiking_network import SpikingNetwork
from lossless_snn.errors import LosslessError

pytestmark = pytest.mark.usefixtures("tiny_datasets")


def single_unit(k, weight=1.0, gamma=1.0, beta=0.0, mean=0.0, variance=1 - 1e-5, units="1"):
    parameters = {"0.weight": weight, "0.gamma": gamma, "0.beta": beta, "0.mean": mean, "0.variance": variance}
    shaped = {
        name: np.full((1, 1, 1, 1) if name.endswith("weight") else 1, value) for name, value in parameters.items()
    }
    return checkpoint_of({**shaped, "1.weight": np.ones((10, 1, 1, 1))}, units, (1, 1, 1), k)


def test_thresholds_by_hand():
    """k = 1, sigma = 2, gamma = 0.5, beta = 0.1, mean = 3: theta = 4 and b = (1/4 - 0.1) 2 * 4 + 2 * 3 - 4 = 3.2."""
    checkpoint = single_unit(1, weight=0.7, gamma=0.5, beta=0.1, mean=3, variance=4 - 1e-5)
    weight, theta, base = thresholds_of(checkpoint, 0)
    assert weight.item() == pytest.approx(0.7)
    assert theta.item() == pytest.approx(4)
    assert base.item() == pytest.approx(3.2)


def test_negative_gamma_by_hand():
    """The filter, the mean and gamma are negated: theta = 4, b = (1/4 - 0.1) 2 * 4 - 2 * 3 - 4 = -8.8."""
    checkpoint = single_unit(1, weight=0.7, gamma=-0.5, beta=0.1, mean=3, variance=4 - 1e-5)
    weight, theta, base = thresholds_of(checkpoint, 0)
    assert weight.item() == pytest.approx(-0.7)
    assert theta.item() == pytest.approx(4)
    assert base.item() == pytest.approx(-8.8)


@pytest.mark.parametrize("k", [0, 1, 2, 5])
def test_thresholds_against_the_plain_loop(k):
    checkpoint = random_checkpoint(np.random.default_rng(k), "5C3-P2-4", (2, 6, 6), k, zero_gammas=0.2)
    for index, layer in enumerate(reference_layers(checkpoint)[:-1]):
        weight, theta, base = thresholds_of(checkpoint, index)
        matrix, expected_theta, expected_base = reference.spiking_constants(layer, checkpoint.parameters, index, k)
        assert layer.matrix(weight) == pytest.approx(matrix)
        assert reference.per_neuron(layer, theta) == pytest.approx(expected_theta)
        assert reference.per_neuron(layer, base) == pytest.approx(expected_base)


def test_a_file_keeps_constants_computed_in_32_bits():
    checkpoint = random_checkpoint(np.random.default_rng(0), "5C3-4", (1, 6, 6), 1)
    snn = convert(checkpoint)
    one = np.float32
    for index, layer in enumerate(snn.hidden):
        gamma, beta, mean, variance = (
            checkpoint.parameters[f"{index}.{name}"] for name in ("gamma", "beta", "mean", "variance")
        )
        sigma = np.sqrt(variance + one(1e-5))
        assert layer.threshold.dtype == layer.base.dtype == layer.weight.dtype == np.float32
        np.testing.assert_array_equal(layer.threshold, sigma / np.abs(gamma))
        base = (one(0.25) - beta) * one(2) * sigma / np.abs(gamma) + one(2) * mean * np.sign(gamma) - layer.threshold
        np.testing.assert_array_equal(layer.base, base)


@pytest.mark.parametrize("k", [0, 1, 3, 6])
@pytest.mark.parametrize(("network", "padding"), [("3C3-P2-4", "valid"), ("2C2-3C4-P3-5", "same"), ("6-5", "valid")])
def test_the_network_on_its_grid_is_the_quantised_one(network, padding, k):
    """Counting thresholds on integers gives the quantiser's levels, with gammas of either sign and zero."""
    rng = np.random.default_rng(k)
    checkpoint = random_checkpoint(rng, network, (1, 6, 6), k, padding, gamma=(0, 0.7), zero_gammas=0.15)
    snn, layers = convert(checkpoint), reference_layers(checkpoint)
    for image in random_pixels(rng, 3, (1, 6, 6)):
        activations, logits = reference.ann(layers, checkpoint.parameters, k, image / 256)
        on_grid, grid_logits = integer_ann(snn, image)
        for got, want in zip(on_grid, activations, strict=True):
            assert got.tolist() == want.tolist()
        assert int(np.argmax(grid_logits)) == int(np.argmax(logits))


def test_the_grid_is_fine():
    """Weights, thresholds and bases lie within a millionth of a threshold of the exact ones.

    The base's is where 2^k BN + 1e-5, which the quantiser rounds, passes 1/2, one threshold further up.
    """
    checkpoint = random_checkpoint(np.random.default_rng(3), "4C3-5", (1, 6, 6), 2)
    for index, layer in enumerate(convert(checkpoint).hidden):
        weight, theta, base = thresholds_of(checkpoint, index)
        # the first layer takes pixels p, of which it receives 2^k p / 256
        scale = np.ldexp(1.0, layer.exponent)
        unit = scale * (4 / 256 if index == 0 else 1)
        assert layer.grid_threshold * unit == pytest.approx(theta, rel=1e-6)
        assert np.abs((layer.grid_offset - 0.5) * unit - (base - 1e-5 * theta)).max() <= 1e-6 * theta.max()
        assert np.abs(layer.grid_weight * scale[:, None, None, None] - weight).max() <= 0.5 * scale.max()


@pytest.mark.parametrize(("beta", "k", "level"), [(-1, 0, 0), (0.5, 0, 1), (0.49, 0, 0), (1.5, 0, 2), (0.8, 2, 3)])
def test_gamma_of_zero_fires_the_constant(beta, k, level):
    snn = convert(single_unit(k, weight=5, gamma=0, beta=beta))
    for pixel in (0, 255):
        assert integer_ann(snn, np.full((1, 1, 1), pixel))[0][0].tolist() == [level]


def test_fp32_is_refused():
    with pytest.raises(LosslessError, match=r"FP32.*k<N>"):
        convert(random_checkpoint(np.random.default_rng(0), "4", (1, 4, 4), None))


def test_a_threshold_lost_beside_its_weights_is_refused_by_layer_and_channel():
    checkpoint = random_checkpoint(np.random.default_rng(0), "3-4", (1, 4, 4), 0)
    checkpoint.parameters["1.gamma"][2] = 1e9
    checkpoint.parameters["1.weight"][2] = 1e9
    with pytest.raises(LosslessError, match=r"layer 2 \(4\), channel 2"):
        convert(checkpoint)


@pytest.mark.parametrize("k", [45, 60, 90])
def test_counts_beyond_the_membranes_are_refused(k):
    """beta = 1 alone is 2^k levels; a network that cannot be exact must not be made."""
    checkpoint = single_unit(k, weight=0.1, beta=1)
    with pytest.raises(LosslessError, match=r"layer 1 \(1\), channel 0"):
        convert(checkpoint)


def test_a_constant_beyond_the_membranes_is_refused():
    with pytest.raises(LosslessError, match=r"layer 1 \(1\), channel 0"):
        convert(single_unit(50, gamma=0, beta=1))


@pytest.mark.parametrize("k", [10, 20, 30])
def test_high_levels_are_exact(k):
    """One unit, weight 1, sigma 1: 2^k p / 256 rounded, half a level up; p / 256 is a level from k = 8 on."""
    snn = convert(single_unit(k))
    for pixel in (0, 1, 100, 255):
        count = integer_ann(snn, np.full((1, 1, 1), pixel))[0][0][0]
        assert abs(Fraction(int(count), 2**k) - Fraction(pixel, 256)) < Fraction(1, 10**6)


@pytest.mark.parametrize("network", ["4C3-P2-6-5", "-".join(["40"] * 12)])
def test_membranes_are_proven_to_fit(network):
    """What conversion promises: in 2^20 steps the largest sums over all inputs stay below 2^62.

    The bound on counts that the weights alone give grows with each layer, beyond 2^62 in the deep network.
    """
    snn = convert(random_checkpoint(np.random.default_rng(5), network, (1, 6, 6), 8))
    peak = np.full(1, 255, dtype=object)
    for layer in snn.hidden:
        weight = layer.grid_weight.astype(object)
        up = np.maximum(weight, 0).sum(axis=(2, 3)) @ peak
        down = np.maximum(-weight, 0).sum(axis=(2, 3)) @ peak
        offset, theta = layer.grid_offset.astype(object), layer.grid_threshold.astype(object)
        assert max(up + down + abs(offset) + theta) < 2**62
        peak = np.minimum(np.maximum(up - offset, 0) // theta, 2**20)
    assert max(np.abs(snn.grid_readout.astype(object)).sum(axis=(2, 3)) @ peak) < 2**62


def test_files_round_trip_and_are_the_same_bytes_twice(tmp_path):
    checkpoint = random_checkpoint(np.random.default_rng(0), "3C3-P2-4", (1, 6, 6), 1, zero_gammas=0.2)
    snn = convert(checkpoint)
    snn.save(tmp_path / "a")
    convert(checkpoint).save(tmp_path / "b")
    loaded = SpikingNetwork.load(tmp_path / "a")
    loaded.save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert loaded.metadata.dataset == "tiny-1x6x6"
    assert loaded.metadata == snn.metadata
    for layer, other in zip(loaded.hidden, snn.hidden, strict=True):
        for name in ("weight", "threshold", "base", "exponent", "grid_threshold", "grid_offset", "grid_weight"):
            np.testing.assert_array_equal(getattr(layer, name), getattr(other, name))


def test_a_checkpoint_must_fit_its_network_and_be_finite(tmp_path):
    def load_with(change):
        checkpoint = random_checkpoint(np.random.default_rng(0), "4", (1, 4, 4), 1)
        change(checkpoint.parameters)
        checkpoint.save(tmp_path / "x")
        return Checkpoint.load(tmp_path / "x")

    assert load_with(lambda p: None).k == 1
    with pytest.raises(LosslessError, match=r"0\.beta is not finite"):
        load_with(lambda p: p["0.beta"].fill(math.nan))
    with pytest.raises(LosslessError, match=r"missing or in excess: 0\.mean"):
        load_with(lambda p: p.pop("0.mean"))
    with pytest.raises(LosslessError, match=r"0\.weight has shape .*\(3, 1, 4, 4\).* needs \(4, 1, 4, 4\)"):
        load_with(lambda p: p.update({"0.weight": p["0.weight"][:3]}))


@pytest.mark.parametrize("cut", [1, 50, 400])
def test_truncated_files_are_one_line_and_no_result(trained, project, command_line, tmp_path, cut):
    checkpoint, snn = tmp_path / "cut.safetensors", tmp_path / "cut.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    checkpoint.write_bytes(trained.read_bytes()[:-cut])
    snn.write_bytes(snn.read_bytes()[:-cut])
    for path, arguments in [
        (checkpoint, ("convert", checkpoint, "--out", tmp_path / "out")),
        (checkpoint, ("evaluate", checkpoint, "--out", tmp_path / "out")),
        (snn, ("simulate", snn, "--logs", tmp_path / "out")),
    ]:
        said = command_line(*arguments)
        assert str(path) in said
        assert "truncated" in said
        assert "\n" not in said
        assert not (tmp_path / "out").exists()


def test_files_of_another_kind_are_refused(trained, project, command_line, tmp_path):
    assert "expected a spiking network, found checkpoint" in command_line("simulate", trained, "--logs", tmp_path / "x")
    assert "no such file" in command_line("convert", tmp_path / "nowhere", "--out", tmp_path / "x")
