"""Mutants of all code that commands execute: each moves the fingerprint of every command that executes it."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutation import Mutant, mutants

from lossless_snn.provenance.code.entries import entries
from lossless_snn.provenance.code.fingerprint import PACKAGE, Sources
from lossless_snn.provenance.code.namespaces import Package, Reference


def traced(folder: Path, few: bool) -> dict[str, dict[str, list[int]]]:
    script = Path(__file__).with_name("executed.py")
    paths = os.pathsep.join([str(PACKAGE.parent), str(script.parent)])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-W", "ignore", str(script), str(int(few))]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


class Code(Sources):
    """Sources whose trees can be mutated."""

    @property
    def package(self) -> Package:
        return self._package

    def mutants(self, files: dict[str, list[int]]) -> Iterator[tuple[Reference, Mutant]]:
        """Mutants of the statements on these lines, and of the constants that their functions name."""
        constants: set[Reference] = set()
        for path, numbers in files.items():
            parts = Path(path).relative_to(PACKAGE.parent).with_suffix("").parts
            module = self._package[".".join(parts).removesuffix(".__init__")]
            for name, statements in module.definitions.items():
                reference, lines = Reference(module.name, name), set(numbers)
                own = [s for s in statements if lines & set(range(s.lineno, s.end_lineno + 1))]
                for statement in own:
                    owners = _owners(statement)
                    for mutant in mutants(statement):
                        if lines & owners.get(id(mutant.node), set()):
                            yield reference, mutant
                if own:
                    constants |= {other for other in self._text(reference).references if self._is_constant(other)}
        for reference in constants:
            for statement in self._package[reference.module].definitions[reference.name]:
                for mutant in mutants(statement):
                    yield reference, mutant

    def _is_constant(self, reference: Reference) -> bool:
        statements = self._package[reference.module].definitions.get(reference.name, ())
        return any(isinstance(statement, ast.Assign | ast.AnnAssign) for statement in statements)

    def is_moved(self, reference: Reference, mutant: Mutant) -> bool:
        """Whether the definition is another one by the mutant."""
        with mutant.applied():
            return self._written(reference).pieces != self._text(reference).pieces


def _owners(statement: ast.stmt) -> dict[int, set[int]]:
    """For each node of a definition the lines that show that it ran: of its statement; a function's for its head."""
    owners: dict[int, set[int]] = {}

    def visit(node: ast.AST, lines: set[int]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = set(range(node.body[0].lineno, node.end_lineno + 1))
        elif isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno
            lines = set(range(node.lineno, max(last, node.lineno) + 1))
        owners[id(node)] = lines
        for child in ast.iter_child_nodes(node):
            visit(child, lines)

    visit(statement, set())
    return owners


def shares(folder: Path, few: bool, every: int) -> tuple[int, int, list[str]]:
    """(Pairs of a mutant and a command that executes it, those whose fingerprint moves, the others)."""
    pairs, moved, still = 0, 0, []
    code = Code(PACKAGE)
    for step, files in traced(folder, few).items():
        reached = code.reached(*entries(step))
        for index, (reference, mutant) in enumerate(code.mutants(files)):
            if index % every == 0:
                pairs += 1
                is_moved = reference in reached and code.is_moved(reference, mutant)
                moved += is_moved
                still += [] if is_moved else [f"{step}: {reference.module}.{reference.name}, {mutant}"]
    return pairs, moved, still


@pytest.mark.slow
def test_a_sample_of_mutants_moves_the_fingerprints_of_the_commands_that_execute_them(tmp_path):
    pairs, moved, still = shares(tmp_path, few=True, every=7)
    assert still == []
    assert moved == pairs > 300


@pytest.mark.long
def test_every_mutant_moves_the_fingerprint_of_every_command_that_executes_it(tmp_path, capsys):
    pairs, moved, still = shares(tmp_path, few=False, every=1)
    with capsys.disabled():
        print(f"\n{moved:,} of {pairs:,} pairs of a mutant and a command that executes it move its fingerprint")
    assert still == []


@pytest.mark.slow
def test_a_definition_whose_text_moves_is_a_fingerprint_that_moves(tmp_path):
    """What the others take for granted, tried on whole fingerprints."""
    code = Code(PACKAGE)
    before = code.fingerprint(*entries("train"))
    reached = sorted(code.reached(*entries("train")))
    tried = 0
    for reference in reached[::5]:
        for statement in code.package[reference.module].definitions.get(reference.name, ()):
            for mutant in [mutant for mutant in mutants(statement) if code.is_moved(reference, mutant)][::7]:
                tried += 1
                with mutant.applied():
                    again = Code(PACKAGE)
                    again._package = code.package
                    assert again.fingerprint(*entries("train")) != before
    assert tried > 20
