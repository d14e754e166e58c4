"""Boundaries: what a fingerprint does not follow, some parameter of a rule says.

Each definition behind a boundary is mutated, and what boundaries give is computed anew by the mutated sources, for all
experiments and data sets of the project and for made-up ones at the edges of what is allowed. Rules have these values
as params: a mutant that changes one of them, or has a file refused, reruns what it affects. The texts of errors are
left out of the mutants: they reach no result.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lossless_snn.provenance.code.fingerprint import PACKAGE

ROOT = Path(__file__).parents[1]
PHASES = [{"epochs": 2, "learning_rate": 0.01}, {"epochs": 3, "learning_rate": 0.001}]
EXPERIMENT = {
    "dataset": "digits",
    "network": "3C5-P4-8",
    "training": {"validation_images": 97, "budgets": {"quick": {"phases": PHASES}}},
    "simulation": {"steps": 60, "batch_size": 32},
}
DESCRIPTION = {"title": "Pictures", "shape": [3, 32, 32], "classes": 10}
CROP = {"crop": 24, "brightness": 63, "contrast": [0.2, 1.8]}
STAGE = {"precision": "k1", "phases": PHASES[:1]}

# Keys by their places, and the value that is put there.
EXPERIMENTS = [
    {"training.budgets.quick.seeds": seeds} for seeds in ([], [0], [3, 1], [1, 1], [-1], [2**63 - 1], [2**63])
]
EXPERIMENTS += [
    {"training.budgets.quick.seeds": seeds} for seeds in ({"k1": [0]}, {"k2": [1], "k0": [1, 2]}, {}, {"k1": []})
]
EXPERIMENTS += [{f"training.budgets.quick.{key}": n} for key in ("batch_size", "train_images", "steps") for n in (0, 1)]
EXPERIMENTS += [{"training.budgets.quick.test_images": n, "training.batch_size": 7} for n in (0, 5)]
EXPERIMENTS += [{"training.validation_images": n} for n in (-1, 0, 1)]
EXPERIMENTS += [{"training.budgets.quick.validation_images": n} for n in (-1, 0, 1)]
EXPERIMENTS += [{"simulation.steps": n} for n in (0, 1, 2**20, 2**20 + 1)]
EXPERIMENTS += [{"training.budgets.quick.phases": phases} for phases in ([], PHASES[:1], [*PHASES, *PHASES])]
EXPERIMENTS += [
    {"comparison.steps": 5},
    {"comparison.images": 6},
    {"comparison.judged_images": 7},
    {"published": "mnist-lenet"},
    {"network": "P5"},
    {"a": 1},
]
EXPERIMENTS += [{"dataset": "cifar10", "training.augmentation": CROP | {"crop": crop}} for crop in (24, 23)]
EXPERIMENTS += [{"training.augmentation": CROP}, {"training.budgets.quick.augmentation": CROP}, {"padding": "same"}]
EXPERIMENTS += [
    {"dataset": "cifar10", "training.budgets.quick.augmentation": CROP | {"crop": crop}} for crop in (24, 23)
]
EXPERIMENTS += [{"dataset": "cifar10", "training.augmentation": {"flip": True}}]
EXPERIMENTS += [{"training.augmentation": {"brightness": 5}}, {"training.augmentation": {"shift": 2}}]
EXPERIMENTS += [{"upper_bound": bound} for bound in (0, 1, 2, 0.3)]
EXPERIMENTS += [{"dataset": "missing"}, {"training.budgets.quick.label_smoothing": 0.1}]
EXPERIMENTS += [
    {f"training.budgets.quick.{key}": x} for key in ("activation_penalty", "fp32_penalty") for x in (-0.1, 0, 0.1)
]
EXPERIMENTS += [
    {"training.budgets.quick.fine_tuning": stages, "training.budgets.quick.activation_penalty": 0.5}
    for stages in (
        [STAGE],
        [STAGE | {"precision": "k2"}, STAGE],
        [STAGE | {"soft_targets": 0.5, "activation_penalty": 0}],
        [STAGE | {"activation_penalty": -1}],
        *([STAGE | {"activation_scale": scale}] for scale in (0, 1, 1.5, 1001)),
        [STAGE | {"phases": []}],
    )
]
EXPERIMENTS += [{"extends": "made-up-0", "comparison": None}, {"extends": "made-up-0", "comparison": {"steps": 9}}]
EXPERIMENTS += [{"network": {"factory": f"made_up:{function}"}} for function in ("nothing", "fails", "missing")]
EXPERIMENTS += [{"extends": "mnist-lenet"}, {"extends": "made-up-0"}, {"extends": "missing"}]
DESCRIPTIONS = [
    {"classes": n} for n in (1, 2, 256, 257, True, ["a", "b"], ["b", "a"], ["a", "a"], ["a"], ["a", ""], [1, 2])
]
DESCRIPTIONS += [{"classes": 3.0}, {"title": ""}, {"title": "a\nb"}, {"a": 1}, {}]
DESCRIPTIONS += [{"shape": [n, 32, 32]} for n in (0, 1, 2, 3, 4)]
DESCRIPTIONS += [{"shape": [1, n, m]} for n, m in ((1, 1), (0, 1), (1024, 1024), (1025, 1), (1, 1025))]
DESCRIPTIONS += [{"shape": [1, "32", 32]}, {"shape": [1, 16, 32], "encoding.standardised.crop": 20}]
DESCRIPTIONS += [{"shape": [1, 32, 16], "encoding.standardised.crop": 20}]
DESCRIPTIONS += [{"encoding.scaled.bits": n} for n in (-1, 0, 8, 24, 25)]
DESCRIPTIONS += [{"encoding.standardised.crop": n} for n in (0, 1, 2, 31, 32, 33)]
DESCRIPTIONS += [{"encoding.standardised.crop": n, "shape": [3, n, m]} for n in (147, 148) for m in (148, 149)]
DESCRIPTIONS += [{"encoding.standardised.crop": n, "shape": [1, n, n]} for n in (254, 255, 256, 257)]
DESCRIPTIONS += [{"encoding.standardised.crop": 9, "encoding.scaled.bits": 8}, {"encoding": {}}]


def changed(content: dict, changes: dict) -> dict:
    """`content` with the values at these places; without its own keys where it extends another."""
    content = {} if "extends" in changes else json.loads(json.dumps(content))
    for place, value in changes.items():
        *above, last = place.split(".")
        inner = content
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(json.dumps(value))  # what stands in two places would become an alias
    return content


FACTORIES = """
from lossless_snn.networks.graph import chain_graph
from lossless_snn.networks.notation import parse

