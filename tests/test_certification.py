"""Any implementation, judged: what differs, where, when and by how much."""

from dataclasses import replace

import numpy as np
import pytest
from projects import PEERS
from tiny_networks import integer_ann, random_checkpoint, random_pixels

from lossless_snn.analysis.viewer.recording import Recorder
from lossless_snn.conversion.convert import convert
from lossless_snn.datasets import Images
from lossless_snn.errors import LosslessError
from lossless_snn.runs.certified import read_certified
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certification import Spikes, judge
from lossless_snn.simulation.certification.neurons import exact, faithful, qcfs, signed, stbif

SHAPE, STEPS = (1, 8, 8), 40


@pytest.fixture
def network(tiny_datasets):
    return convert(random_checkpoint(np.random.default_rng(3), "3C3-P2-4", SHAPE, 1))


@pytest.fixture
def images():
    rng = np.random.default_rng(4)
    return Images(random_pixels(rng, 6, SHAPE), np.arange(6) % 3)


def coarse(network, bits):
    """The same on a grid so much coarser that one unit of a threshold matters."""
    layers = (
        replace(
            layer,
            exponent=layer.exponent + bits,
            grid_threshold=np.maximum(layer.grid_threshold >> bits, 1),
            grid_offset=layer.grid_offset >> bits,
        )
        for layer in network.hidden
    )
    return replace(network, hidden=tuple(layers))


def with_threshold_one_unit_off(network, index, channel):
    layer = network.hidden[index]
    threshold = layer.grid_threshold.copy()
    threshold[channel] += 1
    hidden = [*network.hidden[:index], replace(layer, grid_threshold=threshold), *network.hidden[index + 1 :]]
    return replace(network, hidden=tuple(hidden))


def test_the_method_is_lossless(network, images):
    found = judge(network, exact(network, images.pixels), images, STEPS, 4)
    assert found.neurons[-1].tolist() == [0, 0, 0]
    assert found.predictions[-1] == found.active == 0
    assert (found.images, found.neurons_compared) == (6, 6 * (3 * 36 + 3 * 9 + 4))
    assert found.lines() == ["6 images, 40 steps: 0 of 834 neurons, in 0 images, and 0 predictions differ"]
    trace = simulator(network).run(images.pixels.astype(np.int32), STEPS)
    assert found.spikes.tolist() == (trace.positive + trace.negative).sum(axis=0).tolist()
    assert found.operations.tolist() == trace.operations.sum(axis=0).tolist()
    assert found.correct.tolist() == (trace.predictions == images.labels[:, None]).sum(axis=0).tolist()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_threshold_one_unit_off_is_named_with_image_layer_neuron_and_step(network, images, index):
    # Of the channel that spikes most, on a grid on which its threshold has four to seven units.
    activations = [integer_ann(network, pixels)[0][index] for pixels in images.pixels]
    filters = network.layers[index].out_shape[0]
    channel = int(np.sum(activations, axis=0).reshape(filters, -1).sum(axis=1).argmax())
    right = coarse(network, int(np.log2(network.hidden[index].grid_threshold[channel])) - 2)
    wrong = with_threshold_one_unit_off(right, index, channel)
    found = judge(right, exact(wrong, images.pixels), images, STEPS, 4)
    expected, layers, places = [], [0, 0, 0], []
    for image, pixels in enumerate(images.pixels):
        activations, _ = integer_ann(right, pixels)
        others, _ = integer_ann(wrong, pixels)
        spikes = Recorder(wrong).record(pixels.astype(np.int64), STEPS).spikes
        for layer, (activation, other) in enumerate(zip(activations, others, strict=True)):
            for neuron in np.flatnonzero(activation != other):
                fired = np.flatnonzero(spikes[layer].reshape(len(spikes[layer]), -1)[:, neuron])
                shape = right.layers[layer].out_shape
                place = tuple(int(i) for i in np.unravel_index(neuron, shape))
                step = int(fired[-1]) if len(fired) else -1
                expected.append((image, layer, place, other[neuron], activation[neuron], step))
                layers[layer] += 1
                places.append((image, layer))
    assert layers[index] > 0
    assert not any(layers[:index])
    assert found.neurons[-1].tolist() == layers
    names = [f"{number}:{layer.token}" for number, layer in enumerate(right.layers[:-1], 1)]
    named = [(o.image, names.index(o.layer), o.neuron, o.value, o.activation, o.step) for o in found.offenders]
    assert named
    assert set(named) <= set(expected)
    assert {(d.image, names.index(d.layer)) for d in found.differences} == set(places)
    assert sum(d.neurons for d in found.differences) == len(expected)
    first = found.offenders[0]
    assert first.neuron[0] == channel
    assert f"image {first.image}, layer {names[index]}, channel {channel}, row" in found.lines()[-len(found.offenders)]


