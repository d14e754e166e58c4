"""Records of jobs, the sources kept with them, and verdicts: on small jobs that a test runs itself."""

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lossless_snn import processor
from lossless_snn.errors import LosslessError
from lossless_snn.provenance.circumstances import circumstances_path, last_circumstances
from lossless_snn.provenance.code.entries import command_code, entries
from lossless_snn.provenance.code.fingerprint import PACKAGE, Sources
from lossless_snn.provenance.jobs import Job, decisive
from lossless_snn.provenance.lineage import Lineage
from lossless_snn.provenance.plan import VARIABLE, make_plan, read_plan
from lossless_snn.provenance.recording import recording
from lossless_snn.provenance.records import Records, write_record
from lossless_snn.provenance.sources import archive_fault, archive_path, keep_sources, unpack_sources
from lossless_snn.provenance.verdicts import Contents, judge
from lossless_snn.provenance.verification import verify

CODE = command_code("convert")
FOLDER = "results/quick/tiny"
USAGE = ("processor_seconds", "memory")


def job(rule: str, inputs: list[str], outputs: list[str], **params) -> Job:
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "0"}
    command = f"lossless-snn convert {rule} --threads 1"
    return Job.described(rule, wildcards, params, CODE, inputs, outputs, command)


def run(task: Job) -> None:
    """A job whose outputs are made from its inputs and its parameters."""
    with recording(task) as has_to_run:
        if has_to_run:
            make(task)


def make(task: Job) -> None:
    content = "".join(Path(path).read_text(encoding="utf-8") for path in task.inputs) + json.dumps(task.params)
    for path in task.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(f"{path} from {content}", encoding="utf-8")


TRAIN = job("train", ["config/recipe"], [f"{FOLDER}/checkpoint", f"{FOLDER}/history"], recipe={"rate": 0.1})
SIMULATE = job("simulate", [f"{FOLDER}/checkpoint"], [f"{FOLDER}/log"], steps=4)
DRAW = job("draw", [f"{FOLDER}/log", f"{FOLDER}/history"], [f"{FOLDER}/figure"], style={"width": 7.5})
CHAIN = [DRAW, SIMULATE, TRAIN]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder outside git in which three jobs have run."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/recipe").write_text("adam", encoding="utf-8")
    for task in (TRAIN, SIMULATE, DRAW):
        run(task)
    return tmp_path


def verdicts(jobs: list[Job]) -> dict[str, tuple[list[str], list[str]]]:
    """(Reasons of its own, inputs made anew) of each refused job."""
    return {one.job.rule: (one.reasons, one.follows) for one in judge(jobs, Contents(), Records()) if not one.accepted}


def test_what_was_not_changed_is_accepted_in_the_order_of_the_chain(project):
    found = judge(CHAIN, Contents(), Records())
    assert [one.job.rule for one in found] == ["train", "simulate", "draw"]
    assert all(one.accepted and not one.missing for one in found)


def test_an_altered_file_refuses_its_job_and_all_that_follows(project):
    Path(f"{FOLDER}/log").write_text("other", encoding="utf-8")
    assert verdicts(CHAIN) == {
        "simulate": ([f"{FOLDER}/log: altered since it was made"], []),
        "draw": ([], [f"{FOLDER}/log"]),
    }


def test_an_altered_file_that_no_job_makes_refuses_what_reads_it(project):
    Path("config/recipe").write_text("sgd", encoding="utf-8")
    assert verdicts(CHAIN)["train"] == (["config/recipe is not the file that it was made from"], [])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"params": {"steps": 5}}, "made with other parameters: steps 4, now 5"),
        ({"params": {"steps": 4, "limit": "--limit 3"}}, 'made with other parameters: limit none, now "--limit 3"'),
        ({"code": "0" * 16}, f"made by other code ({CODE}, now {'0' * 16})"),
        ({"command": "lossless-snn simulate --faithful"}, "made by another command"),
        ({"outputs": (f"{FOLDER}/log", f"{FOLDER}/noise")}, f"made other outputs: without {FOLDER}/noise"),
        (
            {"inputs": (f"{FOLDER}/history",)},
            f"made from other inputs: without {FOLDER}/history, with {FOLDER}/checkpoint",
        ),
    ],
)
def test_what_would_be_made_in_another_way_now_is_refused(project, changed, reason):
    refused = verdicts([TRAIN, replace(SIMULATE, **changed), DRAW])
    assert refused == {"simulate": ([reason], []), "draw": ([], [f"{FOLDER}/log"])}


