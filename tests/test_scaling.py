"""What a scheduler is asked for, what plans add up, and lists that are too long for a command line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import EXPERIMENT, PARTS, ROOT, copy, edit, python

from lossless_snn.analysis.planning import in_words, plan
from lossless_snn.config.costs import read_costs
from lossless_snn.files.digests import KnownDigests, sha256
from lossless_snn.provenance.jobs import Job, expanded, keep_lines
from lossless_workflow.slurm import advice, cause_of


@pytest.fixture
def costs(monkeypatch):
    monkeypatch.chdir(ROOT)
    return read_costs(ROOT / "config/costs.yaml")


def test_a_training_costs_epochs_times_images(costs):
    """mnist-lenet at the published budget: 150 epochs of 60,000 images at 0.21 ms, and 6 s to start."""
    estimate = costs.estimate("train", "mnist-lenet", "paper", "k1")
    assert estimate.seconds == pytest.approx(6 + 150 * 60_000 * 0.21e-3)
    assert estimate.between_states == pytest.approx(60_000 * 0.21e-3)
    assert costs.minutes(estimate) == 95  # three times 1,896 s, rounded up
    assert costs.minutes(estimate, attempt=3) == 4 * 95
    assert [costs.megabytes(estimate, attempt) for attempt in (1, 2, 3)] == [1350, 2025, 3038]


def test_a_simulation_costs_more_at_higher_levels(costs):
    """k = 3 costs 0.4 + 0.3 * 8 = 2.8 times what k = 1 does."""
    first, third = (costs.estimate("simulate", "mnist-lenet", "paper", f"k{k}").seconds - 6 for k in (1, 3))
    assert (first, third) == (pytest.approx(10_000 * 1.3e-3), pytest.approx(2.8 * 10_000 * 1.3e-3))


def test_the_run_time_that_is_asked_for_is_enough_to_get_to_the_next_state(costs):
    for name in ("mnist-lenet", "cifar10-cnn2"):
        for budget in ("quick", "paper"):
            estimate = costs.estimate("train", name, budget, "fp32")
            assert 60 * costs.minutes(estimate) > 2 * estimate.between_states
    # What lasts 31 to 63 hours on a core is asked for in hours, not cut to a day.
    assert costs.minutes(costs.estimate("train", "cifar10-cnn2", "paper", "fp32")) > 63 * 60


def test_an_experiment_that_was_never_measured_costs_by_its_operations(costs, tmp_path, monkeypatch):
    """A network of 784 x 10 multiply-accumulates: 0.00784 million, at 0.08 ms a million and image."""
    (tmp_path / "config/experiments").mkdir(parents=True)
    text = "dataset: mnist\nnetwork: '10'\ntraining:\n  validation_images: 0\n  budgets:\n    quick:\n"
    text += "      phases: [{epochs: 2, learning_rate: 1.0e-3}]\nsimulation: {steps: 4, batch_size: 100}\n"
    (tmp_path / "config/experiments/own.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    seconds = costs.estimate("train", "own", "quick", "fp32").seconds
    assert seconds == pytest.approx(6 + 2 * 60_000 * (784 * 10 + 10 * 10) / 1e6 * 0.08e-3)


def measured_nothing(*_):
    return []


def test_a_plan_adds_up(costs):
    """Two seeds at fp32 and k1: 4 trainings, 4 tests, 2 conversions, 2 simulations, 5 figures and tables."""
    rows = plan(costs, ["mnist-lenet"], "paper", ["fp32", "k1"], [0, 1], measured_nothing)
    assert {row.step: row.jobs for row in rows} == {"train": 4, "evaluate": 4, "simulate": 2, "convert": 2, "draw": 5}
    (train,) = (row for row in rows if row.step == "train")
    assert train.core_hours == pytest.approx(4 * (6 + 150 * 60_000 * 0.21e-3) / 3600)
    last = in_words(rows, "cpu").splitlines()[-1]
    assert last.startswith(f"17 jobs, {sum(row.core_hours for row in rows):.2f} core hours, no GPU hours, ")
    gpu = sum(row.core_hours for row in rows if row.step in ("train", "evaluate", "simulate"))
    assert f"{gpu:.2f} GPU hours" in in_words(rows, "cuda")


def test_a_plan_has_the_seeds_of_each_precision(costs, tmp_path, monkeypatch):
    """Two seeds at FP32, three at k = 1, none at k = 0."""
    (tmp_path / "config/experiments").mkdir(parents=True)
    experiment = yaml.safe_load((ROOT / "config/experiments/mnist-lenet.yaml").read_text())
    experiment["training"]["budgets"]["paper"]["seeds"] = {"fp32": [0, 1], "k1": [0, 3, 4]}
    (tmp_path / "config/experiments/own.yaml").write_text(yaml.safe_dump(experiment))
    monkeypatch.chdir(tmp_path)
    rows = plan(costs, ["own"], "paper", ["fp32", "k0", "k1"], None, measured_nothing)
    jobs = {"train": 5, "evaluate": 5, "convert": 3, "simulate": 3}
    assert {row.step: row.jobs for row in rows if row.step != "draw"} == jobs
    rows = plan(costs, ["own"], "paper", ["fp32", "k0", "k1"], [9], measured_nothing)
    assert next(row.jobs for row in rows if row.step == "train") == 2


def test_a_plan_goes_by_what_jobs_have_cost_here(costs):
    def measured(budget, experiment, rule):
        return [{"processor_seconds": 1800.0, "memory": 700.0}] if rule == "train" else []

    rows = plan(costs, ["mnist-lenet"], "paper", ["fp32", "k1"], [0], measured)
    train, *others = (row for row in rows)
    assert (train.core_hours, train.memory, train.source) == (1.0, 700.0, "1 jobs here")
    assert {row.source for row in others} == {"config/costs.yaml"}


def test_the_command_line_plans(monkeypatch):
    monkeypatch.chdir(ROOT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "lossless_snn", "plan", "--budget", "paper", "--seed", "0", "fashion-mlp"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| fashion-mlp  | train    |      4 |" in done.stdout


@pytest.mark.parametrize(
    ("state", "log", "words", "resource"),
    [
        ("TIMEOUT", "", "out of time", "runtime"),
        ("CANCELLED", "CANCELLED AT 2026-11-25T17:00:00 DUE TO TIME LIMIT ***", "out of time", "runtime"),
        ("OUT_OF_MEMORY", "", "out of memory", "mem_mb"),
        ("FAILED", "slurmstepd: error: Exceeded job memory limit", "out of memory", "mem_mb"),
        ("FAILED", "error: Detected 1 oom_kill event in StepId=3.0", "out of memory", "mem_mb"),
        ("NODE_FAIL", "", "its node was lost", None),
        ("FAILED", "/usr/bin/bash: line 1: 7 Killed    lossless-snn record", "killed", None),
        ("FAILED", "lossless-snn: the recipe is wrong", "failed by itself; its log says why", None),
    ],
)
def test_why_a_job_failed(tmp_path, state, log, words, resource):
    file = tmp_path / "7.log"
    file.write_text(log)
    assert cause_of(state, file) == (words, resource)


def test_what_to_do_about_a_job_that_failed(tmp_path):
    cause, asked = cause_of("TIMEOUT", None), {"runtime": 40, "mem_mb": 1000}
    assert advice("seed0", "train", cause, asked, 2, 3) == (
        "seed0: out of time (40 min asked for), attempt 2 of 3; submitted again with more of it"
    )
    assert advice("seed0", "train", cause, asked, 3, 3) == (
        "seed0: out of time (40 min asked for), attempt 3 of 3; ask for more: "
        "snakemake --set-resources train:runtime=80, or its cost in config/costs.yaml"
    )


def test_a_list_that_no_command_line_takes_is_read_from_a_file(tmp_path, monkeypatch):
    """350 runs of 7 files each: more than the 128 KiB that Linux takes as one argument."""
    monkeypatch.chdir(tmp_path)
    runs = [f"results/quick/mnist-lenet/logs/k{k}/seed{seed}" for k in range(7) for seed in range(50)]
    files = [f"{run}/{name}" for run in runs for name in ("ann.json", "snn.json", "certificate.json", *"abcd")]
    job = Job.described("table", {"budget": "quick"}, {"runs": runs}, "0" * 16, files, ["results/quick/table.csv"])
    assert len(job.as_json()) > 2**17
    listed, described = keep_lines(runs, Path("lists")), keep_lines([job.as_json()], Path("lists"))
    assert expanded(["table", f"@{listed}", "--out", "t.csv"]) == ["table", *runs, "--out", "t.csv"]
    line = f"lossless-snn record @{described} table @{listed} --out t.csv >> table.log 2>&1"
    assert Job.of_shell_line(line) == Job.parsed(job.as_json(), ["table", *runs, "--out", "t.csv"])
    assert keep_lines(runs, Path("lists")) == listed


def test_a_file_is_read_again_only_if_it_changed(tmp_path, monkeypatch):
    memory, file = tmp_path / "digests.json", tmp_path / "log"
    file.write_text("one")
    monkeypatch.setattr("lossless_snn.files.digests._SETTLED", -1)  # as if it had been written long ago
    first = KnownDigests(memory)
    before = first.sha256(file)
    first.keep()
    read = []
    monkeypatch.setattr("lossless_snn.files.digests.sha256", lambda path: read.append(path) or sha256(path))
    monkeypatch.setattr("lossless_snn.files.digests.sha256.__name__", "sha256", raising=False)
    known = KnownDigests(memory)
    assert (known.sha256(file), read) == (before, [])
    status = file.stat()
    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # the same size and time of writing
    assert known.sha256(file) == sha256(file) != before
    assert KnownDigests().sha256(file) == sha256(file)
    memory.write_text("{")
    assert KnownDigests(memory).sha256(file) == sha256(file)


def test_the_image_is_made_from_the_lock_by_the_installer_that_the_makefile_pins():
    recipe, makefile = (ROOT / "Containerfile").read_text(), (ROOT / "Makefile").read_text()
    (installer,) = set(re.findall(r"uv==[\d.]+", makefile))
    assert installer in recipe
    assert "--require-hashes --requirements requirements.lock" in recipe
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE) for name in line.split()]
    assert copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.long
def test_all_that_is_made_goes_through_a_bucket_and_is_what_a_local_run_makes(tmp_path, monkeypatch):
    """An S3 server on loopback; no file is shared, and local copies go when no job needs them any more."""
    pytest.importorskip("snakemake_storage_plugin_s3")
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    made = "results/quick/tiny/tables/results.md"
    for name in ("bucket", "local"):
        (tmp_path / name).mkdir()
        for part in PARTS:
            source = ROOT / part
            (copy if source.is_dir() else shutil.copy2)(source, tmp_path / name / part)
        (tmp_path / name / "config/experiments/tiny.yaml").write_text(EXPERIMENT)
    arguments = ["-m", "snakemake", "--cores", "1", made, "--config", "precisions=[fp32,k1]"]
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        access = {"ENDPOINT_URL": f"http://{host}:{port}", "ACCESS_KEY": "test", "SECRET_KEY": "test"}
        for name, value in access.items():
            monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client(
            "s3", endpoint_url=access["ENDPOINT_URL"], aws_access_key_id="test", aws_secret_access_key="test"
        )
        client.create_bucket(Bucket="lossless-snn")
        done = python(tmp_path / "bucket", *arguments, "--profile", "workflow/profiles/s3")
        assert done.returncode == 0, done.stderr
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="lossless-snn")["Contents"]]
        stored = {
            key.removeprefix("main/"): client.get_object(Bucket="lossless-snn", Key=key)["Body"].read() for key in keys
        }
    finally:
        server.stop()
    done = python(tmp_path / "local", *arguments)
    assert done.returncode == 0, done.stderr
    results = {path: content for path, content in stored.items() if not path.endswith(".log")}
    assert made in results
    assert results == {path: (tmp_path / "local" / path).read_bytes() for path in results}
    assert not (tmp_path / "bucket/results/quick/tiny/checkpoints/k1/seed0.safetensors").exists()
    # What the jobs recorded names no place of a storage.
    record = "results/quick/tiny/provenance.json"
    assert (tmp_path / "bucket" / record).read_bytes() == (tmp_path / "local" / record).read_bytes()


# Takes no job, and writes down what it was asked for.
SBATCH = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
echo "no such partition" >&2
exit 1
"""


