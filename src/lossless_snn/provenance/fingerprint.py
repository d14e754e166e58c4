"""Fingerprints of the code that a command executes, blind to all that does not change its meaning.

Sources are parsed, never imported. From the entry modules every name in use is followed to the
top-level definition that it stands for, in this package, and from there on: a change to one
function is noticed by the commands that reach it and by no others. Comments, docstrings, formatting
and time stamps leave a fingerprint as it is. Where a name cannot be followed, the whole module that
it may come from counts. What is imported by a computed name must be given as an entry of its own.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

PACKAGE = Path(__file__).parents[1]

# Neither says what the code does: how a string was written, and whether a name is read or bound
# (which its place in the statement tells already).
_SILENT_FIELDS = {"kind", "type_comment", "ctx"}

# Not followed, because what they give is known otherwise: fetched files are checked against their digests,
# decoded pictures are inputs; the catalogue's entry of the data set in use, and what a step takes from the
# experiment file, are params of its rule; the last is this module.
BOUNDARIES = {
    "lossless_snn.datasets.sources",
    "lossless_snn.datasets.places",
    "lossless_snn.datasets.digits",
    "lossless_snn.datasets.image_folders",
    "lossless_snn.datasets.pictures",
    "lossless_snn.datasets.catalogue",
    "lossless_snn.datasets.descriptions",
    "lossless_snn.config.experiment",
    "lossless_snn.files.typed",
    "lossless_snn.provenance.fingerprint",
}

WHOLE = "*"
"""In place of a definition's name: every statement of the module."""


def fingerprint(*entries: str) -> str:
    """16 hexadecimal digits over all that the `entries`, such as "lossless_snn.cli.commands.train", reach.

    Sources are read once: a process sees the code as it was when it started.
    """
    return _own_sources().fingerprint(*entries)


@cache
def _own_sources() -> "Sources":
    return Sources(PACKAGE)


@dataclass
class _Module:
    """A module's top-level statements: definitions by name, imports by name, and the rest.

    `imports` gives for each name (module, name there), or (module, "") for a module itself;
    the rest is `loose`: it runs on import, and so counts whenever the module is imported.
    """

    name: str
    parent: str = ""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)

    def read(self, statements: list[ast.stmt]) -> None:
        """Sort the module's `statements`."""
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports.update(self.bindings(statement))
            elif names := _defined(statement):
                for name in names:
                    self.definitions[name].append(statement)
            elif not _says_nothing(statement):
                self.loose.append(statement)
                for node in ast.walk(statement):  # `try: import ...`
                    self.imports.update(self.bindings(node))

    def bindings(self, node: ast.AST) -> dict[str, tuple[str, str]]:
        """The names that an import binds, as in `imports`; none for any other statement."""
        if isinstance(node, ast.Import):
            full = {alias.asname: (alias.name, "") for alias in node.names if alias.asname}
            return full | {(top := a.name.partition(".")[0]): (top, "") for a in node.names if not a.asname}
        if not isinstance(node, ast.ImportFrom):
            return {}
        source = node.module or ""
        if node.level:
            above = self.parent.split(".")
            source = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
        return {alias.asname or alias.name: (source, alias.name) for alias in node.names}


