"""Tables of results/ as a page shows them: Markdown for people, taken apart into rows and the words around them."""

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import markdown
from markupsafe import Markup

from lossless_snn.analysis.captions import MARK, precision_title


@dataclass(frozen=True)
class Row:
    """A row's cells, and what it is of, as far as its first columns say: experiment and precision."""

    cells: tuple[str, ...]
    experiment: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Table:
    """A heading and rows; `labels` of the columns name what a row is of and are aligned to the left."""

    heading: tuple[str, ...]
    rows: tuple[Row, ...]
    labels: int


def parts(path: Path) -> list[Table | Markup]:
    """A Markdown file's tables, and what stands between them as HTML, in their order."""
    found: list[Table | Markup] = []
    for block in re.split(r"(?m)((?:^\|.*\n?)+)", path.read_text(encoding="utf-8")):
        if block.startswith("|"):
            found.append(_table(block.splitlines()))
        elif block.strip():
            found.append(Markup(markdown.markdown(escape(block, quote=False), extensions=["sane_lists"], tab_length=2)))
    return found


def _table(lines: list[str]) -> Table:
    heading, rule, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    labels = [cell.endswith(":") and not cell.startswith(":") for cell in rule]
    return Table(
        tuple(heading),
        tuple(_row(heading, cells) for cells in rows),
        labels.index(True) if True in labels else len(labels),
    )


def _row(heading: list[str], cells: list[str]) -> Row:
    named = dict(zip(heading, cells, strict=False))
    return Row(tuple(cells), named.get("experiment"), _precision(named.get("precision", "")))


def _precision(title: str) -> str | None:
    """The precision that `precision_title` gives such a title, with or without a mark."""
    name = title.removesuffix(MARK).strip()
    level = re.fullmatch(r"k = (\d+)", name)
    candidate = f"k{level[1]}" if level else "fp32"
    return candidate if precision_title(candidate) == name else None
