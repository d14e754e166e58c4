"""Files of a run directory: what is written, read back the same, and what no reader takes for a result."""

import errno
import json
import os

import numpy as np
import pytest

from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import write_together
from lossless_snn.runs import activity, ann, certificate, certified, history, neurons, noise, snn, step_logs, widths
from lossless_snn.runs.directory import RunDirectory

ANN = """\
{
  "experiment": "mnist-lenet",
  "budget": "quick",
  "precision": "k1",
  "seed": 2,
  "dataset": "mnist",
  "epochs": 4,
  "training_images": 600,
  "images": 3,
  "test_set": 10,
  "accuracy": 0.6666666666666666,
  "neurons": 9000,
  "ann_operations": 4000000
}
"""
# Three images in batches of 2 and 1, two steps: 1 and 3 right; 9 + 4 spikes, net 5 + 4; 70 + 20 operations.
SNN = """\
{
  "experiment": "mnist-lenet",
  "budget": "quick",
  "precision": "k1",
  "seed": 2,
  "dataset": "mnist",
  "arithmetic": "exact",
  "images": 3,
  "accuracy": 1.0,
  "time_steps": 2,
  "settled": false,
  "settled_images": 2,
  "settled_step_mean": 1.5,
  "settled_step_max": 2,
  "positive_spikes_per_image": 3.6666666666666665,
  "negative_spikes_per_image": 0.6666666666666666,
  "operations_per_image": 30.0,
  "neurons": 9000,
  "ann_operations": 4000000,
  "simulated_steps": 2,
  "batch_size": 2
}
"""
CERTIFICATE = """\
{
  "arithmetic": "exact",
  "images": 3,
  "neurons_compared": 27000,
  "mismatches": 3,
  "mismatches_by_layer": {
    "1:6C3": 1,
    "2:8": 2
  },
  "predictions_that_differ": 1,
  "images_not_settled": 1,
  "mismatches_in_settled_images": 0,
  "grid_ann_accuracy": 1.0,
  "first_offender": null,
  "network_sha256": "aaaa",
  "checkpoint_sha256": "0000",
  "bound_to_checkpoint": true
}
""".replace("aaaa", 64 * "a").replace("0000", 64 * "0")
LOGS = {"accuracy": "1\n2\n0\n1\n", "spike_num": "5\n9\n4\n4\n", "spike_collect": "5\n5\n4\n4\n"}
LOGS["sop_num"] = "40\n70\n20\n20\n"
HISTORY = """\
epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy
1,0.001,0.5,0.75,0.625,0.5
2,1e-05,0.25,0.875,,
"""
NOISE = "ratio,noise_seed,images,accuracy\n0.0,0,3,0.6666666666666666\n1.0,0,3,1.0\n"
NEURONS = """\
neuron,time_step,accuracy,spikes_per_image,operations_per_image,images,ann_accuracy,unquantised_accuracy
signed,1,0.5,3.5,1538240.0,2,1.0,0.5
unsigned,1,0.5,4.5,31.0,2,1.0,0.5
integrate-and-fire,1,0.0,0.0,0.0,2,1.0,0.5
"""
CERTIFIED = """\
implementation,time_step,accuracy,predictions_that_differ,neurons_that_differ,spikes_per_image,operations_per_image,\
code,images,images_active,neurons_compared,ann_accuracy
ours,1,0.5,1,7,3.5,30.0,sum,2,1,18,1.0
ours,2,1.0,0,0,4.5,40.0,sum,2,1,18,1.0
"""
WIDTHS = """\
weight_bits,membrane_bits,overflow,images,accuracy,grid_ann_accuracy,full_accuracy,neurons_compared,\
neurons_that_differ,predictions_that_differ,images_not_settled
4,8,saturate,2,0.5,1.0,1.0,18,3,1,0
"""
# Two images, two steps: a layer of three units with two inputs, then the output, which emits nothing.
LAYERS = [
    {"token": "3", "neurons": 3, "inputs": 2, "macs": 6, "active_inputs": 4, "active_macs": 12, "largest_input": 255}
    | {"operations": [12, 0], "positive": [5, 1], "negative": [0, 1], "updates": [6, 2]},
    {"token": "output", "neurons": 2, "inputs": 3, "macs": 6, "active_inputs": 5, "active_macs": 10, "largest_input": 1}
    | {"operations": [10, 4], "positive": [0, 0], "negative": [0, 0], "updates": [0, 0]},
]
ACTIVITY = json.dumps({"images": 2, "correct": [1, 2], "settled": [0, 1, 1], "layers": LAYERS}, indent=2) + "\n"


