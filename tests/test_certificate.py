"""The certificate: right about what is right, and loud about what is not."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_networks import integer_ann, random_checkpoint, random_pixels

from lossless_snn.checkpoints import Checkpoint
from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LosslessError
from lossless_snn.runs.directory import RunDirectory
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certificate import Certificate, grid_activations
from lossless_snn.simulation.events import EventSimulator

pytestmark = pytest.mark.usefixtures("tiny_datasets")

SHAPE, LABELS = (1, 8, 8), np.arange(5) % 3


@pytest.fixture
def simulated():
    """A small network, five images and their trace: settled, all of them."""
    rng = np.random.default_rng(3)
    snn, pixels = convert(random_checkpoint(rng, "3C3-P2-4", SHAPE, 1)), random_pixels(rng, 5, SHAPE)
    trace = simulator(snn).run(pixels, 100)
    assert (trace.settled_step > 0).all()
    return snn, pixels, trace


def certify(snn, pixels, trace):
    certificate = Certificate(snn)
    certificate.add(pixels[:2], LABELS[:2], part(trace, slice(0, 2)))
    certificate.add(pixels[2:], LABELS[2:], part(trace, slice(2, 5)))
    return certificate.summary()


def part(trace, images):
    arrays = {name: getattr(trace, name)[images] for name in ("predictions", "positive", "negative", "operations")}
    counts, membranes = (tuple(layer[images] for layer in layers) for layers in (trace.counts, trace.membranes))
    return replace(trace, **arrays, settled_step=trace.settled_step[images], counts=counts, membranes=membranes)


@pytest.mark.parametrize("k", [0, 2, 12])
@pytest.mark.parametrize(
    ("network", "shape", "padding"),
    [("3C3-P2-4", (1, 8, 8), "valid"), ("2C2-3C4-P3-5", (1, 6, 6), "same"), ("6-5", (3, 5, 5), "valid")],
)
def test_grid_activations_against_integers_one_by_one(network, shape, padding, k):
    rng = np.random.default_rng(k)
    snn = convert(random_checkpoint(rng, network, shape, k, padding, zero_gammas=0.1))
    pixels = random_pixels(rng, 2, shape)
    *activations, logits = grid_activations(snn, pixels)
    for image in range(2):
        expected, expected_logits = integer_ann(snn, pixels[image])
        for got, want in zip(activations, expected, strict=True):
            assert got[image].ravel().tolist() == want.tolist()
        assert logits[image].tolist() == expected_logits


def test_a_true_trace_is_certified(simulated):
    assert certify(*simulated) == {
        "images": 5,
        "neurons_compared": 5 * (3 * 36 + 3 * 9 + 4),
        "mismatches": 0,
        "mismatches_by_layer": {"1:3C3": 0, "2:P2": 0, "3:4": 0},
        "predictions_that_differ": 0,
        "images_not_settled": 0,
        "mismatches_in_settled_images": 0,
        "grid_ann_accuracy": pytest.approx((simulated[2].predictions[:, -1] == LABELS).mean()),
        "first_offender": None,
    }


def test_one_count_off_by_one_is_named(simulated):
    snn, pixels, trace = simulated
    trace.counts[1][3, 2, 0, 1] += 1
    summary = certify(snn, pixels, trace)
    assert summary["mismatches"] == summary["mismatches_in_settled_images"] == 1
    assert summary["mismatches_by_layer"] == {"1:3C3": 0, "2:P2": 1, "3:4": 0}
    assert summary["first_offender"] == "image 3, layer 2:P2, channel 2, row 0, column 1"


def test_the_first_offender_is_the_first(simulated):
    snn, pixels, trace = simulated
    trace.counts[0][4, 0, 0, 0] -= 1
    trace.counts[2][1, 3, 0, 0] -= 1
    summary = certify(snn, pixels, trace)
    assert summary["mismatches_in_settled_images"] == 2
    assert summary["first_offender"] == "image 1, layer 3:4, channel 3, row 0, column 0"


def test_images_that_have_not_settled_are_no_offenders(simulated):
    snn, pixels, _ = simulated
    summary = certify(snn, pixels, simulator(snn).run(pixels, 1))
    assert summary["images_not_settled"] == 5
    assert summary["mismatches"] > 0
    assert summary["mismatches_in_settled_images"] == 0
    assert summary["first_offender"] is None


def test_a_prediction_that_differs_is_counted(simulated):
    snn, pixels, trace = simulated
    trace.predictions[2, -1] = (trace.predictions[2, -1] + 1) % 10
    assert certify(snn, pixels, trace)["predictions_that_differ"] == 1


@pytest.fixture
def converted(trained, project, command_line, tmp_path):
    snn = tmp_path / "x.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    return snn


def broken(run, change):
    def broken_run(self, pixels, steps):
        trace = run(self, pixels, steps)
        change(trace)
        return trace

    return broken_run


def test_the_command_fails_where_a_neuron_differs(converted, trained, command_line, tmp_path, monkeypatch):
    def change(trace):
        trace.counts[0][7, 2, 5, 6] += 1

    monkeypatch.setattr(EventSimulator, "run", broken(EventSimulator.run, change))
    said = command_line("simulate", converted, "--logs", tmp_path / "logs", "--limit", "20", "--engine", "event")
    assert "not lossless" in said
    assert "image 7, layer 1:3C5, channel 2, row 5, column 6" in said
    assert "\n" not in said
    # What differs can be looked up, and no reader takes the logs beside it for results.
    assert json.loads((tmp_path / "logs" / "certificate.json").read_text())["mismatches_in_settled_images"] == 1
    assert command_line("evaluate", trained, "--limit", "20", "--out", tmp_path / "logs" / "ann.json") == 0
    with pytest.raises(LosslessError, match=r"certificate\.json: violated: 1 neurons of settled images"):
        RunDirectory.read(tmp_path / "logs")


def test_the_command_fails_where_the_prediction_of_a_settled_image_differs(
    converted, command_line, tmp_path, monkeypatch
):
    def change(trace):
        trace.predictions[3, -1] = (trace.predictions[3, -1] + 1) % 10

    monkeypatch.setattr(EventSimulator, "run", broken(EventSimulator.run, change))
    said = command_line("simulate", converted, "--logs", tmp_path / "logs", "--limit", "20", "--engine", "event")
    assert "image 3" in str(said)


def test_the_command_says_that_images_have_not_settled(converted, command_line, tmp_path):
    logs = tmp_path / "logs"
    assert command_line("simulate", converted, "--logs", logs, "--limit", "20", "--steps", "1") == 0
    result, proof = (json.loads((logs / name).read_text()) for name in ("snn.json", "certificate.json"))
    assert result["settled"] is False
    assert result["settled_images"] + proof["images_not_settled"] == 20
    assert proof["images_not_settled"] > 0
    assert proof["first_offender"] is None


def test_a_certificate_says_which_networks_it_is_of(converted, trained, command_line, tmp_path, capsys):
    """Bound to the checkpoint where that is at hand; the logs are the same either way."""
    logs = {}
    for folder, options in (("alone", ()), ("bound", ("--against", trained))):
        arguments = ("simulate", converted, "--logs", tmp_path / folder, "--limit", "20", *options)
        assert command_line(*arguments) == 0
        said = capsys.readouterr().out
        assert said.endswith("on SNN's own grid; --against CHECKPOINT compares that, too\n") == (folder == "alone")
        logs[folder] = {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
    alone, bound = (json.loads(logs[folder].pop("certificate.json")) for folder in ("alone", "bound"))
    assert logs["alone"] == logs["bound"]
    assert bound["network_sha256"] == hashlib.sha256(converted.read_bytes()).hexdigest()
    assert bound["checkpoint_sha256"] == hashlib.sha256(trained.read_bytes()).hexdigest()
    assert bound["bound_to_checkpoint"] is True
    assert alone == bound | {"bound_to_checkpoint": False}
    assert command_line("certify", converted, "--against", trained) == 0
    assert f"{converted}: the conversion of {trained} (SHA-256 {bound['checkpoint_sha256']})" in capsys.readouterr().out


def test_a_network_of_another_checkpoint_is_not_simulated(converted, trained, command_line, tmp_path):
    other = Checkpoint.load(trained)
    other.parameters["1.weight"][0, 0, 0, 0] *= 1.5
    other.save(tmp_path / "other.safetensors")
    for command in ("certify", "simulate"):
        options = ("--logs", tmp_path / "logs", "--limit", "5") if command == "simulate" else ()
        said = command_line(command, converted, "--against", tmp_path / "other.safetensors", *options)
        assert str(said).startswith(f"lossless-snn: {converted}: checkpoint_sha256 ")
    assert not (tmp_path / "logs").exists()
