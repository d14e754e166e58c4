"""A definition as text that says what it means: its syntax tree, in which no name of the project is left.

A local variable is a number, a name of the project a reference to a definition, a name of another package its full
dotted path. Names that callers may use stay: those of parameters, methods and class attributes. Left out is what
does nothing: comments, docstrings, formatting, import statements, and annotations that nobody reads.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .namespaces import Binding, Module, Package, Reference, Target, binders, is_bare_annotation, is_silent

# Neither says what the code does: how a string was written, and whether a name is read or bound
# (which its place in the statement tells already).
_SILENT_FIELDS = {"kind", "type_comment", "ctx"}

# They see local variables by their names.
_NAME_READERS = {"locals", "vars", "dir", "eval", "exec"}

MARK = "covered_by"
"""The decorator (see `boundary`) of a definition that is not followed."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Text:
    """What a definition says: pieces of text with references between them, and the modules that it imports itself."""

    pieces: list[str | Reference] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)

    def add(self, piece: str | Reference) -> None:
        if isinstance(piece, str) and self.pieces and isinstance(self.pieces[-1], str):
            self.pieces[-1] += piece
        else:
            self.pieces.append(piece)

    @property
    def references(self) -> list[Reference]:
        return [piece for piece in self.pieces if isinstance(piece, Reference)]


@dataclass
class _Scope:
    """A function (or lambda, or comprehension) or a class, with the names that it binds.

    `imports` are those that one import statement binds and nothing else; `numbers` those of its local variables.
    """

    is_class: bool
    bound: set[str]
    parameters: frozenset[str] = frozenset()
    of_module: frozenset[str] = frozenset()
    imports: dict[str, Binding] = field(default_factory=dict)
    unused: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)


