"""Results that travel: cloned, altered, made by other code. Real git and Snakemake on one small chain."""

import hashlib
import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from projects import (
    EXPERIMENT,
    PARTS,
    ROOT,
    copy,
    edit,
    flip_a_bit,
    git,
    insert_in_functions,
    planned,
    python,
    restore,
    snakemake,
)

FOLDER = Path("results/quick/tiny")
CHECKPOINT = "results/quick/tiny/checkpoints/k1/seed0.safetensors"
SPIKING = CHECKPOINT.replace(".safe", ".snn.safe")
LOG = "results/quick/tiny/logs/k1/seed0/sop_num.txt"
FIGURE = "results/quick/tiny/figures/sops.svg"

TRAIN, EVALUATE = "Train k1, seed 0", "Test the ANN at k1, seed 0"
CONVERT, SIMULATE = "Convert k1, seed 0", "Simulate k1, seed 0"
DRAW = "Draw sops"
COMPARISONS = {DRAW, "Tabulate the results"}

# One figure of four: each takes seconds.
TARGETS = [FIGURE, "results/quick/tiny/tables/results.md"]


def executed(run: subprocess.CompletedProcess) -> set[str]:
    """The jobs that a run of Snakemake ran, by their messages."""
    assert run.returncode == 0, run.stderr
    return set(re.findall(r"^Job \d+: (.*) \([\w-]+, \w+\)$", run.stdout + run.stderr, re.MULTILINE))


def verify(folder: Path) -> tuple[int, list[str]]:
    """Exit status and lines of `make verify`."""
    run = python(folder, "-m", "lossless_workflow.verify")
    assert not run.stderr, run.stderr
    return run.returncode, run.stdout.splitlines()


@pytest.fixture(scope="session")
def origin(tmp_path_factory) -> Path:
    """A git repository in which everything is made and committed, checkpoints and logs too."""
    folder = tmp_path_factory.mktemp("origin")
    for part in [*PARTS, "pyproject.toml", "requirements.lock", ".gitignore"]:
        source = ROOT / part
        if source.is_symlink():
            (folder / part).symlink_to(os.readlink(source))
        elif source.is_dir():
            copy(source, folder / part)
        else:
            (folder / part).write_bytes(source.read_bytes())
    (folder / "config/experiments/tiny.yaml").write_text(EXPERIMENT)
    edit(folder / "config/config.yaml", "experiments: [digits-lenet]", "experiments: [tiny]")
    edit(folder / "config/config.yaml", "precisions: [fp32, k0, k1, k2]", "precisions: [k1]")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Sources")
    assert len(executed(snakemake(folder, *TARGETS))) == 6
    keep(folder)
    return folder


def keep(folder: Path) -> None:
    """Commit all results, in place of DVC."""
    git(folder, "add", "results")
    git(folder, "add", "--force", str(FOLDER / "checkpoints"), str(FOLDER / "logs"))
    git(folder, "commit", "--quiet", "--message=Results")


@pytest.fixture
def clone(origin, tmp_path) -> Path:
    """A clone: no data, nothing that Snakemake knows, and every time stamp at random."""
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    draw = random.Random(0)
    for path in (tmp_path / "clone").rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, (moment := draw.uniform(1e9, 1.7e9), moment))
    return tmp_path / "clone"


def records_of(folder: Path) -> dict:
    return json.loads((folder / FOLDER / "provenance.json").read_text())["jobs"]


def write_records(folder: Path, jobs: dict) -> None:
    (folder / FOLDER / "provenance.json").write_text(json.dumps({"format": 2, "jobs": jobs}))


