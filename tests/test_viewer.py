"""The page that shows one image step by step: what is recorded, how it is packed, and the page in a browser."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from browsers import open_page
from tiny_networks import (
    SHAPES,
    integer_ann,
    random_checkpoint,
    random_pixels,
    simulate_in_integers,
)

from lossless_snn.analysis.viewer import page
from lossless_snn.analysis.viewer.choice import choose
from lossless_snn.analysis.viewer.data import page_data
from lossless_snn.analysis.viewer.encoding import gaps, packed, varints, zigzag
from lossless_snn.analysis.viewer.recording import LOWEST, PARTS, Recorder
from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.config.energy import OperationEnergies
from lossless_snn.conversion.convert import convert
from lossless_snn.conversion.spiking_network import SpikingLayer, SpikingMetadata, SpikingNetwork
from lossless_snn.datasets import Images, load
from lossless_snn.errors import LosslessError
from lossless_snn.simulation import simulator

ROOT = Path(__file__).parents[1]
ENERGIES = OperationEnergies(technology="45 nm CMOS", multiply_accumulate=6, addition=1.5)
NETWORKS = [("3", (1, 1, 1), "valid"), ("4C3-P2-6", (1, 6, 6), "valid"), ("3C2-P2-5-4", (2, 6, 6), "same")]


@pytest.fixture
def rng():
    return np.random.default_rng(20)


# ---- Recording ----


@pytest.mark.usefixtures("tiny_datasets")
@pytest.mark.parametrize("k", [0, 2])
@pytest.mark.parametrize(("notation", "shape", "padding"), NETWORKS)
def test_a_recording_is_the_reference_neuron_by_neuron_and_step_by_step(rng, notation, shape, padding, k):
    assert shape in SHAPES
    network = convert(random_checkpoint(rng, notation, shape, k, padding))
    for pixels in random_pixels(rng, 3, shape):
        recording = Recorder(network).record(pixels, 40)
        record = simulate_in_integers(network, pixels, recording.steps)
        for t, expected in enumerate(record.net_by_step):
            for spikes, count in zip(recording.spikes, expected, strict=True):
                assert spikes[: t + 1].sum(axis=0).ravel().tolist() == count.tolist()
        assert recording.predictions.tolist() == record.predictions
        assert recording.operations.tolist() == record.operations
        assert recording.at_rest == (record.settled_step >= 0)
        if recording.at_rest:
            assert recording.steps == max(record.settled_step, 1)
            for count, activation in zip(recording.counts, integer_ann(network, pixels)[0], strict=True):
                assert count.ravel().tolist() == activation.tolist()


@pytest.mark.usefixtures("tiny_datasets")
@pytest.mark.parametrize("negative_spikes", [True, False])
def test_a_recording_is_what_the_engines_say(rng, negative_spikes):
    network = convert(random_checkpoint(rng, "6C3-P2-9-5", (2, 8, 6), 1, "same"))
    images = random_pixels(rng, 8, (2, 8, 6)).astype(np.int32)
    trace = simulator(network, "dense", negative_spikes=negative_spikes).run(images, 30)
    assert trace.negative.any() == negative_spikes
    for i, pixels in enumerate(images):
        recording = Recorder(network, negative_spikes).record(pixels, 30)
        spikes = [np.concatenate([layer[t].ravel() for layer in recording.spikes]) for t in range(recording.steps)]
        assert trace.positive[i, : recording.steps].tolist() == [int((step > 0).sum()) for step in spikes]
        assert trace.negative[i, : recording.steps].tolist() == [int((step < 0).sum()) for step in spikes]
        assert trace.operations[i].sum() == recording.operations.sum()
        assert (trace.predictions[i, recording.steps - 1 :] == recording.predictions[-1]).all()
        assert trace.settled_step[i] == (recording.steps if recording.at_rest else -1)
        assert all((a == b[i]).all() for a, b in zip(recording.counts, trace.counts, strict=True))


@pytest.mark.usefixtures("tiny_datasets")
def test_one_that_is_cut_off_is_not_at_rest(rng):
    network = convert(random_checkpoint(rng, "4C3-P2-6", (1, 6, 6), 2))
    (pixels,) = random_pixels(rng, 1, (1, 6, 6))
    whole = Recorder(network).record(pixels, 60)
    assert whole.at_rest
    assert whole.steps > 3
    cut = Recorder(network).record(pixels, 3)
    assert not cut.at_rest
    assert cut.steps == 3
    assert all((a == b[:3]).all() for a, b in zip(cut.membranes, whole.membranes, strict=True))


def layer(weight, threshold, offset):
    weight = np.array(weight, np.float32)[:, :, None, None]
    constants = np.array(threshold, np.int64), np.array(offset, np.int64)
    zero = np.zeros(len(weight), np.int64)
    single = [array.astype(np.float32) for array in constants]
    return SpikingLayer(weight, *single, zero, *constants)


@pytest.fixture
def pencil(tiny_datasets):
    """A pixel p, a neuron with V = 3p, and one after it that it excites, beside one that inhibits it a step later.

    The first layer counts thresholds of 2 above 1 - 1/2, and of 8 above 1 - 1/2; the second layer thresholds of 1
    above 1 - 1/2 of the sum n1 - 3 n2.
    """
    hidden = (layer([[3], [3]], [2, 8], [1, 1]), layer([[1, -3]], [1], [1]))
    metadata = {"network": "2-1", "padding": "valid", "dataset": "tiny-1x1x1", "precision": "k0"}
    metadata |= {"experiment": "tiny", "budget": "quick", "seed": 0}
    metadata |= {"readout_exponent": 0, "checkpoint_sha256": 64 * "0"}
    readout = np.array([[-1], [1], *[[-2]] * 8], np.float32)[:, :, None, None]
    return SpikingNetwork(hidden, readout, SpikingMetadata(**metadata))


def test_a_recording_worked_out_by_hand(pencil):
    # V = 9 in both neurons, bases 1/2: 8.5 is 4.25 thresholds of 2, and 1.0625 of 8. They spike four times and once.
    recording = Recorder(pencil).record(np.array([[[3]]]), 10)
    assert recording.at_rest
    assert recording.spikes[0][:, :, 0, 0].tolist() == [[1, 1], [1, 0], [1, 0], [1, 0]]
    assert recording.membranes[0][:, :, 0, 0].tolist() == [[272, 68]] * 4
    # The sum: 1 - 3, 2 - 3, 3 - 3, 4 - 3, less the base, 1/2: -2.5, -1.5, -0.5, 0.5 thresholds.
    assert recording.membranes[1].ravel().tolist() == [-160, -96, -32, 32]
    assert not recording.spikes[1].any()
    assert recording.logits[:, :3].tolist() == [[0, 0, 0]] * 4
    # Each spike of the first layer crosses one synapse.
    assert recording.operations.tolist() == [2, 1, 1, 1]


def test_a_negative_spike_worked_out_by_hand(pencil):
    # A neuron that waits: the second of three layers passes the inhibition on one step later than the excitation.
    delayed = layer([[1, 0], [0, 1]], [1, 2], [1, 1])
    hidden = (layer([[3], [3]], [4, 2], [1, 1]), delayed, layer([[1, -1]], [1], [1]))
    network = SpikingNetwork(hidden, pencil.readout, pencil.metadata.model_copy(update={"network": "2-2-1"}))
    # V = 9: 8.5 is 2.125 thresholds of 4, and 4.25 of 2. The first neuron spikes in steps 1, 2; the second in 1 to 4.
    # The second layer: 1, 2, 2, 2 less 1/2 is 0.5, 1.5; 1, 2, 3, 4 less 1/2 over 2 is 0.25, 0.75, 1.25, 1.75.
    # So the first one spikes in step 2 and the second one in step 3, which brings the last sum to 1, then to 0.
    # Of 1 less 1/2 no threshold of 1 is passed; of offset 0 and a base of -1/2 one is.
    hidden[2].grid_offset[:] = 0
    signed, unsigned = (Recorder(network, negative).record(np.array([[[3]]]), 10) for negative in (True, False))
    assert signed.spikes[1][:, :, 0, 0].tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]
    assert signed.spikes[2].ravel().tolist() == [0, 1, -1, 0]
    assert signed.membranes[2].ravel().tolist() == [32, 96, 32, 32]
    assert signed.counts[2].item() == 0
    assert unsigned.spikes[2].ravel().tolist() == [0, 1, 0, 0]
    assert unsigned.at_rest
    # Logits -n and n.
    assert signed.predictions.tolist() == [0, 1, 0, 0]
    assert unsigned.predictions.tolist() == [0, 1, 1, 1]


@pytest.mark.usefixtures("tiny_datasets")
def test_recorded_membranes_say_exactly_which_spike_is_due(rng):
    network = convert(random_checkpoint(rng, "6C3-P2-9-5", (2, 8, 6), 2))
    for pixels in random_pixels(rng, 4, (2, 8, 6)):
        recording = Recorder(network).record(pixels, 60)
        for spikes, parts in zip(recording.spikes, recording.membranes, strict=True):
            assert parts.min() >= PARTS * LOWEST
            before = np.cumsum(spikes, axis=0, dtype=int) - spikes
            assert (spikes == np.sign(np.maximum(parts // PARTS, 0) - before)).all()


# ---- Packing ----


def unpacked(text):
    """The integers in a packed text: LEB128 read byte by byte."""
    values, value, shift = [], 0, 0
    for byte in zlib.decompress(base64.b64decode(text), -15):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value, shift = 0, 0
    assert shift == 0
    return values


def test_varints_are_leb128():
    assert varints(np.array([0, 1, 127, 128, 300, 624485])).hex(" ") == "00 01 7f 80 01 ac 02 e5 8e 26"
    assert varints(np.array([], int)) == b""
    with pytest.raises(ValueError, match="negative"):
        varints(np.array([3, -1]))


def test_packing_loses_nothing(rng):
    values = [0, 1, 127, 128, 2**14 - 1, 2**14, 2**35, 2**62, *rng.integers(0, 2**40, 500).tolist()]
    assert unpacked(packed(np.array(values[:5]), np.array(values[5:]).reshape(1, -1))) == values
    assert zigzag(np.array([0, -1, 1, -2, 2, -(2**40)])).tolist() == [0, 1, 2, 3, 4, 2**41 - 1]
    assert gaps(np.array([0, 5, 6])).tolist() == [0, 5, 1]


# ---- The page's data ----


@pytest.fixture
def shown(rng, tiny_datasets):
    """Networks of two precisions, and images of random classes."""
    networks = [convert(random_checkpoint(rng, "4C3-P2-6", (1, 6, 6), k)) for k in (0, 1)]
    return networks, Images(random_pixels(rng, 30, (1, 6, 6)), rng.integers(0, 10, 30))


def data_of(networks, images, count=2):
    return page_data(networks, images, choose(networks, images, count, 50), ENERGIES, 50)


def test_data_hold_every_spike(shown):
    networks, images = shown
    data = data_of(networks, images)
    assert [layer["token"] for layer in data["layers"]] == ["4C3", "P2", "6"]
    for image, runs in zip(data["images"], data["runs"], strict=True):
        assert image["label"] == images.labels[image["index"]]
        assert base64.b64decode(image["pixels"]) == images.pixels[image["index"]].tobytes()
        for network, run in zip(networks, runs, strict=True):
            record = simulate_in_integers(network, images.pixels[image["index"]], run["signed"]["steps"])
            numbers = iter(unpacked(run["signed"]["spikes"]))
            before = [np.zeros(len(count), int) for count in record.counts]
            for after in record.net_by_step:
                for layer, (old, new) in enumerate(zip(before, after, strict=True)):
                    position, spikes = 0, np.zeros(len(new), int)
                    for _ in range(next(numbers)):
                        gap, negative = divmod(next(numbers), 2)
                        position += gap
                        spikes[position] = -1 if negative else 1
                    assert (new - old == spikes).all(), layer
                before = after
            assert list(numbers) == []
            activations, logits = integer_ann(network, images.pixels[image["index"]])
            assert unpacked(run["ann"]["activations"]) == [int(n) for layer in activations for n in layer]
            assert run["ann"]["prediction"] == logits.index(max(logits))


def test_data_hold_the_membrane_of_every_neuron_that_spikes(shown):
    networks, images = shown
    data = data_of(networks, images)
    for image, runs in zip(data["images"], data["runs"], strict=True):
        for network, run in zip(networks, runs, strict=True):
            pixels = images.pixels[image["index"]]
            recordings = {
                name: Recorder(network, name == "signed").record(pixels, 50) for name in ("signed", "unsigned")
            }
            kept = iter(unpacked(run["neurons"]))
            chosen = [np.cumsum([next(kept) for _ in range(next(kept))], dtype=int) for _ in network.hidden]
            for layer, neurons in enumerate(chosen):
                spiking = sum(np.abs(r.spikes[layer]).sum(axis=0, dtype=int).ravel() for r in recordings.values())
                assert neurons.tolist() == np.flatnonzero(spiking).tolist()
            for name, recording in recordings.items():
                numbers = iter(unpacked(run[name]["membranes"]))
                for layer, neurons in enumerate(chosen):
                    membranes = recording.membranes[layer].reshape(recording.steps, -1)
                    for neuron in neurons:
                        steps = [next(numbers) for _ in range(recording.steps)]
                        differences = [-(n + 1) // 2 if n % 2 else n // 2 for n in steps]
                        assert np.cumsum(differences).tolist() == membranes[:, neuron].tolist()
                assert list(numbers) == []


def test_energies_are_of_the_operations(shown):
    energy = data_of(*shown)["energy"]
    # 4C3 on 6 x 6 is left out. P2: 4 filters on 2 x 2 places from 4 x 2 x 2 inputs: 256 multiply-accumulates;
    # 6 units from 16 inputs: 96; 10 classes from 6: 60. 412 of 6 pJ, counted as three operations each.
    assert energy["annOperations"] == 3 * 412
    assert energy["annJoules"] == pytest.approx(412 * 6e-12)
    assert energy["joulesPerOperation"] == pytest.approx(1.5e-12)


def test_a_network_that_is_not_lossless_is_refused(shown, monkeypatch):
    networks, images = shown
    record = Recorder.record

    def with_a_spike_too_many(self, pixels, steps):
        recording = record(self, pixels, steps)
        recording.spikes[-1][0, 0, 0, 0] += 1
        return recording

    monkeypatch.setattr(Recorder, "record", with_a_spike_too_many)
    with pytest.raises(LosslessError, match=r"test image \d+ at k0: not lossless: .* convert the checkpoint again"):
        data_of(networks, images)


def test_only_networks_that_can_be_compared_share_a_page(shown, rng):
    (first, second), images = shown
    with pytest.raises(LosslessError, match="one network a precision: k0 is there twice"):
        data_of([first, first], images)
    other = convert(random_checkpoint(rng, "4C3-P2-7", (1, 6, 6), 2))
    with pytest.raises(LosslessError, match="one experiment: network '4C3-P2-7' beside '4C3-P2-6'"):
        data_of([first, second, other], images)


def test_a_page_that_would_be_too_large_is_refused(shown, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "LARGEST", 30_000)
    with pytest.raises(LosslessError, match=r"page\.html: 0\.\d MB, .*--count"):
        page.write_page(data_of(*shown), tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_nothing_in_the_data_ends_the_script(shown):
    data = data_of(*shown)
    data["classes"][3] = "</script><!-- style -->"
    text = page.page(data)
    assert text.count("</script>") == 2
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(content) == data


# ---- Choice, command and rule ----


@pytest.fixture(scope="module")
def spiking(trained, tmp_path_factory):
    """`tiny` at k = 1, and the same parameters read at k = 0, both as files."""
    folder = tmp_path_factory.mktemp("spiking")
    checkpoint = Checkpoint.load(trained)
    for precision in ("k0", "k1"):
        metadata = checkpoint.metadata.model_copy(update={"precision": precision})
        convert(Checkpoint(checkpoint.parameters, metadata)).save(folder / f"{precision}.snn.safetensors")
    return [folder / f"{precision}.snn.safetensors" for precision in ("k0", "k1")]


@pytest.mark.usefixtures("project")
def test_chosen_images_teach_something(spiking):
    networks, images = [SpikingNetwork.load(path) for path in spiking], load("digits", "test")
    choices = choose(networks, images, 6, 60)
    indices = [choice.index for choice in choices]
    assert len(set(indices)) == 6
    needs, *firsts, wrong = choices
    chosen = images.pixels[indices].astype(np.int32)
    labels = images.labels[indices]
    first, last = (simulator(network).run(chosen, 200).predictions[:, -1] == labels for network in networks)
    without = simulator(networks[0], negative_spikes=False).run(chosen, 200).predictions[:, -1] == labels
    assert needs.reason == "wrong without negative spikes"
    assert first[0]
    assert not without[0]
    assert wrong.reason == "predicted wrong"
    assert not last[-1]
    assert {choice.reason for choice in firsts} == {"the first of its class"}
    assert len({*labels[1:-1].tolist()} - {*labels[[0, -1]].tolist()}) == len(firsts)
    for choice in firsts:
        assert choice.index == images.labels.tolist().index(images.labels[choice.index])
    assert choose(networks, images, 6, 60) == choices
    assert len(choose(networks, images[:4], 6, 60)) == 4
    assert len(choose(networks, images, 1, 60)) == 1


@pytest.mark.usefixtures("project")
def test_command(spiking, tmp_path, command_line, capsys):
    energy = ROOT / "config" / "energy.yaml"
    out = tmp_path / "viewer.html"
    assert command_line("viewer", *spiking, "--out", out, "--image", 7, "--image", 3, "--energy", energy) == 0
    assert re.search(r"viewer\.html: 2 images at 2 precisions, \d\.\d MB", capsys.readouterr().out)
    (content,) = re.findall(r'id="data">(.*?)</script>', out.read_text(), re.DOTALL)
    assert [image["index"] for image in json.loads(content)["images"]] == [7, 3]
    again = tmp_path / "again.html"
    command_line("viewer", *spiking, "--out", again, "--image", 7, "--image", 3, "--energy", energy)
    assert again.read_bytes() == out.read_bytes()
    message = command_line("viewer", *spiking, "--out", out, "--image", 500, "--energy", energy)
    assert message == "lossless-snn: --image 500: the test set has images 0 to 499"


def test_rule_takes_one_network_a_precision_and_the_images_of_the_configuration(tmp_path):
    for name in ("Snakefile", "config", "workflow", "profiles"):
        place = ROOT / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / name)
    target = "results/quick/digits-lenet/figures/viewer.html"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    settings = ["--config", "precisions=[fp32,k0,k1]", "seeds=[4,5]", "viewer={images: [3, 8]}"]
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", target, *settings]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    checkpoints = "results/quick/digits-lenet/checkpoints"
    networks = " ".join(f"{checkpoints}/{precision}/seed4.snn.safetensors" for precision in ("k0", "k1"))
    assert f" viewer {networks} --out {target} --image 3 --image 8 " in run.stdout + run.stderr
    assert "seed5" not in run.stdout + run.stderr


# ---- In a browser ----


@pytest.fixture(scope="module")
def built(digits_root, spiking, tmp_path_factory):
    """The page of two networks and three images, with those networks and images."""
    networks = [SpikingNetwork.load(path) for path in spiking]
    images = load("digits", "test", root=digits_root / "data")
    data = page_data(networks, images, choose(networks, images, 3, 60), ENERGIES, 200)
    path = tmp_path_factory.mktemp("page") / "viewer.html"
    page.write_page(data, path)
    return path, networks, images, data


class Opened:
    """The page in a browser, with all that it asks for and complains of."""

    def __init__(self, browser, path, **options):
        self.complaints, self.requests = [], []
        self.page = open_page(browser, path, self.complaints, self.requests, **options)
        self.page.wait_for_selector("html[data-ready]")

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def choose(self, group, place):
        self.page.locator(f"#{group} label").nth(place).click()
        # Unpacking takes a moment; what was chosen is shown in the same moment as its table.
        self.page.wait_for_timeout(300)

    def press(self, key, times=1):
        for _ in range(times):
            self.page.keyboard.press(key)


@pytest.fixture
def opened(browser, built):
    pages = []

    def open_page(**options):
        pages.append(Opened(browser, built[0], **options))
        return pages[-1]

    yield open_page
    for each in pages:
        assert each.complaints == []
        # The page itself, and nothing else.
        assert each.requests == [built[0].as_uri()]
        each.page.close()


def numbers_in(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def number_in(text):
    return float(text.replace("\N{MINUS SIGN}", "-"))


@pytest.mark.parametrize(("network", "negative_spikes"), [(0, True), (0, False), (1, True)])
def test_every_step_in_the_browser_is_the_engine_s(opened, built, network, negative_spikes):
    _, networks, images, data = built
    at, image = opened(), data["images"][1]
    at.choose("images", 1)
    at.choose("networks", network)
    at.choose("variants", int(not negative_spikes))
    pixels = images.pixels[image["index"]][None].astype(np.int32)
    trace = simulator(networks[network], negative_spikes=negative_spikes).run(pixels, 200)
    steps = int(trace.settled_step[0])
    assert steps > 1
    at.page.locator("#first").click()
    for t in range(steps):
        at.press("ArrowRight")
        status = at.text("#status")
        plus, minus = trace.positive[0, t], trace.negative[0, t]
        assert numbers_in(status)[:5] == [t + 1, steps, plus, minus, trace.predictions[0, t]], status
        assert ("right" in status) == (trace.predictions[0, t] == image["label"])
    work = at.page.locator("#cost dd").all_inner_texts()
    assert numbers_in(work[0]) == [trace.positive.sum()]
    assert numbers_in(work[1]) == [trace.negative.sum()]
    assert numbers_in(work[3]) == [trace.operations.sum()]


def test_at_rest_the_browser_finds_the_ann_s_activations_and_without_negative_spikes_it_does_not(opened, built):
    _, networks, images, data = built
    at = opened()
    pixels = images.pixels[data["images"][0]["index"]][None].astype(np.int32)
    activations, logits = integer_ann(networks[0], pixels[0])
    unsigned = simulator(networks[0], negative_spikes=False).run(pixels, 200)
    different = sum(int((n[0].ravel() != a).sum()) for n, a in zip(unsigned.counts, activations, strict=True))
    assert different > 0
    ends = [row.split("\t") for row in at.text("#ends tbody").splitlines() if row]
    prediction = logits.index(max(logits))
    assert [numbers_in(" ".join(row)) for row in ends] == [
        [prediction],
        [prediction, 0, data["runs"][0][0]["signed"]["steps"]],
        [unsigned.predictions[0, -1], different, data["runs"][0][0]["unsigned"]["steps"]],
    ]
    at.press("End")
    neurons = sum(len(layer) for layer in activations)
    assert f"At rest: all {neurons:,} net counts equal the ANN's activations." in at.text("#status")
    at.page.locator("#modes label").nth(1).click()
    captions = at.page.locator("#maps figcaption span:last-child").all_inner_texts()
    assert [numbers_in(caption) for caption in captions] == [[int(layer.sum())] for layer in activations]
    at.choose("variants", 1)
    assert f"{different:,} counts differ" in at.text("#status")


def test_maps_show_the_spikes(opened, built):
    _, _, _, data = built
    at = opened()
    at.press("Home")
    # Pixels in the colours of positive and of negative spikes: of each map as many as its text says.
    count = """canvas => {
        const style = getComputedStyle(document.documentElement);
        const colours = ["plus", "minus"].map(name => style.getPropertyValue(`--${name}`).trim());
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        const counts = [0, 0];
        for (let i = 0; i < pixels.length; i += 4) {
            const hex = "#" + [0, 1, 2].map(c => pixels[i + c].toString(16).padStart(2, "0")).join("");
            if (colours.includes(hex)) counts[colours.indexOf(hex)] += 1;
        }
        return counts;
    }"""
    spiking = 0
    for _ in range(data["runs"][0][0]["signed"]["steps"]):
        at.press("ArrowRight")
        for canvas, caption in zip(
            at.page.locator("#maps canvas").all(), at.page.locator("#maps figcaption").all(), strict=True
        ):
            counts = canvas.evaluate(count)
            assert numbers_in(caption.inner_text())[-2:] == counts
            assert numbers_in(canvas.get_attribute("aria-label"))[-3:-1] == counts
            spiking += sum(counts)
    assert spiking > 0


def test_a_neuron_is_shown_against_its_thresholds(opened, built):
    _, networks, images, data = built
    at = opened()
    recording = Recorder(networks[0]).record(images.pixels[data["images"][0]["index"]], 200)
    # The page begins with a negative spike.
    assert "▼ a negative spike takes one back" in at.text("#explanation")
    layer = int(at.page.locator("#n-layer").input_value())
    place = tuple(int(at.page.locator(f"#n-{name}").input_value()) for name in ("channel", "row", "column"))
    at.page.locator("summary").click()
    rows = [row.split() for row in at.text("#steps tbody").splitlines()]
    counts = np.cumsum(recording.spikes[layer][(slice(None), *place)], dtype=int).tolist()
    assert [int(row[-1]) for row in rows] == [0, *counts]
    membranes = recording.membranes[layer][(slice(None), *place)] / PARTS
    membrane, distance = ([number_in(row[column]) for row in rows[1:]] for column in (1, 2))
    assert membrane == pytest.approx((membranes + 0.5 / PARTS).tolist(), abs=0.006)
    for (before, after), d in zip(pairwise([0, *counts]), distance, strict=True):
        assert after - before == (d > 1) - (d < 0)
    # A click on a map selects a neuron there.
    box = at.page.locator("#maps canvas").nth(1).bounding_box()
    at.page.mouse.click(box["x"] + 3, box["y"] + 3)
    assert at.page.locator("#n-layer").input_value() == "1"
    assert at.page.locator("#n-channel").input_value() == "0"


def test_it_works_from_the_keyboard_and_for_a_screen_reader(opened, built):
    at = opened()
    steps = built[3]["runs"][0][0]["signed"]["steps"]
    status = at.page.locator("#status")
    assert status.get_attribute("role") == "status"
    assert status.get_attribute("aria-live") == "polite"
    at.press("Home")
    before = at.text("#status")
    assert before.startswith(f"Before step 1 of {steps}.")
    at.press("ArrowRight")
    assert at.text("#status").startswith(f"Step 1 of {steps}: ")
    at.press("ArrowLeft")
    assert at.text("#status") == before
    at.press(" ")
    assert at.page.locator("#play").get_attribute("aria-label") == "Pause"
    assert status.get_attribute("aria-live") == "off"
    at.press(" ")
    assert at.page.locator("#play").get_attribute("aria-label") == "Play"
    assert status.get_attribute("aria-live") == "polite"
    # Every control can be reached, has a name, and shows that it has the focus.
    at.page.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); body.removeAttribute('tabindex'); }")
    reached = []
    describe = """() => {
        const it = document.activeElement, marked = it.type === "radio" ? it.nextElementSibling : it;
        return [it.id || it.name || it.className || it.tagName, getComputedStyle(marked).outlineStyle,
                it.getAttribute("aria-label") || it.labels?.[0]?.innerText || it.innerText];
    }"""
    for _ in range(40):
        at.press("Tab")
        name, outline, label = at.page.evaluate(describe)
        if name in ("BODY", reached[0] if reached else None):
            break
        reached.append(name)
        assert outline == "solid", name
        assert label, name
    expected = ["skip", "image", "network", "variant", "mode", "example", "n-layer", "n-channel", "SUMMARY"]
    assert [name for name in reached if name in expected] == expected
    assert {"first", "back", "play", "next", "last", "step"} & set(reached) >= {"play", "step"}
    for name in ("canvas[role=img]", "svg[role=img]"):
        labels = at.page.locator(name).evaluate_all("all => all.map(it => it.getAttribute('aria-label'))")
        assert labels
        assert all(labels)


@pytest.mark.parametrize("width", [320, 360, 900, 1280])
def test_it_fits_phones_and_wide_screens(opened, width):
    at = opened(viewport={"width": width, "height": 740})
    assert at.page.evaluate("document.documentElement.scrollWidth") <= width
    # The time controls are in view wherever one reads.
    for place in (0, 1000, 100_000):
        at.page.evaluate(f"scrollTo(0, {place})")
        box = at.page.locator("#time").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 741


def test_colours_follow_the_reader_s_and_can_be_told_apart_in_grey(opened):
    luminance = """name => {
        const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
        const [r, g, b] = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }"""
    papers = {}
    for scheme in ("light", "dark"):
        at = opened(color_scheme=scheme)
        names = ("plus", "minus", "still", "ink", "muted", "paper", "card", "minus-text")
        shade = {name: at.page.evaluate(luminance, name) for name in names}

        def contrast(one, other, shade=shade):
            low, high = sorted((shade[one], shade[other]))
            return (high + 0.05) / (low + 0.05)

        # WCAG: 4.5 for text, and 2 at least between areas that mean different things.
        for text in ("ink", "muted", "plus", "minus-text"):
            assert contrast(text, "card") >= 4.5, (scheme, text)
            assert contrast(text, "paper") >= 4.5, (scheme, text)
        for pair in (("plus", "minus"), ("plus", "still"), ("minus", "still")):
            assert contrast(*pair) >= 2, (scheme, pair)
        papers[scheme] = shade["paper"]
    assert papers["light"] > 0.8
    assert papers["dark"] < 0.05