class Writer:
    """Writes statements of the top level of `module`.

    `covered` gives the parameters by which definitions are covered that bear no mark of it, by their names.
    """

    def __init__(self, package: Package, module: Module, covered: dict[str, tuple[str, ...]]) -> None:
        self._package, self._module, self._covered = package, module, covered
        self._scopes: list[_Scope] = []
        self._keeps_names = self._declares = False
        self.text = Text()

    def statements(self, statements: Iterable[ast.stmt]) -> Text:
        """The text of top-level statements."""
        statements = list(statements)
        nodes = [node for statement in statements for node in ast.walk(statement)]
        self._keeps_names = any(isinstance(node, ast.Name) and node.id in _NAME_READERS for node in nodes)
        self._declares = any(isinstance(node, ast.Global | ast.Nonlocal) for node in nodes)
        self._write(statements)
        return self.text

    def targets(self, name: str, targets: list[Target]) -> None:
        """A name with all that it may stand for; with nothing, it is a builtin's."""
        if not targets:
            self.text.add(f"!{name}")
        for index, (subject, rest) in enumerate(targets):
            self.text.add("|" if index else "")
            self.text.add(subject if isinstance(subject, Reference) else f"%{subject}")
            self.text.add("".join(f".{part}" for part in rest))

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _write(self, node: object) -> None:
        if isinstance(node, list):
            self._list(node)
        elif not isinstance(node, ast.AST):
            self.text.add(ascii(node))
        elif dotted := _dotted(node):
            self._name(dotted, len(dotted) > 1 or isinstance(node.ctx, ast.Load))
        else:
            writer = getattr(self, f"_{type(node).__name__}", self._node)
            writer(node)

    def _list(self, nodes: list) -> None:
        self.text.add("[")
        for node in nodes:
            if not (is_silent(node) or (is_bare_annotation(node) and not self._in_class)):
                self._write(node)
                self.text.add("" if isinstance(node, ast.Import | ast.ImportFrom) else ",")
        self.text.add("]")

    def _node(self, node: ast.AST, **written: str | list) -> None:
        """A node of any type, field by field, some as they are given; fields that are empty are left out."""
        self.text.add(f"{type(node).__name__}(")
        for name in node._fields:
            value = written.get(name, getattr(node, name, None))
            if name not in _SILENT_FIELDS and value is not None and value != []:
                self.text.add(f"{name}=")
                self._write(value)
                self.text.add(",")
        self.text.add(")")

    def _JoinedStr(self, node: ast.JoinedStr) -> None:
        """An f-string; between versions of Python it differs how its plain parts are cut."""
        parts: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.Constant) and parts and isinstance(parts[-1], ast.Constant):
                parts[-1] = ast.Constant(parts[-1].value + part.value)
            elif not (isinstance(part, ast.Constant) and part.value == ""):
                parts.append(part)
        self._node(node, values=parts)

    def _FormattedValue(self, node: ast.FormattedValue) -> None:
        is_empty = isinstance(node.format_spec, ast.JoinedStr) and not node.format_spec.values
        self._node(node, **({"format_spec": []} if is_empty else {}))

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        if self._in_class:
            self.text.add("AnnAssign(")
            self._write(node.target)
            self._annotation(node.annotation)
            self._write(node.value)
            self.text.add(")")
        elif node.value is None:  # of an attribute: the object that has it is evaluated
            self._node(node, annotation=[], simple=[])
        else:
            self._write(ast.Assign([node.target], node.value))

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Where the name is that of one thing throughout its function, it is written as that wherever it is used."""
        for name, binding in self._module.bindings(node).items():
            source, imported = binding
            if source in self._package:
                self.text.modules |= {source, f"{source}.{imported}"}
            scope = self._scopes[-1] if self._scopes else None
            if scope is None or name not in scope.imports:
                self.text.add("Import(")
                if scope is not None:
                    self._bind(name)
                self.targets(name, self._package.follow(binding, []))
                self.text.add(")")
            elif name in scope.unused and source not in self._package:
                self.text.add(f"Import({'.'.join(filter(None, binding))})")  # for what importing it does

    _ImportFrom = _Import

    def _ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._binding_node(node, "name")

    def _MatchAs(self, node: ast.MatchAs) -> None:
        self._binding_node(node, "name")

    def _MatchStar(self, node: ast.MatchStar) -> None:
        self._binding_node(node, "name")

    def _MatchMapping(self, node: ast.MatchMapping) -> None:
        self._binding_node(node, "rest")

    def _binding_node(self, node: ast.AST, name_field: str) -> None:
        if name := getattr(node, name_field):
            self._bind(name)
        self._node(node, **{name_field: []})

    # --- functions, classes, comprehensions ----------------------------------------------------------------------

    def _FunctionDef(self, node: Function) -> None:
        self.text.add(f"{type(node).__name__}(")
        self._bind(node.name)
        if parameters := self._covering(node):
            self._boundary(node, parameters)
        else:
            self._write(node.decorator_list)
            self._signature(node, read=bool(node.decorator_list))
            self._scoped(self._function_scope(node, node.body), [node.body])
        self.text.add(")")

    _AsyncFunctionDef = _FunctionDef

    def _boundary(self, node: Function, parameters: tuple[str, ...]) -> None:
        """In place of a definition that is not followed: its name, what covers it, and the type that it returns."""
        names = [argument.arg for argument in _parameters(node.args)]
        self.text.add(f"{node.name}({','.join(names)}) covered by {','.join(sorted(parameters))}")
        if node.returns is not None:
            self._annotation(node.returns)

    def _covering(self, node: Function | ast.ClassDef) -> tuple[str, ...]:
        """The parameters of the mark that a definition bears, if it does."""
        for decorator in node.decorator_list:
            dotted = _dotted(decorator.func) if isinstance(decorator, ast.Call) else []
            if dotted and any(map(is_mark, self._package.resolve(self._module.name, dotted))):
                return tuple(ast.literal_eval(argument) for argument in decorator.args)
        return () if self._scopes else self._covered.get(node.name, ())

    def _Lambda(self, node: ast.Lambda) -> None:
        self.text.add("Lambda(")
        self._signature(node, read=False)
        self._scoped(self._function_scope(node, [node.body]), [node.body])
        self.text.add(")")

    def _signature(self, node: Function | ast.Lambda, read: bool) -> None:
        """Parameters with their defaults, and if something may read them with their annotations."""
        arguments = node.args
        for kind in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            found = getattr(arguments, kind)
            for argument in found if isinstance(found, list) else filter(None, [found]):
                self.text.add(f"{kind}:{argument.arg}")
                if read and argument.annotation is not None:
                    self._annotation(argument.annotation)
                self.text.add(",")
        self._write(arguments.defaults)
        self._write(arguments.kw_defaults)
        if read and getattr(node, "returns", None) is not None:
            self.text.add("->")
            self._annotation(node.returns)

    def _function_scope(self, node: Function | ast.Lambda, body: list[ast.AST]) -> _Scope:
        parameters = frozenset(argument.arg for argument in _parameters(node.args))
        of_module, nonlocals = (self._declared(body, kind) for kind in (ast.Global, ast.Nonlocal))
        bound = [pair for statement in body for pair in binders(statement)]
        scope = _Scope(False, {name for name, _ in bound} | parameters | _type_parameters(node), parameters, of_module)
        scope.bound -= of_module | nonlocals
        if any(isinstance(binder, ast.Import | ast.ImportFrom) for _, binder in bound):
            self._take_imports(scope, bound, body)
        return scope

    def _declared(self, body: list[ast.AST], kind: type[ast.Global] | type[ast.Nonlocal]) -> frozenset[str]:
        """The names that `global` or `nonlocal` declares in a scope, not in those inside it."""
        if not self._declares:
            return frozenset()
        return frozenset(name for node in _own_nodes(body) if isinstance(node, kind) for name in node.names)

    def _take_imports(self, scope: _Scope, bound: list[tuple[str, ast.AST]], body: list[ast.AST]) -> None:
        used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
        for name in scope.bound - scope.parameters:
            nodes = [node for bound_name, node in bound if bound_name == name]
            if all(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes):
                found = {self._module.bindings(node)[name] for node in nodes}
                if len(found) == 1:
                    scope.imports[name] = found.pop()
        scope.unused = scope.imports.keys() - used

    def _ClassDef(self, node: ast.ClassDef) -> None:
        self.text.add("ClassDef(")
        self._bind(node.name)
        self._write(node.decorator_list)
        self._write(node.bases)
        self._write(node.keywords)
        names = {name for statement in node.body for name, _ in binders(statement)} | _type_parameters(node)
        self._scoped(_Scope(True, names, of_module=self._declared(node.body, ast.Global)), [node.body])
        self.text.add(")")

    def _comprehension(self, node: ast.expr, *results: ast.expr) -> None:
        """The first iterable is evaluated outside, all else in a scope of its own."""
        self.text.add(f"{type(node).__name__}(")
        first, *others = node.generators
        self._write(first.iter)
        bound = {name for generator in node.generators for name, _ in binders(generator.target)}
        parts: list[object] = [first.is_async, first.target, first.ifs]
        for generator in others:
            parts += [generator.is_async, generator.iter, generator.target, generator.ifs]
        self._scoped(_Scope(False, bound), [*parts, *results])
        self.text.add(")")

    def _ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, node.elt)

    _SetComp = _GeneratorExp = _ListComp

    def _DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, node.key, node.value)

    def _scoped(self, scope: _Scope, parts: list[object]) -> None:
        self._scopes.append(scope)
        for part in parts:
            self._write(part)
            self.text.add(";")
        self._scopes.pop()

    @property
    def _in_class(self) -> bool:
        return bool(self._scopes) and self._scopes[-1].is_class

    # --- names ---------------------------------------------------------------------------------------------------

    def _name(self, dotted: list[str], is_read: bool) -> None:
        name, *rest = dotted
        depth = self._depth(name)
        if depth is None:
            self.targets(".".join(dotted), self._package.resolve(self._module.name, dotted))
            return
        scope = self._scopes[depth]
        if name in scope.imports:
            self.targets(name, self._package.follow(scope.imports[name], rest))
            return
        self._variable(depth, name)
        if scope.is_class and is_read and (outer := self._package.resolve(self._module.name, [name])):
            self.text.add("|")  # until the class has bound it, the name is the module's
            self.targets(name, outer)
        self.text.add("".join(f".{part}" for part in rest))

    def _bind(self, name: str) -> None:
        depth = self._depth(name)
        if depth is None:
            self.text.add(Reference(self._module.name, name))
        else:
            self._variable(depth, name)
        self.text.add("=")

    def _variable(self, depth: int, name: str) -> None:
        scope = self._scopes[depth]
        if scope.is_class:
            self.text.add(f"@{name}")
        elif name in scope.parameters or self._keeps_names:
            self.text.add(f"${depth}:{name}")
        else:
            self.text.add(f"${depth}.{scope.numbers.setdefault(name, len(scope.numbers))}")

    def _depth(self, name: str) -> int | None:
        """Which of the scopes a name belongs to; None for the module."""
        innermost = len(self._scopes) - 1
        for depth in range(innermost, -1, -1):
            scope = self._scopes[depth]
            if scope.is_class and depth != innermost:
                continue  # methods do not see the names of their class
            if name in scope.of_module:
                return None
            if name in scope.bound:
                return depth
        return None

    # --- annotations ---------------------------------------------------------------------------------------------

    def _annotation(self, annotation: ast.expr) -> None:
        """An annotation that something reads, with the definitions that it names in quotes."""
        self.text.add(":")
        self._write(_Unquoting(self._names_a_definition).visit(annotation))

    def _names_a_definition(self, tree: ast.expr) -> bool:
        chains = [dotted for node in ast.walk(tree) if (dotted := _dotted(node))]
        found = [target for dotted in chains for target in self._package.resolve(self._module.name, dotted)]
        return any(isinstance(target.subject, Reference) for target in found)


class _Unquoting(ast.NodeTransformer):
    """Replaces strings that are expressions naming definitions by those expressions, in a copy."""

    def __init__(self, accepts) -> None:
        self._accepts = accepts

    def generic_visit(self, node: ast.AST) -> ast.AST:
        fields = {
            name: [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
            if isinstance(value, list)
            else self.visit(value)
            if isinstance(value, ast.AST)
            else value
            for name, value in ast.iter_fields(node)
        }
        return type(node)(**fields)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        is_literal = (_dotted(node.value) or [""])[-1] == "Literal"
        return node if is_literal else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        try:
            expression = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return node
        return expression if self._accepts(expression) else node


def is_mark(target: Target) -> bool:
    """Whether a decorator is the one that marks boundaries."""
    return isinstance(target.subject, Reference) and target.subject.name == MARK


def _dotted(node: ast.AST) -> list[str]:
    """["a", "b", "c"] of the expression a.b.c; empty for any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    named = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [argument for argument in named if argument is not None]


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", ())}


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _own_nodes(ast.iter_child_nodes(node))