@pytest.fixture
def folder(tmp_path):
    """A run directory with every file."""
    files = {"ann.json": ANN, "snn.json": SNN, "certificate.json": CERTIFICATE, "history.csv": HISTORY}
    files |= {"certified.csv": CERTIFIED, "widths.csv": WIDTHS, "activity.json": ACTIVITY}
    files |= {"noise.csv": NOISE, "neurons.csv": NEURONS} | {f"{name}.txt": text for name, text in LOGS.items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


READERS = {
    "ann.json": ann.read,
    "snn.json": snn.read,
    "certificate.json": certificate.read,
    "history.csv": history.read,
    "noise.csv": noise.read,
    "neurons.csv": neurons.read_neurons,
    "certified.csv": certified.read_certified,
    "widths.csv": widths.read_widths,
    "activity.json": activity.read,
}


def read(folder, name):
    """Whatever reads that file of a run directory."""
    if name in READERS:
        return READERS[name](folder / name)
    return step_logs.read_log(folder, name.removesuffix(".txt"), snn.read(folder / "snn.json"))


def test_what_is_read_is_written_again_as_it_was(folder, tmp_path):
    out = tmp_path / "again"
    ann.write(out / "ann.json", read(folder, "ann.json"))
    history.write(out / "history.csv", read(folder, "history.csv"))
    noise.write(out / "noise.csv", read(folder, "noise.csv"))
    rows = read(folder, "neurons.csv").to_dict("records")
    neurons.write(out / "neurons.csv", [neurons.NeuronRecord(**row) for row in rows])
    rows = read(folder, "certified.csv").to_dict("records")
    certified.write(out / "certified.csv", [certified.CertifiedRecord(**row) for row in rows])
    widths.write(out / "widths.csv", read(folder, "widths.csv"))
    activity.write(out, read(folder, "activity.json"))
    logs = step_logs.StepLogs(**{name: read(folder, f"{name}.txt") for name in LOGS})
    step_logs.write_simulation(out, logs, read(folder, "snn.json"), read(folder, "certificate.json"))
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in folder.iterdir() if path != out)
    for path in out.iterdir():
        assert path.read_text() == (folder / path.name).read_text(), path.name


def test_logs_are_read_batch_after_batch(folder):
    run = RunDirectory.read(folder)
    assert run.log("spike_num").tolist() == [[5, 9], [4, 4]]
    assert run.accuracy_by_step().tolist() == [1 / 3, 1]
    assert [epoch.validation_loss for epoch in run.history()] == [0.625, None]


def test_history_with_the_seconds_of_earlier_versions(folder):
    text = HISTORY.replace("accuracy\n", "accuracy,seconds\n").replace("0.5\n", "0.5,6.9\n").replace(",,\n", ",,,6.6\n")
    epochs = read(folder, "history.csv")
    (folder / "history.csv").write_text(text)
    assert read(folder, "history.csv") == epochs


def test_every_field_says_what_it_is_and_in_which_unit():
    models = (ann.AnnRecord, snn.SnnRecord, certificate.CertificateRecord, step_logs.StepLogs)
    models += (history.EpochRecord, noise.NoiseRecord, neurons.NeuronRecord)
    without = set()
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, (model, name)
            if not field.json_schema_extra:
                without.add(name)
    numbers_without = {"seed", "noise_seed", "max_pooling_units", "max_pooling_state"}
    texts = {"experiment", "budget", "precision", "dataset", "arithmetic", "settled", "first_offender", "neuron"}
    texts |= {"network_sha256", "checkpoint_sha256", "bound_to_checkpoint"}
    assert without == numbers_without | texts


