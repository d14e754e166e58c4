"""The chain as a drawing: Snakemake's graph of rules, laid out in columns, as SVG."""

import re
import subprocess
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path

DRAWING = Path("docs/assets/rules.svg")
TARGET = "reproduce"

_NODE = re.compile(r'(\d+)\[label = "([^"]+)"')
_EDGE = re.compile(r"(\d+) -> (\d+)")
# Rules that differ in what they draw alone stand in one box.
_GROUP = "figure_"
_WIDTH, _LINE, _PADDING, _COLUMN, _GAP = 130, 17, 9, 182, 26
_STYLE = """
    rect { fill: #ffffff; stroke: #59636e; stroke-width: 1.2 } .paper { stroke: #d0d7de }
    text { fill: #1f2328 } path { fill: none; stroke: #8a949e; stroke-width: 1.2 } polygon { fill: #8a949e }
    @media (prefers-color-scheme: dark) {
      rect { fill: #151b23; stroke: #9198a1 } .paper { stroke: #3d444d } text { fill: #f0f6fc }
      path { stroke: #6e7681 } polygon { fill: #6e7681 }
    }
"""

Edges = frozenset[tuple[str, str]]


def drawn() -> str:
    """The drawing of all rules that lead to `TARGET`, as the Snakefile has them now."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "--quiet", "all", "--", TARGET]
    answer = subprocess.run(command, capture_output=True, encoding="utf-8")
    if answer.returncode:
        sys.exit(f"pages: snakemake --rulegraph failed: {answer.stderr.strip().splitlines()[-1:]}")
    return svg(*parsed(answer.stdout))


def parsed(dot: str) -> tuple[dict[str, list[str]], Edges]:
    """Boxes, with the rules in each, and the arrows between them; the target itself is left out."""
    names = dict(_NODE.findall(dot))
    boxes: dict[str, list[str]] = {}
    edges = [(names[a], names[b]) for a, b in _EDGE.findall(dot) if names[b] != TARGET]
    sources = {name: frozenset(a for a, b in edges if b == name) for name in names.values()}
    for name in sorted(set(names.values()) - {TARGET}):
        boxes.setdefault(_box(name, sources[name]), []).append(name)
    box = {rule: name for name, rules in boxes.items() for rule in rules}
    return boxes, frozenset((box[a], box[b]) for a, b in edges)


def _box(rule: str, sources: frozenset[str]) -> str:
    return f"{_GROUP}{'+'.join(sorted(sources))}" if rule.startswith(_GROUP) else rule


def direct(edges: Edges) -> Edges:
    """The arrows that do not follow from a longer way between the same boxes."""

    def reaches(start: str, end: str) -> bool:
        return any(a == start and (b == end or reaches(b, end)) for a, b in edges)

    return frozenset((a, b) for a, b in edges if not any(c == a and d != b and reaches(d, b) for c, d in edges))


def columns(boxes: Iterable[str], edges: Edges) -> list[list[str]]:
    """Boxes by the longest way from them to a last one; below in a column, those that further arrows reach."""
    steps: dict[str, int] = {}

    def of(box: str) -> int:
        if box not in steps:
            steps[box] = 1 + max((of(b) for a, b in edges if a == box), default=-1)
        return steps[box]

    last = max(map(of, boxes))
    found: list[list[str]] = [[] for _ in range(1 + last)]
    for box in sorted(boxes, key=lambda box: (max((of(a) for a, b in edges if b == box), default=0) - of(box), box)):
        found[last - of(box)].append(box)
    return found


def svg(boxes: dict[str, list[str]], edges: Edges) -> str:
    """Boxes in columns from left to right, and curves from each to what needs it next."""
    edges = direct(edges)
    laid_out = columns(boxes, edges)
    tall = {name: _LINE * len(rules) + 2 * _PADDING for name, rules in boxes.items()}
    heights = [sum(tall[name] for name in column) + _GAP * (len(column) - 1) for column in laid_out]
    width, height = _COLUMN * len(laid_out) - (_COLUMN - _WIDTH) + 80, max(heights) + 2 * _GAP
    places = {}
    for index, (column, used) in enumerate(zip(laid_out, heights, strict=True)):
        top = (height - used) / 2
        for name in column:
            places[name] = (20 + index * _COLUMN, top)
            top += tall[name] + _GAP
    middle = {name: (x, y + tall[name] / 2) for name, (x, y) in places.items()}
    parts = [_arrow((middle[a][0] + _WIDTH, middle[a][1]), middle[b]) for a, b in sorted(edges)]
    parts += [part for name in sorted(boxes) for part in _drawn_box(boxes[name], *places[name], tall[name])]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}"'
        ' role="img" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13">\n'
        f"  <title>Rules that lead to {TARGET}, from raw data on the left to figures and tables on the right</title>\n"
        f"  <style>{_STYLE}  </style>\n"
        f'  <rect class="paper" x="1" y="1" width="{width - 2}" height="{height - 2:g}" rx="10"/>\n  '
        + "\n  ".join(parts)
        + "\n</svg>\n"
    )


def _box_width(rules: list[str]) -> int:
    return max(_WIDTH, 8 * max(map(len, rules)))


def _drawn_box(rules: list[str], x: float, y: float, height: float) -> list[str]:
    width = _box_width(rules)
    box = f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" rx="6"/>'
    centre, top = x + width / 2, y + _PADDING
    lines = [
        f'<text x="{centre:g}" y="{top + _LINE * (place + 0.75):g}" text-anchor="middle">{escape(rule)}</text>'
        for place, rule in enumerate(rules)
    ]
    return [box, *lines]


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve within the gap behind its first box, then straight on, so that it passes no box on its way."""
    (x0, y0), (x1, y1) = start, end
    turned = x0 + _COLUMN - _WIDTH - 6
    return (
        f'<path d="M{x0:g} {y0:g}C{x0 + 26:g} {y0:g} {turned - 24:g} {y1:g} {turned:g} {y1:g}H{x1 - 6:g}"/>'
        f'<polygon points="{x1 - 7:g},{y1 - 4:g} {x1:g},{y1:g} {x1 - 7:g},{y1 + 4:g}"/>'
    )