def test_lists_of_names_tell_what_came_and_what_went(project):
    drawn = replace(DRAW, params={**DRAW.params, "runs": ["a", "b"]})
    run(drawn)
    now = replace(drawn, params={**DRAW.params, "runs": ["b", "c", "d"]})
    reason = "made with other parameters: runs without c and 1 more, with a"
    assert verdicts([TRAIN, SIMULATE, now]) == {"draw": ([reason], [])}


def test_threads_and_device_refuse_nothing(project):
    other = replace(SIMULATE, command="lossless-snn convert simulate --threads 8 --device cuda")
    assert verdicts([TRAIN, other, DRAW]) == {}
    assert decisive("a --threads 8 b --device cuda --steps 3") == "a b --steps 3"


def test_a_missing_file_counts_as_recorded_until_a_job_needs_it(project):
    Path(f"{FOLDER}/checkpoint").unlink()
    assert verdicts(CHAIN) == {}
    refused = verdicts([TRAIN, replace(SIMULATE, params={"steps": 5}), DRAW])
    assert refused["train"] == ([f"{FOLDER}/checkpoint: missing, and needed"], [])
    assert refused["draw"] == ([], [f"{FOLDER}/history", f"{FOLDER}/log"])


def test_a_job_run_again_with_other_results_refuses_what_was_made_from_the_old_ones(project):
    Path("config/recipe").write_text("sgd", encoding="utf-8")
    run(TRAIN)
    assert verdicts(CHAIN) == {
        "simulate": ([f"{FOLDER}/checkpoint is not the file that it was made from"], []),
        "draw": ([f"{FOLDER}/history is not the file that it was made from"], [f"{FOLDER}/log"]),
    }


def recorded(task: Job) -> bool:
    try:
        Records()[task.place]
    except LosslessError:
        return False
    return True


def test_a_failed_job_leaves_no_record(project):
    def fail():
        with recording(TRAIN):
            raise KeyError

    assert recorded(TRAIN)
    with pytest.raises(KeyError):
        fail()
    assert not recorded(TRAIN)
    assert recorded(SIMULATE)


def test_a_job_that_left_out_a_file_has_failed(project):
    def leave_out():
        with recording(TRAIN):
            Path(TRAIN.outputs[0]).unlink()

    with pytest.raises(LosslessError, match=f"^{TRAIN.outputs[0]}: No such file"):
        leave_out()
    assert not recorded(TRAIN)


def test_a_job_made_twice_has_the_same_record_and_two_attempts(project):
    before = TRAIN.place.file.read_bytes()
    run(TRAIN)
    assert TRAIN.place.file.read_bytes() == before
    attempts = [json.loads(line) for line in circumstances_path(TRAIN.place).read_text().splitlines()]
    assert [attempt["succeeded"] for attempt in attempts] == [True, True]
    assert set(attempts[0]) == {"started", "processor", "load", "seconds", "succeeded", *USAGE}
    # Python alone takes some MB, and this process has computed before.
    assert attempts[0]["memory"] > 5
    assert 0 < attempts[0]["processor_seconds"] <= attempts[1]["processor_seconds"]


def test_a_training_records_the_kind_of_processor_and_no_other_job_does(project):
    assert Records()[TRAIN.place]["processor"] == processor.kind()
    assert "processor" not in Records()[SIMULATE.place]


@pytest.mark.parametrize(
    ("arithmetic", "flags", "slow"),
    [("bfloat16", "avx2", True), ("bfloat16", "avx2 avx512_bf16", False), ("float32", "avx2", False)],
)
def test_a_training_that_the_processor_is_slow_at_says_so(
    project, tmp_path, monkeypatch, capfd, arithmetic, flags, slow
):
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    run(replace(TRAIN, params=TRAIN.params | {"recipe": {"arithmetic": arithmetic}}))
    assert ("has no instructions for its bfloat16 products" in capfd.readouterr().err) is slow


