"""Networks of few bits: on integers of that width, lossless where nothing saturates, and saturating as said."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from tiny_networks import assert_same_bytes, integer_ann, random_checkpoint, random_pixels

from lossless_snn.conversion.convert import convert
from lossless_snn.conversion.spiking_network import SpikingNetwork, Widths
from lossless_snn.conversion.widths import narrow
from lossless_snn.datasets import Images
from lossless_snn.errors import LosslessError
from lossless_snn.files.tensors import load_tensors
from lossless_snn.runs.widths import read_widths
from lossless_snn.simulation import simulator
from lossless_snn.simulation.test_set import simulate_test_set

pytestmark = pytest.mark.usefixtures("tiny_datasets")
NETWORKS = [("3C3-P2-4", (1, 8, 8), "valid"), ("4C3-6", (2, 6, 6), "same")]


def drawn(network, shape, padding, k=1, images=3):
    rng = np.random.default_rng(7)
    return convert(random_checkpoint(rng, network, shape, k, padding)), random_pixels(rng, images, shape)


@pytest.mark.parametrize("bits", [3, 4, 8, 16])
@pytest.mark.parametrize(("network", "shape", "padding"), NETWORKS)
def test_a_network_of_few_bits_is_lossless_at_its_width(network, shape, padding, bits):
    snn, pixels = drawn(network, shape, padding)
    few = narrow(snn, Widths(weight_bits=bits, membrane_bits=62, overflow="refuse"))
    for layer, full in zip(few.hidden, snn.hidden, strict=True):
        largest = np.abs(layer.grid_weight).max(axis=(1, 2, 3))
        assert (largest == 2 ** (bits - 1) - 1).all()
        # Each weight is the nearest that its channel has: half a unit off at the most.
        unit = np.abs(full.weight).max(axis=(1, 2, 3), keepdims=True) / (2 ** (bits - 1) - 1)
        assert np.abs(layer.grid_weight * unit - full.weight).max() <= 0.5 * unit.max() * (1 + 1e-6)
    simulated = simulate_test_set(few, Images(pixels, np.zeros(len(pixels), int)), 100, 2)
    assert simulated.certificate.mismatches == simulated.certificate.images_not_settled == 0
    assert not simulated.saturating
    trace = simulator(few).run(pixels.astype(np.int32), 100)
    for image in range(len(pixels)):
        activations, _ = integer_ann(few, pixels[image])
        for count, activation in zip(trace.counts, activations, strict=True):
            assert count[image].ravel().tolist() == activation.tolist()


def test_at_many_bits_it_is_the_same_network():
    snn, pixels = drawn(*NETWORKS[0])
    fine = narrow(snn, Widths(weight_bits=24, membrane_bits=62, overflow="refuse"))
    for one, other in zip(
        simulator(fine).run(pixels.astype(np.int32), 60).counts,
        simulator(snn).run(pixels.astype(np.int32), 60).counts,
        strict=True,
    ):
        assert one.tolist() == other.tolist()


def test_refusing_says_what_is_needed():
    snn, _ = drawn(*NETWORKS[0])
    with pytest.raises(LosslessError, match=r"layer 1 \(3C3\), channel \d: membranes may need (\d+) bits") as caught:
        narrow(snn, Widths(weight_bits=8, membrane_bits=4, overflow="refuse"))
    needed = int(str(caught.value).split("need ")[1].split()[0])
    # The first layer has eight bits more, those of a pixel; with those it fits, and with one less it does not.
    for bits, fits in ((needed - 8, True), (needed - 9, False)):
        few = Widths(weight_bits=8, membrane_bits=bits, overflow="refuse")
        try:
            narrow(snn, few)
            message = ""
        except LosslessError as error:
            message = str(error)
        assert ("layer 1" not in message) == fits


def test_a_threshold_that_is_lost_is_named():
    snn, _ = drawn(*NETWORKS[0])
    layer = snn.hidden[1]
    lost = replace(layer, threshold=layer.threshold * np.float32(1e-4))
    with pytest.raises(LosslessError, match=r"layer 2 \(P2\), channel 0: with weights of 4 bits its threshold"):
        narrow(
            replace(snn, hidden=(snn.hidden[0], lost, snn.hidden[2])),
            Widths(weight_bits=4, membrane_bits=62, overflow="refuse"),
        )


def saturating(snn, layers, pixels, steps):
    """Counts of each layer after `steps` by its equations, for one image, with U = V - Q in half-odd numbers."""
    state = []
    for index, (layer, spiking) in enumerate(zip(layers, snn.hidden, strict=False)):
        base = reference.per_neuron(layer, spiking.grid_offset.astype(object)) - 0.5
        theta = reference.per_neuron(layer, spiking.grid_threshold.astype(object))
        limit = 2.0 ** (snn.metadata.widths.membrane_bits + 8 * (index == 0) - 1) - 0.5
        state.append([layer.matrix(spiking.grid_weight.astype(object)), theta, -base, 0 * theta, limit])
    clamped = 0
    for t in range(steps):
        received = pixels.astype(object).ravel() * (t == 0)
        for neurons in state:
            matrix, theta, u, n, limit = neurons
            u = u + matrix @ received
            clamped += int((abs(u) > limit).sum())
            u = np.array([min(max(value, -limit), limit) for value in u], dtype=object)
            d = [max(value, -count * each) for value, count, each in zip(u, n, theta, strict=True)]
            received = np.array([int(x > each) - int(x < 0) for x, each in zip(d, theta, strict=True)], dtype=object)
            neurons[2], neurons[3] = u - received * theta, n + received
    return [n.tolist() for _, _, _, n, _ in state], clamped


@pytest.mark.parametrize(("network", "shape", "padding"), NETWORKS)
def test_membranes_saturate_as_the_equations_say(network, shape, padding):
    snn, pixels = drawn(network, shape, padding)
    few = narrow(snn, Widths(weight_bits=6, membrane_bits=5, overflow="saturate"))
    layers = reference.lay_out(network, snn.data.input_shape, 10, padding)
    trace = simulator(few).run(pixels.astype(np.int32), 25)
    total = 0
    for image in range(len(pixels)):
        counts, clamped = saturating(few, layers, pixels[image], 25)
        assert [count[image].ravel().tolist() for count in trace.counts] == counts
        total += clamped
    assert total > 0
    simulated = simulate_test_set(few, Images(pixels, np.zeros(len(pixels), int)), 25, 2)
    assert simulated.saturating
    simulated.check("network")


def test_with_bits_to_spare_nothing_saturates():
    snn, pixels = drawn(*NETWORKS[1])
    wide = narrow(snn, Widths(weight_bits=8, membrane_bits=40, overflow="saturate"))
    refused = narrow(snn, Widths(weight_bits=8, membrane_bits=40, overflow="refuse"))
    run = [simulator(network, "dense").run(pixels.astype(np.int32), 40) for network in (wide, refused)]
    assert_same_bytes(*run)
    with pytest.raises(LosslessError, match="the event engine's membranes do not saturate"):
        simulator(wide, "event")


def test_commands(project, trained, command_line, tmp_path, capsys):
    full, few = tmp_path / "full.safetensors", tmp_path / "few.safetensors"
    assert command_line("convert", trained, "--out", full) == 0
    # A file of full width does not say that it has none.
    assert "widths" not in load_tensors(full, "spiking network")[1]
    message = command_line("convert", trained, "--out", few, "--weight-bits", 8, "--membrane-bits", 6)
    assert "membranes may need" in message
    options = ["--weight-bits", 8, "--membrane-bits", 16, "--overflow", "saturate"]
    assert command_line("convert", trained, "--out", few, *options) == 0
    assert SpikingNetwork.load(few).metadata.widths == Widths(weight_bits=8, membrane_bits=16, overflow="saturate")
    assert command_line("certify", few, "--against", trained) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert command_line("simulate", few, "--steps", 20, "--limit", 20, "--logs", tmp_path / "logs") == 0
    assert command_line("convert", trained, "--out", few, "--membrane-bits", 16) == 2
    assert command_line("widths", full, "--steps", 30, "--limit", 20, "--out", tmp_path) == 0
    rows = read_widths(tmp_path / "widths.csv")
    assert [(row.weight_bits, row.membrane_bits) for row in rows[:5]] == [(bits, 62) for bits in (4, 6, 8, 12, 16)]
    assert [(row.weight_bits, row.membrane_bits) for row in rows[5:]] == [(8, bits) for bits in (4, 6, 8, 12, 16)]
    assert all(row.neurons_that_differ == 0 for row in rows[:5] if not row.images_not_settled)
    assert rows[4].accuracy == rows[4].full_accuracy
