"""Every figure of results/, by budget and experiment."""

import re
from pathlib import Path

from lossless_workflow.report.captions import filled_in
from lossless_workflow.report.contents import result_sets


def figures() -> list[Path]:
    """All figures that stand in results/ now, as SVG or, where one is a page of its own, as HTML."""
    return [path for found in result_sets() for path in (*found.figures, *found.pages)]


def gallery() -> str:
    """A heading for each experiment and budget, below it its figures with their captions; links from docs/.

    How to read a figure is said where the first of its kind stands.
    """
    parts, explained = [], set()
    for found in result_sets():
        shown = (*found.figures, *found.pages)
        parts += [f"## {found.title}"] * bool(shown)
        for path in shown:
            title = f"{found.title}: {path.stem.replace('_', ' ')}"
            link = f"[{title}](../{path.as_posix()})"
            parts.append(link if path.suffix == ".html" else f"!{link}")
            caption = filled_in(path.stem, {"experiment": found.experiment, "budget": found.budget}, {})
            paragraphs = caption.split("\n\n")[: 1 if path.stem in explained else 2]
            parts += [re.sub(r"\s+", " ", paragraph) for paragraph in paragraphs]
            explained.add(path.stem)
    return "\n\n".join(filter(None, parts)) + "\n"
