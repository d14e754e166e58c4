"""What this repository ships: a clone of it has the published budgets' results, and nothing to compute for them."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from projects import ROOT, git, restore, run

from lossless_snn import processor

# Megabytes that the embedded remote may take at the most, so that cloning stays quick.
MOST = 69
# Results that git has beside the store: records, tables and figures, some twenty for each experiment that is shipped.
MOST_FILES = 225
SHIPPED = [
    match[1]
    for stage in yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    if (match := re.fullmatch("results@paper-(.+)", stage))
]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository, not only its files")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The repository, cloned, and what its embedded remote has."""
    folder = tmp_path_factory.mktemp("clone") / "repository"
    git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    restored = run(folder, "python", "-m", "lossless_workflow.restore")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    return folder


def to_do(folder: Path) -> str:
    """What Snakemake says, asked for all published budgets that are shipped."""
    experiments = f"experiments=[{','.join(SHIPPED)}]"
    dry_run = run(folder, "snakemake", "--dry-run", "--config", "budget=paper", experiments)
    return dry_run.stdout + dry_run.stderr


@pytest.mark.slow
def test_a_clone_has_the_published_budgets_and_runs_nothing_whatever_the_time_stamps(clone):
    assert {"digits-lenet", "mnist-lenet", "fashion-mlp", "fashion-lenet"} <= set(SHIPPED)
    (summary,) = restore(clone)
    accepted, jobs = re.match(r"(\d+) of (\d+) jobs accepted; ", summary).groups()
    assert accepted == jobs
    # Trainings of earlier code stand by a probe, and it says so.
    assert re.search(r" jobs accepted by a probe of 1 epochs of 1000 images, not by identity \(\w+ = \w+\)", summary)
    assert "Nothing to be done" in to_do(clone)
    for path in (clone / "results").rglob("*"):
        if path.is_file():
            moment = random.uniform(0, 2e9)
            os.utime(path, (moment, moment))
    restore(clone)
    assert "Nothing to be done" in to_do(clone)


@pytest.mark.slow
def test_what_is_shipped_is_what_verification_expects(clone):
    restore(clone)
    verified = run(clone, "python", "-m", "lossless_workflow.verify")
    *notes, summary = verified.stdout.splitlines()
    assert verified.returncode == 0, verified.stdout
    assert summary.startswith("No faults in ")
    # What is left behind is a whole folder: of the budget that is not shipped, and networks that are too large.
    absent = left_behind(clone)
    assert notes == [f"{absent[0]} and {len(absent) - 1} more: not here, nor in the default remote"]
    log = Path("results/paper/mnist-lenet/logs/k1/seed0/sop_num.txt")
    (clone / log).rename(clone / "elsewhere")
    verified = run(clone, "python", "-m", "lossless_workflow.verify")
    (clone / "elsewhere").rename(clone / log)
    assert verified.returncode == 1
    assert f"{log}: missing" in verified.stdout.splitlines()


@pytest.mark.slow
def test_the_report_of_a_clone_makes_no_network_anew_that_is_not_shipped(clone):
    restore(clone)
    planned = run(clone, "snakemake", "--dry-run", "shown")
    assert planned.returncode == 0, planned.stderr
    jobs = set(re.findall(r"\((\S+, \w+)\)", planned.stdout + planned.stderr))
    # The demo, of which a clone has tables and figures alone, and what has read the data that it fetches.
    assert jobs <= {"digits-lenet, quick", "digits-lenet, paper"}


@pytest.mark.slow
def test_the_sweep_is_made_again_from_logs_alone(clone):
    """So that experiments can get keys, which its jobs read: no network of a sweep is shipped."""
    for path in (clone / "results").rglob("*"):
        os.utime(path)  # another test gives files times to come, before which Snakemake takes no output
    restore(clone)
    sweep = clone / "results/fast/sweeps/mnist-penalty"
    shipped = {path.name: path.read_bytes() for path in sweep.iterdir()}
    shutil.rmtree(sweep)
    made = run(clone, "snakemake", "--cores", "2", "sweep_mnist_penalty")
    assert made.returncode == 0, made.stdout + made.stderr
    assert {path.name: path.read_bytes() for path in sweep.iterdir()} == shipped
    assert not re.search(r"^(train|convert|evaluate|simulate) ", made.stdout + made.stderr, re.MULTILINE)


def left_behind(folder: Path) -> list[Path]:
    """Folders of artifacts of quick and fast experiments that records tell of and a clone has not got."""
    records = [json.loads(path.read_text())["jobs"] for path in folder.glob("results/[qf]*/*/provenance.json")]
    made = {Path(*Path(output).parts[:4]) for jobs in records for job in jobs.values() for output in job["outputs"]}
    return sorted(path for path in made if not (folder / path).exists())


@pytest.mark.slow
def test_git_tracks_few_results_beside_the_store(clone):
    assert 0 < len(git(clone, "ls-files", "results").splitlines()) < MOST_FILES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"(path: results/paper/mnist-lenet/logs\n.*\n +md5: )\w{9}", r"\g<1>123456789", "have no unaltered 123456789"),
        (r"(path: results/paper/mnist-lenet/logs\n(.*\n){2} +size: )\d", r"\g<1>77", "size or number of files is not"),
        (
            r"(path: results/paper/mnist-lenet/tables/metrics.json\n.*\n +md5: )\w{9}",
            r"\g<1>123456789",
            "digest or size is not",
        ),
    ],
)
def test_an_altered_lock_is_a_fault(clone, old, new, fault):
    lock = clone / "dvc.lock"
    before = lock.read_text()
    lock.write_text(re.sub(old, new, before, count=1))
    assert lock.read_text() != before
    verified = run(clone, "python", "-m", "lossless_workflow.verify")
    lock.write_text(before)
    assert verified.returncode == 1
    assert any(
        line.startswith("dvc.lock: results/paper/mnist-lenet/") and fault in line
        for line in verified.stdout.splitlines()
    )


@pytest.mark.slow
@pytest.mark.parametrize("experiment", SHIPPED)
def test_no_shipped_network_lost_anything(clone, experiment):
    certificates = list((clone / f"results/paper/{experiment}/logs").glob("k*/seed*/certificate.json"))
    assert len(certificates) >= 3
    for path in certificates:
        certificate, ann = (json.loads(path.with_name(name).read_text()) for name in (path.name, "ann.json"))
        assert certificate["mismatches_in_settled_images"] == 0
        assert certificate["images"] == ann["images"] == ann["test_set"]


def test_the_embedded_remote_stays_small():
    assert sum(path.stat().st_size for path in (ROOT / "artifacts").rglob("*") if path.is_file()) < MOST * 1e6


@pytest.mark.long
def test_making_what_ships_again_leaves_a_clone_as_it_is(tmp_path):
    """The demo, in a clone where nothing is restored: all of it is made, and git sees no change."""
    jobs = json.loads((ROOT / "results/quick/digits-lenet/provenance.json").read_text())["jobs"]
    if (made_on := jobs["train-fp32-seed0"]["processor"]) != processor.kind():
        pytest.skip(f"made on another kind of processor, {made_on}, which trains other networks")
    git(ROOT, "clone", "--quiet", str(ROOT), str(tmp_path / "clone"))
    made = run(tmp_path / "clone", "snakemake", "demo")
    assert made.returncode == 0, made.stderr
    assert "train" in made.stdout + made.stderr
    assert git(tmp_path / "clone", "status", "--porcelain") == ""