@pytest.mark.slow
def test_a_scheduler_is_asked_for_a_gpu_and_for_more_with_each_attempt(tmp_path, monkeypatch):
    """digits-lenet asks for 10 minutes and 1,350 MB at first, see test_a_training_costs_epochs_times_images."""
    pytest.importorskip("snakemake_executor_plugin_slurm")
    for part in PARTS:
        source = ROOT / part
        (copy if source.is_dir() else shutil.copy2)(source, tmp_path / part)
    programs = tmp_path / "programs"
    programs.mkdir()
    silent = "#!/bin/sh\n"
    asked_of = {"sbatch": SBATCH, "sacctmgr": f"{silent}echo science\n", "sinfo": silent, "squeue": silent}
    for name, text in asked_of.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    profile = tmp_path / "workflow/profiles/slurm/config.yaml"
    edit(profile, "# - slurm_account=ACCOUNT", "- slurm_account=science")
    edit(profile, "# - gpu_partition=gpu ", "- gpu_partition=fast ")
    edit(tmp_path / "config/config.yaml", "device: cpu", "device: cuda")
    target = "results/quick/digits-lenet/checkpoints/k1/seed0.safetensors"
    done = python(tmp_path, "-m", "snakemake", "--profile", "workflow/profiles/slurm", target)
    assert done.returncode == 1
    asked = (programs / "asked").read_text().splitlines()
    assert len(asked) == 3
    for line, minutes, megabytes in zip(asked, (10, 20, 40), (1350, 2025, 3038), strict=True):
        words = line.partition(" --wrap=")[0]
        assert f" -t {minutes} --mem {megabytes} " in words
        assert "-A science" in words
        assert "-p fast" in words
        assert "--gpus=1" in words
    assert "SLURM did not take it: SLURM sbatch failed. The error message was 'no such partition'." in done.stderr