class Sources:
    """A package's modules by name, parsed when asked for.

    `package` is the folder of the sources; its name is the package's name.
    """

    def __init__(self, package: Path) -> None:
        self._package = package
        self._paths: dict[str, Path | None] = {}
        self._modules: dict[str, _Module] = {}
        self._places: dict[tuple[str, str], tuple[str, set[tuple[str, str]]]] = {}

    def fingerprint(self, *entries: str) -> str:
        """16 hexadecimal digits over all that the `entries` reach; raises ValueError for an unknown one."""
        reached = sorted(self._reach(entries))
        return hashlib.sha256("\n".join(reached).encode()).hexdigest()[:16]

    def files(self, *entries: str) -> list[Path]:
        """The source files of the `entries` and of all in the package that they import, anywhere in their text."""
        seen: set[str] = set()
        waiting = list(entries)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self:
                continue
            seen.add(name)
            module = self[name]
            statements = [*module.loose, *(node for nodes in module.definitions.values() for node in nodes)]
            inner = [module.bindings(node) for statement in statements for node in ast.walk(statement)]
            for source, imported in chain(module.imports.values(), *(names.values() for names in inner)):
                waiting += [source, f"{source}.{imported}"]
            waiting += _parents(name)
        return sorted(path for path in map(self._path, seen) if path.is_file())

    def _reach(self, entries: tuple[str, ...]) -> set[str]:
        """What running the `entries` may execute: a line for each definition, with its place."""
        for entry in entries:
            if entry not in self:
                raise ValueError(f"{entry}: no such module")
        lines: set[str] = set()
        seen: set[tuple[str, str]] = set()
        waiting = [(entry, WHOLE) for entry in entries]
        while waiting:
            place = waiting.pop()
            if place in seen or place[0] in BOUNDARIES:
                continue
            seen.add(place)
            if place not in self._places:
                self._places[place] = self._look_at(*place)
            line, following = self._places[place]
            lines.add(line)
            waiting.extend(following)
        return lines

    def _look_at(self, module_name: str, name: str) -> tuple[str, set[tuple[str, str]]]:
        """(What one place says, the places that it leads to.)"""
        module = self[module_name]
        statements = _statements(module, name, self)
        uses = {use for statement in statements for use in _uses(statement, module, self)}
        foreign = sorted(".".join(use) for use in uses if use[0] not in self)
        line = f"{module_name} {name}: {_meaning(statements)} with {foreign}"
        following = {use for use in uses if use[0] in self}
        if name == WHOLE:
            following |= {(module_name, definition) for definition in module.definitions}
        if name:
            following.add((module_name, ""))
        else:  # the module is imported: so are the packages that it is in, and what it imports
            others = [*_parents(module_name), *(source for source, _ in module.imports.values())]
            others += [f"{source}.{imported}" for source, imported in module.imports.values()]
            following |= {(other, "") for other in others if other in self}
        return line, following

    def _path(self, name: str) -> Path | None:
        """The source file of module `name`, or its folder without __init__.py; None if there is none."""
        if name not in self._paths:
            first, *rest = name.split(".")
            base = self._package.joinpath(*rest)
            candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"), base)
            ours = candidates if first == self._package.name else ()
            self._paths[name] = next((path for path in ours if path.exists()), None)
        return self._paths[name]

    def __contains__(self, name: str) -> bool:
        return self._path(name) is not None

    def __getitem__(self, name: str) -> _Module:
        if name not in self._modules:
            path = self._path(name)
            is_package = path.is_dir() or path.name == "__init__.py"
            module = self._modules[name] = _Module(name, name if is_package else name.rpartition(".")[0])
            if path.is_file():
                module.read(ast.parse(path.read_bytes(), path).body)
        return self._modules[name]


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines and does nothing else; none if it does more."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = [e for t in statement.targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
    elif isinstance(statement, ast.AnnAssign) or type(statement).__name__ == "TypeAlias":
        targets = [getattr(statement, "target", None) or statement.name]
    names = [target.id for target in targets if isinstance(target, ast.Name) and target.id != "_"]
    return names if len(names) == len(targets) else []


def _says_nothing(node: object) -> bool:
    """Whether a statement is a docstring, or another string on its own, or `pass`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _statements(module: _Module, name: str, sources: Sources) -> list[ast.stmt]:
    """The statements of the definition `name`; with no name, those that run whenever `module` is imported.

    The latter include definitions under a decorator of this package: it may enter them in a table.
    """
    if name:
        return module.definitions.get(name, [])
    definitions = (statement for statements in module.definitions.values() for statement in statements)
    return module.loose + [
        statement
        for statement in definitions
        for decorator in getattr(statement, "decorator_list", ())
        if any(source in sources for source, _ in _uses(decorator, module, sources))
    ]


def _uses(tree: ast.AST, module: _Module, sources: Sources) -> Iterator[tuple[str, str]]:
    """The (module, definition) that each name in `tree` stands for; builtins and locals are left out."""
    if isinstance(tree, ast.Name | ast.Attribute):
        dotted = _dotted(tree)
        if dotted:
            yield from _resolve(module.name, dotted, sources)
            return
    for source, name in module.bindings(tree).values():  # an import inside a function
        yield from _follow(source, name, [], sources)
    for annotation in (getattr(tree, "annotation", None), getattr(tree, "returns", None)):
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            yield from _uses(ast.parse(annotation.value, mode="eval"), module, sources)
    for child in ast.iter_child_nodes(tree):
        yield from _uses(child, module, sources)


def _dotted(node: ast.AST) -> list[str]:
    """["a", "b", "c"] of the expression a.b.c; empty for any other."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (start := _dotted(node.value)):
        return [*start, node.attr]
    return []


def _resolve(module: str, dotted: list[str], sources: Sources) -> Iterator[tuple[str, str]]:
    """Follow a dotted name, as `module` sees it, through imports and re-exports."""
    first, *rest = dotted
    names = sources[module]
    if first in names.definitions:
        yield module, first
    if first in names.imports:
        yield from _follow(*names.imports[first], rest, sources)
    elif first not in names.definitions and WHOLE in names.imports:
        yield from _follow(*names.imports[WHOLE], [], sources)


def _follow(source: str, name: str, rest: list[str], sources: Sources) -> Iterator[tuple[str, str]]:
    """What `name` of module `source`, or with no name the module, stands for once `rest` is looked up in it."""
    if source not in sources:
        yield source, ".".join(filter(None, [name, *rest]))
    elif name and (name in sources[source].definitions or name in sources[source].imports):
        yield from _resolve(source, [name, *rest], sources)
    elif name and f"{source}.{name}" in sources:
        yield from _follow(f"{source}.{name}", "", rest, sources)
    elif rest and not name:
        yield from _follow(source, rest[0], rest[1:], sources)
    else:  # the module itself is passed on, or a name that nothing here defines
        yield source, WHOLE


def _meaning(node: object) -> str:
    """A tree as text. Not `ast.dump`, whose text differs between versions of Python."""
    if isinstance(node, list):
        return "[" + ",".join(_meaning(item) for item in node if not _says_nothing(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if name not in _SILENT_FIELDS)
    parts = (f"{name}={_meaning(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(parts)})"
