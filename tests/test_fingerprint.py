"""Fingerprints on small packages: what changes them, and what must not."""

import shutil
import time
from pathlib import Path

import pytest

from lossless_snn.provenance.fingerprint import PACKAGE, Sources

SOURCES = {
    "__init__.py": '"""A package."""\n__version__ = "1"\n',
    "cells.py": '''"""Cells."""
import math
from math import floor

DECAY = 0.9
UNUSED = 1


def grow(size):
    """Grow."""
    return shrink(size) * DECAY + floor(size)


def shrink(size):
    return size - math.tau


def idle():
    return UNUSED


class Cell:
    """A cell."""

    def divide(self):
        """Divide."""
        return grow(2)
''',
    "tissue/__init__.py": "from .layers import spread as reexported\n",
    "tissue/layers.py": "from .. import cells\n\n\ndef spread():\n    return cells.Cell().divide()\n\n\n"
    "def other():\n    return 2\n",
    "registry.py": "TABLE = {}\n\n\ndef entered(f):\n    TABLE[f.__name__] = f\n    return f\n",
    "commands/__init__.py": "",
    "commands/direct.py": "from ..cells import grow\n\n\ndef command():\n    return grow(1)\n",
    "commands/module.py": "from .. import cells as c\n\n\ndef command():\n    return c.grow(1)\n",
    "commands/absolute.py": "import body.cells\n\n\ndef command():\n    return body.cells.grow(1)\n",
    "commands/reexport.py": "from ..tissue import reexported\n\n\ndef command():\n    return reexported()\n",
    "commands/inside.py": "def command():\n    from ..cells import grow\n\n    return grow(1)\n",
    "commands/passed.py": "from .. import cells\n\n\ndef command():\n    return vars(cells)\n",
    "commands/starred.py": "from ..cells import *\n\n\ndef command():\n    return grow(1)\n",
    "commands/annotated.py": 'from ..cells import Cell\n\n\ndef command(cell: "Cell"):\n    return cell\n',
    "commands/table.py": "from ..registry import TABLE\nfrom .. import entries\n\n\ndef command():\n    return TABLE\n",
    "entries.py": "from .registry import entered\n\n\n@entered\ndef entry():\n    return 1\n\n\n"
    "def apart():\n    return 1\n",
    "commands/none.py": "def command():\n    return 0\n",
}
REACHING = ["direct", "module", "absolute", "reexport", "inside", "passed", "starred", "annotated"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        path = tmp_path / "body" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "body"


def of(package: Path, command: str) -> str:
    return Sources(package).fingerprint(f"body.commands.{command}")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("command", REACHING)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size - math.tau", "size + math.tau"),
        ("size - math.tau", "size - math.pi"),
        ("DECAY = 0.9", "DECAY = 0.8"),
        ("from math import floor", "from math import ceil as floor"),
        ("import math\n", "import cmath as math\n"),
    ],
)
def test_a_change_to_reached_code_is_noticed(package, command, old, new):
    before = of(package, command)
    edit(package / "cells.py", old, new)
    assert of(package, command) != before


@pytest.mark.parametrize("command", REACHING)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return grow(2)", "return  (grow( 2 ))  # twice"),
        ('    """Grow."""\n', ""),
        ('    """A cell."""\n\n', ""),
        ('"""Cells."""', '"""Something else."""'),
        ("def shrink(size):", "# smaller\n\n\ndef shrink(\n    size,\n):"),
        ("DECAY = 0.9", 'DECAY = 9.0e-1\n"""Share that is left."""'),
    ],
)
def test_comments_docstrings_and_formatting_are_not(package, command, old, new):
    before = of(package, command)
    edit(package / "cells.py", old, new)
    assert of(package, command) == before


@pytest.mark.parametrize("command", ["direct", "module", "absolute", "reexport", "inside", "annotated", "none"])
def test_nor_is_code_that_is_not_reached(package, command):
    before = of(package, command)
    edit(package / "cells.py", "return UNUSED", "return -UNUSED")
    edit(package / "cells.py", "UNUSED = 1", "UNUSED = 2")
    edit(package / "tissue" / "layers.py", "return 2", "return 3")
    edit(package / "__init__.py", '"1"', '"2"')
    edit(package / "commands" / "passed.py", "vars", "dir")
    assert of(package, command) == before