def network(shape, classes):
    return chain_graph(parse("2C5-P4", shape, classes, "valid"))

def nothing(shape, classes):
    return None

def fails(shape, classes):
    raise RuntimeError("no")
"""


@pytest.fixture
def configuration(tmp_path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "made_up.py").write_text(FACTORIES)
    for kind, base, all_changes in (("experiments", EXPERIMENT, EXPERIMENTS), ("datasets", DESCRIPTION, DESCRIPTIONS)):
        for index, changes in enumerate(all_changes):
            path = tmp_path / "config" / kind / f"made-up-{index}.yaml"
            path.write_text(yaml.safe_dump(changed(base, changes)))
    for name, other in (("round", "about"), ("about", "round")):
        (tmp_path / f"config/experiments/{name}.yaml").write_text(f"extends: {other}\n")
    (tmp_path / "config/experiments/factory.yaml").write_text(
        yaml.safe_dump(changed(EXPERIMENT, {"network": {"factory": "made_up:network"}}))
    )
    (tmp_path / "config/experiments/listed.yaml").write_text("[1, 2]\n")
    return tmp_path


def alive(folder: Path, share: int) -> tuple[list[str], int]:
    script = Path(__file__).with_name("boundary_values.py")
    paths = os.pathsep.join([str(PACKAGE.parent), str(script.parent)])
    command = [sys.executable, "-W", "ignore", str(script), str(share)]
    run = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return tuple(json.loads(run.stdout))


# Mutants that change no value: texts of errors that reach `raise` by a variable or another function, the name of a
# type variable, and a bound that no list of phases reaches.
EQUIVALENT = {
    "lossless_snn.config.experiment.Experiment, Constant.value becomes 'training.budgets.x'",
    "lossless_snn.config.experiment.Experiment, Constant.value becomes 'trainingx'",
    "lossless_snn.config.experiment.Experiment, Constant.value becomes 'jsonx'",
    "lossless_snn.config.experiment._content, BoolOp.op becomes And",
    "lossless_snn.config.experiment._content, Constant.value becomes ', x'",
    "lossless_snn.config.experiment._content, Constant.value becomes '*.yamlx'",
    'lossless_snn.config.experiment._content, Constant.value becomes "none: run in the repository\'s rootx"',
    "lossless_snn.config.experiment.load_experiment, Constant.value becomes '.yamlx'",
    "lossless_snn.config.experiment.lasting, Compare.ops becomes GtE",
    "lossless_snn.config.values.Item, Constant.value becomes 'Itemx'",
    # An item of a list by its number, which no configuration here changes.
    "lossless_snn.config.variants._reached, Constant.value becomes 2",
    # What a recipe leaves out when it is recorded: defaults of a factory's graph, and an upper bound that is None.
    "lossless_snn.config.experiment.Experiment, Constant.value becomes False",
    "lossless_snn.config.experiment.Experiment, Constant.value becomes 1",
    # A file without keys is refused as what it is, or as nothing.
    "lossless_snn.config.variants.changed, Return.value becomes None",
    # Words of errors, and which of two checks gives them: the model refuses unknown keys in lists, too.
    "lossless_snn.config.experiment.Experiment, Constant.value becomes '.fine_tuning.x'",
    "lossless_snn.config.experiment._unlike, Constant.value becomes 'standardised crops of x'",
    "lossless_snn.config.experiment._unlike, Constant.value becomes ' x x'",
    "lossless_snn.config.experiment._unlike, Constant.value becomes 'whole images (name its crop)x'",
    "lossless_snn.config.experiment._unlike, Constant.value becomes 'other brightness or contrastx'",
    "lossless_snn.config.experiment.load_experiment, Constant.value becomes ', as x'",
    'lossless_snn.config.variants.changed, Constant.value becomes "\'x"',
    'lossless_snn.config.variants.changed, Constant.value becomes "\': x"',
    "lossless_snn.files.keys.validate_keys, Constant.value becomes '.x'",
    "lossless_snn.files.keys._unknown, Constant.value becomes 1",
}


def unexplained(survivors: list[str]) -> list[str]:
    return [mutant for mutant in survivors if re.sub(r"line \d+: ", "", mutant) not in EQUIVALENT]


@pytest.mark.slow
def test_mutants_behind_boundaries_move_a_parameter(configuration):
    survivors, count = alive(configuration, 9)
    assert count > 20
    assert unexplained(survivors) == []


@pytest.mark.long
def test_every_mutant_behind_a_boundary_moves_a_parameter(configuration):
    survivors, count = alive(configuration, 1)
    assert count > 200
    assert unexplained(survivors) == []


def test_what_makes_input_files_gives_nothing_else():
    """`retrieve` is covered by the files that it makes, which are inputs: what it returns reaches no result."""
    tree = ast.parse((PACKAGE / "datasets" / "sources.py").read_text())
    (acquire,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "acquire")
    calls = [node for node in ast.walk(acquire) if isinstance(node, ast.Call) and ast.unparse(node.func) == "retrieve"]
    assert calls
    assert all(
        any(statement.value is call for statement in acquire.body if isinstance(statement, ast.Expr)) for call in calls
    )
