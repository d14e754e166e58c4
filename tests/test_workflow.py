"""What Snakemake says that it would run: after no change, and after every kind of change."""

import csv
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image
from projects import EXPERIMENT, PARTS, ROOT, copy, edit, insert_in_functions, planned, snakemake

RESULTS = Path("results/quick/tiny")


FIGURES = {f"Draw {name}" for name in ("accuracy_speed", "sparsity", "sops", "energy", "training_curves")}
COMPARISONS = FIGURES | {"Tabulate the results"}
LEVELS = ("k0", "k1")


def jobs(step: str, *precisions: str) -> set[str]:
    return {f"{step} {precision}, seed 0" for precision in precisions}


TRAIN, TEST = jobs("Train", "fp32", *LEVELS), jobs("Test the ANN at", "fp32", *LEVELS)
CONVERT, SIMULATE = jobs("Convert", *LEVELS), jobs("Simulate", *LEVELS)


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A copy of the repository in which everything is made."""
    folder = tmp_path_factory.mktemp("repository")
    for part in PARTS:
        if (ROOT / part).is_symlink():
            (folder / part).symlink_to(os.readlink(ROOT / part))
        elif (ROOT / part).is_dir():
            copy(ROOT / part, folder / part)
        else:
            shutil.copy2(ROOT / part, folder / part)
    (folder / "config" / "experiments" / "tiny.yaml").write_text(EXPERIMENT)
    edit(folder / "config" / "config.yaml", "experiments: [digits-lenet]", "experiments: [tiny]")
    edit(folder / "config" / "config.yaml", "precisions: [fp32, k0, k1, k2]", "precisions: [fp32, k0, k1]")
    run = snakemake(folder)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def repository(made, tmp_path) -> Path:
    """A copy of that copy, time stamps kept, to edit at will."""
    return copy(made, tmp_path / "repository")


def test_all_that_is_promised_is_made(made):
    for precision in ("fp32", *LEVELS):
        logs = made / RESULTS / "logs" / precision / "seed0"
        expected = {"history.csv", "ann.json"}
        if precision != "fp32":
            expected |= {"accuracy.txt", "spike_num.txt", "spike_collect.txt", "sop_num.txt", "snn.json"}
            expected |= {"certificate.json"}
            assert (made / RESULTS / "checkpoints" / precision / "seed0.snn.safetensors").is_file()
        assert {path.name for path in logs.iterdir()} == expected
        assert (made / RESULTS / "checkpoints" / precision / "seed0.safetensors").is_file()
    figures = {f"{name.removeprefix('Draw ')}.{kind}" for name in FIGURES for kind in ("svg", "png")}
    assert {path.name for path in (made / RESULTS / "figures").iterdir()} == figures
    tables = {"results.csv", "results.md", "metrics.json", "accuracy_by_step.csv", "training.csv"}
    assert {path.name for path in (made / RESULTS / "tables").iterdir()} == tables


def test_nothing_is_left_to_do(made):
    assert planned(made) == set()


CHANGES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "style of a figure": (
        lambda root: edit(root / "config/config.yaml", "sparsity: {size: screen", "sparsity: {size: page"),
        {"Draw sparsity"},
    ),
    "simulated steps": (
        lambda root: edit(root / "config/experiments/tiny.yaml", "steps: 4", "steps: 5"),
        SIMULATE | COMPARISONS,
    ),
    "simulated images a line": (
        lambda root: edit(root / "config/experiments/tiny.yaml", "batch_size: 250", "batch_size: 125"),
        SIMULATE | COMPARISONS,
    ),
    "a new precision": (
        lambda root: edit(root / "config/config.yaml", "[fp32, k0, k1]", "[fp32, k0, k1, k3]"),
        jobs("Train", "k3")
        | jobs("Test the ANN at", "k3")
        | jobs("Convert", "k3")
        | jobs("Simulate", "k3")
        | COMPARISONS,
    ),
    "seeds of some precisions": (
        lambda root: edit(
            root / "config/experiments/tiny.yaml", "    quick:\n", "    quick:\n      seeds: {fp32: [0], k1: [0]}\n"
        ),
        COMPARISONS,
    ),
    "learning rate": (
        lambda root: edit(root / "config/experiments/tiny.yaml", "1.0e-3", "2.0e-3"),
        TRAIN | TEST | CONVERT | SIMULATE | COMPARISONS,
    ),
    "published values": (
        lambda root: edit(root / "config/published.csv", "0.9928", "0.9929"),
        COMPARISONS,
    ),
    "what an operation costs": (
        lambda root: edit(root / "config/energy.yaml", "addition: 0.9", "addition: 0.8"),
        {"Draw energy", "Tabulate the results"},
    ),
    "a deleted certificate": (
        lambda root: (root / RESULTS / "logs/k1/seed0/certificate.json").unlink(),
        jobs("Simulate", "k1") | COMPARISONS,
    ),
    "a deleted log": (
        lambda root: (root / RESULTS / "logs/k1/seed0/spike_num.txt").unlink(),
        jobs("Simulate", "k1") | COMPARISONS,
    ),
    "a deleted summary": (
        lambda root: (root / RESULTS / "logs/k0/seed0/snn.json").unlink(),
        jobs("Simulate", "k0") | COMPARISONS,
    ),
    "a deleted figure": (lambda root: (root / RESULTS / "figures/sops.png").unlink(), {"Draw sops"}),
    "a deleted spiking network": (
        lambda root: (root / RESULTS / "checkpoints/k1/seed0.snn.safetensors").unlink(),
        jobs("Convert", "k1") | jobs("Simulate", "k1") | COMPARISONS,
    ),
    "meaning of the training code": (
        lambda root: insert_in_functions(root / "src/lossless_snn/training/training.py", "1 + 1"),
        TRAIN | TEST | CONVERT | SIMULATE | COMPARISONS,
    ),
    "meaning of the conversion code": (
        lambda root: edit(root / "src/lossless_snn/cli/commands/networks/convert.py", "click.echo(", "click.echo(1 * "),
        CONVERT | SIMULATE | COMPARISONS,
    ),
    "meaning of the simulation code": (
        lambda root: insert_in_functions(root / "src/lossless_snn/simulation/__init__.py", "1 + 1"),
        SIMULATE | COMPARISONS,
    ),
    "meaning of the measures": (
        lambda root: insert_in_functions(root / "src/lossless_snn/simulation/metrics.py", "1 + 1"),
        SIMULATE | COMPARISONS,
    ),
    "meaning of one figure's code": (
        lambda root: insert_in_functions(root / "src/lossless_snn/analysis/figures/sops.py", "1 + 1"),
        {"Draw sops"},
    ),
    "meaning of the table's code": (
        lambda root: insert_in_functions(root / "src/lossless_snn/analysis/tables/results.py", "1 + 1"),
        {"Tabulate the results"},
    ),
    "how data are found": (
        lambda root: insert_in_functions(root / "src/lossless_snn/datasets/sources.py", "1 + 1"),
        set(),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_reruns_what_it_made_stale_and_nothing_else(repository, name):
    change, expected = CHANGES[name]
    change(repository)
    assert planned(repository) == expected


def test_a_budget_names_its_seeds_and_the_command_line_names_others(repository):
    edit(repository / "config/experiments/tiny.yaml", "    quick:\n", "    quick:\n      seeds: [0, 1]\n")
    of_seed_1 = {job.replace("seed 0", "seed 1") for job in TRAIN | TEST | CONVERT | SIMULATE}
    assert planned(repository) == of_seed_1 | COMPARISONS
    assert planned(repository, "--config", "seeds=[0]") == set()


def test_a_budget_without_any_of_the_precisions_that_are_asked_for_is_one_line(repository):
    edit(repository / "config/experiments/tiny.yaml", "    quick:\n", "    quick:\n      seeds: {fp32: [0], k1: [0]}\n")
    run = snakemake(repository, "--dry-run", "--config", "precisions=[k0]")
    assert run.returncode != 0
    assert "snakemake: tiny: precisions: k0: none that there is at the quick budget" in run.stderr


def test_targets_come_from_configuration_and_not_from_what_lies_in_results(repository):
    for name in ("twin", "others"):
        shutil.copy(repository / "config/experiments/tiny.yaml", repository / f"config/experiments/{name}.yaml")
    edit(repository / "config/config.yaml", "summary:\n", "summary:\n  quick: [tiny, twin]\n#")
    copy(repository / RESULTS / "tables", repository / RESULTS.parent / "others" / "tables")
    for experiments, expected in (("[tiny,twin]", True), ("[tiny]", False), ("[tiny,others]", False)):
        run = snakemake(repository, "--dry-run", "--config", f"experiments={experiments}")
        assert run.returncode == 0, run.stderr
        assert ("Summarise all experiments (quick)" in run.stdout) == expected
        assert set(re.findall(r"\((\S+), quick\)$", run.stdout, re.MULTILINE)) <= set(experiments[1:-1].split(","))


def test_the_report_trains_nothing_that_nobody_asked_for(repository):
    shutil.copy(repository / "config/experiments/tiny.yaml", repository / "config/experiments/twin.yaml")
    settings = repository / "config/config.yaml"
    settings.write_text(settings.read_text().partition("\nreport:")[0] + "\nreport: {quick: {twin: []}}\n")
    run = snakemake(repository, "--dry-run", "shown")
    assert run.returncode == 1
    assert (
        "snakemake: results/quick/twin/logs/fp32/seed0/ann.json: not here, and the report trains nothing" in run.stderr
    )
    edit(settings, "{twin: []}", "{tiny: [negative_spikes]}")
    assert planned(repository, "shown") == jobs("Compare neurons at", *LEVELS) | {
        "Draw negative_spikes",
        "Tabulate what negative spikes buy",
    }


def node(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Snakemake as an executor for clusters starts it on a node for one job."""
    target = "convert:budget=quick,experiment=tiny,precision=k1,seed=0"
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-m", "snakemake", "--target-jobs", target, "--mode", "remote", "--force", "--nolock"]
    command += ["--ignore-incomplete", "--allowed-rules", "convert", "--executor", "local", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
def test_code_that_is_edited_while_a_run_goes_on_runs_nowhere(repository):
    """On a cluster's node, where another Snakemake reads the Snakefile: the job runs as planned, or stops."""
    (plan,) = (repository / ".snakemake/lossless_snn").glob("plan-*.json")
    network = repository / RESULTS / "checkpoints/k1/seed0.snn.safetensors"
    before = network.read_bytes()
    assert node(repository, LOSSLESS_SNN_PLAN=str(plan)).returncode == 0
    assert network.read_bytes() == before

    module = repository / "src/lossless_snn/conversion/convert.py"
    text = module.read_text()
    module.write_text("# A comment.\n" + text)
    assert node(repository, LOSSLESS_SNN_PLAN=str(plan)).returncode == 0
    module.write_text(text)
    insert_in_functions(module, "1 + 1")
    assert node(repository, LOSSLESS_SNN_PLAN=str(plan)).returncode == 1
    said = (repository / RESULTS / "jobs/convert-k1-seed0.log").read_text()
    assert "the code was edited after this run began (src/lossless_snn/conversion/convert.py)" in said
    module.write_text(text)
    assert jobs("Convert", "k1") <= planned(repository)


@pytest.mark.slow
def test_code_that_is_edited_before_a_local_job_starts_stops_it(repository):
    """The first job of this run edits the code of the second."""
    module = "src/lossless_snn/conversion/convert.py"
    rule = repository / "workflow/rules/evaluate.smk"
    edit(rule, '"lossless-snn record', f"\"echo 'print(1)' >> {module}; lossless-snn record")
    (repository / RESULTS / "logs/k1/seed0/ann.json").unlink()
    (repository / RESULTS / "checkpoints/k1/seed0.snn.safetensors").unlink()
    targets = [str(RESULTS / "logs/k1/seed0/ann.json"), str(RESULTS / "checkpoints/k1/seed0.snn.safetensors")]
    run = snakemake(repository, "--cores", "1", "--prioritize", targets[0], "--", *targets)
    assert run.returncode == 1
    assert f"the code was edited after this run began ({module})" in run.stderr


@pytest.mark.slow
def test_the_code_of_this_folder_runs_whatever_environment_snakemake_comes_from(repository, tmp_path):
    """Here the environment's own code is that of the repository which is tested."""
    insert_in_functions(repository / "src/lossless_snn/conversion/convert.py", "1 + 1")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    run = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    assert "Convert k1, seed 0" in run.stdout
    programs = {name: name for name in ("restore", "verify", "report", "audit", "trainings")}
    for module, name in {**programs, "pull": "restore", "pages": "readme", "pages.headline": "make"}.items():
        command = [sys.executable, "-m", f"lossless_workflow.{module}"]
        run = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
        assert run.returncode == 1
        assert run.stderr.startswith(f"{name}: {repository}: the code that runs is that of {ROOT}; use ")
        assert run.stderr.count("\n") == 1


def lock(folder: Path, *holders: dict) -> Path:
    """Leave what a Snakemake leaves that was killed."""
    locks, processes = folder / ".snakemake/locks", folder / ".snakemake/lossless_snn/processes"
    locks.mkdir(parents=True)
    processes.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/quick/tiny/figures/sops.svg\n")
    for number, holder in enumerate(holders):
        (processes / f"{number}.json").write_text(json.dumps(holder))
    return locks


def free_locks(folder: Path) -> subprocess.CompletedProcess:
    code = "from lossless_workflow.processes import free_locks; free_locks('make')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_lock_that_no_process_holds_any_more_is_removed(tmp_path):
    here = socket.gethostname()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    reused = {"host": here, "pid": os.getpid(), "started": psutil.Process().create_time() - 1000}
    locks = lock(tmp_path, {"host": here, "pid": dead.pid, "started": 0.0}, reused)
    done = free_locks(tmp_path)
    assert (done.returncode, done.stderr, locks.exists()) == (0, "", False)


def test_a_process_that_its_parent_has_not_buried_holds_no_lock(tmp_path):
    """A job that outlives the Snakemake which started it keeps open what `make` reads."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as ended:
        process = psutil.Process(ended.pid)
        entry = {"host": socket.gethostname(), "pid": ended.pid, "started": process.create_time()}
        locks = lock(tmp_path, entry)
        ended.stdin.close()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        done = free_locks(tmp_path)
    assert (done.returncode, done.stderr, locks.exists()) == (0, "", False)


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "{}", "\0", "1e999", '{"host": 1, "pid": "x", "started": null}'),
        *('{"host": "HERE", "pid": -5, "started": 0}', '{"host": "HERE", "pid": 9223372036854775807, "started": 0}'),
    ],
)
def test_a_damaged_entry_holds_no_lock(tmp_path, content):
    locks = lock(tmp_path, {})
    (entry,) = (tmp_path / ".snakemake/lossless_snn/processes").iterdir()
    entry.write_text(content.replace("HERE", socket.gethostname()))
    done = free_locks(tmp_path)
    assert (done.returncode, done.stderr, locks.exists()) == (0, "", False)


def test_who_holds_a_lock_is_named(tmp_path):
    here = socket.gethostname()
    locks = lock(tmp_path, {"host": here, "pid": os.getpid(), "started": psutil.Process().create_time()})
    done = free_locks(tmp_path)
    line = f"make: Snakemake is running here (process {os.getpid()} on {here}); wait for it, or end it\n"
    assert (done.returncode, done.stderr, locks.exists()) == (1, line, True)


def test_a_lock_of_another_machine_stays(tmp_path):
    locks = lock(tmp_path, {"host": "elsewhere", "pid": 1, "started": 0.0})
    done = free_locks(tmp_path)
    assert (done.returncode, locks.exists()) == (1, True)
    assert "process 1 on elsewhere" in done.stderr
    (entry,) = (tmp_path / ".snakemake/lossless_snn/processes").iterdir()
    assert f"where a machine is no more, delete {entry.relative_to(tmp_path)}" in done.stderr


def test_a_killed_run_is_gone_on_with(repository):
    for path in (repository / RESULTS / "figures").glob("*"):
        path.unlink()
    environment = {**os.environ, "PYTHONPATH": str(repository / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lossless_workflow.run", str(RESULTS / "figures/sops.svg")]
    process = subprocess.Popen(
        command, cwd=repository, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    locks = repository / ".snakemake/locks"
    while process.poll() is None and not any(locks.glob("*.output.lock")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert any(locks.glob("*.lock"))
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    # The job may have outlived its workflow engine: then the next one's waits for it.
    assert done.returncode == 0, done.stderr
    assert (repository / RESULTS / "figures/sops.svg").is_file()


def test_touching_every_file_reruns_nothing(repository):
    # In the order of the chain: everything is older than what it was made from.
    for folder in ("results", "data", "config", "src", "workflow", "Snakefile"):
        for path in sorted((repository / folder).rglob("*")) or [repository / folder]:
            os.utime(path)
    assert planned(repository) == set()


def test_moving_a_module_renaming_a_function_and_splitting_a_file_rerun_nothing(repository):
    package = repository / "src" / "lossless_snn"
    (package / "training" / "adam.py").rename(package / "training" / "first_order.py")
    for path in (package / "training").glob("*.py"):
        path.write_text(path.read_text().replace("from .adam import", "from .first_order import"))
    convert = package / "conversion" / "convert.py"
    convert.write_text(convert.read_text().replace("_threshold_bits", "_bits_of_thresholds"))
    geometry = package / "networks" / "geometry.py"
    text, imports = geometry.read_text(), "from .geometry import Layer, Padding, Pair, Shape\n"
    start = text.index("def strided(")
    (package / "networks" / "windows.py").write_text(f"{imports}\n\n{text[start:]}")
    geometry.write_text(text[:start])
    for path in (package / "networks" / "notation.py", package / "networks" / "graph.py"):
        edit(path, "Shape, strided\n", "Shape\nfrom .windows import strided\n")
    assert planned(repository) == set()


def test_comments_docstrings_and_formatting_rerun_nothing(repository):
    for path in [*repository.glob("src/**/*.py"), *repository.glob("workflow/**/*.smk"), repository / "Snakefile"]:
        path.write_text("# A new comment.\n" + path.read_text())
    for path in repository.glob("config/**/*.yaml"):
        path.write_text("# A new comment.\n" + path.read_text() + "\n")
    for path in repository.glob("src/**/*.py"):
        path.write_text(path.read_text().replace('    """', '    """In other words: ', 1))
    reformat = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--line-length", "60"]
    subprocess.run([*reformat, str(repository / "src")], check=True)
    assert planned(repository) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("results/quick/tiny/figures/sparsity.png", set()),
        (
            "results/quick/tiny/figures/negative_spikes.svg",
            jobs("Compare neurons at", *LEVELS) | {"Draw negative_spikes"},
        ),
        (
            "results/quick/tiny/tables/negative_spikes.md",
            jobs("Compare neurons at", *LEVELS) | {"Tabulate what negative spikes buy"},
        ),
        ("results/quick/tiny/figures/noise.svg", jobs("Test under noise", "fp32", *LEVELS) | {"Draw noise"}),
        ("results/quick/tiny/checkpoints/k7/seed3.safetensors", {"Train k7, seed 3"}),
        ("results/paper/mnist-lenet/checkpoints/fp32/seed0.safetensors", {"Train fp32, seed 0"}),
        ("results/quick/digits-lenet/logs/k12/seed7/history.csv", {"Train k12, seed 7"}),
        ("results/quick/digits-lenet/logs/k3/seed1/ann.json", {"Train k3, seed 1", "Test the ANN at k3, seed 1"}),
        (
            "results/paper/digits-lenet/logs/k3/seed1/sop_num.txt",
            {"Train k3, seed 1", "Convert k3, seed 1", "Simulate k3, seed 1"},
        ),
        ("results/quick/digits-lenet/tables/results.csv", TRAIN | TEST | CONVERT | SIMULATE | {"Tabulate the results"}),
    ],
)
def test_every_artifact_is_a_target_by_itself(made, target, expected):
    assert planned(made, target) == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("config/config.yaml", "budget:", "bugdet:", r"config/config\.yaml: bugdet: unknown .*'budget'\?"),
        ("config/config.yaml", "seeds: null", "seeds: [zero]", r"config/config\.yaml: seeds\.0: .*'zero'.*"),
        ("config/config.yaml", "seeds: null", "seeds: [0", r"config/config\.yaml: not valid YAML.*"),
        ("config/config.yaml", "[tiny]", "[tinny]", r"config/config\.yaml: experiments: 'tinny' has no file.*"),
        ("config/energy.yaml", "addition: 0.9", "addition: no", r"config/energy\.yaml: addition: .*"),
        (
            "config/published.csv",
            "0.9929",
            "99.29",
            r"config/published\.csv: line 3: ann_accuracy: .*",
        ),
        ("config/experiments/tiny.yaml", "P4", "Q4", r"config/experiments/tiny\.yaml: .*unknown token 'Q4'.*"),
        ("config/experiments/tiny.yaml", "epochs: 1", "epochs: no", r"config/experiments/tiny\.yaml: .*epochs: .*"),
        ("config/experiments/tiny.yaml", "quick:", "paper:", r"config/experiments/tiny\.yaml: .*no budget 'quick'.*"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_before_any_job(repository, file, old, new, line):
    edit(repository / file, old, new)
    run = snakemake(repository)
    assert run.returncode == 1
    said = [text for text in run.stderr.splitlines() if not text.startswith("Using workflow specific profile")]
    assert len(said) == 1, run.stderr
    assert re.fullmatch(f"snakemake: {line}", said[0])


def test_published_values_that_are_missing_are_an_error_of_the_plan(repository):
    """Although there are tables and figures that need no other input."""
    (repository / "config/published.csv").unlink()
    run = snakemake(repository, "--dry-run", "demo")
    assert run.returncode == 1
    assert re.search(r"^snakemake: config/published\.csv: no such file; .*$", run.stderr, re.MULTILINE)
    assert "Traceback" not in run.stderr


def test_a_persons_own_pictures(repository):
    """Decoded once, and again when a picture goes."""
    (repository / "config/datasets/pets.yaml").write_text("title: pets\nshape: [3, 12, 12]\nclasses: [cat, dog]\n")
    experiment = EXPERIMENT.replace("digits", "pets").replace("validation_images: 97", "validation_images: 2")
    (repository / "config/experiments/pets.yaml").write_text(experiment)
    for split, name, number in itertools.product(("train", "test"), ("cat", "dog"), range(3)):
        path = repository / f"data/pets/{split}/{name}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (number, 0, 0)).save(path)
    target = "results/quick/pets/checkpoints/k0/seed0.safetensors"
    decode = "Decode the pictures of pets"
    assert planned(repository, target) == {decode, *jobs("Train", "k0")}
    cache = "data/pets/decoded/manifest.json"
    assert snakemake(repository, cache).returncode == 0
    assert planned(repository, cache) == set()
    (repository / "data/pets/train/cat/0.png").unlink()
    assert planned(repository, cache) == {decode}


def test_ours_beside_published_logs_step_by_step(repository):
    """Our own logs, taken as published ones, less one right prediction after the first step."""
    target = "results/quick/tiny/tables/steps.md"
    published = repository / "config/published/tiny/k0"
    published.mkdir(parents=True)
    for name in ("accuracy", "spike_num", "spike_collect", "sop_num"):
        shutil.copy(repository / RESULTS / f"logs/k0/seed0/{name}.txt", published)
    first, *later = (published / "accuracy.txt").read_text().splitlines()
    (published / "accuracy.txt").write_text("\n".join([str(int(first) - 1), *later, ""]))
    with (repository / "config/published.csv").open("a") as stream:
        stream.write("tiny,k0,,,,,4,,,,,\n")
    assert planned(repository, target) == {"Tabulate all steps beside the published ones"}
    made = snakemake(repository, target)
    assert made.returncode == 0, made.stderr
    with (repository / target).with_suffix(".csv").open(newline="") as stream:
        differing = [row for row in csv.DictReader(stream) if float(row["difference"])]
    assert [(row["quantity"], row["time_step"]) for row in differing] == [("accuracy", "1")]
    assert float(differing[0]["difference"]) == pytest.approx(1 / 500)
    assert planned(repository, target) == set()


def test_the_results_by_neurobench_s_names_on_request(repository):
    target = RESULTS / "logs/k1/seed0/neurobench.json"
    assert planned(repository, str(target)) == jobs("Name the results as NeuroBench does at", "k1")
    made = snakemake(repository, str(target))
    assert made.returncode == 0, made.stderr
    theirs, ours = (json.loads((repository / path).read_text()) for path in (target, target.with_name("snn.json")))
    assert theirs["ClassificationAccuracy"] == ours["accuracy"]
    assert theirs["SynapticOperations"]["Effective_ACs"] == ours["operations_per_image"]
