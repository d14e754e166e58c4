"""Trainings without Snakemake: what they make is what the workflow takes for its own."""

import os
import re
import subprocess
import sys

import pytest
from projects import EXPERIMENT, PARTS, ROOT, copy, planned, run

PAPER = """\
    paper:
      phases: [{epochs: 2, learning_rate: 1.0e-3}]
"""
FINE_TUNED = """\
    fast:
      phases: [{epochs: 1, learning_rate: 1.0e-3}]
      fine_tuning:
        - {precision: k1, phases: [{epochs: 1, learning_rate: 1.0e-3}]}
"""
ASKED = ("--config", "experiments=[digits-lenet]", "precisions=[fp32,k1]")

pytestmark = pytest.mark.long


@pytest.fixture
def folder(tmp_path):
    for part in PARTS:
        source = ROOT / part
        copy(source, tmp_path / part) if source.is_dir() else (tmp_path / part).write_bytes(source.read_bytes())
    return tmp_path


def with_budget(folder, budget):
    path = folder / "config/experiments/digits-lenet.yaml"
    path.write_text(EXPERIMENT.replace("simulation:", budget + "simulation:"))


def trainings(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lossless_workflow.trainings", "digits-lenet", "--device", "cpu", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def checkpoint(folder, budget, precision):
    return folder / f"results/{budget}/digits-lenet/checkpoints/{precision}/seed0.safetensors"


def test_snakemake_goes_on_from_them(folder):
    """Two epochs at the published budget, one precision beside the other."""
    with_budget(folder, PAPER)
    made = trainings(folder, "--precision", "fp32", "--precision", "k1", "--jobs", "2")
    assert made.returncode == 0, made.stderr
    said = sorted(re.sub(r", seed 0 \(digits-lenet, paper\): \d+ s", "", line) for line in made.stdout.splitlines())
    assert said == ["evaluate fp32", "evaluate k1", "train fp32", "train k1"]
    before = checkpoint(folder, "paper", "k1").stat().st_mtime_ns
    assert trainings(folder, "--precision", "fp32", "--precision", "k1").stdout == ""  # all of it is made
    assert checkpoint(folder, "paper", "k1").stat().st_mtime_ns == before
    restored = run(folder, sys.executable, "-m", "lossless_workflow.restore")
    assert restored.stdout.startswith("4 of 4 jobs accepted"), restored.stdout + restored.stderr
    to_do = planned(folder, *ASKED, "budget=paper")
    assert any(message.startswith("Simulate k1") for message in to_do)
    assert not any(message.startswith(("Train", "Test")) for message in to_do)


def test_a_network_waits_for_the_one_that_it_starts_from_and_goes_on_where_it_was_cut_off(folder):
    with_budget(folder, FINE_TUNED)
    arguments = ("--budget", "fast", "--precision", "k1", "--precision", "fp32", "--jobs", "2")
    stopped = trainings(folder, *arguments, "--minutes", "0")
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines() == [
        "trainings: train fp32, seed 0 (digits-lenet, fast): no time left; run it again, and it goes on"
    ]
    made = trainings(folder, *arguments)
    assert made.returncode == 0, made.stderr
    order = [line.partition(" seed")[0] for line in made.stdout.splitlines() if line.startswith("train")]
    assert order == ["train fp32,", "train k1,"]
    restored = run(folder, sys.executable, "-m", "lossless_workflow.restore")
    assert restored.stdout.startswith("4 of 4 jobs accepted"), restored.stdout + restored.stderr
    assert not any(message.startswith("Train") for message in planned(folder, *ASKED, "budget=fast"))


def test_what_fails_is_one_line(folder):
    experiment = EXPERIMENT.replace("learning_rate: 1.0e-3", "learning_rate: 100.0").replace("epochs: 1", "epochs: 9")
    (folder / "config/experiments/digits-lenet.yaml").write_text(experiment)
    (folder / "data").write_text("in the way")
    failed = trainings(folder, "--budget", "quick", "--precision", "k1")
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert failed.stderr.startswith("trainings: ")
