"""Tables of results/ as pages of the site show them."""

from itertools import groupby
from pathlib import Path

# What fits beside the site's menu.
MOST_COLUMNS = 7


def shown(text: str) -> str:
    """Markdown with its wide tables turned: a row a precision becomes a column a precision.

    A table with several subjects in its first column (experiments, precisions) becomes a table for each.
    """
    lines, done = text.splitlines(), []
    while lines:
        table = []
        while lines and lines[0].startswith("|"):
            table.append(lines.pop(0))
        done += _turned(table) if table else [lines.pop(0)]
    return "\n".join(done) + "\n"


def _turned(lines: list[str]) -> list[str]:
    heading, _, *body = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    if len(heading) <= MOST_COLUMNS:
        return lines
    subjects = [(name, list(rows)) for name, rows in groupby(body, key=lambda row: row[0])]
    if len(subjects) == len(body):
        return _columns(heading, body)
    return [
        line
        for name, rows in subjects
        for line in (f"**{name}**", "", *_columns(heading[1:], [row[1:] for row in rows]), "")
    ]


def _columns(heading: list[str], body: list[list[str]]) -> list[str]:
    first, *rest = zip(heading, *body, strict=True)
    return [f"| {' | '.join(row)} |" for row in (first, ["---", *["---:"] * len(body)], *rest)]


def of_budget(budget: str) -> str:
    """All tables of one budget: the summary over its experiments, then each experiment's own."""
    parts = []
    summary = Path("results", budget, "summary.md")
    if summary.is_file():
        parts.append(f"### All experiments, {budget} budget\n\n{shown(summary.read_text(encoding='utf-8'))}")
    for folder in sorted(Path("results", budget).glob("*/tables")):
        tables = [shown(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.md"), reverse=True)]
        if tables:
            parts.append(f"### {folder.parent.name}, {budget} budget\n\n" + "\n".join(tables))
    return "\n\n".join(parts) or f"Nothing was made at the {budget} budget yet."