def test_edited_code_does_not_run(project):
    ran = []

    def attempt():
        with recording(replace(TRAIN, code="0" * 16)):
            ran.append(True)

    with pytest.raises(LosslessError, match=f"the code was edited after this run began: it is {CODE} now"):
        attempt()
    assert not ran
    assert not recorded(TRAIN)
    assert not Path(f"results/sources/{'0' * 16}.tar.xz").exists()


def test_a_plan_names_the_files_that_were_edited(project, monkeypatch):
    path = make_plan(["convert"], Path("plans"))
    assert read_plan(path).code == {"convert": CODE}
    assert read_plan(path).changes() == []
    content = json.loads(path.read_text())
    content["files"]["conversion/convert.py"] = "0" * 64
    content["code"] = {"convert": "0" * 16}
    path.write_text(json.dumps(content))
    monkeypatch.setenv(VARIABLE, str(path))
    run(TRAIN)  # a comment was edited, say: the code is what this job was planned with
    with pytest.raises(LosslessError, match=r"edited after this run began \(src/lossless_snn/conversion/convert\.py\)"):
        run(replace(TRAIN, code="0" * 16))


def test_a_plan_that_is_not_to_be_seen_is_one_line(project, command_line, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/elsewhere/plan.json")
    message = command_line("record", TRAIN.as_json(), "convert", "--help")
    assert message.startswith("lossless-snn: /elsewhere/plan.json: no plan of a run")
    assert "\n" not in message


def test_an_altered_input_stops_the_job_that_reads_it(project):
    Path(f"{FOLDER}/log").write_text("other", encoding="utf-8")
    with pytest.raises(LosslessError, match=f"^{FOLDER}/log: altered since it was made \\({SIMULATE.place} says"):
        run(DRAW)


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda jobs: jobs.pop(SIMULATE.place.name), f"{FOLDER}/log: no record tells how it was made"),
        (lambda jobs: jobs[SIMULATE.place.name].update(code=7), f"{SIMULATE.place}: code: "),
        (lambda jobs: jobs[SIMULATE.place.name].update(outputs=[f"{FOLDER}/log"]), f"{SIMULATE.place}: outputs: "),
        (lambda jobs: jobs.update({SIMULATE.place.name: None}), f"{SIMULATE.place}: "),
    ],
)
def test_an_input_whose_record_is_gone_or_damaged_stops_the_job_that_reads_it(project, change, message):
    records = json.loads(SIMULATE.place.file.read_text(encoding="utf-8"))
    change(records["jobs"])
    SIMULATE.place.file.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(LosslessError) as caught:
        run(DRAW)
    assert str(caught.value).startswith(message)
    run(SIMULATE)  # which mends it
    run(DRAW)


def test_a_damaged_record_of_another_file_stops_no_job(project):
    records = json.loads(SIMULATE.place.file.read_text(encoding="utf-8"))
    records["jobs"][DRAW.place.name] = {"outputs": 7}
    SIMULATE.place.file.write_text(json.dumps(records), encoding="utf-8")
    run(SIMULATE)
    run(DRAW)


def test_altered_raw_data_stop_the_job_that_reads_them(project):
    Path("data").mkdir()
    Path("data/images").write_text("digits", encoding="utf-8")
    published = {"folder": "", "files": {"images": hashlib.sha256(b"digits").hexdigest()}}
    task = job("train", ["data/images"], [f"{FOLDER}/checkpoint"], dataset=published)
    run(task)
    Path("data/images").write_text("others", encoding="utf-8")
    with pytest.raises(LosslessError, match=r"^data/images: altered since it was made \(not the published file"):
        run(task)


def in_another_process(folder: Path, task: str, **variables: str) -> subprocess.Popen:
    """A process that runs a job of this module and writes its outputs once its standard input is closed."""
    code = f"""
import sys
sys.path.insert(0, sys.argv[1])
import test_provenance
from lossless_snn.provenance.recording import recording
with recording(test_provenance.{task}) as has_to_run:
    print("running" if has_to_run else "made", flush=True)
    sys.stdin.read()
    if has_to_run:
        test_provenance.make(test_provenance.{task})
"""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **variables}
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


