"""The badges of the README: what ships and what it needs, read from the files that say so."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from anybadge import Badge

from .headline import BUDGETS, read_table

FOLDER = Path("docs/assets/badges")
_BLUE = "#0969da"


def badges() -> dict[Path, str]:
    """Each badge as SVG, by its file."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    least, end = re.findall(r"3\.(\d+)", project["requires-python"])
    said = {
        "differ": ("neurons that differ at rest", _differing()),
        "python": ("Python", f"3.{least} to 3.{int(end) - 1}"),
        "licence": ("licence", project["license"]),
    }
    drawn = {FOLDER / f"{name}.svg": Badge(*words, default_color=_BLUE).badge_svg_text for name, words in said.items()}
    # Its number is that of the badge in this process; no page has two of them in one document.
    return {path: re.sub(r"anybadge_\d+", "mask", text) + "\n" for path, text in drawn.items()}


def _differing() -> str:
    """Of the networks in results/ all of whose images came to rest."""
    rows = list(_settled())
    differing, compared = (sum(float(row[name]) for row in rows) for name in ("mismatches", "neurons_compared"))
    return f"{differing:,.0f} of {compared / 1e6:,.0f} million"


def _settled() -> Iterator[dict[str, str]]:
    for budget in BUDGETS:
        for path in sorted(Path("results", budget).glob("*/tables/results.csv")):
            yield from (row for row in read_table(path) if row["settled"] == "True")
