"""Fingerprints: what counts as meaning and what does not, on small packages and on this one."""

import ast
import re
import shutil
from pathlib import Path

import pytest

from lossless_snn.boundary import covered_by
from lossless_snn.provenance.code.entries import entries
from lossless_snn.provenance.code.fingerprint import PACKAGE, Sources

COMMANDS = ["train", "evaluate", "convert", "simulate", "noise", "compare-neurons", "table", "table-neurons", "summary"]
FIGURES = ["accuracy_speed", "sparsity", "sops", "energy", "training_curves", "noise", "negative_spikes"]
STEPS = [*COMMANDS, *(f"figure {name}" for name in FIGURES)]


def write(folder: Path, files: dict[str, str]) -> Path:
    """A package `body` of these files, by their paths in it; returns its folder."""
    package = folder / "body"
    shutil.rmtree(package, ignore_errors=True)
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


@pytest.fixture
def of(tmp_path):
    """The fingerprint of `run` in a module `main` of that text, beside other modules; or of other entries."""

    def fingerprint(main: str, *entry: str, **others: str) -> str:
        files = {"main.py": main} | {f"{name}.py": text for name, text in others.items()}
        return Sources(write(tmp_path, files)).fingerprint(*(entry or ["body.main.run"]))

    return fingerprint


BASE = '''"""A module."""
import math
from math import floor

DECAY = 0.9
UNUSED = 1


class Cell(Exception):
    """A cell."""

    size = 2

    def divide(self, by=2):
        """Divide."""
        return grow(by) - self.size


def shrink(size: int) -> float:
    """Shrink."""
    smaller: float = size - math.tau
    for step in range(3):
        smaller -= step
    return smaller


def grow(size, *, rate=1):
    # Grow.
    if size > 3 and rate:
        raise Cell
    return shrink(size) * DECAY + floor(size)


def run(count):
    return [Cell().divide(by=part) for part in range(count)]
'''

SAME = {
    "comment": ("# Grow.", "# Become larger, see elsewhere."),
    "docstring": ('"""Shrink."""', '"""Become smaller."""'),
    "module docstring": ('"""A module."""', ""),
    "class docstring": ('    """A cell."""\n\n', ""),
    "formatting": (
        "return shrink(size) * DECAY + floor(size)",
        "return (\n        shrink( size )*DECAY + floor(size))",
    ),
    "the same number": ("0.9", "9.0e-1"),
    "annotation of a parameter": ("size: int", "size"),
    "annotation of what is returned": ("-> float", '-> "Cell"'),
    "annotation of a local variable": ("smaller: float =", "smaller ="),
    "a constant's annotation": ("DECAY = 0.9", "DECAY: float = 0.9"),
    "name of a local variable": ("smaller", "rest"),
    "name of a loop's variable": ("step", "number"),
    "name of a comprehension's variable": ("by=part) for part in", "by=piece) for piece in"),
    "name of a function": ("shrink", "decrease"),
    "name of a class": ("Cell", "Unit"),
    "name of a constant": ("DECAY", "SHARE"),
    "name of the entry's module's import": ("import math\n", "import math as m\ntau = m\n"),
    "import of a name in place of its module": ("from math import floor", "floor = 0\nfrom math import floor as f"),
    "what is not reached": ("UNUSED = 1", "UNUSED = 2"),
    "__all__": ("UNUSED = 1", '__all__ = ["run"]'),
    "pass": ("    return smaller", "    pass\n    return smaller"),
}
SAME["name of the entry's module's import"] = ("math.tau", "m.tau")
SAME["import of a name in place of its module"] = ("math.tau", "tau")

DIFFERENT = {
    "constant": ("DECAY = 0.9", "DECAY = 0.8"),
    "a constant's type": ("DECAY = 0.9", "DECAY = 1"),
    "operator": ("size - math.tau", "size + math.tau"),
    "comparison": ("size > 3", "size >= 3"),
    "boolean operator": ("3 and rate", "3 or rate"),
    "default value": ("by=2", "by=3"),
    "default value of a keyword": ("rate=1", "rate=2"),
    "what a name of another package stands for": ("import floor", "import ceil as floor"),
    "attribute of another package": ("math.tau", "math.pi"),
    "decorator": ("    def divide", "    @staticmethod\n    def divide"),
    "class attribute": ("size = 2", "size = 3"),
    "name of a class attribute": ("    size = 2", "    width = 2"),
    "name of a method": ("def divide(self", "def cut(self"),
    "base": ("Cell(Exception)", "Cell(ValueError)"),
    "name of a parameter": ("def shrink(size: int) -> float", "def shrink(width: int) -> float"),
    "order of parameters": ("range(count)", "range(count, 3)"),
    "a statement less": ("        smaller -= step\n", "        pass\n"),
    "one definition in place of another": ("raise Cell", "raise ValueError"),
}


@pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
def test_what_does_not_change_the_meaning_leaves_the_fingerprint(of, old, new):
    before = of(BASE)
    after = BASE.replace(old, new)
    if "math.tau" not in after:
        after = after.replace("import math\n", "import math as m\nfrom math import tau\n")
    assert after != BASE
    assert of(after) == before


@pytest.mark.parametrize(("old", "new"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_does_moves_it(of, old, new):
    assert old in BASE
    assert of(BASE.replace(old, new)) != of(BASE)


def test_the_order_of_definitions_does_not_count(of):
    head, *blocks = BASE.split("\n\n\n")
    assert of("\n\n\n".join([head, *reversed(blocks)])) == of(BASE)


def test_the_names_of_the_entry_and_of_its_module_do_not_count(of):
    renamed = BASE.replace("def run", "def start")
    assert of("", "body.other.start", other=renamed) == of(BASE)


SPLIT = {
    "cells": BASE[BASE.index("DECAY") : BASE.index("def shrink")] + "from .sizes import grow\n",
    "sizes": "import math\nfrom math import floor\nfrom . import cells\n\n\n"
    + BASE[BASE.index("def shrink") : BASE.index("def run")]
    .replace("DECAY", "cells.DECAY")
    .replace("Cell", "cells.Cell"),
}
RUN = BASE[BASE.index("def run") :]
IMPORTS = {
    "a name": "from .cells import Cell\n\n\n" + RUN,
    "a name under another name": "from .cells import Cell as C\n\n\n" + RUN.replace("Cell", "C"),
    "a module": "from . import cells\n\n\n" + RUN.replace("Cell", "cells.Cell"),
    "a module by its full name": "import body.cells\n\n\n" + RUN.replace("Cell", "body.cells.Cell"),
    "everything": "from .cells import *\n\n\n" + RUN,
    "inside the function": RUN.replace("    return", "    from .cells import Cell\n\n    return"),
    "a package's face": "from .face import Cell\n\n\n" + RUN,
    "a lazy face": "from .lazy import Cell\n\n\n" + RUN,
    "a face for type checkers": "from .typed import Cell\n\n\n" + RUN,
    "what may be missing": "try:\n    from .cells import Cell\nexcept ImportError:\n    pass\n\n\n" + RUN,
}
FACES = {
    "face/__init__": "from .inner import Cell\n\n__all__ = ['Cell']\n",
    "face/inner": "from ..cells import Cell\n",
    "lazy/__init__": "from importlib import import_module\n\n_PLACES = {'Cell': '.inner'}\n\n\n"
    "def __getattr__(name):\n    return getattr(import_module(_PLACES[name], __name__), name)\n",
    "lazy/inner": "from ..cells import Cell\n",
    "typed": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from .cells import Cell\n\n\n"
    "def __getattr__(name):\n    from . import cells\n\n    return getattr(cells, name)\n",
}


@pytest.mark.parametrize("how", [name for name in IMPORTS if name != "what may be missing"])
def test_neither_does_it_where_definitions_stand_nor_how_they_are_imported(of, how):
    assert of(IMPORTS[how], **SPLIT, **FACES) == of(BASE)
    changed = {**SPLIT, "sizes": SPLIT["sizes"].replace("size > 3", "size > 4")}
    assert of(IMPORTS[how], **changed, **FACES) == of(BASE.replace("size > 3", "size > 4")) != of(BASE)


def test_an_import_that_may_fail_is_followed(of):
    before = of(IMPORTS["what may be missing"], **SPLIT)
    assert (
        of(IMPORTS["what may be missing"], **SPLIT | {"cells": SPLIT["cells"].replace("size = 2", "size = 3")})
        != before
    )


def test_definitions_that_refer_to_each_other_count_without_their_names_and_order(of):
    is_even = "def is_even(n):\n    return n == 0 or is_odd(n - 1)\n\n\n"
    is_odd = "def is_odd(n):\n    return n != 0 and is_even(n - 1)\n\n\n"
    run = "def run(n):\n    return is_even(n)\n"
    before = of(is_even + is_odd + run)
    assert of(run + is_odd + is_even) == before
    assert of((is_even + is_odd + run).replace("is_odd", "differs").replace("is_even", "agrees")) == before
    assert of(is_even + is_odd + run.replace("is_even", "is_odd")) != before
    assert of(is_even + is_odd.replace("!=", "==") + run) != before


TWINS = {
    "exceptions": "class A(Exception):\n    pass\n\n\nclass B(Exception):\n    pass\n\n\n"
    "def run():\n    try:\n        raise A\n    except A:\n        return 1\n",
    "tables": "A = {}\nB = {}\n\n\ndef run(x):\n    A[x] = 1\n    return A\n",
}


@pytest.mark.parametrize("main", TWINS.values(), ids=TWINS)
def test_two_definitions_that_say_the_same_are_still_two(of, main):
    first, last = main.rsplit("A", 1)
    assert of(f"{first}B{last}") != of(main)


# ruff: noqa: E501 (programs on one line)
# In each pair the two differ in which variable a name stands for.
SCOPES = {
    "local or global": (
        "x = 1\ndef run():\n    x = 2\n    return x",
        "x = 1\ndef run():\n    global x\n    x = 2\n    return x",
    ),
    "nonlocal": (
        "def run():\n    n = 0\n    def more():\n        nonlocal n\n        n = 1\n    more()\n    return n",
        "def run():\n    n = 0\n    def more():\n        n = 1\n    more()\n    return n",
    ),
    "two local variables": (
        "def run(a):\n    b = a\n    c = 1\n    return b",
        "def run(a):\n    b = a\n    c = 1\n    return c",
    ),
    "closure": (
        "def run(a):\n    b = a\n    return lambda c: b",
        "def run(a):\n    b = a\n    return lambda c: c",
    ),
    "a comprehension's variable": (
        "def run(a):\n    b = a\n    return [b for c in a]",
        "def run(a):\n    b = a\n    return [b for b in a]",
    ),
    "the first iterable is outside": (
        "x = [1]\ndef run():\n    y = [2]\n    return [x for x in x]",
        "x = [1]\ndef run():\n    y = [2]\n    return [x for x in y]",
    ),
    "a walrus in a comprehension": (
        "def run(a):\n    b = 0\n    [(b := c) for c in a]\n    return b",
        "def run(a):\n    b = 0\n    [(d := c) for c in a]\n    return b",
    ),
    "methods do not see their class": (
        "x = 1\nclass run:\n    x = 2\n    def m(self):\n        return x",
        "x = 1\nclass run:\n    x = 2\n    def m(self):\n        return self.x",
    ),
    "the class body sees the module": (
        "x = 1\nclass run:\n    x = x",
        "x = 2\nclass run:\n    x = x",
    ),
    "an exception's name": (
        "def run(f):\n    e = 1\n    try:\n        f()\n    except OSError as d:\n        return d",
        "def run(f):\n    e = 1\n    try:\n        f()\n    except OSError as d:\n        return e",
    ),
    "what a pattern binds": (
        "def run(f):\n    match f:\n        case [a, *b]:\n            return a",
        "def run(f):\n    match f:\n        case [a, *b]:\n            return b",
    ),
    "a definition that hides a builtin": (
        "def run(x):\n    return len(x)",
        "def len(x):\n    return 1\ndef run(x):\n    return len(x)",
    ),
    "names that are read as such": (
        "def run():\n    a = 1\n    return locals()",
        "def run():\n    b = 1\n    return locals()",
    ),
    "an import beside an assignment": (
        "def run(x):\n    import json as j\n    if x:\n        j = x\n    return j",
        "def run(x):\n    import csv as j\n    if x:\n        j = x\n    return j",
    ),
}


@pytest.mark.parametrize("pair", SCOPES.values(), ids=SCOPES)
def test_which_variable_a_name_stands_for_counts(of, pair):
    first, second = map(of, pair)
    assert first != second


RENAMED = {
    "closure": (
        "def run(a):\n    b = a\n    def inner():\n        nonlocal b\n        b += 1\n        return b\n    return inner",
        "def run(a):\n    z = a\n    def other():\n        nonlocal z\n        z += 1\n        return z\n    return other",
    ),
    "nested comprehensions": (
        "def run(a):\n    return {x: [y for y in x if y] for x in a}",
        "def run(a):\n    return {p: [x for x in p if x] for p in a}",
    ),
    "patterns, exceptions, contexts": (
        "def run(f):\n    with f as g:\n        try:\n            g()\n        except OSError as e:\n            print(e)\n"
        "    match f:\n        case {'a': v, **rest}:\n            del v\n            return rest",
        "def run(f):\n    with f as k:\n        try:\n            k()\n        except OSError as u:\n            print(u)\n"
        "    match f:\n        case {'a': w, **more}:\n            del w\n            return more",
    ),
    "a name that a definition has elsewhere": (
        "x = 1\ndef run(a):\n    y = a\n    return y",
        "x = 1\ndef run(a):\n    x = a\n    return x",
    ),
}


@pytest.mark.parametrize("pair", RENAMED.values(), ids=RENAMED)
def test_what_local_variables_are_called_does_not(of, pair):
    first, second = map(of, pair)
    assert first == second


@pytest.mark.parametrize(
    "main",
    [
        "from dataclasses import dataclass\n@dataclass\nclass run:\n    size: int = 0",
        "from pydantic import BaseModel\nclass run(BaseModel):\n    size: int",
        "from functools import singledispatch\n@singledispatch\ndef run(size: int):\n    return 1",
        "from body.types import Size\nclass run:\n    sizes: 'list[Size]'",
    ],
)
def test_annotations_that_something_reads_count(of, main):
    types = "Size = int\n"
    before = of(main, types=types)
    if "int" in main:
        assert of(main.replace("int", "float"), types=types) != before
    else:
        assert of(main, types="Size = float\n") != before
        assert of(main.replace("'", ""), types=types) == before


@pytest.mark.parametrize("place", ["__init__", "main", "cells"])
@pytest.mark.parametrize("statement", ["print(1)", "if True:\n    DECAY = 2", "math.tau = 3", "_ = print(1)"])
def test_what_runs_on_import_counts(of, place, statement):
    main = IMPORTS["a name"]
    files = {"__init__": "import math\n", "main": main, **SPLIT}
    before = of(files.pop("main"), **files)
    files = {"__init__": "import math\n", "main": main, **SPLIT}
    files[place] += f"\n{statement}\n"
    assert of(files.pop("main"), **files) != before


def test_what_is_imported_for_what_that_does_counts(of):
    assert of("import readline\n" + BASE) != of(BASE)
    assert of("from math import pi\n" + BASE) == of(BASE)


def test_what_a_decorator_enters_in_a_table_counts(of):
    files = {
        "registry": "TABLE = {}\n\n\ndef entered(f):\n    TABLE[f.__name__] = f\n    return f\n",
        "plugins": "from .registry import entered\n\n\n@entered\ndef entry():\n    return 1\n\n\ndef apart():\n    return 1\n",
    }
    main = "from . import plugins\nfrom .registry import TABLE\n\n\ndef run():\n    return TABLE\n"
    before = of(main, **files)
    apart = files["plugins"].replace("def apart():\n    return 1", "def apart():\n    return 2")
    assert of(main, **files | {"plugins": apart}) == before
    entry = files["plugins"].replace("def entry():\n    return 1", "def entry():\n    return 2")
    assert of(main, **files | {"plugins": entry}) != before


def test_a_module_that_is_passed_on_counts_as_a_whole_with_its_names(of):
    main = "from . import cells\n\n\ndef run():\n    return vars(cells)\n"
    before = of(main, **SPLIT)
    for old, new in (("UNUSED = 1", "UNUSED = 2"), ("UNUSED", "ANOTHER")):
        assert of(main, **SPLIT | {"cells": SPLIT["cells"].replace(old, new)}) != before


def test_a_module_as_entry_stands_for_what_is_public_in_it(of):
    main = "def first():\n    return _inner()\n\n\ndef _inner():\n    return 1\n\n\ndef second():\n    return 2\n"
    before = of(main, "body.main")
    assert of(main.replace("_inner", "_other").replace("first", "start"), "body.main") == before
    assert of(main.replace("2", "3"), "body.main") != before
    assert of(main + "\n__all__ = ['first']\n", "body.main") == of(main, "body.main.first") != before


def test_entries_add_up_in_any_order(of):
    both = of(BASE, "body.main.run", "body.main.UNUSED")
    assert both == of(BASE, "body.main.UNUSED", "body.main.run") != of(BASE)
    assert of(BASE.replace("UNUSED = 1", "UNUSED = 2"), "body.main.run", "body.main.UNUSED") != both


@pytest.mark.parametrize("entry", ["body.missing.run", "body.main.missing", "missing"])
def test_an_unknown_entry_is_refused(of, entry):
    with pytest.raises(ValueError, match=entry):
        of(BASE, entry)


BOUNDED = """from .boundary import covered_by


class Setting:
    def doubled(self):
        return 2 * self.value


@covered_by("recipe")
def setting(name) -> Setting:
    return read(name)


def read(name):
    return Setting(len(name) + 1)


def run(name):
    return setting(name).doubled()
"""
BOUNDARY = (PACKAGE / "boundary.py").read_text()


def test_a_boundary_is_not_followed_but_what_its_result_can_do_is(of):
    before = of(BOUNDED, boundary=BOUNDARY)
    assert of(BOUNDED.replace("+ 1", "+ 2"), boundary=BOUNDARY) == before
    assert of(BOUNDED.replace("2 *", "3 *"), boundary=BOUNDARY) != before
    assert of(BOUNDED.replace('"recipe"', '"options"'), boundary=BOUNDARY) != before
    assert of(BOUNDED.replace("setting(name).doubled", "read(name).doubled"), boundary=BOUNDARY) != before


def test_the_mark_leaves_the_function_as_it_is():
    def function():
        pass

    assert covered_by("recipe")(function) is function


def test_sources_without_marks_can_be_given_them(tmp_path):
    marked = Sources(write(tmp_path / "one", {"main.py": BOUNDED, "boundary.py": BOUNDARY}))
    bare = BOUNDED.replace('@covered_by("recipe")\n', "").replace("from .boundary import covered_by\n", "")
    unmarked = Sources(write(tmp_path / "two", {"main.py": bare}), covered={"body.main.setting": ["recipe"]})
    assert unmarked.fingerprint("body.main.run") == marked.fingerprint("body.main.run")


def test_versions_of_python_that_cut_strings_otherwise_agree(of, monkeypatch):
    before = of("def run(x):\n    return f'a{x:.2f}b'")
    parse = ast.parse

    def cut(*arguments, **options):
        tree = parse(*arguments, **options)
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and len(node.values) == 3:
                node.values = [ast.Constant(""), *node.values[:2], ast.Constant(""), node.values[2]]
        return tree

    monkeypatch.setattr(ast, "parse", cut)
    assert of("def run(x):\n    return f'a{x:.2f}b'") == before
    assert of("def run(x):\n    return f'a{x:.3f}b'") != before


# --- this package --------------------------------------------------------------------------------------------------


def ours(package: Path, rename=lambda name: name) -> dict[str, str]:
    sources = Sources(package)
    return {step: sources.fingerprint(*map(rename, entries(step))) for step in STEPS}


@pytest.fixture(scope="module")
def present() -> dict[str, str]:
    return ours(PACKAGE)


@pytest.fixture
def copy(tmp_path) -> Path:
    package = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def rewritten(package: Path, change) -> None:
    """Put in place of each module what `change` makes of its name and its tree."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        path.write_text(ast.unparse(change(name, ast.parse(path.read_text()))))


def moved(name: str) -> str:
    """Where a module is put by the test: one package down, every part with another name."""
    top, *parts = name.split(".")
    return ".".join([top, *(["inner"] if parts else []), *(f"{part}_moved" for part in parts)])


class Moving(ast.NodeTransformer):
    """Makes all imports absolute, from the places that modules are moved to."""

    def __init__(self, package: Path, module: str) -> None:
        self._package, self._module = package, module

    def _is_module(self, name: str) -> bool:
        path = self._package.parent.joinpath(*name.split("."))
        return path.is_dir() or path.with_suffix(".py").is_file()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        is_package = self._package.parent.joinpath(*self._module.split(".")).is_dir()
        above = self._module.split(".")[: len(self._module.split(".")) - node.level + is_package] if node.level else []
        source = ".".join([*above, *filter(None, [node.module])])
        if not source.startswith(self._package.name):
            return node
        statements = []
        for alias in node.names:
            full, name = f"{source}.{alias.name}", alias.asname or alias.name
            place = self._package.parent.joinpath(*source.split("."))
            bound = (place / "__init__.py").read_text() if place.is_dir() else ""
            if self._is_module(full) and not re.search(rf"^from \.\w.* import .*\b{alias.name}\b", bound, re.M):
                parent, _, leaf = moved(full).rpartition(".")
                statements.append(ast.ImportFrom(parent, [ast.alias(leaf, name)], 0))
            else:
                statements.append(ast.ImportFrom(moved(source), [ast.alias(alias.name, alias.asname)], 0))
        return statements


def test_every_module_moved_and_renamed(copy, present):
    rewritten(copy, lambda name, tree: Moving(PACKAGE, name).visit(tree))
    inner = copy / "inner"
    for path in sorted(copy.rglob("*.py")):
        parts = path.relative_to(copy).parts
        if parts == ("__init__.py",):
            continue
        *folders, file = parts
        file = file if file == "__init__.py" else f"{path.stem}_moved.py"
        target = inner.joinpath(*(f"{folder}_moved" for folder in folders), file)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)

    def place(entry: str) -> str:
        module, _, name = entry.rpartition(".")
        return f"{moved(module)}.{name}"

    assert ours(copy, place) == present


def test_every_private_definition_renamed(copy, present):
    def renamed(_, tree: ast.Module) -> ast.Module:
        private = {name for name in defined(tree) if name.startswith("_") and not name.startswith("__")}
        quoted = [getattr(node, "returns", None) for node in ast.walk(tree)]
        for node in [*ast.walk(tree), *(node for node in quoted if isinstance(node, ast.Constant))]:
            field = "value" if node in quoted else "id" if isinstance(node, ast.Name) else "name"
            if getattr(node, field, None) in private and not isinstance(node, ast.alias):
                setattr(node, field, f"_renamed{getattr(node, field)}")
        return tree

    rewritten(copy, renamed)
    assert ours(copy) == present


def defined(tree: ast.Module) -> list[str]:
    """The names of a module's definitions."""
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in tree.body:
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        names += [name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)]
    return names


def test_every_file_split_in_two(copy, present):
    """Every second definition of a file goes into one beside it, and is imported back from there."""
    split = 0
    for path in sorted(copy.rglob("[a-z]*.py")):
        tree = ast.parse(path.read_text())
        definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        going = [node for node in definitions[1::2] if not node.decorator_list]
        if not going:
            continue
        split += 1
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        staying = ast.Module([node for node in tree.body if node not in [*going, *imports]], [])
        back = ast.ImportFrom(f"{path.stem}_part", [ast.alias(node.name) for node in going], 1)
        there = ast.ImportFrom(path.stem, [ast.alias(name) for name in dict.fromkeys(defined(staying))], 1)
        part = ast.Module([*in_use(imports, ast.Module(going, [])), *([there] if there.names else []), *going], [])
        path.with_name(f"{path.stem}_part.py").write_text(ast.unparse(part))
        path.write_text(ast.unparse(ast.Module([*in_use(imports, staying), back, *staying.body], [])))
    assert split > 30
    assert ours(copy) == present


def in_use(imports: list[ast.stmt], tree: ast.Module) -> list[ast.stmt]:
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [node for node in imports if any((a.asname or a.name.partition(".")[0]) in used for a in node.names)]


def test_every_comment_docstring_and_annotation_of_a_function_dropped(copy, present):
    def bare(_, tree: ast.Module) -> ast.Module:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
                node.body[0] = ast.Pass()
            # Decorators may read them, and boundaries name the types that they return.
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                node.returns = None
                for argument in [*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]:
                    if argument is not None:
                        argument.annotation = None
        return tree

    rewritten(copy, bare)
    assert ours(copy) == present


FIGURE_STEPS = {f"figure {name}" for name in FIGURES}
OF_RESULTS = {"table", "table-neurons", "summary", *FIGURE_STEPS}


@pytest.mark.parametrize(
    ("module", "noticed"),
    [
        ("datasets/places.py", set()),
        ("config/parameters.py", set()),
        ("training/training.py", {"train"}),
        ("cli/commands/networks/evaluate.py", {"evaluate"}),
        ("simulation/events/kernel.py", {"simulate", "compare-neurons"}),
        ("analysis/tables/summary.py", {"summary"}),
        ("analysis/figures/sparsity.py", {"figure sparsity"}),
        ("analysis/figures/style.py", {"summary", *FIGURE_STEPS}),
        ("datasets/__init__.py", set(COMMANDS) - OF_RESULTS - {"convert"}),
        ("networks/quantiser.py", set(STEPS)),
        ("cli/main.py", set(STEPS)),
    ],
)
def test_a_change_is_noticed_by_the_commands_that_it_concerns(copy, present, module, noticed):
    def changed(_, tree: ast.Module) -> ast.Module:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.body.append(ast.parse("print(1)").body[0])
        return tree

    path = copy / module
    path.write_text(ast.unparse(changed("", ast.parse(path.read_text()))))
    after = ours(copy)
    assert {step for step in STEPS if after[step] != present[step]} == noticed
