"""The central loop as a library has it: a test set simulated, evaluated, disturbed, compared; no command line."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_networks import integer_ann, random_checkpoint, random_pixels

from lossless_snn.conversion import convert
from lossless_snn.datasets import Images
from lossless_snn.errors import LosslessError
from lossless_snn.evaluation.accuracy import evaluate
from lossless_snn.evaluation.noise import RATIOS, robustness
from lossless_snn.simulation import simulator, state
from lossless_snn.simulation.neuron_comparison import compare_neurons
from lossless_snn.simulation.state import State
from lossless_snn.simulation.test_set import simulate_test_set

pytestmark = pytest.mark.usefixtures("tiny_datasets")
SHAPE, CPU = (1, 8, 8), torch.device("cpu")


@pytest.fixture
def network():
    """A trained network, its conversion, and 7 images with classes."""
    rng = np.random.default_rng(4)
    checkpoint = random_checkpoint(rng, "3C3-P2-4", SHAPE, 1)
    return checkpoint, convert(checkpoint), Images(random_pixels(rng, 7, SHAPE), rng.integers(0, 10, 7))


def test_a_test_set_simulated(network):
    """Seven images in batches of 3, 3 and 1: what one batch of seven gives, and what Python's integers give."""
    _, snn, images = network
    simulation = simulate_test_set(snn, images, 40, 3)
    whole = simulator(snn).run(images.pixels.astype(np.int32), 40)
    assert simulation.settled_step.tolist() == whole.settled_step.tolist()
    assert (whole.settled_step > 0).all()
    predictions = [np.argmax(integer_ann(snn, image)[1]) for image in images.pixels]
    right = (predictions == images.labels).mean()
    assert (simulation.record.accuracy, simulation.certificate.grid_ann_accuracy) == (right, right)
    assert simulation.record.settled_step_max == whole.settled_step.max()
    assert simulation.record.positive_spikes_per_image == pytest.approx(whole.positive.sum() / 7)
    assert simulation.logs.spike_num.shape == (3, 40)
    assert simulation.logs.sop_num[:, -1].sum() == whole.operations.sum()
    assert simulation.certificate.neurons_compared == 7 * (3 * 36 + 3 * 9 + 4)
    assert simulation.certificate.mismatches == 0
    simulation.check("network")


def test_only_the_logs_depend_on_the_batch_size(network):
    _, snn, images = network
    first, second = (simulate_test_set(snn, images, 40, size) for size in (2, 7))
    assert first.record.model_copy(update={"batch_size": 7}) == second.record
    assert first.certificate == second.certificate
    assert (first.logs.accuracy.sum(axis=0) == second.logs.accuracy[0]).all()


class Stopped(Exception):
    pass


def interrupted(snn, images, path, after, monkeypatch, **options):
    """Simulate until `after` batches have their state, then stop."""
    save, saved = State.save, []

    def save_and_stop(self, metrics, certificate):
        save(self, metrics, certificate)
        saved.append(self)
        if len(saved) == after:
            raise Stopped

    with monkeypatch.context() as patcher:
        patcher.setattr(State, "save", save_and_stop)
        with pytest.raises(Stopped):
            simulate_test_set(snn, images, 40, 2, state=path, **options)


@pytest.mark.parametrize("after", [1, 3, 4])
def test_an_interrupted_simulation_gives_the_bytes_of_an_uninterrupted_one(
    network, tmp_path, monkeypatch, capsys, after
):
    _, snn, images = network
    monkeypatch.setattr(state, "INTERVAL", 0.0)
    simulate_test_set(snn, images, 40, 2).write(tmp_path / "whole")
    path = tmp_path / "seed0.simulation"
    interrupted(snn, images, path, after, monkeypatch)
    simulate_test_set(snn, images, 40, 2, state=path).write(tmp_path / "resumed")
    assert f"going on after {min(2 * after, 7)} images" in capsys.readouterr().out
    names = sorted(file.name for file in (tmp_path / "whole").iterdir())
    assert len(names) == 6
    for name in names:
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_state_of_another_simulation_or_a_damaged_one_is_not_gone_on_with(network, tmp_path, monkeypatch, capsys):
    _, snn, images = network
    monkeypatch.setattr(state, "INTERVAL", 0.0)
    whole = simulate_test_set(snn, images, 40, 2)
    path = tmp_path / "seed0.simulation"
    others = [
        ("images", lambda: interrupted(snn, replace(images, labels=images.labels[::-1]), path, 2, monkeypatch)),
        ("code", lambda: interrupted(snn, images, path, 2, monkeypatch, code="another")),
        (
            "network",
            lambda: interrupted(
                convert(random_checkpoint(np.random.default_rng(5), "3C3-P2-4", SHAPE, 1)), images, path, 2, monkeypatch
            ),
        ),
        ("truncated", lambda: path.write_bytes(path.read_bytes()[:100])),
    ]
    for word, leave in others:
        leave()
        capsys.readouterr()
        again = simulate_test_set(snn, images, 40, 2, state=path)
        said = capsys.readouterr().out
        assert word in said
        assert said.endswith("starting from the first image\n")
        assert (again.record, again.certificate) == (whole.record, whole.certificate)


def test_a_simulation_that_was_not_lossless(network):
    _, snn, images = network
    simulation = simulate_test_set(snn, images, 40, 7)
    proof = simulation.certificate.model_copy(update={"mismatches_in_settled_images": 2, "first_offender": "image 1"})
    with pytest.raises(LosslessError, match=r"network: not lossless: 2 neurons .* the first in image 1"):
        replace(simulation, certificate=proof).check("network")
    # Where sums are rounded, a neuron that differs is a finding.
    replace(simulation, certificate=proof.model_copy(update={"arithmetic": "faithful"})).check("network")


def test_a_test_set_evaluated(network):
    checkpoint, snn, images = network
    record = evaluate(checkpoint, images, CPU, limit=5)
    predictions = [np.argmax(integer_ann(snn, image)[1]) for image in images.pixels[:5]]
    assert record.accuracy == (predictions == images.labels[:5]).mean()
    assert (record.images, record.test_set) == (5, 7)
    undisturbed = next(robustness(checkpoint, images[:5], 1, CPU))
    assert (undisturbed.ratio, undisturbed.images, undisturbed.accuracy) == (RATIOS[0], 5, record.accuracy)


def test_neurons_compared(network):
    checkpoint, snn, images = network
    rows = compare_neurons(snn, images, images, 40, 3)
    assert [(row.neuron, row.time_step) for row in rows[39:41]] == [("signed", 40), ("unsigned", 1)]
    assert len(rows) == 3 * 40
    assert {row.ann_accuracy for row in rows} == {evaluate(checkpoint, images, CPU).accuracy}
    assert rows[39].accuracy == rows[39].ann_accuracy
    spikes = simulate_test_set(snn, images, 40, 7).logs.spike_num[0] / 7
    assert [row.spikes_per_image for row in rows[:40]] == pytest.approx(spikes.tolist())