def test_a_module_that_is_passed_on_counts_as_a_whole(package):
    before = of(package, "passed")
    edit(package / "cells.py", "return UNUSED", "return -UNUSED")
    assert of(package, "passed") != before


@pytest.mark.parametrize("place", ["__init__.py", "commands/__init__.py", "cells.py", "commands/direct.py"])
@pytest.mark.parametrize("statement", ["print(1)", "if True:\n    DECAY = 2", "math.tau = 3", "_ = print(1)"])
def test_statements_that_run_on_import_count(package, place, statement):
    before = of(package, "direct")
    path = package / place
    path.write_text(f"{path.read_text()}\n{statement}\n")
    assert of(package, "direct") != before


def test_what_a_decorator_enters_in_a_table_counts(package):
    before = of(package, "table")
    edit(package / "entries.py", "def apart():\n    return 1", "def apart():\n    return 2")
    assert of(package, "table") == before
    edit(package / "entries.py", "def entry():\n    return 1", "def entry():\n    return 2")
    assert of(package, "table") != before


def test_entries_add_up(package):
    both = Sources(package).fingerprint("body.commands.none", "body.registry")
    assert both != of(package, "none")
    edit(package / "registry.py", "return f", "return None")
    assert Sources(package).fingerprint("body.commands.none", "body.registry") != both


def test_an_unknown_entry_is_refused(package):
    with pytest.raises(ValueError, match=r"body\.commands\.missing"):
        of(package, "missing")


# Ours: which commands notice a change in meaning of a module.
COMMANDS = ["train", "evaluate", "convert", "simulate", "table"]
FIGURES = ["accuracy_speed", "sparsity", "sops"]


def ours(package: Path) -> dict[str, str]:
    sources = Sources(package)
    entries = {name: [f"lossless_snn.cli.commands.{name}"] for name in COMMANDS}
    entries |= {name: ["lossless_snn.cli.commands.figure", f"lossless_snn.analysis.figures.{name}"] for name in FIGURES}
    return {name: sources.fingerprint(*modules) for name, modules in entries.items()}


@pytest.mark.parametrize(
    ("module", "noticed"),
    [
        ("datasets/sources.py", set()),
        ("datasets/places.py", set()),
        ("training.py", {"train"}),
        ("commands/evaluate.py", {"evaluate"}),
        ("conversion.py", {"convert", "simulate"}),
        ("commands/simulate.py", {"simulate"}),
        ("tables.py", {"table"}),
        ("figures/sparsity.py", {"sparsity"}),
        ("figures/style.py", set(FIGURES)),
    ],
)
def test_a_change_is_noticed_by_the_commands_that_it_concerns(tmp_path, module, noticed):
    package = tmp_path / "lossless_snn"
    shutil.copytree(PACKAGE, package)
    before = ours(package)
    path = package / module
    path.write_text(f"{path.read_text()}\nprint('another meaning')\n")
    after = ours(package)
    assert {name for name in before if before[name] != after[name]} == noticed


def test_a_copy_with_other_comments_and_docstrings_is_the_same(tmp_path):
    package = tmp_path / "lossless_snn"
    shutil.copytree(PACKAGE, package)
    for path in package.rglob("*.py"):
        text = path.read_text()
        path.write_text("# a comment\n\n" + text.replace('\n    """', '\n    """Another word. ', 1))
    assert ours(package) == ours(PACKAGE)


def test_a_function_concerns_only_those_who_call_it(tmp_path):
    package = tmp_path / "lossless_snn"
    shutil.copytree(PACKAGE, package)
    before = ours(package)
    edit(
        package / "conversion.py", "def convert(checkpoint: Checkpoint) -> SpikingNetwork:", "def convert(checkpoint):"
    )
    after = ours(package)
    assert {name for name in before if before[name] != after[name]} == {"convert"}


def test_all_commands_together_take_a_fraction_of_a_second():
    start = time.process_time()
    ours(PACKAGE)
    assert time.process_time() - start < 0.6