def test_a_job_that_another_process_runs_is_waited_for_and_not_made_again(project):
    """As when a workflow engine was killed and its job goes on: the next engine deletes outputs and starts the job."""
    with in_another_process(project, "TRAIN") as first:
        assert first.stdout.readline() == "running\n"
        for path in TRAIN.outputs:
            Path(path).unlink()
        with in_another_process(project, "TRAIN") as second:
            line = second.stderr.readline()
            assert line.endswith("train-k1-seed0.lock: another process runs this job now; waiting for it\n")
            first.stdin.close()
            assert first.wait() == 0
            assert second.stdout.readline() == "made\n"
            second.stdin.close()
            assert second.wait() == 0
    assert (verify()[0], len(circumstances_path(TRAIN.place).read_text().splitlines())) == ([], 2)


def test_a_job_is_run_where_the_one_that_was_waited_for_failed(project):
    with in_another_process(project, "TRAIN") as first:
        assert first.stdout.readline() == "running\n"
        with in_another_process(project, "TRAIN") as second:
            assert "waiting for it" in second.stderr.readline()
            first.kill()
            assert second.stdout.readline() == "running\n"
            second.stdin.close()
            assert second.wait() == 0


@pytest.fixture
def clones(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Two folders with the same inputs, and a store that both see."""
    monkeypatch.setenv("LOSSLESS_SNN_STORE", str(tmp_path / "store"))
    for name in ("first", "second"):
        (tmp_path / name / "config").mkdir(parents=True)
        (tmp_path / name / "config" / "recipe").write_text("adam")
    return tmp_path / "first", tmp_path / "second"


def test_two_clones_train_the_same_network_once(clones, monkeypatch):
    first, second = clones
    with in_another_process(first, "TRAIN") as one:
        assert one.stdout.readline() == "running\n"
        with in_another_process(second, "TRAIN") as other:
            assert "another clone runs train-k1-seed0 now; waiting for it" in other.stderr.readline()
            one.stdin.close()
            assert one.wait() == 0
            other.stdin.close()
            assert other.wait() == 0
            assert "taken from" in other.stdout.readline()
    for path in [*TRAIN.outputs, f"{FOLDER}/provenance.json"]:
        assert (first / path).read_bytes() == (second / path).read_bytes()
    monkeypatch.chdir(second)
    assert verify()[0] == []
    assert not circumstances_path(TRAIN.place).exists()  # it has cost nothing


def test_what_another_clone_made_otherwise_or_what_was_altered_is_not_taken(clones, monkeypatch):
    first, second = clones
    monkeypatch.chdir(first)
    run(TRAIN)
    monkeypatch.chdir(second)
    other_rate = replace(TRAIN, params={"recipe": {"rate": 0.2}})
    run(other_rate)
    assert '"rate": 0.2' in Path(TRAIN.outputs[0]).read_text(encoding="utf-8")
    for file in clones[0].parent.glob("store/*/*"):
        if file.name != "contents.json":
            file.write_text("altered")
    run(TRAIN)
    assert '"rate": 0.1' in Path(TRAIN.outputs[0]).read_text(encoding="utf-8")
    assert verify()[0] == []


def test_many_processes_write_to_one_file_of_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = """
import sys
from pathlib import Path
from lossless_snn.provenance.jobs import Place
from lossless_snn.provenance.records import write_record
for number in range(20):
    write_record(Place(Path("results/quick/tiny/provenance.json"), f"{sys.argv[1]}-{number}"), {"rule": sys.argv[1]})
"""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    writers = [subprocess.Popen([sys.executable, "-c", code, name], env=environment) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = Records().places([Path("results/quick/tiny/provenance.json")])
    assert {place.name for place in found} == {f"{name}-{number}" for name in "abc" for number in range(20)}
    assert list(json.loads(found[0].file.read_text())["jobs"]) == sorted(place.name for place in found)


GIT = ("git", "-c", "user.name=A Person", "-c", "user.email=person@example.org")


def commit_all(message: str) -> str:
    for arguments in (["add", "."], ["commit", "--quiet", "--allow-empty", f"--message={message}"]):
        subprocess.run([*GIT, *arguments], check=True)
    return subprocess.run([*GIT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def test_circumstances_say_the_commit_and_whether_the_tree_was_clean(project):
    assert "commit" not in last_circumstances(TRAIN.place)
    Path(".gitignore").write_text("jobs/\n", encoding="utf-8")
    subprocess.run([*GIT, "init", "--quiet"], check=True)
    commit = commit_all("One")
    run(TRAIN)
    attempt = last_circumstances(TRAIN.place)
    assert (attempt["commit"], attempt["dirty"]) == (commit, False)
    Path("config/recipe").write_text("sgd", encoding="utf-8")
    run(TRAIN)
    attempt = last_circumstances(TRAIN.place)
    assert (attempt["commit"], attempt["dirty"]) == (commit, True)


def test_sources_are_found_in_git_or_in_the_archive_of_a_tree_that_differed(tmp_path, monkeypatch):
    """In a project of its own, whose package this process does not run."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "src" / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("lossless_snn.provenance.sources.PACKAGE", package)
    subprocess.run([*GIT, "init", "--quiet"], check=True)
    commit = commit_all("Sources")
    keep_sources(CODE, "convert")
    assert not Path("results/sources").exists()

    module = package / "conversion/convert.py"
    committed = module.read_text()
    edited = committed.replace('"""\n', '"""\nprint(1)\n', 1)
    module.write_text(edited)
    other = Sources(package).fingerprint(*entries("convert"))
    assert other != CODE
    keep_sources(other, "convert")
    commit_all("Edited")
    for code, found, content in (
        (CODE, f"commit {commit[:12]}", committed),
        (other, f"results/sources/{other}.tar.xz", edited),
    ):
        folder = tmp_path / code
        folder.mkdir()
        assert unpack_sources(TRAIN.place, code, "lossless-snn convert", folder) == found
        assert (folder / "src/lossless_snn/conversion/convert.py").read_text() == content
    with pytest.raises(LosslessError, match=r"neither .* nor git's history has the sources"):
        unpack_sources(TRAIN.place, "0" * 16, "lossless-snn convert", tmp_path / "nothing")


def test_an_archive_with_other_sources_is_a_fault(project):
    (archive,) = Path("results/sources").iterdir()
    assert archive_fault(CODE, "lossless-snn convert") is None
    archive.rename(archive.with_name(f"{'0' * 16}.tar.xz"))
    assert "not the sources with that fingerprint" in archive_fault("0" * 16, "lossless-snn convert")


def test_another_checkouts_code_is_refused_by_the_names_of_both_folders(project, tmp_path, command_line):
    (tmp_path / "src" / PACKAGE.name).mkdir(parents=True)
    recorded = ("record", TRAIN.as_json(), "convert", "--help")
    shown = ("provenance", TRAIN.outputs[0])
    for arguments in (("verify",), ("prune",), shown, ("equivalent", TRAIN.outputs[0]), recorded):
        message = command_line(*arguments)
        assert message.startswith(f"lossless-snn: {tmp_path}: the code that runs is that of {PACKAGE.parents[1]}; use ")
        assert "\n" not in message


def test_sources_give_the_same_archive_every_time(tmp_path, monkeypatch):
    archives = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        keep_sources(CODE, "convert")
        archives.append(archive_path(CODE).read_bytes())
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "one" / "results/sources" / f"{CODE}.tar.xz") as archive:
        names = archive.getnames()
        assert names == sorted(names)
        for name in (
            "src/lossless_snn/conversion/convert.py",
            "src/lossless_snn/cli/main.py",
            "src/lossless_snn/__init__.py",
        ):
            ours = PACKAGE.parent.joinpath(*Path(name).parts[1:]).read_bytes()
            assert archive.extractfile(name).read() == ours
    assert "src/lossless_snn/analysis/tables/results.py" not in names