def test_the_record_of_a_job_says_what_it_was(origin):
    text = (origin / FOLDER / "provenance.json").read_text()
    record = json.loads(text)["jobs"]["simulate-k1-seed0"]
    assert list(record) == [
        *("rule", "wildcards", "params", "command", "code", "inputs", "outputs", "arithmetic", "threads", "versions")
    ]
    assert record["wildcards"] == {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "0"}
    assert record["params"]["options"] == "--steps 4 --batch-size 250"
    assert record["command"] == (
        f"lossless-snn simulate {SPIKING} --against {CHECKPOINT} --logs {Path(LOG).parent}"
        " --steps 4 --batch-size 250 --threads 1"
    )
    assert (record["arithmetic"], record["threads"]) == ("exact", 1)
    for path, entry in {**record["inputs"], **record["outputs"]}.items():
        content = (origin / path).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    assert LOG in record["outputs"]
    assert set(record["inputs"]) >= {SPIKING, "data/Digits/raw/t10k-images-idx3-ubyte"}
    assert str(origin) not in text
    assert os.uname().nodename not in text
    attempt = json.loads((origin / FOLDER / "jobs/simulate-k1-seed0.circumstances.jsonl").read_text())
    assert (attempt["commit"], attempt["dirty"]) == (git(origin, "rev-parse", "HEAD~1"), False)


def test_a_job_can_be_repeated_from_its_record_and_git_alone(origin, tmp_path):
    assert not (origin / "results/sources").exists()
    record = records_of(origin)["convert-k1-seed0"]
    code = (
        "import sys; from pathlib import Path; from lossless_snn.provenance.sources import unpack_sources as unpack;"
        "from lossless_snn.provenance.jobs import Place;"
        f"place = Place(Path('{FOLDER}/provenance.json'), 'convert-k1-seed0');"
        f"print(unpack(place, '{record['code']}', '{record['command']}', Path('{tmp_path}')))"
    )
    assert python(origin, "-c", code).stdout.startswith("commit ")
    for path in [*record["inputs"], *record["outputs"]]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    for path in record["inputs"]:
        (tmp_path / path).write_bytes((origin / path).read_bytes())
    run = python(tmp_path, "-m", "lossless_snn", *record["command"].split()[1:])
    assert run.returncode == 0, run.stderr
    for path, entry in record["outputs"].items():
        assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == entry["sha256"], path


@pytest.mark.slow
def test_results_made_twice_leave_the_tree_as_it_is(clone):
    for path in (FIGURE, CHECKPOINT, LOG, SPIKING):
        (clone / path).unlink()
    assert len(executed(snakemake(clone, *TARGETS))) == 6
    assert git(clone, "status", "--porcelain") == ""


def test_a_clone_takes_everything_up_and_runs_nothing(clone):
    assert restore(clone) == ["6 of 6 jobs accepted"]
    assert planned(clone, *TARGETS) == set()
    status, said = verify(clone)
    assert status == 0
    assert re.fullmatch(r"No faults in 6 jobs, \d+ files made, 4 files of raw data \(4 not here: .*\)", "\n".join(said))
    assert not (clone / "data").exists()
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.slow
def test_branches_recompute_what_their_code_made_stale_and_nothing_on_going_back(clone):
    git(clone, "switch", "--quiet", "--create=comment")
    training = clone / "src/lossless_snn/training/training.py"
    training.write_text("# Another comment.\n" + training.read_text())
    git(clone, "commit", "--quiet", "--all", "--message=Comment on training")
    assert restore(clone) == ["6 of 6 jobs accepted"]
    assert planned(clone, *TARGETS) == set()

    git(clone, "switch", "--quiet", "--create=simulation", "main")
    insert_in_functions(clone / "src/lossless_snn/simulation/__init__.py", "1 + 1")
    git(clone, "commit", "--quiet", "--all", "--message=Simulate in another way")
    said = restore(clone)
    assert re.match(
        r"results/quick/tiny/logs/k1/seed0/accuracy.txt and 5 more: made by other code \(\w+, now \w+\)", said[0]
    )
    assert said[-1] == "3 of 6 jobs accepted; 3 to be made anew where asked for"
    # Simulating needs data, which training read too.
    assert planned(clone, *TARGETS) == {SIMULATE, *COMPARISONS}
    assert executed(snakemake(clone, LOG)) == {SIMULATE}
    keep(clone)

    git(clone, "switch", "--quiet", "comment")
    assert restore(clone) == ["6 of 6 jobs accepted"]
    assert planned(clone, *TARGETS) == set()


