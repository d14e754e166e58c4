"""Equivalence by evidence: probes of real jobs by other code, and what is accepted through them."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from lossless_snn.config.parameters import training_recipe
from lossless_snn.config.values import BudgetName
from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import write_json
from lossless_snn.files.digests import sha256
from lossless_snn.files.typed import read_yaml
from lossless_snn.provenance.code.entries import code_in
from lossless_snn.provenance.code.fingerprint import PACKAGE
from lossless_snn.provenance.equivalence import Equivalence, Equivalences, read_equivalences, write_equivalence
from lossless_snn.provenance.jobs import Job, Place
from lossless_snn.provenance.probes.procedure import run_in_project
from lossless_snn.provenance.probes.simulations import simulation_command
from lossless_snn.provenance.probes.trainings import experiment_file, training_command, trainings
from lossless_snn.provenance.records import Records, recorded_job, write_record
from lossless_snn.provenance.sources import present_code
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


def archived(folder: Path, old: str, new: str, module: str = "training/adam.py", command: str = COMMAND) -> str:
    """The fingerprint of this code with one line changed, whose sources are archived."""
    sources = folder / "elsewhere"
    shutil.copytree(PACKAGE, sources / "src" / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    path = sources / "src" / PACKAGE.name / module
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    code = code_in(sources, command)
    archive = folder / "results/sources" / f"{code}.tar.xz"
    archive.parent.mkdir(parents=True, exist_ok=True)
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
    place = Place(Path(f"results/quick/{experiment}/provenance.json"), f"train-{precision}-seed0")
    job = recorded_job(place, record)
    assert job.place == place
    write_record(place, record)
    return job


@pytest.mark.slow
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


@pytest.mark.slow
def test_code_that_trains_otherwise_is_refused_by_the_names_of_what_differs(folder, command_line):
    made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.8,")
    message = command_line("equivalent", CHECKPOINT, "--epochs", "1")
    assert "not equivalent: after 1 epochs" in message
    assert "0.beta, 0.gamma" in message
    assert not Path("results/quick/tiny/equivalences.json").exists()


@pytest.mark.slow
def test_all_that_lack_a_probe_are_probed_one_seed_of_each(folder, command_line, capsys):
    job = made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    record = Records()[job.place]
    again = record | {
        "wildcards": record["wildcards"] | {"seed": "1"},
        "command": record["command"].replace("--seed 0", "--seed 1").replace("seed0", "seed1"),
        "outputs": {path.replace("seed0", "seed1"): digest for path, digest in record["outputs"].items()},
    }
    write_record(job.place._replace(name="train-k1-seed1"), again)
    assert command_line("equivalent", "--all", "--epochs", "1") == 0
    said = capsys.readouterr().out
    assert said.count("give the same bytes") == 1
    assert f"[1/1] {job.place}: the codes {record['code']} and {job.code}" in said
    assert command_line("equivalent", "--all") == 0
    assert "no job lacks a probe" in capsys.readouterr().out


@pytest.mark.slow
def test_a_job_that_differs_keeps_no_other_from_being_probed(folder, command_line, capsys):
    command = COMMAND.replace("k1", "k0")
    code = archived(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.8,", command=command)
    recorded(code, "tiny", "k0", command, {CHECKPOINT.replace("k1", "k0")})
    made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    message = command_line("equivalent", "--all", "--epochs", "1")
    assert message == "lossless-snn: 1 of 2 jobs were not shown to be the same, see above"
    assert "[1/2] results/quick/tiny/provenance.json" in capsys.readouterr().err
    (equivalence,) = read_equivalences(Path("results/quick/tiny/equivalences.json"))
    assert equivalence.wildcards["precision"] == "k1"


@pytest.mark.parametrize("command", ['lossless-snn train "tiny', "lossless-snn tarin tiny"])
def test_a_damaged_command_line_of_a_record_is_one_line(tmp_path, monkeypatch, command_line, command):
    monkeypatch.chdir(tmp_path)
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "0"}
    record = {"rule": "train", "wildcards": wildcards, "params": {}, "command": command, "code": A, "inputs": {}}
    record |= {"outputs": {CHECKPOINT: {"sha256": "0" * 64, "size": 1}}, "versions": {}}
    place = Place(Path("results/quick/tiny/provenance.json"), "train-k1-seed0")
    write_record(place, record)
    for arguments in ([CHECKPOINT], ["--all"]):
        message = command_line("equivalent", *arguments)
        assert message.startswith(f"lossless-snn: {place}: command: ")
        assert message.endswith("; make what it belongs to again")


def test_a_damaged_command_line_of_what_a_training_started_from_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = "results/quick/tiny/checkpoints/fp32/seed0.safetensors"
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": "fp32", "seed": "0"}
    record = {"rule": "train", "wildcards": wildcards, "params": {}, "code": A, "inputs": {}, "versions": {}}
    record |= {"command": 'lossless-snn train "tiny', "outputs": {start: {"sha256": "0" * 64, "size": 1}}}
    place = Place(Path("results/quick/tiny/provenance.json"), "train-fp32-seed0")
    write_record(place, record)
    tuned = {"command": f"lossless-snn train tiny --initial {start}", "inputs": record["outputs"]}
    with pytest.raises(LosslessError, match=r"train-fp32-seed0: command: No closing quotation; make what"):
        trainings(place._replace(name="train-k1-seed0"), tuned)


def test_a_file_or_all(command_line):
    for arguments in ([], [CHECKPOINT, "--all"]):
        assert command_line("equivalent", *arguments).endswith("equivalent: give either a FILE, or --all")


@pytest.mark.slow
def test_a_variant_is_probed_by_its_own_recipe(folder, command_line):
    name = "tiny@training.budgets.quick.phases.0.learning_rate=0.02"
    checkpoint, command = CHECKPOINT.replace("tiny", name), COMMAND.replace("tiny", name)
    code = archived(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    recorded(code, name, "k1", command, {checkpoint, f"{RUN.format('logs')}/history.csv".replace("tiny", name)})
    assert command_line("equivalent", checkpoint, "--epochs", "1") == 0
    (equivalence,) = read_equivalences(Path(f"results/quick/{name}/equivalences.json"))
    assert equivalence.wildcards["experiment"] == name
    assert equivalence.params["recipe"]["phases"][0]["learning_rate"] == 0.02


A, B, C, D, E, F, Z = (letter * 16 for letter in "abcdef9")


@pytest.fixture
def tuned(folder) -> None:
    """An experiment whose k = 1 starts from its FP32 network."""
    experiment = (folder / "config/experiments/tiny.yaml").read_text()
    stage = "{precision: k1, phases: [{epochs: 1, learning_rate: 1.0e-2}]}"
    tuned = experiment.replace("1.0e-2}]}", f"1.0e-2}}], fine_tuning: [{stage}]}}", 1)
    (folder / "config/experiments/tuned.yaml").write_text(tuned)


START, END = "results/quick/tuned/fp32.safetensors", "results/quick/tuned/k1.safetensors"


def trained_from_nothing(code: str) -> None:
    """Record that this code trained the network that k = 1 starts from."""
    recorded(code, "tuned", "fp32", training("fp32", START), {START, f"{START}.csv"})


def fine_tuned(code: str) -> None:
    """Record that this code trained k = 1."""
    recorded(code, "tuned", "k1", f"{training('k1', END)} --initial {START}", {END, f"{END}.csv"}, (START,))


def training(precision: str, out: str) -> str:
    return (
        f"lossless-snn train tuned --precision {precision} --seed 0 --budget quick --out {out} --history {out}.csv"
        " --threads 1 --device cpu"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("new", "differs"), [("0.45 * 2,", ""), ("0.9 + 1e-3,", "not equivalent: after 1 epochs")])
def test_a_network_that_it_started_from_and_that_is_not_here_is_trained_by_both(
    folder, tuned, command_line, new, differs
):
    code = archived(folder, "BETA1, BETA2, EPS = 0.9,", f"BETA1, BETA2, EPS = {new}")
    fine_tuned(code)
    said = command_line("equivalent", END, "--epochs", "1")
    assert (
        "results/quick/tuned/fp32.safetensors, which it started from, has to be made for the probe, and no record tells"
        in said
    )
    trained_from_nothing(code)
    said = command_line("equivalent", END, "--epochs", "1")
    if differs:
        assert differs in said
    else:
        assert said == 0
        (equivalence,) = read_equivalences(Path("results/quick/tuned/equivalences.json"))
        assert equivalence.wildcards["precision"] == "k1"
        (before,) = equivalence.probe.model_dump()["from"]
        assert before.startswith("lossless-snn train tuned --precision fp32 ")


@pytest.mark.slow
def test_probes_of_one_run_train_each_network_once_by_each_version(folder, tuned, command_line, monkeypatch):
    code = archived(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    trained_from_nothing(code)
    fine_tuned(code)
    ran = []

    def counted(command, *others, **named):
        ran.append(command.split()[4])
        run_in_project(command, *others, **named)

    monkeypatch.setattr("lossless_snn.provenance.probes.trainings.run_in_project", counted)
    assert command_line("equivalent", "--all", "--epochs", "1") == 0
    found = read_equivalences(Path("results/quick/tuned/equivalences.json"))
    together = {equivalence.wildcards["precision"]: equivalence.digests for equivalence in found}
    assert sorted(ran) == ["fp32", "fp32", "k1", "k1"]
    # Each of them alone, with nothing there to start from, has the same digests.
    for path, precision in ((START, "fp32"), (END, "k1")):
        Path("results/quick/tuned/equivalences.json").unlink()
        assert command_line("equivalent", path, "--epochs", "1") == 0
        (alone,) = read_equivalences(Path("results/quick/tuned/equivalences.json"))
        assert alone.digests == together[precision]
    assert ran.count("fp32") == 6


SPIKING = RUN.format("checkpoints") + ".snn.safetensors"
LOGS = RUN.format("logs")
CONVERT = f"lossless-snn convert {CHECKPOINT} --out {SPIKING}"
# Not the engine that is compiled anew for every folder of sources.
OPTIONS = "--steps 60 --batch-size 32 --engine dense"
SIMULATE = f"lossless-snn simulate {SPIKING} --against {CHECKPOINT} --logs {LOGS} {OPTIONS} --threads 1"
EQUIVALENCES = Path("results/quick/tiny/equivalences.json")
SUM, SAME, DOUBLE = (
    "(positive + negative).cumsum()",
    "(negative + positive).cumsum()",
    "(2 * (positive + negative)).cumsum()",
)


def simulated(folder: Path, command_line, trained: Path, new: str) -> Job:
    """The job of a simulation that is recorded as made by this code with spikes added up so, with all it took."""
    Path(CHECKPOINT).parent.mkdir(parents=True)
    shutil.copyfile(trained, CHECKPOINT)
    for command in (CONVERT, SIMULATE):
        assert command_line(*command.split()[1:]) == 0
    history = Path(LOGS, "history.csv")
    history.touch()
    code = archived(folder, SUM, new, "simulation/metrics.py", SIMULATE)
    recipe = {"recipe": training_recipe("tiny", "quick", "k1")}
    files = sorted(str(path) for path in Path(LOGS).iterdir() if path != history)
    made("train", COMMAND, recipe, present_code(COMMAND), [], [CHECKPOINT, str(history)])
    made("convert", CONVERT, {}, present_code(CONVERT), [CHECKPOINT], [SPIKING])
    return made("simulate", SIMULATE, {"options": OPTIONS}, code, [CHECKPOINT, SPIKING], files)


def made(rule: str, command: str, params: dict, code: str, inputs: list[str], outputs: list[str]) -> Job:
    """The job of a command that ran, now recorded as made by this code."""
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "0"}
    described = [
        {path: {"sha256": sha256(path), "size": Path(path).stat().st_size} for path in paths}
        for paths in (inputs, outputs)
    ]
    record = {"rule": rule, "wildcards": wildcards, "params": {**params, "dataset": {}}, "command": command}
    record |= {"code": code, "inputs": described[0], "outputs": described[1], "threads": 1, "versions": {}}
    place = Place(Path("results/quick/tiny/provenance.json"), f"{rule}-k1-seed0")
    job = recorded_job(place, record)
    assert job.place == place
    write_record(place, record)
    return job


@pytest.mark.slow
def test_code_that_simulates_the_same_is_equivalent_and_verification_says_by_what(
    folder, command_line, trained, capsys
):
    job = simulated(folder, command_line, trained, SAME)
    recorded = Records()[job.place]["code"]
    assert judge([job], Contents(), Records(), Equivalences())[0].reasons == [
        f"made by other code ({recorded}, now {job.code})"
    ]
    capsys.readouterr()
    assert command_line("equivalent", f"{LOGS}/snn.json", "--images", "40") == 0
    assert f"the same bytes in a probe of 40 images; {EQUIVALENCES} has the 6 digests" in capsys.readouterr().out
    (equivalence,) = read_equivalences(EQUIVALENCES)
    assert (equivalence.rule, equivalence.codes) == ("simulate", (recorded, job.code))
    assert equivalence.digests.keys() == {Path(path).name for path in job.outputs}
    probe = equivalence.probe.model_dump()
    assert (probe["network"], probe["epochs"], probe["images"], probe["threads"]) == ("recorded", None, 40, 1)
    assert probe["command"] == SIMULATE.replace(LOGS, "logs") + " --limit 40"
    assert "from" not in probe
    said = f"1 jobs accepted by a probe of 40 images, not by identity ({recorded} = {job.code})"
    verdicts = judge([job], Contents(), Records(), Equivalences())
    assert verdicts[0].accepted
    assert by_probe(verdicts) == [said]
    command_line("verify")
    shown = capsys.readouterr().out
    assert said in shown
    assert "made by other code" not in shown
    command_line("verify", "--strict")
    assert "made by other code" in capsys.readouterr().out
    digests = equivalence.digests
    assert command_line("equivalent", f"{LOGS}/snn.json") == 0
    (equivalence,) = read_equivalences(EQUIVALENCES)
    # The recorded network on all images: what is recorded.
    assert equivalence.digests == {
        Path(path).name: entry["sha256"] for path, entry in Records()[job.place]["outputs"].items()
    }
    assert equivalence.digests != digests
    assert str(Equivalences().chain(job, recorded)).startswith("by a probe of all images, not by identity")


@pytest.mark.slow
def test_code_that_simulates_otherwise_is_refused_by_the_files_that_differ(folder, command_line, trained):
    simulated(folder, command_line, trained, DOUBLE)
    message = command_line("equivalent", f"{LOGS}/certificate.json", "--images", "40")
    assert "simulate-k1-seed0: not equivalent: after 40 images by the code of results/sources/" in message
    assert message.endswith("the present code snn.json, spike_num.txt differ; the present code has to simulate it anew")
    assert not EQUIVALENCES.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("new", "differs"), [(SAME, ""), (DOUBLE, "not equivalent: after 100 images")])
def test_a_network_to_simulate_that_is_not_here_is_trained_and_converted(
    folder, command_line, trained, capsys, new, differs
):
    job = simulated(folder, command_line, trained, new)
    Path(SPIKING).unlink()
    Path(CHECKPOINT).unlink()
    said = command_line("equivalent", f"{LOGS}/snn.json", "--epochs", "1", "--images", "100")
    if differs:
        assert differs in said
        return
    assert said == 0
    (equivalence,) = read_equivalences(EQUIVALENCES)
    probe = equivalence.probe.model_dump()
    assert (probe["network"], probe["epochs"], probe["images"]) == ("made for the probe", None, 100)
    assert probe["from"] == [training_command({"command": COMMAND}, 1), CONVERT]
    assert not Path(CHECKPOINT).exists()
    assert "by a probe of 100 images, not by" in str(Equivalences().chain(job, Records()[job.place]["code"]))
    # Of the recorded checkpoint, conversion alone makes the network.
    shutil.copyfile(trained, CHECKPOINT)
    assert command_line("equivalent", f"{LOGS}/snn.json", "--images", "100") == 0
    (converted,) = read_equivalences(EQUIVALENCES)
    assert converted.probe.model_dump()["from"] == [CONVERT]
    assert converted.digests != equivalence.digests


@pytest.mark.slow
@pytest.mark.parametrize("path", [SPIKING, CHECKPOINT])
@pytest.mark.parametrize("other", [SPIKING, CHECKPOINT])
def test_another_network_than_the_recorded_one_is_not_probed(folder, command_line, trained, path, other):
    simulated(folder, command_line, trained, SAME)
    for name in {SPIKING, CHECKPOINT} - {path, other}:
        Path(name).unlink()  # what is left is looked at still
    Path(path).write_bytes(Path(path).read_bytes() + b" ")
    assert command_line("equivalent", f"{LOGS}/snn.json").endswith(
        f"{path}: not the network that the recorded job started from; restore it"
    )
    assert not EQUIVALENCES.exists()


@pytest.mark.slow
def test_what_no_probe_can_be_made_of_is_refused(folder, command_line, trained):
    job = simulated(folder, command_line, trained, SAME)
    message = command_line("equivalent", SPIKING)
    assert message.endswith("neither training nor simulation; what else there is, is made again in minutes")
    assert "images are more than the 500 of the test set" in command_line(
        "equivalent", f"{LOGS}/snn.json", "--images", "501"
    )
    Path(SPIKING).unlink()
    write_record(Records().made(SPIKING)[0], None)
    message = command_line("equivalent", f"{LOGS}/snn.json")
    assert message.endswith(
        f"{job.place}: {SPIKING}, which it started from, has to be made for the probe, "
        "and no record tells how to convert it; restore it"
    )
    assert not EQUIVALENCES.exists()


def test_the_probe_simulates_so_many_images_by_the_recorded_command():
    limited = f"lossless-snn simulate a.snn --limit 500 --logs {LOGS} --threads 2"
    assert simulation_command({"command": limited}, None) == limited.replace(LOGS, "logs")
    assert simulation_command({"command": limited}, 20) == (
        "lossless-snn simulate a.snn --logs logs --threads 2 --limit 20"
    )


def test_equivalences_of_trainings_stay_as_they_are_beside_those_of_simulations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for shipped in sorted((ROOT / "results").glob("*/*/equivalences.json")):
        path = shipped.relative_to(ROOT)
        path.parent.mkdir(parents=True)
        shutil.copyfile(shipped, path)
        _, budget, experiment, _ = path.parts
        wildcards = {"budget": budget, "experiment": experiment, "precision": "none"}
        content = {"rule": "simulate", "wildcards": wildcards, "params": {}, "codes": (A, B)}
        added = Equivalence(**content, probe={"images": 100}, digests={"snn.json": "1" * 64})
        write_equivalence(Job.described("simulate", wildcards, {}, B, [], []), added)
        before, after = (json.loads(file.read_text(encoding="utf-8")) for file in (shipped, path))
        (own,) = [one for one in after["equivalences"] if one not in before["equivalences"]]
        assert own["probe"] == {"images": 100}
        after["equivalences"].remove(own)
        write_json(path, after)
        assert path.read_bytes() == shipped.read_bytes()


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


@pytest.mark.slow
def test_a_probe_may_train_on_fewer_images(folder, command_line, capsys):
    job = made_by(folder, "BETA1, BETA2, EPS = 0.9,", "BETA1, BETA2, EPS = 0.45 * 2,")
    assert command_line("equivalent", CHECKPOINT, "--epochs", "1", "--images", "200") == 0
    assert "the same bytes in a probe of 1 epochs of 200 images" in capsys.readouterr().out
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


@pytest.mark.parametrize(
    "name", [*EXPERIMENTS, "cifar10-cnn1@fp32_penalty=0.01,training.budgets.fast.fine_tuning.2.activation_scale=1.5"]
)
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


@pytest.mark.parametrize("changes", ["", "@weight_bits=4", "@simulation.steps=7,width=0.5"])
def test_the_probe_runs_the_recorded_command_with_files_of_its_own(changes):
    command = COMMAND.replace("train tiny ", f"train tiny{changes} ")
    assert training_command({"command": command}, 3) == (
        "lossless-snn train tiny --precision k1 --seed 0 --budget quick --out probe.safetensors --history history.csv"
        " --threads 1 --device cpu --epochs 3"
    )


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("probe", {"images": 5}),
        ("rule", "simulate"),
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