def test_recording_is_part_of_no_commands_code(tmp_path):
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    commands = ["train", "evaluate", "convert", "simulate", "noise", "compare-neurons", "table", "summary"]
    before = {name: Sources(copy).fingerprint(*entries(name)) for name in commands}
    for path in (copy / "provenance").glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body.insert(0, ast.parse("print(1 + 1)").body[0])
        path.write_text(ast.unparse(tree))
    assert {name: Sources(copy).fingerprint(*entries(name)) for name in commands} == before


def test_recording_imports_nothing_heavy():
    heavy = {"torch", "pandas", "numba", "sklearn", "matplotlib"}
    code = f"import lossless_snn.provenance.recording, sys; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_verify_names_what_is_wrong_and_its_exit_status_says_whether(project, command_line, capsys):
    assert command_line("verify") == 0
    assert capsys.readouterr().out == "No faults in 3 jobs, 4 files made, 0 files of raw data\n"
    (archive,) = Path("results/sources").iterdir()
    archive.write_bytes(b"")
    Path(f"{FOLDER}/figure").unlink()
    write_record(SIMULATE.place, {"rule": "simulate"})
    assert command_line("verify") == 1
    faults = capsys.readouterr().out.splitlines()
    assert any(fault.startswith(f"{archive}: no archive of sources") for fault in faults)
    assert f"{FOLDER}/figure: missing" in faults
    assert any(fault.startswith(f"{SIMULATE.place}: wildcards: Field required") for fault in faults)
    TRAIN.place.file.write_text("{")
    assert command_line("verify") == 1
    assert capsys.readouterr().out.startswith(f"{TRAIN.place.file}: not JSON")


