"""Training on digits with a small network: recipe, history, the same bytes twice, going on after interruptions."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from interruptions import interrupted_after_an_epoch

from lossless_snn import processor
from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.config.experiment import load_experiment
from lossless_snn.datasets import Images
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.datasets.encoding import Scaled, Standardised
from lossless_snn.errors import LosslessError
from lossless_snn.files.tensors import load_tensors
from lossless_snn.training import state as states
from lossless_snn.training import training

ARGUMENTS = ("--precision", "k1", "--device", "cpu")


def bytes_of(path):
    return path.read_bytes()


def columns(path):
    """The lines of history.csv."""
    return path.read_text().splitlines()


@contextmanager
def interruption_in(epoch):
    """Within, training is interrupted in that epoch: after its batches, before it is finished."""
    calls, original = [], training.accuracy

    def accuracy(*arguments):
        calls.append(arguments)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return original(*arguments)

    with patch.object(training, "accuracy", accuracy):
        yield
    assert len(calls) == epoch


@pytest.fixture
def uninterrupted(project, command_line, tmp_path_factory):
    """Train to the end; results are kept, by arguments."""

    def run(*arguments):
        key = " ".join(arguments)
        if key not in _UNINTERRUPTED:
            out = tmp_path_factory.mktemp("uninterrupted") / "seed0.safetensors"
            assert command_line("train", "tiny", *ARGUMENTS, *arguments, "--out", out) == 0
            _UNINTERRUPTED[key] = out
        return _UNINTERRUPTED[key]

    return run


_UNINTERRUPTED = {}


def test_history_and_metadata(uninterrupted):
    out = uninterrupted("--budget", "paper")
    lines = out.with_suffix(".history.csv").read_text().splitlines()
    assert lines[0] == "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy"
    rows = np.array([[float(value) for value in line.split(",")] for line in lines[1:]])
    assert rows[:, 0].tolist() == [1, 2, 3, 4]
    assert rows[:, 1].tolist() == [1e-2, 1e-2, 1e-3, 1e-3]
    assert (np.diff(rows[:, 2]) < 0).all()  # it learns
    assert rows[-1, 3] > 0.7
    assert ((rows[:, [3, 5]] >= 0) & (rows[:, [3, 5]] <= 1)).all()
    # shares of 1,200 training and 97 validation images
    assert rows[:, 3] * 1200 == pytest.approx(np.rint(rows[:, 3] * 1200), abs=1e-9)  # of so many images
    assert np.rint(rows[:, 5] * 97) == pytest.approx(rows[:, 5] * 97)
    metadata = Checkpoint.load(out).metadata
    assert metadata.model_dump(include={"experiment", "budget", "precision", "seed", "epochs"}) == {
        "experiment": "tiny",
        "budget": "paper",
        "precision": "k1",
        "seed": 0,
        "epochs": 4,
    }


def test_without_held_out_images_their_columns_are_empty(project, command_line, tmp_path):
    text = (project / "config" / "experiments" / "tiny.yaml").read_text()
    whole = project / "config" / "experiments" / "whole.yaml"
    whole.write_text(text.replace("validation_images: 97", "validation_images: 0"))
    out = tmp_path / "a.safetensors"
    try:
        with interrupted_after_an_epoch():
            assert command_line("train", "whole", *ARGUMENTS, "--epochs", "2", "--out", out) != 0
        assert command_line("train", "whole", *ARGUMENTS, "--epochs", "2", "--out", out, "--resume") == 0
    finally:
        whole.unlink()
    lines = out.with_suffix(".history.csv").read_text().splitlines()
    assert [line.split(",")[4:6] for line in lines[1:]] == [["", ""], ["", ""]]


def test_history_goes_where_it_is_asked_to(project, command_line, tmp_path):
    out, history = tmp_path / "a.safetensors", tmp_path / "deep" / "history.csv"
    assert command_line("train", "tiny", *ARGUMENTS, "--epochs", "1", "--out", out, "--history", history) == 0
    assert len(history.read_text().splitlines()) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "deep"]


def test_the_same_training_gives_the_same_bytes(uninterrupted, command_line, tmp_path):
    out = tmp_path / "again.safetensors"
    assert command_line("train", "tiny", *ARGUMENTS, "--epochs", "2", "--out", out) == 0
    assert bytes_of(out) == bytes_of(uninterrupted("--epochs", "2"))


def test_seed_and_precision_change_the_result(uninterrupted):
    weights = [
        load_tensors(uninterrupted(*arguments, "--epochs", "1"), "checkpoint")[0]["0.weight"].tobytes()
        for arguments in [(), ("--seed", "1"), ("--precision", "fp32")]
    ]
    assert len(set(weights)) == 3


def test_epochs_cut_the_schedule_off(uninterrupted):
    for epochs, budget in [(1, "paper"), (3, "paper"), (4, "quick")]:
        out = uninterrupted("--epochs", str(epochs), "--budget", budget)
        rates = [line.split(",")[1] for line in columns(out.with_suffix(".history.csv"))[1:]]
        assert rates == (["0.01", "0.01", "0.001"][:epochs] if budget == "paper" else ["0.01"] * 4)
        assert Checkpoint.load(out).metadata.epochs == epochs


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_going_on_gives_the_bytes_of_an_uninterrupted_run(uninterrupted, command_line, tmp_path, epoch):
    """Two epochs at one learning rate and two at another: interrupted within, before and after the change."""
    expected, out = uninterrupted("--budget", "paper"), tmp_path / "seed0.safetensors"
    arguments = ("train", "tiny", *ARGUMENTS, "--budget", "paper", "--out", out, "--resume")
    with interruption_in(epoch):
        assert command_line(*arguments) != 0
    assert not out.exists()
    assert out.with_suffix(".training").exists() == (epoch > 1)
    assert command_line(*arguments) == 0
    assert bytes_of(out) == bytes_of(expected)
    assert columns(out.with_suffix(".history.csv")) == columns(expected.with_suffix(".history.csv"))
    assert not out.with_suffix(".training").exists()


def test_going_on_runs_only_the_epochs_that_are_left(command_line, project, tmp_path, capsys):
    arguments = ("train", "tiny", *ARGUMENTS, "--out", tmp_path / "seed0.safetensors", "--resume")
    with interruption_in(3):
        command_line(*arguments)
    capsys.readouterr()
    assert command_line(*arguments) == 0
    said = capsys.readouterr().out
    assert "epoch 3/3" in said
    assert "epoch 2/3" not in said


def test_without_resume_training_starts_again(uninterrupted, command_line, tmp_path, capsys):
    out = tmp_path / "seed0.safetensors"
    arguments = ("train", "tiny", *ARGUMENTS, "--epochs", "2", "--out", out)
    with interruption_in(2):
        command_line(*arguments)
    capsys.readouterr()
    assert command_line(*arguments) == 0
    assert "epoch 1/2" in capsys.readouterr().out
    assert bytes_of(out) == bytes_of(uninterrupted("--epochs", "2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("DNNL_MAX_CPU_ISA", "AVX2"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("MKL_CBWR", "COMPATIBLE"),
    ],
)
def test_what_a_processor_is_told_to_be_decides_bits(monkeypatch, name, value):
    """See docs/numerics.md: oneDNN told to do without AVX-512 gave another checkpoint."""
    cpu = torch.device("cpu")
    monkeypatch.delenv(name, raising=False)
    plain = states.decides_bits(cpu, 1)
    assert states.decides_bits(cpu, 1) == plain != states.decides_bits(cpu, 2)
    monkeypatch.setenv(name, value)
    assert states.decides_bits(cpu, 1) != plain


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("flags: avx512f", "flags: avx512f avx512_bf16"),
        ("flags: avx512f avx512_bf16", "flags: avx512f avx512_bf16 amx_bf16"),
        ("vendor_id: AuthenticAMD\nflags: avx512f", "vendor_id: GenuineIntel\nflags: avx512f"),
    ],
)
def test_the_kind_of_processor_decides_bits(monkeypatch, tmp_path, before, after):
    """Processors that PyTorch calls alike, and that differ in instructions for bfloat16 products, or in maker."""
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    found = []
    for said in (before, after):
        (tmp_path / "cpuinfo").write_text(said)
        found.append(states.decides_bits(torch.device("cpu"), 1)["processor"])
    assert found[0] != found[1]


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize("seed", [2**63, 2**64, -1])
def test_a_seed_that_no_generator_takes(command_line, tmp_path, capsys, seed):
    out = tmp_path / "k1.safetensors"
    assert command_line("train", "digits-lenet", "--precision", "k1", "--seed", str(seed), "--out", out) == 2
    assert f"{seed} is not in the range 0<=x<=9223372036854775807" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("change", [("--seed", "1"), ("--precision", "k2"), ("--epochs", "3"), ("--budget", "paper")])
def test_a_state_of_other_settings_is_not_resumed(uninterrupted, command_line, tmp_path, capsys, change):
    out = tmp_path / "seed0.safetensors"
    with interruption_in(2):
        command_line("train", "tiny", *ARGUMENTS, "--epochs", "2", "--out", out)
    capsys.readouterr()
    arguments = ("--epochs", "2", *change)
    assert command_line("train", "tiny", *ARGUMENTS, *arguments, "--out", out, "--resume") == 0
    said = capsys.readouterr().out
    assert "starting from the first epoch" in said
    assert "epoch 1/" in said
    assert bytes_of(out) == bytes_of(uninterrupted(*arguments))


def changed(array, place):
    """A copy of 8-bit values or classes with another one at that place."""
    copy = array.copy()
    copy[place] ^= 1
    return copy


@pytest.mark.parametrize(
    "change",
    [
        lambda images: Images(changed(images.pixels, (0, 0, 14, 14)), images.labels),
        lambda images: Images(changed(images.pixels, (-1, 0, 14, 14)), images.labels),  # held out
        lambda images: Images(images.pixels, changed(images.labels, 7)),
        lambda images: Images(images.pixels, changed(images.labels, -1)),
        lambda images: Images(np.flip(images.pixels, 0).copy(), np.flip(images.labels).copy()),
    ],
    ids=["pixel", "held-out pixel", "class", "held-out class", "order"],
)
def test_a_state_of_other_images_is_not_resumed(project, command_line, tmp_path, monkeypatch, capsys, change):
    """The same data set by its name, whose pictures were changed before the training went on."""
    arguments = ("train", "tiny", *ARGUMENTS, "--epochs", "2", "--out")
    out, expected = tmp_path / "seed0.safetensors", tmp_path / "uninterrupted.safetensors"
    with interruption_in(2):
        command_line(*arguments, out)
    load = training.load
    monkeypatch.setattr(training, "load", lambda *names, **options: change(load(*names, **options)))
    capsys.readouterr()
    assert command_line(*arguments, out, "--resume") == 0
    said = capsys.readouterr().out
    assert "made with other images; starting from the first epoch" in said
    assert "epoch 1/2" in said
    assert command_line(*arguments, expected) == 0
    assert bytes_of(out) == bytes_of(expected)


@pytest.mark.parametrize("encoding", [Scaled(bits=9), Standardised(crop=28)])
def test_a_state_of_another_encoding_is_not_resumed(project, command_line, tmp_path, monkeypatch, capsys, encoding):
    arguments = ("train", "tiny", *ARGUMENTS, "--epochs", "2", "--out", tmp_path / "seed0.safetensors")
    with interruption_in(2):
        command_line(*arguments)
    monkeypatch.setitem(DATASETS, "digits", replace(DATASETS["digits"], encoding=encoding))
    capsys.readouterr()
    assert command_line(*arguments, "--resume") == 0
    assert "made with other images; starting from the first epoch" in capsys.readouterr().out


def test_going_on_after_the_process_was_killed(uninterrupted, command_line, tmp_path):
    expected, out = uninterrupted(), tmp_path / "seed0.safetensors"
    arguments = ["train", "tiny", *ARGUMENTS, "--out", str(out), "--resume"]
    with subprocess.Popen([sys.executable, "-m", "lossless_snn", *arguments], stdout=subprocess.PIPE, text=True) as job:
        said = job.stdout.readline()
        job.kill()
    assert "epoch 1/3" in said
    assert job.returncode == -signal.SIGKILL
    assert not out.exists()
    assert command_line(*arguments) == 0
    assert bytes_of(out) == bytes_of(expected)


def test_a_truncated_state_is_an_error(command_line, project, tmp_path):
    out = tmp_path / "seed0.safetensors"
    arguments = ("train", "tiny", *ARGUMENTS, "--out", out, "--resume")
    with interruption_in(2):
        command_line(*arguments)
    state = out.with_suffix(".training")
    state.write_bytes(state.read_bytes()[:-100])
    said = command_line(*arguments)
    assert str(state) in said
    assert "truncated" in said
    assert "\n" not in said
    assert not out.exists()


def test_what_is_not_finite_ends_training_and_is_not_saved(project, tmp_path):
    """A rate beyond what configuration allows, past its bounds."""
    recipe = load_experiment("tiny").recipe("quick", "k1")
    wild = recipe.model_copy(update={"phases": (recipe.phases[0].model_copy(update={"learning_rate": 1e38}),)})
    identity = {"experiment": "tiny", "budget": "quick", "precision": "k1", "seed": 0, "recipe": wild.recorded()}
    out = tmp_path / "x.safetensors"
    with pytest.raises(LosslessError, match=r"x\.safetensors: epoch 1 is not finite; lower the learning rate"):
        training.train(training.Job(identity, wild), out, history_path=tmp_path / "x.csv", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_rate_beyond_reason_is_refused(project, command_line, tmp_path):
    text = (project / "config" / "experiments" / "tiny.yaml").read_text()
    wild = project / "config" / "experiments" / "wild.yaml"
    wild.write_text(text.replace("1.0e-2", "1.0e+10"))
    try:
        said = command_line("train", "wild", *ARGUMENTS, "--out", tmp_path / "x.safetensors")
    finally:
        wild.unlink()
    assert "wild.yaml: training.budgets.quick.phases.0.learning_rate" in said


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("nothing", "--precision", "k1"), "no such experiment"),
        (("tiny", "--precision", "q1"), 2),
        (("tiny", "--precision", "k1", "--epochs", "0"), 2),
    ],
)
def test_wrong_arguments(project, command_line, tmp_path, arguments, status):
    said = command_line("train", *arguments, "--out", tmp_path / "x.safetensors")
    assert said == status if isinstance(status, int) else status in said
    assert list(tmp_path.iterdir()) == []