def test_counts_alone_are_judged_without_a_step(network, images):
    pixels = images.pixels.astype(np.int32)
    counts = [count.copy() for count in simulator(network).run(pixels, STEPS).counts]
    counts[1][2, 0, 1, 2] += 2
    found = judge(network, lambda pixels, steps: counts, images, STEPS, 6)
    (offender,) = found.offenders
    assert offender[:3] == (2, "2:P2", (0, 1, 2))
    assert offender.value == offender.activation + 2
    assert offender.step is None
    assert found.differences == [(2, "2:P2", 1, 2.0)]


def test_a_rate_is_a_mean_over_the_steps_and_may_be_off_by_less_than_half_a_level(network, images):
    pixels = images.pixels.astype(np.int32)
    counts = simulator(network).run(pixels, STEPS).counts
    # In each of three steps as many spikes as the activation has levels: their mean is the activation.
    by_step = [[count.astype(float) for count in counts] for _ in range(3)]
    by_step[2][0][5, 1, 2, 3] += 1.4
    by_step[2][0][4, 1, 2, 3] += 1.6
    found = judge(network, lambda pixels, steps: Spikes(by_step, rate=True), images, 3, 6)
    (offender,) = found.offenders
    assert offender[:3] == (4, "1:3C3", (1, 2, 3))
    assert offender.value == pytest.approx(offender.activation + 1.6 / 3)
    assert found.neurons[:, 0].tolist() == [0, 0, 1]
    assert found.active == 6
    # Each spike worth half a level: half of the activation.
    found = judge(network, lambda pixels, steps: Spikes(by_step[:1], levels=[0.5] * 3, rate=True), images, 1, 6)
    assert found.neurons[0].tolist() == [np.count_nonzero(count) for count in counts]


def test_arrays_of_other_shapes_are_refused(network, images):
    with pytest.raises(LosslessError, match=r"returned arrays of shapes \[\(6, 2\)\] at step 0"):
        judge(network, lambda pixels, steps: Spikes([[np.zeros((6, 2))]]), images, 3, 6)
    with pytest.raises(LosslessError, match="returned no step"):
        judge(network, lambda pixels, steps: Spikes([]), images, 3, 6)


def integrate_and_fire(network, pixels, theta, steps, initial, negative, once):
    """Values of all neurons after each step by loops over neurons, in 64-bit floats; one image."""
    k, constants = network.k, []
    for layer, spiking in zip(network.layers, network.hidden, strict=False):
        constants.append((layer, spiking.weight.astype(float), spiking.threshold.astype(float), spiking.base))
    image = 2**k * pixels / 256
    membranes = [np.full(layer.out_shape, initial * t) for (layer, *_), t in zip(constants, theta, strict=True)]
    counts = [np.zeros(layer.out_shape) for layer, *_ in constants]
    history = []
    for t in range(steps):
        received = image if t == 0 or not once else np.zeros_like(image)
        for index, (layer, weight, threshold, base) in enumerate(constants):
            spikes = np.zeros(layer.out_shape)
            for place in np.ndindex(*layer.out_shape):
                channel, y, x = place
                top, left = y * layer.stride[0], x * layer.stride[1]
                rows, columns = slice(top, top + layer.kernel[0]), slice(left, left + layer.kernel[1])
                z = (weight[channel] * received[:, rows, columns]).sum() / threshold[channel]
                if t == 0 or not once:
                    z += -base[channel] / threshold[channel] - 0.5 + 1e-5
                membranes[index][place] += z
                if membranes[index][place] >= theta[index]:
                    spikes[place] = 1
                elif counts[index][place] > 0 and negative is not None and membranes[index][place] <= negative[index]:
                    spikes[place] = -1
            membranes[index] -= spikes * theta[index]
            counts[index] += spikes
            received = spikes * theta[index]
        history.append([count.copy() for count in counts])
    return history