@pytest.mark.slow
@pytest.mark.parametrize(("file", "maker", "stale"), [(CHECKPOINT, TRAIN, 6), (LOG, SIMULATE, 3), (FIGURE, DRAW, 1)])
def test_one_flipped_bit_is_named_refused_and_repaired(origin, tmp_path, file, maker, stale):
    repository = copy(origin, tmp_path / "repository")
    before = (repository / file).read_bytes()
    flip_a_bit(repository / file)
    status, faults = verify(repository)
    assert status == 1
    assert faults[0].endswith(f"{file}: altered since it was made")
    assert len(faults) == stale + 1
    assert restore(repository, status=1) == [
        *faults[:-1],
        f"{6 - stale} of 6 jobs accepted; {stale} to be made anew where asked for",
    ]
    assert executed(snakemake(repository, file)) == {maker}
    assert (repository / file).read_bytes() == before


def test_what_is_missing_is_made_only_where_it_is_asked_for(clone):
    (clone / CHECKPOINT).unlink()
    assert restore(clone) == [f"6 of 6 jobs accepted; not here, and made anew where asked for: {CHECKPOINT}"]
    assert planned(clone, FIGURE) == set()


def test_data_that_are_fetched_before_a_run_make_nothing_stale(clone):
    run = python(clone, "-m", "lossless_workflow.restore")
    assert run.stdout == (
        "6 of 6 jobs accepted; raw data not here: digits; `lossless-snn fetch` each before a run that reads it, or all"
        " that is of it is made anew\n"
    )
    assert python(clone, "-m", "lossless_snn", "fetch", "digits").returncode == 0
    assert planned(clone, LOG.replace("sop_num.txt", "noise.csv")) == {"Test under noise k1, seed 0"}


def test_an_altered_spiking_network_is_made_again_unless_its_checkpoint_is_altered_too(clone):
    before = (clone / SPIKING).read_bytes()
    flip_a_bit(clone / SPIKING)
    assert verify(clone)[0] == 1
    assert restore(clone) == ["6 of 6 jobs accepted; 1 spiking networks made again from their checkpoints"]
    assert (clone / SPIKING).read_bytes() == before
    flip_a_bit(clone / SPIKING)
    flip_a_bit(clone / CHECKPOINT)
    assert restore(clone, status=1)[-1] == "0 of 6 jobs accepted; 6 to be made anew where asked for"
    assert (clone / SPIKING).read_bytes() != before


def test_data_that_cannot_be_had_keep_nothing_else_from_being_restored(clone):
    sources = clone / "src/lossless_snn/datasets/sources.py"
    edit(sources, '"digits": (Generated("scikit-learn\'s load_digits", digits.write_files),)', '"digits": ()')
    insert_in_functions(clone / "src/lossless_snn/simulation/__init__.py", "1 + 1")
    run = python(clone, "-m", "lossless_workflow.restore")
    assert run.returncode == 1
    assert "lossless-snn: digits: no source has" in run.stderr
    assert "3 of 6 jobs accepted; 3 to be made anew where asked for" in run.stdout
    assert "digits: cannot be had; what is to be made anew from it will fail\n" in run.stdout
    assert planned(clone, SPIKING) == set()


def test_other_parameters_missing_files_and_missing_records_are_faults(clone):
    edit(clone / "config/energy.yaml", "addition: 0.9", "addition: 0.8")
    (clone / CHECKPOINT).unlink()
    jobs = records_of(clone)
    del jobs["figure_sops"]
    write_records(clone, jobs)
    status, faults = verify(clone)
    assert status == 1
    assert faults[0] == f"{CHECKPOINT}: missing"
    assert re.fullmatch(r"\S+ and \d more: made with other parameters: energies.addition 0.9, now 0.8", faults[1])
    assert faults[2:-1] == [f"{FOLDER}/figures/sops.{kind}: no record tells how it was made" for kind in ("png", "svg")]