def test_what_was_left_behind_is_no_fault_and_what_follows_from_it_is_checked(project):
    checkpoint, figure = Path(FOLDER, "checkpoint"), Path(FOLDER, "figure")
    checkpoint.unlink()
    made = "3 jobs, 4 files made (1 not here: known by their recorded digests), 0 files of raw data"
    assert verify() == ([f"{checkpoint}: missing"], made)
    assert verify(left_behind=[checkpoint]) == ([], made)
    figure.write_text("altered", encoding="utf-8")
    assert verify(left_behind=[checkpoint])[0] == [f"{figure}: {figure}: altered since it was made"]


def test_prune_removes_the_sources_that_no_record_names(project, command_line, capsys):
    (used,) = Path("results/sources").iterdir()
    unused = used.with_name(f"{'0' * 16}.tar.xz")
    shutil.copy(used, unused)
    assert command_line("prune") == 0
    assert capsys.readouterr().out == f"{unused}: removed\narchives of sources: 1 removed, 1 in use\n"
    assert list(used.parent.iterdir()) == [used]
    assert command_line("verify") == 0


def test_prune_removes_nothing_while_a_record_cannot_be_read(project, command_line):
    (used,) = Path("results/sources").iterdir()
    DRAW.place.file.write_text("{")
    assert command_line("prune").startswith(f"lossless-snn: {DRAW.place.file}: not JSON")
    assert used.exists()


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("inputs", None),
        ("code", None),
        ("code", "\n"),
        ("wildcards", "k1"),
        ("wildcards", {}),
        ("wildcards", {"budget": 1}),
        ("wildcards", {"budget": "quick", "seed": 0}),
        ("inputs", {DRAW.inputs[0]: {"sha256": 64 * "0", "size": -1}}),
        ("inputs", {DRAW.inputs[0]: {"sha256": 64 * "0", "size": True}}),
        ("outputs", {DRAW.outputs[0]: {}}),
        ("seconds", 3.5),
    ],
)
def test_a_record_that_is_not_as_described_is_refused_in_one_line(project, command_line, capsys, place, value):
    write_record(DRAW.place, Records()[DRAW.place] | {place: value})
    with pytest.raises(LosslessError, match=f"{DRAW.place}: {place}.*; make what it belongs to again"):
        Records()[DRAW.place]
    assert [*verdicts(CHAIN)] == ["draw"]
    assert command_line("verify") == 1
    assert f"{DRAW.place}: {place}" in capsys.readouterr().out


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(("kind", "path"), [("inputs", DRAW.inputs[0]), ("outputs", DRAW.outputs[0])])
def test_a_size_that_is_not_the_files_is_a_fault(project, kind, path):
    record = Records()[DRAW.place]
    size = record[kind][path]["size"]
    record[kind][path]["size"] = size + 1
    write_record(DRAW.place, record)
    fault = f"{path}: {size:,} bytes, {size + 1:,} by its record"
    assert verify()[0] == [f"{DRAW.outputs[0]}: {fault}"]
    assert verdicts(CHAIN) == {"draw": ([fault], [])}


