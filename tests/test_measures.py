"""The four logs and the summary, with values worked out by hand."""

import json

import numpy as np
import pytest

from lossless_snn.runs.step_logs import LOGS
from lossless_snn.simulation import Trace
from lossless_snn.simulation.metrics import Metrics, time_steps


def trace(predictions, positive, negative, operations, settled_step):
    arrays = [np.array(a, dtype=np.int64) for a in (predictions, positive, negative, operations, settled_step)]
    return Trace(*arrays, counts=())


@pytest.fixture
def metrics():
    """A batch of two images and a last one of a single image; three steps."""
    collected = Metrics()
    collected.add(
        trace(
            predictions=[[4, 7, 7], [1, 1, 2]],
            positive=[[5, 3, 0], [2, 0, 1]],
            negative=[[0, 1, 1], [0, 4, 0]],
            operations=[[50, 40, 10], [20, 60, 10]],
            settled_step=[3, 2],
        ),
        np.array([7, 1]),
    )
    collected.add(trace([[3, 3, 3]], [[1, 1, 1]], [[0, 0, 2]], [[7, 7, 30]], [-1]), np.array([3]))
    return collected


def test_logs_by_hand(metrics):
    logs = metrics.step_logs()
    # right at each step, not cumulative: image 1 from step 1 on, image 2 until step 1
    assert logs.accuracy.tolist() == [[1, 2, 1], [1, 1, 1]]
    # 7, then 3 + 0 + 1 + 4 more, then 0 + 1 + 1 + 0 more
    assert logs.spike_num.tolist() == [[7, 15, 17], [1, 2, 5]]
    # 7, then 3 - 5, then 1 - 1
    assert logs.spike_collect.tolist() == [[7, 5, 5], [1, 2, 1]]
    assert logs.sop_num.tolist() == [[70, 170, 190], [7, 14, 44]]


def test_summary_by_hand(metrics):
    assert metrics.summary() == {
        "images": 3,
        "accuracy": pytest.approx(2 / 3),
        "time_steps": 3,  # 2, 3 and 2 right
        "settled": False,
        "settled_images": 2,
        "settled_step_mean": 2.5,
        "settled_step_max": 3,
        "positive_spikes_per_image": pytest.approx((5 + 3 + 2 + 1 + 3) / 3),
        "negative_spikes_per_image": pytest.approx((2 + 4 + 2) / 3),
        "operations_per_image": pytest.approx((190 + 44) / 3),
    }


def test_summary_is_plain_numbers(metrics):
    assert json.loads(json.dumps(metrics.summary()))["settled_step_max"] == 3


def test_nothing_settled_has_no_settled_step():
    collected = Metrics()
    collected.add(trace([[1]], [[1]], [[0]], [[10]], [-1]), np.array([1]))
    summary = collected.summary()
    assert (summary["settled_step_mean"], summary["settled_step_max"]) == (None, None)
    assert (summary["settled"], summary["settled_images"]) == (False, 0)


@pytest.mark.parametrize(
    ("correct", "steps"),
    [
        ([5], 1),
        ([5, 5, 5], 1),
        ([0, 3, 5, 5, 5], 3),
        ([0, 5, 4, 5, 5], 4),  # it was there before, and left again
        ([5, 4, 4, 5], 4),
        ([1, 2, 3], 3),
    ],
)
def test_time_steps_are_the_first_count_from_which_the_accuracy_stays(correct, steps):
    assert time_steps(np.array(correct)) == steps


def test_time_steps_are_of_the_whole_set_not_of_batches():
    """One image is won where another is lost: each batch changes, the sum does not."""
    collected = Metrics()
    nothing = [[0, 0, 0]]
    collected.add(trace([[0, 1, 1]], nothing, nothing, nothing, [0]), np.array([1]))
    collected.add(trace([[1, 0, 0]], nothing, nothing, nothing, [0]), np.array([1]))
    assert collected.summary()["time_steps"] == 1


def test_logs_and_result_of_the_command(trained, project, command_line, tmp_path):
    """70 digits in batches of 32: the files agree with each other and with snn.json."""
    snn, logs = tmp_path / "x.snn.safetensors", tmp_path / "logs"
    assert command_line("convert", trained, "--out", snn) == 0
    assert command_line("simulate", snn, "--logs", logs, "--steps", "50", "--limit", "70") == 0
    lines = {name: np.array((logs / f"{name}.txt").read_text().split("\n")[:-1], dtype=int) for name in LOGS}
    by_batch = {name: values.reshape(3, 50) for name, values in lines.items()}
    result = json.loads((logs / "snn.json").read_text())
    assert (result["images"], result["batch_size"], result["simulated_steps"]) == (70, 32, 50)
    assert by_batch["accuracy"][2].max() <= 6
    assert result["accuracy"] == by_batch["accuracy"][:, -1].sum() / 70
    for name in ("spike_num", "sop_num"):
        assert (np.diff(by_batch[name]) >= 0).all()
    spikes, net = by_batch["spike_num"][:, -1].sum(), by_batch["spike_collect"][:, -1].sum()
    assert result["positive_spikes_per_image"] == pytest.approx((spikes + net) / 2 / 70)
    assert result["negative_spikes_per_image"] == pytest.approx((spikes - net) / 2 / 70)
    assert result["operations_per_image"] == pytest.approx(by_batch["sop_num"][:, -1].sum() / 70)
    # 3C5-P4-8 on 28 x 28: maps 24 x 24 and 6 x 6
    assert result["neurons"] == 3 * 24 * 24 + 3 * 6 * 6 + 8
    assert result["ann_operations"] == 3 * (3 * 6 * 6 * 3 * 16 + 8 * 3 * 36 + 80)
    assert result["arithmetic"] == "exact"
    assert {key: result[key] for key in ("experiment", "budget", "precision", "seed", "dataset")} == {
        "experiment": "tiny",
        "budget": "quick",
        "precision": "k1",
        "seed": 0,
        "dataset": "digits",
    }


def test_engines_and_threads_give_the_same_files(trained, project, command_line, tmp_path):
    snn = tmp_path / "x.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    contents = []
    for options in [("--engine", "event"), ("--engine", "event", "--threads", "2"), ("--engine", "dense")]:
        logs = tmp_path / "-".join(options)
        assert command_line("simulate", snn, "--logs", logs, "--steps", "40", "--limit", "50", *options) == 0
        contents.append({path.name: path.read_bytes() for path in logs.iterdir()})
    assert contents[0] == contents[1] == contents[2]
    assert contents[0].keys() == {f"{name}.txt" for name in LOGS} | {"snn.json", "certificate.json"}


def test_evaluate_agrees_with_the_certificate(trained, project, command_line, tmp_path):
    snn, logs, ann = tmp_path / "x.snn.safetensors", tmp_path / "logs", tmp_path / "ann.json"
    assert command_line("convert", trained, "--out", snn) == 0
    assert command_line("simulate", snn, "--logs", logs) == 0
    assert command_line("evaluate", trained, "--out", ann) == 0
    ann, result, proof = (json.loads(path.read_text()) for path in (ann, logs / "snn.json", logs / "certificate.json"))
    assert ann["images"] == result["images"] == proof["images"] == 500
    assert ann["epochs"] == 2
    assert (ann["neurons"], ann["ann_operations"]) == (result["neurons"], result["ann_operations"])
    assert proof["mismatches_in_settled_images"] == 0
    assert proof["neurons_compared"] == 500 * ann["neurons"]
    assert proof["grid_ann_accuracy"] == pytest.approx(ann["accuracy"], abs=0.002)
