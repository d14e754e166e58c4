"""What boundaries give for all configuration in a folder, by each mutant of what stands behind them.

    python tests/boundary_values.py SHARE

takes one mutant in SHARE, and prints JSON: those that move nothing, and how many there are. Runs in a process of its
own: it imports the mutated sources in place of the real ones.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mutation import Mutant, mutants

from lossless_snn.files import typed
from lossless_snn.provenance.code.entries import entries
from lossless_snn.provenance.code.fingerprint import PACKAGE, Sources
from lossless_snn.provenance.code.namespaces import Package, Reference
from lossless_snn.provenance.code.syntax import Writer

# Those that parameters cover by their values. What "input" covers are files, known by their digests, and "code" is
# the fingerprint itself.
VALUES = ("config.parameters.training_recipe", "config.parameters.simulation_options", "datasets.catalogue.find")
VALUES += ("config.parameters.comparison_options", "config.parameters.compared_with")
STEPS = ["train", "evaluate", "convert", "simulate", "noise", "compare-neurons", "table", "table-neurons", "summary"]
STEPS += ["viewer", *(f"figure {name}" for name in ("accuracy_speed", "sparsity", "sops", "energy", "noise"))]
STEPS += ["figure negative_spikes"]

# Changes of an experiment that has two budgets of one phase each, a file without lists but these, and LeNet's network.
VARIANTS = ["width=0.5", "width=0", "width=0.001", "width=1000", "width=1001", "width=wide", "width=nan"]
VARIANTS += ["network=7C5-P4-3", "network=7C5-P4-3,width=2", "padding=same", "dataset=mnist", "dataset=missing"]
VARIANTS += ["learning_rate=0.5", "epochs=2", "steps=7", "train_images=null", "test_images=12", "batch_size=3", "a=1"]
VARIANTS += ["simulation.steps=9", "simulation.a.b=9", "training.budgets.quick.phases.0.epochs=4", "training.a.b=1"]
VARIANTS += [
    "training.budgets.quick.phases.0=1",
    "training.budgets.quick.phases.1=1",
    "training.budgets.quick.phases.x=1",
]
VARIANTS += ["training.budgets.quick.phases.1.epochs=4", "training.budgets.quick.phases.x.epochs=4", "steps=1,steps=2"]
VARIANTS += ["steps", "", "steps=", "steps=a/b", "dataset.x=1", "comparison.steps=5", "upper_bound=2"]


class Following(Writer):
    """Follows marked definitions like all others."""

    def _covering(self, node: ast.AST) -> tuple[str, ...]:
        return ()


class Behind(Sources):
    """What marked definitions lead to."""

    writer = Following


def behind() -> list[Reference]:
    """The definitions that stand behind boundaries and count in no fingerprint."""
    followed = set().union(*(Sources(PACKAGE).reached(*entries(step)) for step in STEPS))
    reached = Behind(PACKAGE).reached(*(f"{PACKAGE.name}.{name}" for name in VALUES))
    bodies = {Reference(f"{PACKAGE.name}.{name.rpartition('.')[0]}", name.rpartition(".")[2]) for name in VALUES}
    return sorted(reached - followed | bodies)


def values() -> str:
    """A digest of all that boundaries give for the folder's configuration, errors by their types."""
    parameters = import_module("lossless_snn.config.parameters")
    catalogue = import_module("lossless_snn.datasets.catalogue")
    experiments = import_module("lossless_snn.config.experiment")
    found: list[Any] = []

    def seeds_and_recipe(name: str, budget: str) -> tuple:
        """What the workflow makes of an experiment beside params: which jobs there are, and the option --limit."""
        chosen = experiments.load_experiment(name)
        asked = ("fp32", "k0", "k1")
        seeds = [chosen.seeds(budget, precision) for precision in asked]
        return seeds, chosen.precisions(budget, asked), chosen.recipe(budget, "k1").recorded()

    def ask(function, *arguments) -> None:
        try:
            found.append(function(*arguments))
        except Exception as error:
            found.append(type(error).__name__)

    names = [path.stem for path in sorted(Path("config/experiments").glob("*.yaml"))]
    names += [f"digits-lenet@{changes}" for changes in VARIANTS]
    names += ["cifar10-cnn1-jpeg@width=0.5", "factory@width=2", "listed@steps=7"]
    for name in [*names, "missing"]:
        ask(parameters.compared_with, name)
        ask(parameters.comparison_options, name)
        ask(parameters.judged, name)
        ask(lambda name: repr(experiments.load_experiment(name).layers), name)
        for budget in ("quick", "fast", "paper"):
            ask(parameters.simulation_options, name, budget)
            ask(seeds_and_recipe, name, budget)
            ask(lambda *place: experiments.load_experiment(place[0]).test_images(place[1]), name, budget)
            ask(parameters.training_recipe, name, budget, "fp32")
            for precision, epochs in (("k0", None), ("k1", None), ("k2", 1), ("k1", 5), ("fp32", 2), ("k1", 150)):
                ask(parameters.training_recipe, name, budget, precision, epochs)
    datasets = [path.stem for path in sorted(Path("config/datasets").glob("*.yaml"))]
    for name in ["digits", "mnist", "fashion-mnist", "cifar10", "missing", *datasets]:
        ask(lambda name: [asdict(spec := catalogue.find(name)), sorted(map(str, spec.paths().values()))], name)
    return hashlib.sha256(json.dumps(found, default=repr).encode()).hexdigest()


def reloaded(module: str, tree: ast.Module) -> None:
    """Import anew what boundaries give, with `tree` in place of one module."""
    anew = ("lossless_snn.boundary", "lossless_snn.config.", "lossless_snn.datasets.catalogue")
    for name in [name for name in sys.modules if name.startswith((*anew, "lossless_snn.datasets.descriptions"))]:
        del sys.modules[name]
    path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    mutated = ModuleType(module)
    mutated.__package__, mutated.__file__ = module.rpartition(".")[0], str(path)
    sys.modules[module] = mutated
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), mutated.__dict__)
    setattr(sys.modules[mutated.__package__], module.rpartition(".")[2], mutated)


def survivors(share: int) -> tuple[list[str], int]:
    """The mutants that move no value, and how many there are."""
    package, alive, count = Package(PACKAGE), [], 0
    before = values()
    for reference, mutant in all_mutants(package):
        count += 1
        if count % share:
            continue
        with mutant.applied():
            try:
                reloaded(reference.module, package[reference.module].tree)
                after = values()
            except Exception as error:  # then the workflow does not begin
                after = repr(error)
        if after == before:
            alive.append(f"{reference.module}.{reference.name}, {mutant}")
    return alive, count // share


def all_mutants(package: Package) -> Iterator[tuple[Reference, Mutant]]:
    for reference in behind():
        for statement in package[reference.module].definitions.get(reference.name, ()):
            marks = {id(node) for mark in getattr(statement, "decorator_list", ()) for node in ast.walk(mark)}
            for mutant in mutants(statement, messages=False):
                if id(mutant.node) not in marks:  # which are in the fingerprints of those who call the function
                    yield reference, mutant


if __name__ == "__main__":
    typed.read_yaml = cache(typed.read_yaml)  # which stands behind no boundary, and takes most of the time
    print(json.dumps(survivors(int(sys.argv[1]))))