def refused(folder, name, message):
    with pytest.raises(LosslessError, match=message) as error:
        read(folder, name)
    assert str(error.value).startswith(f"{folder / name}: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(folder)) + 400


JSON_FAULTS = [
    ("ann.json", '"images": 3', '"images": 3, "images": 2', "truncated or not JSON .*'images' twice"),
    (
        "certificate.json",
        '"mismatches_by_layer": {',
        '"mismatches_by_layer": {"a\\n": 1, "a\\n": 1, ',
        r".*'a\\n' twice",
    ),
    ("ann.json", '"images": 3', '"images": -3', "images: .*greater than or equal to 1"),
    ("ann.json", '"images": 3', '"images": 11', "images 11, more than the test set's 10"),
    ("ann.json", '"images": 3', '"images": true', "images: .*valid integer"),
    ("ann.json", '"images": 3', '"images": "3"', "images: .*valid integer"),
    ("ann.json", '"images": 3', '"images": 3.0', "images: .*valid integer"),
    ("ann.json", '"images": 3', '"images": 1_0', "truncated or not JSON"),
    ("ann.json", '"images": 3', '"images": ٣', "truncated or not JSON"),
    ("ann.json", '"images": 3', f'"images": {2**64}', "images: .*less than or equal to"),
    ("ann.json", '"images": 3', '"images": ' + 5000 * "9", "truncated or not JSON"),
    ("ann.json", '"images": 3', '"images": null', "images: .*valid integer"),
    ("ann.json", '  "images": 3,\n', "", "images: Field required"),
    ("ann.json", "0.6666666666666666", "NaN", "not JSON .NaN is no number"),
    ("ann.json", "0.6666666666666666", "-Infinity", "not JSON .-Infinity is no number"),
    ("ann.json", "0.6666666666666666", "1e999", "accuracy: "),
    ("ann.json", "0.6666666666666666", "1.01", "accuracy: .*less than or equal to 1"),
    ("ann.json", '"seed": 2', '"seed": -1', "seed: "),
    ("ann.json", '"k1"', '"k01"', "precision: 'k01' is no precision"),
    ("ann.json", '"quick"', '"qu\\u0007ick\\n"', r"budget: .*qu\\x07ick\\n"),
    ("ann.json", '"mnist-lenet"', '["' + 10**5 * "x" + '"]', r"experiment: .*xxx\.\.\."),
    ("snn.json", '"settled_images": 2', '"settled_images": 4', "settled_images 4, more than the 3 images"),
    ("snn.json", '"time_steps": 2', '"time_steps": 3', "time_steps 3, more than the 2 simulated"),
    ("snn.json", '"settled_step_max": 2', '"settled_step_max": 3', "settled_step_max 3, more"),
    ("snn.json", "30.0", "-30.0", "operations_per_image: "),
    ("snn.json", '"exact"', '"approximate"', "arithmetic: "),
    ("certificate.json", '"mismatches": 3', '"mismatches": 2', "mismatches 2, but its layers have others"),
    ("certificate.json", '"1:6C3": 1', '"1:6C3": -1', r"mismatches_by_layer\.1:6C3: "),
    ("certificate.json", "27000", "2", "more mismatches than there are neurons"),
    ("certificate.json", 64 * "a", 64 * "g", "network_sha256: "),
    ("certificate.json", '"images_not_settled": 1', '"images_not_settled": 4', "than the 3 images"),
    ("activity.json", '"images": 2', '"images": 1', "settled: .*more images than there are"),
    ("activity.json", '"correct": [\n    1', '"correct": [\n    3', "correct: more than the 2 images"),
    ("activity.json", '"active_inputs": 4', '"active_inputs": 5', "layer 3: active_inputs: more than 2 an image"),
    ("activity.json", '"active_macs": 12', '"active_macs": 13', "layer 3: active_macs: more than 6 an image"),
    ("activity.json", '"operations": [\n        12', '"operations": [\n        13', "layer 3: operations: more than 6"),
    (
        "activity.json",
        '"positive": [\n        5',
        '"positive": [\n        7',
        "layer 3: positive and negative: more than 3",
    ),
    (
        "activity.json",
        '"negative": [\n        0',
        '"negative": [\n        2',
        "layer 3: positive and negative: more than 3",
    ),
    ("activity.json", '"updates": [\n        6', '"updates": [\n        7', "layer 3: updates: more than 3 an image"),
]
TABLE_FAULTS = [
    ("history.csv", "train_loss", "epoch", "no column train_loss"),
    ("history.csv", "validation_accuracy\n", "validation_accuracy,epoch\n", "column epoch twice"),
    ("noise.csv", "1.0,0,3,", "0.0,0,3,", r"0.0, 0 twice"),
    ("noise.csv", "1.0,0,3,", "1.0,0,4,", "images 3 and 4, of one test"),
    ("neurons.csv", "31.0,2,1.0", "31.0,3,1.0", "images 2 and 3, of one test"),
    ("neurons.csv", "31.0,2,1.0", "31.0,2,0.5", "ann_accuracy 1.0 and 0.5, of one test"),
    ("history.csv", "0.75", "nan", "line 2: train_accuracy: .*found 'nan'"),
    ("history.csv", "0.75", "1.75", "line 2: train_accuracy: "),
    ("history.csv", "2,1e-05", "3,1e-05", "epochs are not 1, 2, ..."),
    ("history.csv", "2,1e-05", "2,-1e-05", "line 3: learning_rate: "),
    ("history.csv", "0.875,,", "0.875,0.5,", "line 3: either both"),
    ("history.csv", "0.875,,", "0.875,", "line 3: 5 cells, expected 6"),
    ("history.csv", "train_loss", "loss", "no column train_loss"),
    ("noise.csv", ",3,", ",1_0,", "line 2: images: .*found '1_0'"),
    ("noise.csv", ",3,", ",٣,", "line 2: images: "),
    ("noise.csv", ",3,", ", 3,", "line 2: images: .*found ' 3'"),
    ("noise.csv", ",3,", f",{2**64},", "line 2: images: "),
    ("noise.csv", ",3,", ',"3', "not a CSV table|line 2"),
    ("noise.csv", "0.0,0", "0.0,-1", "line 2: noise_seed: "),
    ("noise.csv", "0.0,0", "1e999,0", "line 2: ratio: "),
    ("neurons.csv", "unsigned", "rate-coded", "line 3: neuron: "),
    ("neurons.csv", "unsigned,1", "unsigned,2", "not one row for each neuron and time step"),
    ("neurons.csv", "unsigned,1", f"unsigned,{2**62}", "not one row for each neuron and time step"),
    ("neurons.csv", "4.5", "inf", "line 3: spikes_per_image: "),
    ("neurons.csv", "4.5", "", "line 3: spikes_per_image: "),
    ("history.csv", "0.25,", "-0.25,", "a cross-entropy below 0"),
    ("history.csv", "0.625,", "-0.625,", "a cross-entropy below 0"),
    ("certified.csv", "ours,2", "ours,3", "not one row for each implementation and time step"),
    ("certified.csv", "0.5,1,7", "0.5,3,7", "predictions_that_differ 3, of 2"),
    ("certified.csv", "0.5,1,7", "0.5,1,19", "neurons_that_differ 19, of 18"),
    ("certified.csv", "sum,2,1,", "sum,2,3,", "images_active 3 and 1, of one test"),
    ("certified.csv", "4.5", "2.5", "spikes_per_image falls from one time step to the next"),
    ("certified.csv", "40.0", "20.0", "operations_per_image falls from one time step to the next"),
    ("certified.csv", "ours,1", "o\x1burs,1", "not one row for each|'o.x1burs': no name"),
    ("widths.csv", "18,3,1,0", "18,19,1,0", "neurons_that_differ 19, of 18"),
    ("widths.csv", "18,3,1,0", "18,3,3,0", "predictions_that_differ 3, of 2"),
    ("widths.csv", "18,3,1,0", "18,3,1,3", "images_not_settled 3, of 2"),
]
LOG_FAULTS = [
    ("accuracy.txt", "1\n2\n", "-1\n2\n", "line 1: -1 is negative"),
    ("accuracy.txt", "1\n2\n", "3\n2\n", "line 1: 3 is .*more than the batch has images"),
    ("accuracy.txt", "0\n1\n", "2\n1\n", "line 3: 2 is .*more than the batch has images"),
    ("accuracy.txt", "0\n1\n", "0\n0\n", r"ends at 66\.67%, snn\.json says 100\.00%"),
    ("accuracy.txt", "1\n2\n", "1_0\n2\n", "line 1: '1_0' is no integer"),
    ("accuracy.txt", "1\n2\n", "\u0661\n2\n", "line 1: .* is no integer"),
    ("accuracy.txt", "1\n2\n", "+1\n2\n", r"line 1: '\+1' is no integer"),
    ("accuracy.txt", "1\n2\n", " 1\n2\n", "line 1: ' 1' is no integer"),
    ("accuracy.txt", "1\n2\n", "1\x1b[2J\n2\n", r"line 1: '1\\x1b\[2J' is no integer"),
    ("spike_num.txt", "5\n9\n", "10\n9\n", "line 2: 9 is less than before"),
    ("spike_num.txt", "4\n4\n", "4\n5\n", r"ends at 4\.66667 an image, snn\.json says 4\.33333"),
    ("spike_num.txt", "5\n9\n", f"5\n{2**64}\n", "line 2: .* is no integer of 64 bits"),
    ("spike_collect.txt", "5\n5\n", "5\n4\n", "ends at 2.66667"),
    ("sop_num.txt", "40\n70\n", "-40\n70\n", "line 1: -40 is less than before"),
    ("sop_num.txt", "40\n70\n", "40\n", "3 lines, expected 4"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), JSON_FAULTS + TABLE_FAULTS + LOG_FAULTS)
@pytest.mark.bad_input("logs and records")
def test_nonsense_is_refused_in_one_line(folder, name, old, new, message):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    refused(folder, name, message)


@pytest.mark.parametrize("name", [*READERS, *(f"{name}.txt" for name in LOGS)])
@pytest.mark.bad_input("logs and records")
def test_no_file_of_the_kind(folder, name):
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b"null", b"3", b"[]"):
        (folder / name).write_bytes(content)
        refused(folder, name, ": ")
    (folder / name).unlink()
    refused(folder, name, "no such file")
    os.mkfifo(folder / name)  # nobody writes to it: to open it would wait for ever
    refused(folder, name, "no regular file")


