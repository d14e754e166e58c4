"""The command line for people: help, suggestions, JSON, completion, progress; what the workflow's commands print."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from lossless_snn.__main__ import run
from lossless_snn.cli.main import cli
from lossless_snn.config.settings import read_settings
from lossless_snn.errors import LONGEST_MESSAGE, LosslessError, did_you_mean
from lossless_snn.files.progress import progress
from lossless_snn.runs import ann, certificate, snn
from lossless_workflow import restore, trainings, verify
from lossless_workflow.pages import headline, screens
from lossless_workflow.report import __main__ as report
from lossless_workflow.run import steps
from lossless_workflow.targets import closest

ROOT = Path(__file__).parent.parent
CONTEXT = click.Context(cli, info_name="lossless-snn")
COMMANDS = cli.list_commands(CONTEXT)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_whole_sentences_and_an_example_that_can_be_read(name):
    command = cli.get_command(CONTEXT, name)
    description, _, example = cleandoc(command.help).partition("\b\nExample:\n")
    assert re.match(r"[A-Z].*[.]$", " ".join(description.split())), description
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert re.search(r"[.)]$", parameter.help or ""), parameter.name
    program, called, *arguments = shlex.split(example)
    assert (program, called) == ("lossless-snn", name)
    command.make_context(name, arguments, parent=CONTEXT)
    shown = CliRunner().invoke(cli, [name, "--help"], terminal_width=100).output
    assert example.strip() in shown


@pytest.mark.parametrize("module", [restore, trainings, verify], ids=lambda module: module.__name__)
def test_what_make_calls_explains_itself_and_refuses_what_it_does_not_know(module):
    description, _, example = cleandoc(module.main.help).partition("\b\nExample:\n")
    assert re.match(r"[A-Z].*[.]$", " ".join(description.split())), description
    *program, called, _ = shlex.split(example)[:4]
    assert (program, called) == (["python", "-m"], module.__name__)
    module.main.make_context(called, shlex.split(example)[3:])
    refused = CliRunner().invoke(module.main, ["--ful"])
    assert refused.exit_code == 2
    assert "No such option '--ful'" in refused.output


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (report, ["report.html", "k\n1"]),
        (screens, ["--width", "9\n9"]),
        (trainings, ["--jobs", "9\r9"]),
        (verify, ["k\n1"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_command_line_that_cannot_be_read_is_refused_in_one_line(program, arguments):
    refused = CliRunner().invoke(program.main, arguments)
    assert refused.exit_code == 2
    assert_one_message(refused.output)


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize(
    "arguments",
    [
        ["trai\nn"],
        ["--versio\nn"],
        *([name, "--ou\nt"] for name in COMMANDS),
        ["train", "digits-lenet", "--precision", "k\n1", "--out", "x"],
        ["train", "digits-lenet", "--precision", "k1", "--out", "x", "--seed", "1\r\x1b[2J"],
        ["simulate", "network", "--logs", "logs", "--steps", "1" * 10_000 + "x"],
        ["fetch", "\u2028mnist\nError: all is well"],
        ["evaluate", "--device", "\ud800\n", "x"],
        ["convert", "one", "two\n", "--out", "x"],
    ],
    ids=lambda arguments: ascii(" ".join(arguments))[:40],
)
def test_the_command_line_is_refused_in_one_line_whatever_it_quotes(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lossless-snn", *arguments])
    with pytest.raises(SystemExit) as refused:
        run()
    assert refused.value.code == 2
    assert_one_message(capsys.readouterr().err)


def test_the_program_that_is_installed_refuses_in_one_line():
    installed = Path(sys.executable).with_name("lossless-snn")
    for program in ([str(installed)], [sys.executable, "-m", "lossless_snn"]):
        refused = subprocess.run([*program, "fetch", "mnis\nt"], capture_output=True, text=True)
        assert refused.returncode == 2
        assert_one_message(refused.stderr)


def assert_one_message(said):
    *usage, message = said.split("\n")[:-1]
    assert usage[0].startswith("Usage: ")
    assert usage[-1] == ""
    assert message.startswith("Error: ")
    assert message.isprintable()
    assert len(message) < LONGEST_MESSAGE + 100  # with what click says before it


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize("option", ["--threads", "--jobs"])
def test_trainings_take_no_more_than_a_machine_has(option):
    refused = CliRunner().invoke(trainings.main, [option, "1000000"])
    assert refused.exit_code == 2
    assert "1000000 is not in the range 1<=x<=" in refused.output


def test_likely_names_are_suggested_and_unlikely_ones_are_not():
    assert did_you_mean("sop", ["sops", "noise"]) == "; did you mean 'sops'?"
    assert did_you_mean("FP32", ["k1", "fp32"]) == "; did you mean 'fp32'?"
    assert did_you_mean("xyz", ["sops", "noise"]) == ""


@pytest.mark.parametrize(
    ("arguments", "status", "suggestion"),
    [
        (["evalute", "x"], 2, "no command 'evalute'; did you mean 'evaluate'?"),
        (["figure", "sop", "x", "--out", "y"], 2, "did you mean 'sops'?"),
        (["train", "digits-lenet", "--precision", "K1", "--out", "x"], 2, "did you mean 'k1'?"),
        (["train", "digits-lenet", "--precision", "k1", "--out", "x", "--budget", "quik"], 2, "did you mean 'quick'?"),
        (["fetch", "fashion_mnist"], 2, "did you mean 'fashion-mnist'?"),
    ],
)
def test_mistakes_are_answered_with_what_may_have_been_meant(arguments, status, suggestion):
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == status
    assert suggestion in " ".join(answer.output.split())


def test_a_misspelt_experiment_is_one_line_with_a_suggestion(monkeypatch, command_line):
    monkeypatch.chdir(ROOT)
    message = command_line("train", "digit-lenet", "--precision", "k1", "--out", "x")
    assert message.startswith("lossless-snn: config/experiments/digit-lenet.yaml: no such experiment (found: ")
    assert message.endswith("; did you mean 'digits-lenet'?")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": "papr"}, "--config: budget: input should be"),
        ({"experiments": ["digit-lenet"]}, r"--config: experiments: .*; did you mean 'digits-lenet'\?$"),
        ({"threads": {"train": 0}}, "--config: threads.train: "),
    ],
)
def test_a_mistake_on_snakemakes_command_line_names_it(monkeypatch, changes, message):
    monkeypatch.chdir(ROOT)
    with pytest.raises(LosslessError, match=message):
        read_settings(changes)


# ---- JSON ----


def printed(arguments) -> object:
    answer = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


@pytest.mark.usefixtures("project")
def test_results_as_json_are_those_of_the_files(trained, tmp_path):
    evaluated = printed(["evaluate", trained, "--out", tmp_path / "ann.json", "--json"])
    assert ann.AnnRecord(**evaluated) == ann.read(tmp_path / "ann.json")
    spiking = tmp_path / "k1.snn.safetensors"
    assert CliRunner().invoke(cli, ["convert", str(trained), "--out", str(spiking)]).exit_code == 0
    options = ["--steps", 30, "--batch-size", 50, "--limit", 100, "--json"]
    simulated = printed(["simulate", spiking, "--logs", tmp_path / "logs", *options])
    assert snn.SnnRecord(**simulated["snn"]) == snn.read(tmp_path / "logs" / snn.FILE)
    assert certificate.CertificateRecord(**simulated["certificate"]) == certificate.read(
        tmp_path / "logs" / certificate.FILE
    )


def test_provenance_and_verification_as_json(monkeypatch):
    monkeypatch.chdir(ROOT)
    figure = "results/paper/mnist-lenet/figures/sops.svg"
    records = printed(["provenance", figure, "--json"])
    assert figure in records[-1]["outputs"]
    made = set()
    for record in records:
        assert all(path in made for path in record["inputs"] if path.startswith("results/"))
        made |= set(record["outputs"])
    assert {record["rule"] for record in records} == {"train", "evaluate", "convert", "simulate", "figure_sops"}
    folder = "results/paper/digits-lenet"
    said = CliRunner().invoke(cli, ["verify", folder, "--json"])
    found = json.loads(said.stdout)
    assert said.exit_code == bool(found["faults"])
    plain = CliRunner().invoke(cli, ["verify", folder]).output.strip().splitlines()
    assert plain == [*found["faults"], f"{len(found['faults']) or 'No'} faults in {found['checked']}"]


# ---- Completion ----


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        ([], "ver", ["verify"]),
        (["train"], "digits", ["digits-lenet"]),
        (["import", "x.npz", "--experiment"], "fashion-", ["fashion-lenet", "fashion-mlp"]),
        (["train", "digits-lenet", "--precision"], "k", ["k0", "k1", "k2", "k3"]),
        (["figure"], "so", ["sops"]),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_experiments_precisions_and_figures(shell, words, begun, expected, monkeypatch):
    monkeypatch.chdir(ROOT)
    completion = get_completion_class(shell)(cli, {}, "lossless-snn", "_LOSSLESS_SNN_COMPLETE")
    assert [item.value for item in completion.get_completions(words, begun)] == expected


# ---- Progress ----


def test_a_bar_fits_80_columns_and_tells_the_time_left():
    screen = io.StringIO()
    title = "Simulate results/paper/mnist-lenet/checkpoints/k1/seed0.snn.safetensors"
    bar = progress(None, title, 1000, "batches", disable=False, file=screen)
    bar.start_t -= 4 * 3600
    bar.update(250)
    bar.refresh()
    drawn = screen.getvalue().rpartition("\r")[2]
    assert len(drawn) <= 80
    assert re.fullmatch(r"…1/seed0.snn.safetensors:  25%\|.+\| 250/1000 \[4:00:00<12:00:\d\d,  0.02 batches/s\]", drawn)


SNAKEMAKE = """\
Using workflow specific profile profiles/default for setting default command line arguments.
Job stats:
job      count
total        3

