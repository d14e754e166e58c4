"""What this repository ships: a clone of it has the published budgets' results, and nothing to compute for them."""

import json
import os
import random
import re
from pathlib import Path

import pytest
import yaml
from test_dvc import run
from test_restore import git, restore
from test_workflow import ROOT

# Megabytes that the embedded remote may take at the most, so that cloning stays quick.
MOST = 60
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
    pulled = run(folder, "python", "-m", "lossless_workflow.pull")
    assert pulled.returncode == 0, pulled.stderr
    return folder


def to_do(folder: Path) -> str:
    """What Snakemake says, asked for all published budgets that are shipped."""
    experiments = f"experiments=[{','.join(SHIPPED)}]"
    dry_run = run(folder, "snakemake", "--dry-run", "--config", "budget=paper", experiments)
    return dry_run.stdout + dry_run.stderr


def test_a_clone_has_the_published_budgets_and_runs_nothing_whatever_the_time_stamps(clone):
    assert {"digits-lenet", "mnist-lenet", "fashion-mlp", "fashion-lenet"} <= set(SHIPPED)
    *notes, summary = restore(clone)
    accepted, jobs = re.fullmatch(r"(\d+) of (\d+) jobs accepted", summary).groups()
    assert accepted == jobs
    assert not [note for note in notes if note.startswith("results/paper/") and "made again" not in note]
    assert "Nothing to be done" in to_do(clone)
    for path in (clone / "results").rglob("*"):
        if path.is_file():
            moment = random.uniform(0, 2e9)
            os.utime(path, (moment, moment))
    assert run(clone, "python", "-m", "lossless_workflow.pull").returncode == 0
    restore(clone)
    assert "Nothing to be done" in to_do(clone)


def test_what_is_shipped_is_what_verification_expects(clone):
    restore(clone)
    verified = run(clone, "python", "-m", "lossless_workflow.verify")
    *notes, summary = verified.stdout.splitlines()
    assert verified.returncode == 0
    assert summary.startswith("No faults in ")
    # What is left behind is a whole folder of a budget that is not shipped.
    assert notes == [f"{folder}: not here, nor named by dvc.lock" for folder in left_behind(clone)]
    log = Path("results/paper/mnist-lenet/logs/k1/seed0/sop_num.txt")
    (clone / log).rename(clone / "elsewhere")
    verified = run(clone, "python", "-m", "lossless_workflow.verify")
    (clone / "elsewhere").rename(clone / log)
    assert verified.returncode == 1
    assert f"{log}: missing" in verified.stdout.splitlines()


def left_behind(folder: Path) -> list[Path]:
    """Checkpoints and logs of experiments of which a clone has no more than figures and tables."""
    made = {table.parents[1].relative_to(folder) for table in folder.glob("results/*/*/tables/results.md")}
    shipped = {Path("results/paper", experiment) for experiment in SHIPPED}
    return sorted(experiment / kind for experiment in made - shipped for kind in ("checkpoints", "logs"))


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
