"""Checkpoints and logs that DVC versions: pushed, pulled, made again. Real git, DVC, Snakemake, and an S3 server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import yaml
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.server import ThreadedMotoServer
from projects import EXPERIMENT, PARTS, ROOT, edit, flip_a_bit, git, planned, restore, run

from lossless_snn.errors import LosslessError
from lossless_workflow.lock import locked_stages

STAGE = "results@quick-digits-lenet"
FOLDER = Path("results/quick/digits-lenet")
SPIKING = FOLDER / "checkpoints/k1/seed0.snn.safetensors"
VERSIONED = [FOLDER / "checkpoints", FOLDER / "logs"]
DVC_PARTS = ["dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvc/plots", ".dvcignore", ".gitattributes", ".gitignore"]


def dvc(folder: Path, *arguments: str) -> str:
    """What DVC prints; it has to succeed."""
    done = run(folder, "dvc", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pull(folder: Path) -> subprocess.CompletedProcess:
    """The first part of `make restore`."""
    return run(folder, sys.executable, "-m", "lossless_workflow.pull")


def contents(folder: Path) -> dict[str, bytes]:
    """All that DVC versions, by its path."""
    files = [path for part in VERSIONED for path in (folder / part).rglob("*") if path.is_file()]
    files = [path for path in files if not path.name.endswith(".snn.safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_metrics_and_plots_are_those_of_the_results_in_git():
    """Of others DVC would have nothing to show but a warning."""
    listed = subprocess.run(
        ["git", "ls-files", "results/*/*/tables/metrics.json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tables = [str(Path(path).parent) for path in listed.stdout.split()]
    content = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    assert content["metrics"] == [f"{folder}/metrics.json" for folder in tables]
    plots = [path for plot in content["plots"] for path in plot]
    assert plots == [f"{folder}/{name}.csv" for name in ("accuracy_by_step", "training") for folder in tables]


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """A repository with one small experiment, made by `dvc repro`, pushed to the embedded remote and committed."""
    folder = tmp_path_factory.mktemp("origin")
    for part in [*PARTS, *DVC_PARTS]:
        source = ROOT / part
        (folder / part).parent.mkdir(exist_ok=True)
        if source.is_symlink():
            (folder / part).symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, folder / part, symlinks=True)  # compiled kernels too
        else:
            shutil.copy2(source, folder / part)
    (folder / "config/experiments/digits-lenet.yaml").write_text(EXPERIMENT)
    edit(folder / "config/config.yaml", "precisions: [fp32, k0, k1, k2]", "precisions: [k1]")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Sources")
    dvc(folder, "repro", STAGE)
    # What a training leaves that was cut off, here at another budget.
    (folder / "results/quick/digits-lenet/checkpoints/k1/seed1.training").write_text("half a training")
    dvc(folder, "push")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Results")
    return folder


@pytest.fixture
def clone(origin, tmp_path) -> Path:
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    return tmp_path / "clone"


@pytest.fixture
def bare_clone(clone) -> Path:
    """A clone without the embedded remote."""
    shutil.rmtree(clone / "artifacts")
    return clone


@pytest.fixture
def s3():
    """The address of an S3 server on loopback with one bucket, `bucket`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="bucket")
    yield address
    server.stop()


def add_remote(folder: Path, url: str, endpoint: str | None = None) -> None:
    """Make `url` the default remote, for this folder only: what `dvc remote` would write, without its seconds."""
    lines = ["[core]", "    remote = mine", "['remote \"mine\"']", f"    url = {url}"]
    lines += [f"    endpointurl = {endpoint}"] if endpoint else []
    (folder / ".dvc/config.local").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_git_has_what_dvc_has_not(origin):
    listed = git(origin, "ls-files").splitlines()
    results = [path for path in listed if path.startswith("results/")]
    assert not [path for path in results if "/checkpoints/" in path or "/logs/" in path or "/jobs/" in path]
    assert {f"{FOLDER}/tables/{name}" for name in ("metrics.json", "training.csv", "results.md")} <= set(listed)
    assert "analytics = false" in (origin / ".dvc/config").read_text()
    assert git(origin, "status", "--porcelain") == ""


@pytest.mark.slow
def test_nothing_changed_nothing_runs(origin):
    before = (origin / "dvc.lock").read_bytes()
    printed = dvc(origin, "repro", STAGE)
    assert f"Stage '{STAGE}' didn't change, skipping" in printed
    assert "Running stage" not in printed
    assert (origin / "dvc.lock").read_bytes() == before


