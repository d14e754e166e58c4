"""Mutants: a program with one constant, operator, comparison or returned value changed."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.And: ast.Or, ast.Or: ast.And, ast.Not: ast.UAdd, ast.USub: ast.UAdd, ast.UAdd: ast.USub, ast.Invert: ast.USub,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change of one field of one node: to an item of a list, if `index` says which."""

    node: ast.AST
    field: str
    index: int | None
    value: object
    line: int

    def __str__(self) -> str:
        return f"line {self.line}: {type(self.node).__name__}.{self.field} becomes {_shown(self.value)}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The tree is the mutant's inside the block."""
        place = getattr(self.node, self.field)
        before = place if self.index is None else place[self.index]
        self._set(self.value)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, value: object) -> None:
        if self.index is None:
            setattr(self.node, self.field, value)
        else:
            getattr(self.node, self.field)[self.index] = value


def mutants(tree: ast.AST, messages: bool = True) -> Iterator[Mutant]:
    """Every mutant of `tree`; without `messages`, none of the texts in the errors that it raises.

    Left alone is what does nothing: docstrings, `__all__`, annotations of functions.
    """
    for node in _executable(tree, messages):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Constant():
                for value in _other_constants(node.value):
                    yield Mutant(node, "value", None, value, line)
            case ast.BinOp() | ast.AugAssign() | ast.BoolOp() | ast.UnaryOp():
                yield Mutant(node, "op", None, OPERATORS[type(node.op)](), line)
            case ast.Compare():
                for index, operator in enumerate(node.ops):
                    yield Mutant(node, "ops", index, OPERATORS[type(operator)](), line)
            case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
                yield Mutant(node, "value", None, ast.Constant(None), line)


def _executable(node: ast.AST, messages: bool) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("returns", "annotation") and not _is_class_field(node):
            continue
        if isinstance(node, ast.Raise) and not messages:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            ):
                continue
            if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
                continue
            if isinstance(child, ast.ClassDef):
                for statement in child.body:
                    statement.in_class = True
            yield from _executable(child, messages)


def _is_class_field(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and getattr(node, "in_class", False)


def _other_constants(value: object) -> list[object]:
    match value:
        case bool():
            return [not value]
        case int() | float() | complex():
            return [value + 1]
        case str():
            return [f"{value}x"]
        case bytes():
            return [value + b"x"]
        case None:
            return [1]
    return []


def _shown(value: object) -> str:
    return (
        ast.unparse(value)
        if isinstance(value, ast.expr)
        else repr(value)
        if not isinstance(value, ast.AST)
        else type(value).__name__
    )
