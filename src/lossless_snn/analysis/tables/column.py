"""A column of the tables for people: its key, heading, quantities, format and unit; and rows of them as Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from ..captions import ABSENT


class Unit(NamedTuple):
    """What a column shows its quantities in.

    Attributes:
        symbol: What stands in parentheses behind the heading; nothing for a count.
        scale: What a quantity, in its own unit, is multiplied by.
    """

    symbol: str = ""
    scale: float = 1


COUNT = Unit()
PERCENT = Unit("%", 100)
POINTS = Unit("points", 100)
MICROJOULES = Unit("µJ", 1e6)


def whole(value: float) -> str:
    """12,345"""
    return f"{value:,.0f}"


def tenths(value: float) -> str:
    """1.2"""
    return f"{value:.1f}"


def tenths_if_any(value: float) -> str:
    """1.2, and 3"""
    return tenths(value).removesuffix(".0")


def hundredths(value: float) -> str:
    """1.23; 0.00 has no sign."""
    return f"{value:z.2f}"


def thousandths(value: float) -> str:
    """1.234"""
    return f"{value:,.3f}"


def signed_hundredths(value: float) -> str:
    """+1.23; nothing is +0.00."""
    return f"{value:+z.2f}"


def three_digits(value: float) -> str:
    """1.23, 12.3, and 1,234"""
    return whole(value) if abs(value) >= 1000 else f"{value:.3g}"


@dataclass(frozen=True)
class Column:
    """One or two quantities of each row, in one format.

    Attributes:
        key: By which tables choose the column; the name of its quantity, unless `quantities` names others.
        heading: What stands above it, before the unit.
        format: Writes one number, already in `unit`; ± and its standard deviation, `NAME_std`, follow where the row
            has it.
        unit: Of the numbers.
        quantities: Names in the rows, instead of `key`.
        instead: The quantities to show in a row that has not got the first of `quantities`.
        between: Stands between two quantities.
        published: What the published values, `NAME_published`, are called that follow in parentheses; "" for none.
        otherwise_published: The name of another published value, and the words behind it, to be added where it
            differs.
        zero_spread: Whether a standard deviation of 0 is written.
    """

    key: str
    heading: str
    format: Callable[[float], str] = whole
    unit: Unit = COUNT
    quantities: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    between: str = " / "
    published: str = ""
    otherwise_published: tuple[str, str] | None = None
    zero_spread: bool = False

    def title(self, compared: bool) -> str:
        """The heading with its unit, and with what published values are called where they stand beside ours."""
        unit = f" ({self.unit.symbol})" if self.unit.symbol else ""
        published = f" ({self.published})" if self.published and compared else ""
        return self.heading + unit + published

    def cell(self, row: pd.Series) -> str:
        """The text for one row of quantities."""
        quantities = self.quantities or (self.key,)
        if self.instead and pd.isna(row[quantities[0]]):
            quantities = self.instead
        ours = [self._number(row[name], row.get(f"{name}_std")) for name in quantities]
        if set(ours) == {ABSENT}:
            return ABSENT
        beside = [row[f"{name}_published"] for name in quantities] if self.published else []
        theirs = [self._number(value) for value in beside if pd.notna(value)]
        if not theirs:
            return self.between.join(ours)
        return f"{self.between.join(ours)} ({self.between.join(theirs)}{self._other(row, beside[0])})"

    def _other(self, row: pd.Series, published: float) -> str:
        name, words = self.otherwise_published or (None, "")
        if name is None or pd.isna(row[name]) or row[name] == published:
            return ""
        return f"; {self._number(row[name])} {words}"

    def _number(self, value: float, spread: float | None = None) -> str:
        if pd.isna(value):
            return ABSENT
        text = self.format(value * self.unit.scale)
        if pd.isna(spread) or not (spread or self.zero_spread):
            return text
        return f"{text} ± {self.format(spread * self.unit.scale).removeprefix('+')}"


Rows = Sequence[tuple[Mapping[str, str], pd.Series]]
"""For each row its labels by heading, and its quantities."""


def filled(columns: Sequence[Column], rows: Rows) -> list[Column]:
    """The columns that have a value in any row."""
    return [column for column in columns if any(column.cell(row) != ABSENT for _, row in rows)]


def markdown(columns: Sequence[Column], rows: Rows, compared: bool = False) -> str:
    """The rows as a table: labels on the left, then the columns; `compared` as in `Column.title`."""
    cells = [dict(labels) | {column.title(compared): column.cell(row) for column in columns} for labels, row in rows]
    table = pd.DataFrame(cells)
    alignment = ["right"] * table.shape[1]
    alignment[: len(rows[0][0])] = ["left"] * len(rows[0][0])
    return table.to_markdown(index=False, disable_numparse=True, colalign=alignment)
