"""Every figure of results/, by budget and experiment."""

import re
from pathlib import Path

from lossless_workflow.report.captions import source


def figures() -> list[Path]:
    """All figures that stand in results/ now, as SVG or, where one is a page of its own, as HTML."""
    return sorted([*Path("results").rglob("*.svg"), *Path("results").glob("*/*/figures/*.html")])


def gallery() -> str:
    """A heading for each experiment and budget, below it its figures with their captions; links from docs/."""
    parts, last = [], None
    for path in figures():
        heading = ", ".join(reversed(path.parts[1 : -2 if path.parent.name == "figures" else -1]))
        if heading != last:
            parts.append(f"## {heading}")
            last = heading
        title = f"{heading}: {path.stem.replace('_', ' ')}"
        parts.append(f"{'' if path.suffix == '.html' else '!'}[{title}](../{path})\n\n{caption(path.stem)}".rstrip())
    return "\n\n".join(parts)


def caption(figure: str) -> str:
    """The figure's caption in the report, without what only Snakemake fills in; empty where it has none."""
    paragraphs = [re.sub(r"\s+", " ", part) for part in source(figure).split("\n\n")]
    # The first one names experiment and budget, as the heading here does; of it, only the title in bold is new.
    title = re.match(r"\*\*(.+?)\*\*", paragraphs[0])
    return f"{title[1]}. {paragraphs[1]}" if title else paragraphs[0]