@pytest.mark.slow
def test_a_clone_has_everything_from_the_embedded_remote(origin, clone):
    assert contents(clone) == {}
    done = pull(clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(clone) == {path: content for path, content in contents(origin).items() if "training" not in path}
    assert not (clone / SPIKING).exists()
    assert restore(clone) == ["10 of 10 jobs accepted; 1 spiking networks made again from their checkpoints"]
    assert (clone / SPIKING).read_bytes() == (origin / SPIKING).read_bytes()
    assert planned(clone, "--config", "budget=quick", "experiments=[digits-lenet]") == set()
    assert "didn't change, skipping" in dvc(clone, "repro", STAGE)
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.slow
def test_unsaved_files_stay_and_the_rest_is_pulled(clone):
    mine = clone / FOLDER / "logs/k1/seed0/ann.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = pull(clone)
    assert done.returncode == 1
    assert re.fullmatch(r"results/quick/digits-lenet/logs: left as it is: .*\n", done.stdout)
    assert mine.read_text() == "mine"
    assert (clone / FOLDER / "checkpoints/k1/seed0.safetensors").is_file()


@pytest.mark.slow
def test_a_stage_that_there_is_none_of_is_named(clone):
    lock = (clone / "dvc.lock").read_text(encoding="utf-8")
    (clone / "dvc.lock").write_text(lock.replace("results@quick-digits-lenet", "results@renamed"), encoding="utf-8")
    done = pull(clone)
    assert done.returncode == 1
    assert "dvc.lock: stage results@renamed: left out, dvc.yaml has none of that name\n" in done.stdout


@pytest.mark.slow
def test_an_altered_object_is_not_taken(clone):
    for path in (clone / "artifacts/files/md5").rglob("*"):
        if path.is_file() and path.stat().st_size > 5000 and path.suffix != ".dir":
            path.chmod(0o644)
            flip_a_bit(path)
    done = run(clone, "python", "-m", "lossless_workflow.restore")
    assert done.returncode == 1
    assert "results/quick/digits-lenet/checkpoints: left out" in done.stdout
    assert not (clone / FOLDER / "checkpoints").exists()
    assert (clone / FOLDER / "logs/k1/seed0/ann.json").is_file()


@pytest.mark.slow
def test_a_damaged_object_in_the_cache_is_fetched_again(clone):
    pull(clone)
    pulled = contents(clone)
    *_, largest = sorted((clone / ".dvc/cache/files/md5").rglob("*"), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    flip_a_bit(largest)
    largest.chmod(0o444)  # what DVC takes for its own work
    shutil.rmtree(clone / FOLDER / "checkpoints")
    done = pull(clone)
    assert (done.returncode, done.stdout) == (0, "")
    assert contents(clone) == pulled


LOCKED = "stages: {a: {cmd: b, deps: [{path: c}], outs: [{path: results, md5: " + 32 * "a" + ", size: 1}]}}"


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("schema: '2.0'\n<<<<<<< HEAD\nstages: {}\n", r"not valid YAML: .* line 3, .*; if a merge left it so, `git .*"),
        ("a: 2026-13-45", "not valid YAML: .*; if a merge left it so, `git .*"),
        ("\xff", "no text in UTF-8 .*"),
        ("", ".*; `git checkout dvc.lock`"),
        ("- a", ".*; `git checkout dvc.lock`"),
        ("stages: []", "stages: input should be a valid dictionary .*"),
        ("stages: {a: []}", "stages.a: input should be .*"),
        ("stages: {a: {cmd: b}}", "stages.a.deps: .*required.*"),
        (LOCKED + "\nstages: {}", "not valid YAML: key 'stages' twice.*"),
        (LOCKED.replace("outs: [", "outs: 5, x: ["), "stages.a.outs: input should be a valid list .*"),
        (LOCKED.replace("md5: a", "md5: x"), "stages.a.outs.0.md5: string should match .*"),
        (LOCKED.replace("results", "[b]"), "stages.a.outs.0.path: input should be a valid string .*"),
        (LOCKED.replace("size: 1", "size: -1"), "stages.a.outs.0.size: input should be greater .*"),
        (
            LOCKED.replace("size: 1", "size: 1, nfiles: 2"),
            "stages.a.outs.0: nfiles: of a folder, and of nothing else.*",
        ),
        (LOCKED.replace(", size", ".dir, size"), "stages.a.outs.0: nfiles: of a folder, and of nothing else.*"),
    ],
)
def test_a_lock_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, content, fault):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_bytes(content.encode("latin-1"))
    with pytest.raises(LosslessError, match=f"^dvc.lock: {fault}$"):
        locked_stages()