@pytest.mark.parametrize("factory", [qcfs, signed, stbif])
def test_published_neurons_against_loops(network, images, factory):
    pixels = images.pixels[:2].astype(np.int32)
    implementation = factory(network, images.pixels.astype(np.int32))
    response = implementation(pixels, 12)
    steps = list(response.by_step)
    assert response.rate == (factory is not stbif)
    theta = response.levels or [1.0] * 3
    if factory is qcfs:
        assert len(set(theta)) == 1
        assert theta[0] == int(theta[0])
    negative = {qcfs: None, signed: [-t for t in theta], stbif: [-1e-30] * 3}[factory]
    for image in range(2):
        expected = integrate_and_fire(
            network,
            pixels[image].astype(float),
            theta,
            12,
            0.0 if factory is signed else 0.5,
            negative,
            factory is stbif,
        )
        got = [np.cumsum([step[layer][image] for step in steps], axis=0) for layer in range(3)]
        for t in range(12):
            for layer in range(3):
                assert got[layer][min(t, len(steps) - 1)].tolist() == expected[t][layer].tolist()


def test_stbif_and_the_published_arithmetic_come_to_rest_within_a_level(network, images):
    for factory in (stbif, faithful):
        found = judge(network, factory(network, images.pixels), images, STEPS, 6)
        assert found.active == 0
        assert found.neurons[-1].sum() <= 2


def test_command(project, trained, command_line, tmp_path, capsys):
    snn = tmp_path / "seed0.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    neurons = "lossless_snn.simulation.certification.neurons"
    options = ["--steps", 30, "--limit", 20, "--batch-size", 20]
    assert command_line("certify", snn, "--against", trained, "--implementation", f"{neurons}:exact", *options) == 0
    said = capsys.readouterr().out
    assert "bit for bit" in said
    assert "20 images, 30 steps: 0 of " in said
    message = command_line("certify", snn, "--implementation", f"{neurons}:signed", *options)
    assert "signed is not lossless: image 0, layer 1:3C5, channel" in message
    out = tmp_path / "certified.csv"
    assert command_line("certify", snn, "--implementation", f"{neurons}:signed", *options, "--out", out) == 0
    table = read_certified(out)
    assert table["time_step"].tolist() == list(range(1, 31))
    assert table["code"].unique().tolist() == ["rate"]
    assert (table["neurons_that_differ"] > 0).all()
    assert "expected package.module:function" in command_line("certify", snn, "--implementation", "nowhere:none")
    assert command_line("certify", snn) == 2


@pytest.mark.skipif(not PEERS.is_file(), reason="no environment of peers; `make .venv-peers/bin/python`")
def test_peers(project, trained, command_line, tmp_path, monkeypatch):
    snn = tmp_path / "seed0.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    options = ["--steps", 12, "--limit", 8, "--batch-size", 8, "--peers-python", PEERS, "--out", tmp_path]
    assert command_line("certify-peers", snn, *options) == 0
    table = read_certified(tmp_path / "certified.csv").groupby("implementation", sort=False)
    assert len(table) == 9
    own, theirs = table.get_group("STBIF"), table.get_group("SpikingJelly STBIF")
    same = ["neurons_that_differ", "spikes_per_image", "operations_per_image", "predictions_that_differ"]
    assert own[same].to_numpy().tolist() == theirs[same].to_numpy().tolist()
    for name in ("SpikingJelly ann2snn", "sinabs", "snnTorch"):
        curve = table.get_group(name)
        # Rates approach the activations, and are not they.
        assert 0 < curve["neurons_that_differ"].iloc[-1] < curve["neurons_that_differ"].iloc[0]


@pytest.mark.parametrize("name", ["spikingjelly", "stbif", "sinabs", "snntorch"])
def test_an_adapter_has_30_lines_at_the_most(name):
    import inspect

    from lossless_snn.simulation.certification import peers

    assert len(inspect.getsource(getattr(peers, name)).splitlines()) <= 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("time_step", "step", 1), "no column time_step"),
        (lambda text: text.rsplit("\n", 2)[0] + "\n", "not one row for each implementation and time step"),
    ],
)
def test_a_damaged_file_is_named(network, images, tmp_path, change, message):
    from lossless_snn.runs import certified

    path = tmp_path / "certified.csv"
    found = judge(network, exact(network, images.pixels), images, 5, 6)
    certified.write(path, found.rows("a") + found.rows("b"))
    path.write_text(change(path.read_text()))
    with pytest.raises(LosslessError, match=rf"certified\.csv: .*{message}"):
        read_certified(path)