def test_a_file_without_a_record_is_named_and_made_anew(clone):
    jobs = records_of(clone)
    write_records(clone, {name: record for name, record in jobs.items() if name != "figure_sops"})
    (clone / FIGURE).write_text("drawn by nobody")
    assert restore(clone, status=1) == [
        f"{FOLDER}/figures/sops.png and 1 more: {FOLDER}/provenance.json: figure_sops: no such record",
        "5 of 6 jobs accepted; 1 to be made anew where asked for",
    ]
    assert planned(clone, FIGURE) == {DRAW}


def test_a_record_that_names_another_experiment_hides_nothing(clone):
    jobs = records_of(clone)
    jobs["figure_sops"]["wildcards"]["experiment"] = "elsewhere"
    write_records(clone, jobs)
    flip_a_bit(clone / FIGURE)
    assert restore(clone, status=1)[-1] == "5 of 6 jobs accepted; 1 to be made anew where asked for"


def test_what_no_rule_makes_any_more_is_named_and_the_rest_restored(clone):
    jobs = records_of(clone)
    outputs = {f"{FOLDER}/figures/old.svg": jobs["figure_sops"]["outputs"][FIGURE]}
    write_records(clone, jobs | {"figure_old": jobs["figure_sops"] | {"rule": "figure_old", "outputs": outputs}})
    orphan = f"{FOLDER}/figures/old.svg: no rule makes it any more; delete it, and the record that tells of it"
    assert restore(clone) == [orphan, "6 of 6 jobs accepted"]
    status, faults = verify(clone)
    assert status == 1
    assert orphan in faults


def test_a_failed_job_leaves_no_record_and_its_message(origin, tmp_path):
    repository = copy(origin, tmp_path / "repository")
    (repository / CHECKPOINT).write_bytes(b"no tensors")
    jobs = records_of(repository)
    described = {"sha256": hashlib.sha256(b"no tensors").hexdigest(), "size": 10}
    jobs["train-k1-seed0"]["outputs"][CHECKPOINT] = described  # which would say that the checkpoint is altered
    write_records(repository, jobs)
    run = snakemake(repository, "--forcerun", "convert", "--until", "convert")
    assert run.returncode == 1
    assert "truncated or not a safetensors file" in run.stderr
    assert "convert-k1-seed0" not in records_of(repository)


def test_an_altered_log_is_not_drawn(origin, tmp_path):
    repository = copy(origin, tmp_path / "repository")
    flip_a_bit(repository / LOG)
    os.utime(repository / LOG)
    run = snakemake(repository, FIGURE)
    assert run.returncode == 1
    assert f"lossless-snn: {LOG}: altered since it was made ({FOLDER}/provenance.json: simulate-k1-seed0" in run.stderr
    assert not (repository / FIGURE).exists()


def test_provenance_shows_every_step_back_to_raw_data(origin):
    lineage = python(origin, "-m", "lossless_snn", "provenance", FIGURE).stdout
    sha256 = hashlib.sha256((origin / FIGURE).read_bytes()).hexdigest()
    assert lineage.splitlines()[0] == f"{FIGURE}  {sha256[:12]}"
    steps = re.findall(r"└─ (\w+) quick tiny", lineage)
    # The simulation reads the checkpoint, too: its certificate is bound to it.
    assert steps == ["figure_sops", "simulate", "train", "convert", "train", "evaluate", "train"]
    assert "recipe.phases.0.learning_rate: 0.001" in lineage
    assert "data/Digits/raw/train-images-idx3-ubyte  60adda41fa07 raw data" in lineage


def test_a_file_without_a_record_is_one_line(origin):
    run = python(origin, "-m", "lossless_snn", "provenance", "config/config.yaml")
    assert (run.returncode, run.stderr) == (1, "lossless-snn: config/config.yaml: no record tells how it was made\n")