@pytest.mark.slow
def test_the_commands_say_so(clone):
    (clone / "dvc.lock").write_text("stages: {a: []}")
    for command, done in (("restore", pull(clone)), ("verify", run(clone, "python", "-m", "lossless_workflow.verify"))):
        assert done.returncode == 1
        assert done.stderr.startswith(f"{command}: dvc.lock: stages.a: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_remote_of_ones_own(origin, clone, tmp_path, s3, kind):
    place = (str(tmp_path / "remote"),) if kind == "folder" else ("s3://bucket/folder", s3)
    pull(clone)
    dvc(clone, "remote", "add", "--local", "mine", place[0])
    if kind == "s3":
        dvc(clone, "remote", "modify", "--local", "mine", "endpointurl", s3)
    assert "files pushed" in dvc(clone, "push", "--remote", "mine")
    git(tmp_path, "clone", "--quiet", str(origin), "other")
    shutil.rmtree(tmp_path / "other/artifacts")
    add_remote(tmp_path / "other", *place)
    done = pull(tmp_path / "other")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert contents(tmp_path / "other") == contents(clone)


def refused(folder: Path) -> str:
    """The one line by which pulling is refused, where results/ holds a file of one's own that has to stay."""
    mine = folder / FOLDER / "logs/k1/seed0/ann.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = pull(folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert contents(folder) == {str(mine.relative_to(folder)): b"mine"}
    return done.stderr


@pytest.mark.slow
def test_no_remote(bare_clone):
    expected = r"restore: remote embedded: there is no \S+/clone/artifacts; results/ is as it was\n"
    assert re.fullmatch(expected, refused(bare_clone))


@pytest.mark.slow
def test_no_bucket(bare_clone, s3):
    add_remote(bare_clone, "s3://elsewhere/folder", s3)
    assert refused(bare_clone) == "restore: remote mine: The specified bucket does not exist; results/ is as it was\n"


@pytest.mark.slow
def test_refused_credentials(bare_clone, s3, monkeypatch):
    add_remote(bare_clone, "s3://bucket/folder", s3)
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    monkeypatch.setattr(ActionAuthenticatorMixin, "request_count", 0)
    line = refused(bare_clone)
    assert line.startswith("restore: remote mine: ")
    assert "Access Key Id you provided does not exist" in line or "Forbidden" in line


@pytest.mark.slow
def test_an_interrupted_push_is_completed_by_pushing_again(origin, clone, tmp_path):
    remote, parts = tmp_path / "remote", ("push", "--jobs", "1")
    pull(clone)
    add_remote(clone, str(remote))
    environment = {**os.environ, "PYTHONPATH": str(clone / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", *parts], cwd=clone, env=environment, stdout=subprocess.DEVNULL
    )
    while process.poll() is None and not any(path.stat().st_size for path in objects_in(remote)):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    delete_empty(remote)
    dvc(clone, *parts)
    objects = {path.relative_to(clone / "artifacts") for path in objects_in(clone / "artifacts")}
    assert {path.relative_to(remote) for path in objects_in(remote)} == objects
    git(tmp_path, "clone", "--quiet", str(origin), "other")
    shutil.rmtree(tmp_path / "other/artifacts")
    add_remote(tmp_path / "other", str(remote))
    assert pull(tmp_path / "other").returncode == 0
    assert contents(tmp_path / "other") == contents(clone)


def objects_in(remote: Path) -> list[Path]:
    """Objects, named by their digests."""
    return [path for path in remote.rglob("*") if re.fullmatch(r"[0-9a-f]{30}(\.dir)?", path.name)]


def delete_empty(remote: Path) -> None:
    """What docs/artifacts.md advises after a push that was killed while it tried to clone a file."""
    subprocess.run(["find", remote, "-type", "f", "-empty", "-delete"], check=True)


@pytest.mark.slow
def test_an_empty_object_in_a_remote_is_named_and_pushed_again(clone, tmp_path):
    """DVC takes one for whole, be it of a file or of a folder's list."""
    remote = tmp_path / "remote"
    pull(clone)
    expected = contents(clone)
    add_remote(clone, str(remote))
    dvc(clone, "push")
    whole = {path: path.read_bytes() for path in objects_in(remote)}
    for path in whole:
        path.chmod(0o644)
        path.write_bytes(b"")
    shutil.rmtree(clone / "results")
    shutil.copytree(clone / ".dvc/cache", tmp_path / "cache")
    shutil.rmtree(clone / ".dvc/cache")
    done = pull(clone)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [line for line in (done.stdout + done.stderr).splitlines() if "remote mine" in line], done
    shutil.copytree(tmp_path / "cache", clone / ".dvc/cache", dirs_exist_ok=True)
    delete_empty(remote)
    dvc(clone, "push")
    assert {path: path.read_bytes() for path in objects_in(remote)} == whole
    assert pull(clone).returncode == 0
    assert contents(clone) == expected


@pytest.mark.slow
def test_an_interrupted_pull_is_completed_by_pulling_again(origin, clone):
    pull(clone)
    expected = contents(clone)
    # As if it had been cut off: of the objects, some had come, and of the files, some were there.
    for path in sorted(objects_in(clone / ".dvc/cache"))[::2]:
        path.unlink()
    for path in sorted(expected)[1::2]:
        (clone / path).unlink()
    left = clone / FOLDER / "checkpoints/k1/.3qdA3Z5qIVXwWb8SYJy8PQ.tmp"  # DVC's own, of a file being put in place
    left.touch()
    assert pull(clone).returncode == 0
    left.unlink()
    assert contents(clone) == expected


@pytest.mark.long
def test_a_changed_learning_rate(origin, tmp_path):
    folder = shutil.copytree(origin, tmp_path / "repository", symlinks=True)
    metrics = FOLDER / "tables/metrics.json"
    before = json.loads((folder / metrics).read_text())["k1"]["ann_accuracy"]

    # Of another budget: DVC asks Snakemake, which has nothing to do.
    edit(folder / "config/experiments/digits-lenet.yaml", "    quick:", OTHER_BUDGET + "    quick:")
    assert made(folder) == set()

    edit(folder / "config/experiments/digits-lenet.yaml", "1.0e-3", "1.0e-2")
    steps = {"Train", "Test", "Convert", "Simulate", "Draw", "Tabulate", "quick"}
    assert made(folder) == steps
    (change,) = json.loads(dvc(folder, "metrics", "diff", "--json", "--targets", str(metrics))).values()
    after = json.loads((folder / metrics).read_text())["k1"]["ann_accuracy"]
    assert after != before
    assert change["k1.ann_accuracy"] == {"old": before, "new": after, "diff": pytest.approx(after - before)}

    # The old results are still in DVC's cache.
    git(folder, "checkout", "--quiet", ".")
    dvc(folder, "checkout", STAGE)
    assert contents(folder) == contents(origin)


@pytest.mark.long
def test_branches_bring_their_own_results(clone):
    asked = ("--config", "budget=quick", "experiments=[digits-lenet]")

    def switch(*branch: str) -> str:
        """Check a branch out, restore, and tell how many jobs were accepted."""
        git(clone, "switch", "--quiet", *branch)
        assert pull(clone).returncode == 0
        return restore(clone)[-1].partition(";")[0]

    assert switch("--create=comment") == "10 of 10 jobs accepted"
    training = clone / "src/lossless_snn/training/training.py"
    training.write_text("# Another comment.\n" + training.read_text())
    git(clone, "commit", "--quiet", "--all", "--message=Comment on training")
    first = contents(clone)

    git(clone, "switch", "--quiet", "--create=simulation", "main")
    edit(clone / "config/experiments/digits-lenet.yaml", "steps: 4", "steps: 5")
    assert restore(clone)[-1] == "3 of 10 jobs accepted; 7 to be made anew where asked for"
    assert made(clone) == {"Simulate", "Draw", "Tabulate", "quick"}
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message=Simulate for longer")
    second = contents(clone)
    assert {path for path in first if first[path] != second[path]} >= {str(FOLDER / "logs/k1/seed0/sop_num.txt")}

    for branch, expected in (("comment", first), ("simulation", second), ("comment", first)):
        assert switch(branch) == "10 of 10 jobs accepted"
        assert planned(clone, *asked) == set()
        assert contents(clone) == expected


OTHER_BUDGET = """\
    paper:
      phases:
        - {epochs: 2, learning_rate: 1.0e-4}
"""


def made(folder: Path) -> set[str]:
    """The first words of what Snakemake did when DVC asked it."""
    done = run(folder, "dvc", "repro", STAGE)
    assert done.returncode == 0, done.stderr
    assert f"Running stage '{STAGE}'" in done.stdout
    return set(re.findall(r"^Job \d+: (\w+)", done.stdout + done.stderr, re.MULTILINE))
