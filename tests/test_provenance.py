"""Records of jobs, the sources kept with them, and verdicts: on small jobs that a test runs itself."""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lossless_snn.errors import LosslessError
from lossless_snn.provenance.entries import command_code, entries
from lossless_snn.provenance.fingerprint import PACKAGE, Sources
from lossless_snn.provenance.jobs import Job, decisive
from lossless_snn.provenance.records import read_record, recording
from lossless_snn.provenance.sources import keep_sources
from lossless_snn.provenance.verdicts import Contents, judge
from lossless_snn.provenance.verification import verify

CODE = command_code("convert")
FOLDER = "results/quick/tiny"


def job(rule: str, inputs: list[str], outputs: list[str], **params) -> Job:
    wildcards = {"budget": "quick", "experiment": "tiny", "precision": "k1", "seed": "0"}
    return Job.described(rule, wildcards, params, f"lossless-snn convert {rule} --threads 1", CODE, inputs, outputs)


def run(task: Job) -> None:
    """A job whose outputs are made from its inputs and its parameters."""
    with recording(task):
        content = "".join(Path(path).read_text() for path in task.inputs) + json.dumps(task.params)
        for path in task.outputs:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(f"{path} from {content}")


TRAIN = job("train", ["config/recipe"], [f"{FOLDER}/checkpoint", f"{FOLDER}/history"], recipe={"rate": 0.1})
SIMULATE = job("simulate", [f"{FOLDER}/checkpoint"], [f"{FOLDER}/log"], steps=4)
DRAW = job("draw", [f"{FOLDER}/log", f"{FOLDER}/history"], [f"{FOLDER}/figure"], style={"width": 7.5})
CHAIN = [DRAW, SIMULATE, TRAIN]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder outside git in which three jobs have run."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/recipe").write_text("adam")
    for task in (TRAIN, SIMULATE, DRAW):
        run(task)
    return tmp_path


def verdicts(jobs: list[Job]) -> dict[str, tuple[list[str], list[str]]]:
    """(Reasons of its own, inputs made anew) of each refused job."""
    return {one.job.rule: (one.reasons, one.follows) for one in judge(jobs, Contents()) if not one.accepted}


def test_what_was_not_changed_is_accepted_in_the_order_of_the_chain(project):
    found = judge(CHAIN, Contents())
    assert [one.job.rule for one in found] == ["train", "simulate", "draw"]
    assert all(one.accepted and not one.missing for one in found)


def test_an_altered_file_refuses_its_job_and_all_that_follows(project):
    Path(f"{FOLDER}/log").write_text("other")
    assert verdicts(CHAIN) == {
        "simulate": ([f"{FOLDER}/log: altered since it was made"], []),
        "draw": ([], [f"{FOLDER}/log"]),
    }


def test_an_altered_file_that_no_job_makes_refuses_what_reads_it(project):
    Path("config/recipe").write_text("sgd")
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
    Path("config/recipe").write_text("sgd")
    run(TRAIN)
    assert verdicts(CHAIN) == {
        "simulate": ([f"{FOLDER}/checkpoint is not the file that it was made from"], []),
        "draw": ([f"{FOLDER}/history is not the file that it was made from"], [f"{FOLDER}/log"]),
    }


def test_a_failed_job_leaves_no_record(project):
    def fail():
        with recording(TRAIN):
            raise KeyError

    assert TRAIN.record.exists()
    with pytest.raises(KeyError):
        fail()
    assert not TRAIN.record.exists()


def test_code_edited_after_the_run_began_is_not_recorded_as_what_ran(project, capsys):
    run(replace(TRAIN, code="0" * 16))
    assert not TRAIN.record.exists()
    assert "the code was edited" in capsys.readouterr().err
    assert not Path(f"results/sources/{'0' * 16}.tar.xz").exists()