[Wed Nov 25 16:45:03 2026]
Job 2: Train k1, seed 0 (digits-lenet, quick)
digits-lenet k1 seed 0, epoch 3/30: train loss 0.1; 0.5 s
[Wed Nov 25 16:45:04 2026]
Job 1: Train k0, seed 0 (digits-lenet, quick)
[Wed Nov 25 16:45:05 2026]
Finished jobid: 2 (Rule: train)
1 of 3 steps (33%) done
[Wed Nov 25 16:45:05 2026]
Finished jobid: 1 (Rule: train)
[Wed Nov 25 16:45:05 2026]
Job 0: Everything of digits-lenet is in results/quick/digits-lenet/
Finished jobid: 0 (Rule: demo)
3 of 3 steps (100%) done
"""


def test_a_brief_run_has_a_line_for_each_step():
    shown = list(steps(SNAKEMAKE.splitlines(keepends=True)))
    assert [line for line, stays in shown if stays] == [
        "[1/3] Train k1, seed 0 (digits-lenet, quick)",
        "[2/3] Train k0, seed 0 (digits-lenet, quick)",
        "[3/3] Everything of digits-lenet is in results/quick/digits-lenet/",
    ]
    assert [line for line, stays in shown if not stays] == ["digits-lenet k1 seed 0, epoch 3/30"]


def test_a_brief_run_that_fails_says_why(tmp_path):
    (tmp_path / "Snakefile").write_text('rule all:\n    shell: "echo the reason; exit 3"\n')
    command = [sys.executable, "-m", "lossless_workflow.run", "--brief", "--cores", "1", "all"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "the reason" in run.stderr
    assert "Error in rule all" in run.stderr


def test_the_table_of_the_demo_fits_100_columns(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for folder in sorted(Path("results").glob("*/*/tables")):
        monkeypatch.setattr(sys, "argv", ["headline", str(folder.parent)])
        headline.main()
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100
        assert lines[1].split()[0] == "precision"


# ---- Targets ----

PATTERNS = [
    r"results/{budget,quick|paper|fast}/{experiment,[\w-]+}/logs/{precision,k[0-9]+}/seed{seed,0|[1-9]\d*}/snn.json",
    r"results/{budget,quick|paper|fast}/{experiment,[\w-]+}/figures/{figure,sops}.svg",
    "data/MNIST/raw/train-images-idx3-ubyte",
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("dmeo", "demo"),
        ("results/quick/digits-lenet/figures/sop.svg", "results/quick/digits-lenet/figures/sops.svg"),
        ("results/papr/mnist-lnet/logs/k2/seed3/snn.jsn", "results/paper/mnist-lenet/logs/k2/seed3/snn.json"),
        ("results/quick/digits-lenet/logs/K2/seed0/snn.json", "results/quick/digits-lenet/logs/k2/seed0/snn.json"),
        ("somewhere/else", None),
        ("qqqq", None),
    ],
)
def test_targets_are_suggested(monkeypatch, target, expected):
    monkeypatch.chdir(ROOT)
    assert closest(target, ["demo", "paper"], PATTERNS) == expected


def test_a_target_that_no_rule_makes_is_one_line():
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "results/quick/digits-lenet/figures/sop.svg"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "snakemake: results/quick/digits-lenet/figures/sop.svg: no rule makes that; "
        "did you mean results/quick/digits-lenet/figures/sops.svg?"
    )
    assert "MissingRuleException" not in run.stderr + run.stdout
