"""Fingerprints of the code that a command executes: of what it means, not of where it stands or what it is called.

Sources are parsed, never imported. From the entries every name in use is followed to the definition that it stands
for, in this package, and from there on. The definitions are numbered in the order in which they are first met, and
each is written as its syntax tree with these numbers for names (`syntax`): so neither names nor places nor the order
in a file count, definitions that refer to each other need no treatment of their own, and two definitions that say the
same remain two. What runs on import counts for every module that is loaded. A definition marked by `covered_by`
is not followed. What is imported by a computed name must be given as an entry of its own.
"""

import ast
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from .namespaces import ON_IMPORT, WHOLE, Binding, Module, Package, Reference
from .syntax import Text, Writer, is_mark

PACKAGE = Path(__file__).parents[2]

DIGITS = 16


def fingerprint(*entries: str) -> str:
    """The fingerprint of `entries` of this package, see `Sources.fingerprint`.

    Sources are read once: a process sees the code as it was when it started.
    """
    return _own_sources().fingerprint(*entries)


@cache
def _own_sources() -> "Sources":
    return Sources(PACKAGE)


class Sources:
    """The sources of the package in folder `package`, whose name is the package's.

    Args:
        package: The folder; archived sources will do, too.
        covered: Parameters by the dotted names of definitions that bear no mark, but shall count as if they did.
    """

    writer = Writer

    def __init__(self, package: Path, covered: Mapping[str, Iterable[str]] = {}) -> None:
        self._package = Package(package)
        self._covered = {name: tuple(parameters) for name, parameters in covered.items()}
        self._texts: dict[Reference, Text] = {}
        self._on_import: dict[str, list[Reference]] = {}
        self._alone: dict[Reference, str] = {}

    def fingerprint(self, *entries: str) -> str:
        """16 hexadecimal digits over all that running the `entries` may execute.

        Args:
            entries: Functions, such as "package.module.function", or modules, which stand for what `__all__` lists
                or without it for all that is public. Neither their order nor their names count.

        Raises:
            ValueError: There is no such function or module.
        """
        walk = _Walk(self._text)
        walk.take(self._canonical({root for entry in entries for root in self._roots(entry)}))
        taken: set[Reference] = set()
        while waiting := {root for name in walk.modules for root in self._run_on_import(name)} - taken:
            first, *_ = self._canonical(waiting)
            walk.take([first])
            taken.add(first)
        return walk.digest()[:DIGITS]

    def files(self, *entries: str) -> list[Path]:
        """The source files of the `entries` and of all in the package that they import, anywhere in their text."""
        return self._package.files(root.module for entry in entries for root in self._roots(entry))

    def reached(self, *entries: str) -> set[Reference]:
        """The definitions that a fingerprint of `entries` covers."""
        walk = _Walk(self._text)
        walk.take(root for entry in entries for root in self._roots(entry))
        while waiting := {root for name in walk.modules for root in self._run_on_import(name)} - walk.numbers.keys():
            walk.take(waiting)
        return set(walk.numbers)

    def _roots(self, entry: str) -> list[Reference]:
        if entry in self._package:
            module = self._package[entry]
            names = module.exports
            if names is None:
                names = [name for name in module.definitions if not name.startswith("_")]
            found = [target for name in names for target in self._package.follow(Binding(entry, name), [])]
            return [
                *dict.fromkeys(target.subject for target in found if isinstance(target.subject, Reference)),
                *([] if found else [Reference(entry, ON_IMPORT)]),
            ]
        module, _, name = entry.rpartition(".")
        found = self._package.resolve(module, [name]) if module in self._package else []
        if not found:
            raise ValueError(f"{entry}: no such function or module")
        return [target.subject for target in found if isinstance(target.subject, Reference)]

    def _canonical(self, roots: Iterable[Reference]) -> list[Reference]:
        """Roots in an order that their places and names have no part in."""
        return sorted(roots, key=lambda root: (self._digest_alone(root), root))

    def _digest_alone(self, root: Reference) -> str:
        if root not in self._alone:
            walk = _Walk(self._text)
            walk.take([root])
            self._alone[root] = walk.digest()
        return self._alone[root]

    def _run_on_import(self, name: str) -> list[Reference]:
        """What counts because module `name` is imported, with all that it imports itself."""
        return [root for module in self._package.loaded(name) for root in self._effects(module)]

    def _effects(self, name: str) -> list[Reference]:
        """Statements that run on import, and definitions that a decorator of the package may enter in a table."""
        if name not in self._on_import:
            self._on_import[name] = self._found_effects(self._package[name])
        return self._on_import[name]

    def _found_effects(self, module: Module) -> list[Reference]:
        roots = [Reference(module.name, ON_IMPORT)] if module.loose or self._foreign_effects(module) else []
        for name, statements in module.definitions.items():
            decorators = [d for statement in statements for d in getattr(statement, "decorator_list", ())]
            if any(self._registers(module, decorator) for decorator in decorators):
                roots.append(Reference(module.name, name))
        return roots

    def _registers(self, module: Module, decorator: ast.expr) -> bool:
        chains = [node for node in ast.walk(decorator) if isinstance(node, ast.Name)]
        targets = [target for node in chains for target in self._package.resolve(module.name, [node.id])]
        return any(isinstance(target.subject, Reference) and not is_mark(target) for target in targets)

    def _foreign_effects(self, module: Module) -> list[str]:
        """Other packages' modules that are imported for what that does: by `import a.b` alone, and never used."""
        plain = [
            source for name, (source, imported) in module.imported if not imported and name == source.partition(".")[0]
        ]
        foreign = {source for source in plain if source not in self._package}
        used = {node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)} if foreign else set()
        return sorted(source for source in foreign if source.partition(".")[0] not in used)

    def _text(self, reference: Reference) -> Text:
        if reference not in self._texts:
            self._texts[reference] = self._written(reference)
        return self._texts[reference]

    def _written(self, reference: Reference) -> Text:
        module = self._package[reference.module]
        prefix = f"{module.name}."
        covered = {name.removeprefix(prefix): p for name, p in self._covered.items() if name.startswith(prefix)}
        writer = self.writer(self._package, module, covered)
        if reference.name == ON_IMPORT:
            writer.text.add(f"{self._foreign_effects(module)}")
            return writer.statements(module.loose)
        if reference.name == WHOLE:  # its attributes may be looked up by their names
            for name in sorted({*module.definitions, *module.imports}):
                writer.text.add(f"{name}=")
                writer.targets(name, self._package.resolve(module.name, [name]))
            return writer.text
        return writer.statements(module.definitions.get(reference.name, []))


class _Walk:
    """Definitions in the order in which they are first met, and a digest of what they say with these numbers."""

    def __init__(self, text: Callable[[Reference], Text]) -> None:
        self.numbers: dict[Reference, int] = {}
        self.modules: set[str] = set()
        self._text = text
        self._order: list[Reference] = []
        self._said = 0
        self._hash = hashlib.sha256()

    def take(self, roots: Iterable[Reference]) -> None:
        """Go through all that the `roots` lead to and that was not met before."""
        for root in roots:
            self._hash.update(f"root {self._number(root)}\n".encode())
        while self._said < len(self._order):
            reference = self._order[self._said]
            self._said += 1
            text = self._text(reference)
            self.modules |= {reference.module, *text.modules}
            said = [piece if isinstance(piece, str) else f"#{self._number(piece)}" for piece in text.pieces]
            self._hash.update(f"{''.join(said)}\n".encode())

    def digest(self) -> str:
        return self._hash.hexdigest()

    def _number(self, reference: Reference) -> int:
        if reference not in self.numbers:
            self.numbers[reference] = len(self._order)
            self._order.append(reference)
        return self.numbers[reference]