def test_logs_that_contradict_each_other_are_not_written():
    counts = {name: np.array([[int(line) for line in text.split()]]) for name, text in LOGS.items()}
    step_logs.StepLogs(**counts)
    with pytest.raises(ValueError, match="more spikes than spike_num"):
        step_logs.StepLogs(**counts | {"spike_collect": counts["spike_num"] + 1})
    with pytest.raises(ValueError, match="other batches or steps"):
        step_logs.StepLogs(**counts | {"sop_num": counts["sop_num"][:, :2]})
    with pytest.raises(ValueError, match="expected integers"):
        step_logs.StepLogs(**counts | {"sop_num": counts["sop_num"] / 2})


def snapshot(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("before", [{}, {"a": "1", "c": "3"}, {"a": "1", "b": "2", "c": "3"}])
@pytest.mark.parametrize("failing", range(6))
def test_files_that_belong_together_appear_together_or_not_at_all(tmp_path, monkeypatch, before, failing):
    """Whichever renaming fails, the old files are there, and nothing else."""
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    renamings, replace = [], os.replace

    def broken(source, target):
        renamings.append(target)
        if len(renamings) == failing + 1:
            raise OSError(errno.ENOSPC, "disk full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", broken)
    new = {"a": "new", "b": "new", "c": "new"}
    if failing < len(before) + len(new):
        with pytest.raises(LosslessError, match=r"cannot be written \(disk full\)"):
            write_together(tmp_path, new)
        assert snapshot(tmp_path) == before
    else:
        write_together(tmp_path, new)
        assert snapshot(tmp_path) == new


def test_a_simulation_that_cannot_be_written_leaves_the_one_before(trained, project, command_line, tmp_path):
    network, logs = tmp_path / "x.snn.safetensors", tmp_path / "logs"
    assert command_line("convert", trained, "--out", network) == 0
    assert command_line("simulate", network, "--logs", logs, "--limit", "5", "--steps", "4") == 0
    (logs / "sop_num.txt").unlink()
    (logs / "sop_num.txt").mkdir()
    before = {path.name: path.read_bytes() for path in logs.iterdir() if path.is_file()}
    said = command_line("simulate", network, "--logs", logs, "--limit", "6", "--steps", "4")
    assert said == f"lossless-snn: {logs}/sop_num.txt: is there, and no regular file; choose another name"
    assert {path.name: path.read_bytes() for path in logs.iterdir() if path.is_file()} == before


@pytest.mark.bad_input("logs and records")
def test_text_that_is_json_but_no_record(folder):
    (folder / "ann.json").write_text(json.dumps([json.loads(ANN)]))
    refused(folder, "ann.json", "valid dictionary")


@pytest.mark.parametrize("place", ["file/ann.json", "file/deep/ann.json", "folder"])
def test_a_place_that_cannot_be_written_to_is_named(folder, tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LosslessError, match=r"can be made here \(.*\); .* place|is there, and no") as error:
        ann.write(tmp_path / place, ann.read(folder / "ann.json"))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.partial"))


def test_certificates_of_earlier_versions_are_bound_to_nothing(folder):
    content = json.loads(CERTIFICATE)
    for name in ("network_sha256", "checkpoint_sha256", "bound_to_checkpoint"):
        del content[name]
    (folder / "certificate.json").write_text(json.dumps(content))
    proof = read(folder, "certificate.json")
    assert (proof.network_sha256, proof.checkpoint_sha256, proof.bound_to_checkpoint) == (None, None, False)