@pytest.mark.bad_input("logs and records")
def test_a_fault_is_one_line_whatever_it_quotes(project, command_line, capsys):
    record = Records()[DRAW.place]
    record["outputs"]["a\nb\x1b[31m"] = record["outputs"][DRAW.outputs[0]]
    write_record(DRAW.place, record)
    assert command_line("verify") == 1
    assert r"a\nb\x1b[31m: missing" in capsys.readouterr().out.splitlines()


def test_paths_may_be_absolute(project, command_line, capsys):
    command_line("provenance", DRAW.outputs[0])
    lineage = capsys.readouterr().out
    command_line("provenance", str(project / DRAW.outputs[0]))
    assert capsys.readouterr().out == lineage
    Path(FOLDER, "tables").mkdir()
    Path(FOLDER, "tables", "stray.csv").touch()
    assert command_line("verify", str(project / FOLDER)) == 1
    assert "stray.csv: no record tells how it was made" in capsys.readouterr().out


def test_verify_elsewhere_is_one_line(project, command_line, monkeypatch):
    monkeypatch.chdir("results")
    assert command_line("verify", "quick").startswith("lossless-snn: quick: not below results/")


def test_lineage_says_where_records_end(project, command_line, capsys):
    write_record(TRAIN.place, None)
    command_line("provenance", DRAW.outputs[0])
    assert capsys.readouterr().out.count("(no record tells how it was made)") == 2


def test_verify_without_records_is_one_line(tmp_path, monkeypatch, command_line):
    monkeypatch.chdir(tmp_path)
    assert (
        command_line("verify")
        == "lossless-snn: results: no records there; name a folder results/BUDGET/EXPERIMENT that was made"
    )


def test_records_have_digests_of_their_own_of_all_that_went_in_and_out(project):
    record = Records()[DRAW.place]
    for paths, files in ((DRAW.inputs, record["inputs"]), (DRAW.outputs, record["outputs"])):
        expected = {path: Path(path).read_bytes() for path in paths}
        assert files == {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in expected.items()
        }


def test_records_that_lead_in_a_circle_are_one_line(project):
    records = json.loads(TRAIN.place.file.read_text(encoding="utf-8"))
    trained = next(name for name, record in records["jobs"].items() if record["rule"] == "train")
    records["jobs"][trained]["inputs"][f"{FOLDER}/figure"] = {"sha256": "0" * 64, "size": 1}
    TRAIN.place.file.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(LosslessError, match="is made from what is made from it; `git checkout` the records"):
        verify([Path("results")])
    with pytest.raises(LosslessError, match="is made from what is made from it"):
        Lineage().steps([f"{FOLDER}/figure"])
    records["jobs"][trained]["inputs"] = records["jobs"][trained]["outputs"]
    TRAIN.place.file.write_text(json.dumps(records), encoding="utf-8")
    with pytest.raises(LosslessError, match=f"{FOLDER}/checkpoint is made from itself"):
        Records()[TRAIN.place]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("[" * 100_000, encoding="utf-8")])
def test_records_that_are_no_file_or_nested_without_end_are_one_line(project, make):
    TRAIN.place.file.unlink()
    make(TRAIN.place.file)
    with pytest.raises(LosslessError, match=r"no regular file|not JSON"):
        Records()[TRAIN.place]


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("threads", -64, "threads -64, but its command has 1"),
        ("rule", "draw", "is the record of another job"),
        ("wildcards", {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "7"}, "of another job"),
        ("command", "lossless-snn figure", "lossless-snn figure: names no figure"),
    ],
)
def test_a_record_that_contradicts_its_name_or_its_command_is_a_fault(project, key, value, fault):
    records = json.loads(SIMULATE.place.file.read_text(encoding="utf-8"))
    records["jobs"][SIMULATE.place.name][key] = value
    SIMULATE.place.file.write_text(json.dumps(records), encoding="utf-8")
    faults, _ = verify([Path("results")], {job.place: job for job in CHAIN})
    assert any(str(SIMULATE.place) in found and fault in found for found in faults), faults
