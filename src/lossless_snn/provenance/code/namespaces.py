"""What the names in a package's modules stand for, read from their sources; nothing is imported."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

WHOLE = "*"
"""In place of a definition's name: the module as an object, with all that it has by name."""
ON_IMPORT = ""
"""In place of a definition's name: the statements that run when the module is imported."""


class Reference(NamedTuple):
    """A definition at the top level of a module of the package."""

    module: str
    name: str


class Target(NamedTuple):
    """What a dotted name stands for: a definition of the package, or the full dotted path of another package's.

    `rest` are the attributes that are looked up in a definition.
    """

    subject: Reference | str
    rest: tuple[str, ...] = ()


class Binding(NamedTuple):
    """What an import statement binds a name to: `name` of module `source`, or with no name the module itself."""

    source: str
    name: str


@dataclass
class Module:
    """The top-level statements of a module: definitions by name, imports by name, and the rest.

    `loose` is what runs on import beside definitions; `imported` is what is loaded then, by the names that it is
    bound to (imports for type checkers are not); `exports` is what `__all__` lists, None without it.
    """

    name: str
    parent: str = ""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    loose: list[ast.stmt] = field(default_factory=list)
    imported: list[tuple[str, Binding]] = field(default_factory=list)
    exports: list[str] | None = None
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))

    def read(self, statements: Iterable[ast.stmt], for_type_checkers: bool = False) -> None:
        """Sort the module's `statements`."""
        for statement in statements:
            bound = list(binders(statement))
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement, for_type_checkers)
            elif isinstance(statement, ast.If) and _is_type_checking(statement.test):
                self.read(statement.body, for_type_checkers=True)
                self.read(statement.orelse, for_type_checkers)
            elif any(name == "__all__" for name, _ in bound):
                self.exports = [*(self.exports or ()), *_strings(statement)]
            elif not (is_silent(statement) or is_bare_annotation(statement)):
                self._sort(statement, bound)

    def _sort(self, statement: ast.stmt, bound: list[tuple[str, ast.AST]]) -> None:
        names = dict.fromkeys(name for name, node in bound if not isinstance(node, ast.Import | ast.ImportFrom))
        for name in names:
            self.definitions[name].append(statement)
        if not _only_defines(statement) or (isinstance(statement, ast.AugAssign) and self._is_shared(*names)):
            self.loose.append(statement)
            for node in dict.fromkeys(node for _, node in bound if isinstance(node, ast.Import | ast.ImportFrom)):
                self._import(node)

    def _is_shared(self, name: str) -> bool:
        """Whether a value that is changed in place may have another name, too."""
        values = [getattr(statement, "value", None) for statement in self.definitions[name]]
        return any(isinstance(value, ast.Name | ast.Attribute) for value in values[:-1]) or len(values) == 1

    def _import(self, statement: ast.Import | ast.ImportFrom, for_type_checkers: bool = False) -> None:
        for name, binding in self.bindings(statement).items():
            if binding not in self.imports[name]:
                self.imports[name].append(binding)
        if not for_type_checkers:
            self.imported += zip(imported_names(statement), self.loaded(statement), strict=True)

    def bindings(self, statement: ast.Import | ast.ImportFrom) -> dict[str, Binding]:
        """The names that an import statement binds, and to what."""
        if isinstance(statement, ast.Import):
            full = {alias.asname: Binding(alias.name, "") for alias in statement.names if alias.asname}
            tops = [alias.name.partition(".")[0] for alias in statement.names if not alias.asname]
            return full | {top: Binding(top, "") for top in tops}
        source = self._source(statement)
        return {alias.asname or alias.name: Binding(source, alias.name) for alias in statement.names}

    def loaded(self, statement: ast.Import | ast.ImportFrom) -> list[Binding]:
        """What an import statement loads: modules, and names of modules that may be modules themselves."""
        if isinstance(statement, ast.Import):
            return [Binding(alias.name, "") for alias in statement.names]
        return [Binding(self._source(statement), alias.name) for alias in statement.names]

    def _source(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        above = self.parent.split(".")
        above = above[: len(above) - statement.level + 1]
        return ".".join([*above, *filter(None, [statement.module])])


class Package:
    """The modules of the package in `folder`, whose name is the package's; each is parsed when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths: dict[str, Path | None] = {}
        self._modules: dict[str, Module] = {}
        self._loaded: dict[str, set[str]] = {}

    def path(self, name: str) -> Path | None:
        """The source file of module `name`, or its folder where that has no __init__.py; None if there is neither."""
        if name not in self._paths:
            first, *rest = name.split(".")
            base = self.folder.joinpath(*rest)
            candidates = (base / "__init__.py", base.with_name(f"{base.name}.py"), base)
            own = candidates if first == self.folder.name and all(rest) else ()
            self._paths[name] = next((path for path in own if path.exists()), None)
        return self._paths[name]

    def __contains__(self, name: str) -> bool:
        return self.path(name) is not None

    def __getitem__(self, name: str) -> Module:
        if name not in self._modules:
            path = self.path(name)
            is_package = path.is_dir() or path.name == "__init__.py"
            module = self._modules[name] = Module(name, name if is_package else name.rpartition(".")[0])
            if path.is_file():
                module.tree = ast.parse(path.read_bytes(), path)
                module.read(module.tree.body)
        return self._modules[name]

    def resolve(self, module: str, dotted: list[str], seen: frozenset[Binding] = frozenset()) -> list[Target]:
        """What a dotted name at the top level of `module` may stand for; nothing for a builtin's."""
        (first, *rest), names = dotted, self[module]
        found = [Target(Reference(module, first), tuple(rest))] if names.definitions.get(first) else []
        for binding in names.imports.get(first, ()):
            found += self.follow(binding, rest, seen)
        if not found and "*" in names.imports:
            for source, _ in names.imports["*"]:
                if source not in self or _public(self[source], first):
                    found += self.follow(Binding(source, first), rest, seen)
        return found

    def follow(self, binding: Binding, rest: list[str], seen: frozenset[Binding] = frozenset()) -> list[Target]:
        """What an imported name stands for once the attributes `rest` are looked up in it."""
        source, name = binding
        if source not in self:
            return [Target(".".join(filter(None, [source, name, *rest])))]
        if not name:
            return self.follow(Binding(source, rest[0]), rest[1:], seen) if rest else [Target(Reference(source, WHOLE))]
        if binding in seen:
            return []
        if found := self.resolve(source, [name, *rest], seen | {binding}):
            return found
        if f"{source}.{name}" in self:
            return self.follow(Binding(f"{source}.{name}", ""), rest, seen)
        if name.startswith("__"):  # its name, its file: where a module lies, which is no meaning
            return [Target(f"<module>.{name}", tuple(rest))]
        if self[source].definitions.get("__getattr__"):
            found = [target for place in _lazy(self[source], name) for target in self.follow(place, rest, seen)]
        return found or [Target(Reference(source, WHOLE), (name, *rest))]

    def loaded(self, module: str) -> set[str]:
        """All modules of the package that are imported when `module` is, itself among them."""
        if module not in self._loaded:
            seen: set[str] = set()
            waiting = [module]
            while waiting:
                name = waiting.pop()
                if name not in seen and name in self:
                    seen.add(name)
                    waiting += parents(name)
                    for _, (source, imported) in self[name].imported:
                        waiting += [source, f"{source}.{imported}"]
            self._loaded[module] = seen
        return self._loaded[module]

    def files(self, modules: Iterable[str]) -> list[Path]:
        """The source files of `modules` and of all in the package that they import, anywhere in their text."""
        seen: set[str] = set()
        waiting = list(modules)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self:
                continue
            seen.add(name)
            waiting += parents(name)
            for node in ast.walk(self[name].tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    for source, imported in self[name].loaded(node):
                        waiting += [source, f"{source}.{imported}"]
                elif isinstance(node, ast.Dict) and "__getattr__" in self[name].definitions:
                    waiting += [place.source for place in _places(self[name], node)]
        return sorted(path for path in map(self.path, seen) if path.is_file())


def parents(module: str) -> list[str]:
    """The packages that a module lies in."""
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def imported_names(statement: ast.Import | ast.ImportFrom) -> list[str]:
    """The names that an import statement binds, in its order."""
    is_plain = isinstance(statement, ast.Import)  # `import a.b` binds a
    return [alias.asname or (alias.name.partition(".")[0] if is_plain else alias.name) for alias in statement.names]


def binders(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Each name that `node` binds in the scope it stands in, and the node that binds it; inner scopes are left out."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name, node
        case ast.Import() | ast.ImportFrom():
            for name in imported_names(node):
                yield name, node
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id, node
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name, node
        case ast.MatchMapping(rest=str(name)):
            yield name, node
    for child in _same_scope(node):
        yield from binders(child)


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The children of `node` that stand in the same scope, as far as they can bind names of it."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.decorator_list
            yield from _defaults(node.args)
        case ast.ClassDef():
            yield from [*node.decorator_list, *node.bases, *node.keywords]
        case ast.Lambda():
            yield from _defaults(node.args)
        case ast.comprehension():  # its targets are its own
            yield from [node.iter, *node.ifs]
        case _:
            yield from ast.iter_child_nodes(node)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [default for default in [*arguments.defaults, *arguments.kw_defaults] if default is not None]


def is_silent(node: object) -> bool:
    """Whether a statement does nothing: a docstring or another constant on its own, `pass`, a declaration of names."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass | ast.Global | ast.Nonlocal)


def is_bare_annotation(node: object) -> bool:
    """Whether a statement is `name: type` without a value, which outside of classes does nothing."""
    return isinstance(node, ast.AnnAssign) and node.value is None and isinstance(node.target, ast.Name)


def _only_defines(statement: ast.stmt) -> bool:
    """Whether all that a statement does is to define names."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return True
        case ast.Assign():
            targets = statement.targets
        case ast.AnnAssign() | ast.AugAssign():
            targets = [statement.target]
        case _:
            return type(statement).__name__ == "TypeAlias"
    leaves = [leaf for target in targets for leaf in _leaves(target)]
    return all(isinstance(leaf, ast.Name) and leaf.id != "_" for leaf in leaves)


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _leaves(element)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _strings(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def _public(module: Module, name: str) -> bool:
    """Whether `from module import *` binds the name."""
    if module.exports is not None:
        return name in module.exports
    return not name.startswith("_") and bool(module.definitions.get(name) or module.imports.get(name))


def _lazy(module: Module, name: str) -> list[Binding]:
    """Where a module's `__getattr__` finds `name`, if a table in the module says so."""
    tables = [node for node in ast.walk(module.tree) if isinstance(node, ast.Dict)]
    return [place for table in tables for place in _places(module, table) if place.name == name]


def _places(module: Module, table: ast.Dict) -> Iterator[Binding]:
    """What a table of names by modules, or of modules by names, says."""
    for key, value in zip(table.keys, table.values, strict=True):
        if key is None or len(keys := _strings(key)) != 1:
            continue
        for string in _strings(value):
            for place, name in ((keys[0], string), (string, keys[0])):
                depth = len(place) - len(place.lstrip("."))
                above = module.parent.split(".")[: len(module.parent.split(".")) - depth + 1] if depth else []
                yield Binding(".".join([*above, *filter(None, [place.lstrip(".")])]), name)