def test_outside_git_the_record_says_so_and_inside_whether_the_tree_was_clean(project):
    assert read_record(TRAIN.record)["git"] is None
    identity = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"]
    Path(".gitignore").write_text("")
    for arguments in (["init", "--quiet"], ["add", ".gitignore", "config"], ["commit", "--quiet", "--message=One"]):
        subprocess.run(["git", *identity, *arguments], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    run(TRAIN)  # results are not committed, and do not count
    assert read_record(TRAIN.record)["git"] == {"commit": commit, "dirty": False}
    Path("config/recipe").write_text("sgd")
    run(TRAIN)
    assert read_record(TRAIN.record)["git"] == {"commit": commit, "dirty": True}


def test_sources_give_the_same_archive_every_time(tmp_path, monkeypatch):
    archives = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        archives.append(keep_sources(CODE, "convert").read_bytes())
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
    code = f"import lossless_snn.provenance.records, sys; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_verify_names_what_is_wrong_and_its_exit_status_says_whether(project, command_line, capsys):
    assert command_line("verify") == 0
    assert capsys.readouterr().out == "No faults in 3 jobs, 4 files made, 0 files of raw data\n"
    (archive,) = Path("results/sources").iterdir()
    archive.write_bytes(b"")
    Path(f"{FOLDER}/figure").unlink()
    TRAIN.record.write_text("{")
    assert command_line("verify") == 1
    faults = capsys.readouterr().out.splitlines()
    assert f"{archive}: altered" in faults
    assert f"{FOLDER}/figure: missing" in faults
    assert any(fault.startswith(f"{TRAIN.record}: not JSON") for fault in faults)


def test_what_was_left_behind_is_no_fault_and_what_follows_from_it_is_checked(project):
    checkpoint, figure = Path(FOLDER, "checkpoint"), Path(FOLDER, "figure")
    checkpoint.unlink()
    made = "3 jobs, 4 files made (1 not here: known by their recorded digests), 0 files of raw data"
    assert verify() == ([f"{checkpoint}: missing"], made)
    assert verify(left_behind=[checkpoint]) == ([], made)
    figure.write_text("altered")
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
    DRAW.record.write_text("{")
    assert command_line("prune").startswith(f"lossless-snn: {DRAW.record}: not JSON")
    assert used.exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("inputs", None),
        ("code", None),
        ("wildcards", "k1"),
        ("outputs", {DRAW.outputs[0]: {}}),
        ("code", {"fingerprint": CODE, "sources": {}}),
    ],
)
def test_a_record_that_lacks_something_is_refused_in_one_line(project, command_line, capsys, place, value):
    content = json.loads(DRAW.record.read_text())
    DRAW.record.write_text(json.dumps(content | {place: value}))
    with pytest.raises(LosslessError, match=f"{DRAW.record}: {place}.*; make what it belongs to again"):
        read_record(DRAW.record)
    assert [*verdicts(CHAIN)] == ["draw"]
    assert command_line("verify") == 1
    assert f"{DRAW.record}: {place}" in capsys.readouterr().out


def test_paths_may_be_absolute(project, command_line, capsys):
    command_line("provenance", DRAW.outputs[0])
    story = capsys.readouterr().out
    command_line("provenance", str(project / DRAW.outputs[0]))
    assert capsys.readouterr().out == story
    Path(FOLDER, "tables").mkdir()
    Path(FOLDER, "tables", "stray.csv").touch()
    assert command_line("verify", str(project / FOLDER)) == 1
    assert "stray.csv: no record tells how it was made" in capsys.readouterr().out


def test_verify_elsewhere_is_one_line(project, command_line, monkeypatch):
    monkeypatch.chdir("results")
    assert command_line("verify", "quick").startswith("lossless-snn: quick: not below results/")


def test_a_story_tells_where_it_breaks_off(project, command_line, capsys):
    TRAIN.record.unlink()
    command_line("provenance", DRAW.outputs[0])
    assert capsys.readouterr().out.count("(no record tells how it was made)") == 2


def test_verify_without_records_is_one_line(tmp_path, monkeypatch, command_line):
    monkeypatch.chdir(tmp_path)
    assert (
        command_line("verify")
        == "lossless-snn: results: no records there; name a folder results/BUDGET/EXPERIMENT that was made"
    )


def test_records_have_digests_of_their_own_of_all_that_went_in_and_out(project):
    record = read_record(DRAW.record)
    for paths, files in ((DRAW.inputs, record["inputs"]), (DRAW.outputs, record["outputs"])):
        expected = {path: Path(path).read_bytes() for path in paths}
        assert files == {
            path: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for path, content in expected.items()
        }
