"""Equivalence by evidence: probes of a real training by other code, and what is accepted through them."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from lossless_snn.config.parameters import training_recipe
from lossless_snn.config.values import BudgetName
from lossless_snn.errors import LosslessError
from lossless_snn.files.typed import read_yaml
from lossless_snn.provenance.code.entries import code_in
from lossless_snn.provenance.code.fingerprint import PACKAGE
from lossless_snn.provenance.equivalence import Equivalence, Equivalences, read_equivalences, write_equivalence
from lossless_snn.provenance.jobs import Job
from lossless_snn.provenance.probe import experiment_file, probe_command
from lossless_snn.provenance.records import Records, recorded_job, write_record
from lossless_snn.provenance.verdicts import Contents, by_probe, judge

ROOT = Path(__file__).parents[1]
RUN = "results/quick/tiny/{}/k1/seed0"
COMMAND = (
    f"lossless-snn train tiny --precision k1 --seed 0 --budget quick --out {RUN.format('checkpoints')}.safetensors"
    f" --history {RUN.format('logs')}/history.csv --resume --threads 1 --device cpu"
)
CHECKPOINT = RUN.format("checkpoints") + ".safetensors"


@pytest.fixture
def folder(digits_root, tmp_path, monkeypatch) -> Path:
    """A project with the data of `digits_root`, the working directory."""
    shutil.copytree(digits_root / "config", tmp_path / "config")
    (tmp_path / "data").symlink_to(digits_root / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    return tmp_path


def made_by(folder: Path, old: str, new: str) -> Job:
    """The job of a training that is recorded as made by this code with one line changed, and is archived so."""
    return recorded(
        archived(folder, old, new), "tiny", "k1", COMMAND, {CHECKPOINT, f"{RUN.format('logs')}/history.csv"}
    )


def archived(folder: Path, old: str, new: str) -> str:
    """The fingerprint of this code with one line changed, whose sources are archived."""
    sources = folder / "elsewhere"
    shutil.copytree(PACKAGE, sources / "src" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    path = sources / "src" / PACKAGE.name / "training" / "adam.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    code = code_in(sources, COMMAND)
    archive = folder / "results/sources" / f"{code}.tar.xz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:xz") as content:
        content.add(sources / "src", "src")
    shutil.rmtree(sources)
    return code


def recorded(
    code: str, experiment: str, precision: str, command: str, outputs: set[str], inputs: tuple[str, ...] = ()
) -> Job:
    """The job of a training that is recorded as made by this code."""
    digest = {"sha256": "0" * 64, "size": 1}
    wildcards = {"budget": "quick", "experiment": experiment, "precision": precision, "seed": "0"}
    params = {"recipe": training_recipe(experiment, "quick", precision), "dataset": {}}
    record = {"rule": "train", "wildcards": wildcards, "params": params, "command": command, "code": code}
    record |= {"inputs": dict.fromkeys(inputs, digest), "outputs": dict.fromkeys(outputs, digest)}
    record |= {"device": "cpu", "threads": 1, "versions": {}}
    job = recorded_job(record)
    write_record(job.place, record)
    return job


def test_code_that_trains_the_same_is_equivalent_and_verification_says_by_what(folder, command_line, capsys):
    job = made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    assert command_line("verify") == 1
    assert "made by other code" in capsys.readouterr().out
    assert command_line("equivalent", CHECKPOINT, "--epochs", "1") == 0
    (equivalence,) = read_equivalences(Path("results/quick/tiny/equivalences.json"))
    recorded = Records()[job.place]["code"]
    assert equivalence.codes == (recorded, job.code)
    assert {"0.weight", "0.gamma", "0.mean", "history"} <= equivalence.digests.keys()
    assert equivalence.probe.epochs == 1
    capsys.readouterr()
    command_line("verify")
    said = capsys.readouterr().out
    assert "made by other code" not in said
    assert f"1 jobs accepted by a probe of 1 epochs, not by identity ({recorded} = {job.code})" in said
    assert command_line("verify", "--strict") == 1
    assert "made by other code" in capsys.readouterr().out
    assert command_line("equivalent", f"{RUN.format('logs')}/other.csv").startswith("lossless-snn: results")


def test_code_that_trains_otherwise_is_refused_by_the_names_of_what_differs(folder, command_line):
    made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.8,")
    message = command_line("equivalent", CHECKPOINT, "--epochs", "1")
    assert "not equivalent: after 1 epochs" in message
    assert "0.beta, 0.gamma" in message
    assert not Path("results/quick/tiny/equivalences.json").exists()


A, B, C, D, E, F, Z = (letter * 16 for letter in "abcdef9")


@pytest.mark.parametrize(("new", "differs"), [("0.45 * 2,", ""), ("0.9 + 1e-3,", "not equivalent: after 1 epochs")])
def test_a_network_that_it_started_from_and_that_is_not_here_is_trained_by_both(folder, command_line, new, differs):
    experiment = (folder / "config/experiments/tiny.yaml").read_text()
    stage = "{precision: k1, phases: [{epochs: 1, learning_rate: 1.0e-2}]}"
    tuned = experiment.replace("1.0e-2}]}", f"1.0e-2}}], fine_tuning: [{stage}]}}", 1)
    (folder / "config/experiments/tuned.yaml").write_text(tuned)
    code = archived(folder, "BETA1, BETA2, EPS = 0.9,", f"BETA1, BETA2, EPS = {new}")
    words = (
        "lossless-snn train tuned --precision {} --seed 0 --budget quick --out {} --history {} --threads 1 --device cpu"
    )
    start, end, history = (f"results/quick/tuned/{name}" for name in ("fp32.safetensors", "k1.safetensors", "k1.csv"))
    command = words.format("k1", end, history) + f" --initial {start}"
    recorded(code, "tuned", "k1", command, {end, history}, (start,))
    said = command_line("equivalent", end, "--epochs", "1")
    assert "results/quick/tuned/fp32.safetensors, which it started from, is not here, and no record tells" in said
    recorded(code, "tuned", "fp32", words.format("fp32", start, f"{start}.csv"), {start, f"{start}.csv"})
    said = command_line("equivalent", end, "--epochs", "1")
    if differs:
        assert differs in said
    else:
        assert said == 0
        (equivalence,) = read_equivalences(Path("results/quick/tuned/equivalences.json"))
        assert equivalence.wildcards["precision"] == "k1"
        (before,) = equivalence.probe.model_dump()["from"]
        assert before.startswith("lossless-snn train tuned --precision fp32 ")


def job(code: str, seed: str = "0", recipe: str = "published", precision: str = "k1") -> Job:
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": precision, "seed": seed}
    return Job.described("train", wildcards, {"recipe": recipe}, code, [], [CHECKPOINT], "lossless-snn train tiny")


def equivalence(*codes: str, epochs: int = 2, of: Job | None = None, **extent: int) -> None:
    subject = of or job(codes[-1])
    wildcards = {name: value for name, value in subject.wildcards.items() if name != "seed"}
    content = {"rule": "train", "wildcards": wildcards, "params": subject.params, "codes": codes}
    digests = {"0.weight": "1" * 64}
    write_equivalence(subject, Equivalence(**content, probe={"epochs": epochs, **extent}, digests=digests))


@pytest.fixture
def chained(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    equivalence(A, B, epochs=5)
    equivalence(C, B, epochs=3)
    equivalence(C, D, epochs=4)
    equivalence(A, E, of=job(E, precision="k2"))
    equivalence(D, F, epochs=6, images=200)


def test_a_probe_may_train_on_fewer_images(folder, command_line, capsys):
    job = made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    assert command_line("equivalent", CHECKPOINT, "--epochs", "1", "--images", "200") == 0
    assert "the same history in 1 epochs of 200 images" in capsys.readouterr().out
    assert str(Equivalences().chain(job, Records()[job.place]["code"])).startswith(
        "by a probe of 1 epochs of 200 images,"
    )


@pytest.mark.parametrize(
    ("recorded", "present", "expected"),
    [
        (A, job(B), f"by a probe of 5 epochs, not by identity ({A} = {B})"),
        (B, job(A, seed="7"), f"by a probe of 5 epochs, not by identity ({B} = {A})"),
        (A, job(D), f"by a probe of 3 epochs, not by identity ({A} = {B} = {C} = {D})"),
        (A, job(E, precision="k2"), f"by a probe of 2 epochs, not by identity ({A} = {E})"),
        (A, job(F), f"by a probe of 3 epochs of 200 images, not by identity ({A} = {B} = {C} = {D} = {F})"),
        (A, job(E), "None"),
        (A, job(B, precision="k2"), "None"),
        (A, job(B, recipe="another"), "None"),
        (Z, job(B), "None"),
    ],
)
def test_chains_of_equivalences_lead_from_one_code_to_another_of_the_same_job(chained, recorded, present, expected):
    assert str(Equivalences().chain(present, recorded)) == expected


def test_what_a_probe_does_not_show_is_refused_still(chained):
    digest = {"sha256": "0" * 64, "size": 1}
    record = {"rule": "train", "wildcards": job(A).wildcards, "params": {"recipe": "published"}, "code": A}
    record |= {"command": "lossless-snn train tiny", "inputs": {}, "outputs": {CHECKPOINT: digest}, "versions": {}}
    write_record(job(A).place, record)
    (accepted,) = judge([job(D)], Contents(), Records(), Equivalences())
    assert accepted.accepted
    assert by_probe([accepted]) == [f"1 jobs accepted by a probe of 3 epochs, not by identity ({A} = {B} = {C} = {D})"]
    (strict,) = judge([job(D)], Contents(), Records())
    assert strict.reasons == [f"made by other code ({A}, now {D})"]
    Path(CHECKPOINT).parent.mkdir(parents=True)
    Path(CHECKPOINT).write_text("altered", encoding="utf-8")
    (altered,) = judge([job(D)], Contents(), Records(), Equivalences())
    assert altered.reasons == [f"{CHECKPOINT}: altered since it was made"]


def test_a_new_probe_takes_the_place_of_an_older_one(chained):
    equivalence(B, A, epochs=9)
    path = Path("results/quick/tiny/equivalences.json")
    assert sorted(one.probe.epochs for one in read_equivalences(path)) == [2, 3, 4, 6, 9]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 1, "equivalences": [{}]}', '{"format": 2, "equivalences": []}']
)
def test_a_damaged_file_of_equivalences_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "equivalences.json"
    path.write_text(content)
    with pytest.raises(LosslessError, match=r"equivalences\.json: no equivalences of format 1.*delete it$"):
        read_equivalences(path)


EXPERIMENTS = {path.stem: read_yaml(path) for path in sorted((ROOT / "config" / "experiments").glob("*.yaml"))}


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("precision", ["fp32", "k0", "k2"])
def test_the_probes_experiment_has_the_recorded_recipe(name, precision, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    recipes = {}
    for budget in BudgetName.__args__:
        try:
            recipes[budget] = training_recipe(name, budget, precision)
        except LosslessError:
            continue  # it has no such budget
    (tmp_path / "config/experiments").mkdir(parents=True)
    shutil.copytree("config/datasets", tmp_path / "config/datasets")
    monkeypatch.chdir(tmp_path)
    assert recipes
    for budget, recipe in recipes.items():
        Path("config/experiments/probe.yaml").write_text(experiment_file(recipe, budget, precision), encoding="utf-8")
        assert training_recipe("probe", budget, precision) == recipe


def test_the_probe_runs_the_recorded_command_with_files_of_its_own():
    assert probe_command({"command": COMMAND}, 3) == (
        "lossless-snn train tiny --precision k1 --seed 0 --budget quick --out probe.safetensors --history history.csv"
        " --threads 1 --device cpu --epochs 3"
    )


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("probe", {"images": 5}),
        *(("probe", {"epochs": epochs}) for epochs in ("two", 0, -1, 1e99, True, None, 10**30)),
        *(("probe", {"epochs": 2, "images": images}) for images in ([1], 0, "all", 1.5)),
        ("codes", [A, A]),
        ("codes", [A]),
        ("codes", [A, "X"]),
        ("digests", {}),
        ("digests", {"0.weight": "short"}),
    ],
)
def test_equivalences_that_make_no_sense_are_one_line(chained, key, value):
    path = Path("results/quick/tiny/equivalences.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["equivalences"][0][key] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(LosslessError, match=r"equivalences\.json: no equivalences of format 1 \(0\."):
        read_equivalences(path)
