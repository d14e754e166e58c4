"""The page: what is in results/, filled into one template. Style, script, figures, tables and pages are inside it."""

import base64
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from lossless_snn.analysis.captions import precision_title
from lossless_snn.provenance.circumstances import git

from . import captions, tables
from .contents import ResultSet, result_sets
from .origins import Origin, Origins, certified_in_all
from .run_times import RunTimes, run_times

TEMPLATE = Path(__file__).with_name("report.html")
_SPREAD = re.compile(r"\S+ ± \S+")
# How files are called beside others of the same name.
_KINDS = {".svg": "figure", ".md": "table", ".html": "interactive"}


@dataclass(frozen=True)
class Item:
    """A figure, table, page or file of numbers in its section.

    Attributes:
        anchor: Where in the page it is.
        path: The file that it shows.
        title: What it is called.
        caption: What it shows, as HTML.
        origin: Key of what the page says of how it came about.
    """

    anchor: str
    path: Path
    title: str
    caption: Markup
    origin: str

    @property
    def label(self) -> str:
        """The title where it stands beside others, which may have the same."""
        kind = _KINDS.get(self.path.suffix)
        return f"{self.title} ({kind})" if kind else self.title

    @property
    def image(self) -> str:
        """A figure's content as an address."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.path.read_bytes()).decode()}"

    @property
    def text(self) -> Markup:
        """The file's text as JSON that may stand in a script element."""
        content = json.dumps(self.path.read_text(encoding="utf-8"), ensure_ascii=False)
        return Markup(content.replace("<", "\\u003c"))

    @property
    def parts(self) -> list[tables.Table | Markup]:
        """A table's file, taken apart."""
        return tables.parts(self.path)


@dataclass(frozen=True)
class Section:
    """What the page shows of one result set."""

    anchor: str
    title: str
    budget: str
    tables: tuple[Item, ...]
    figures: tuple[Item, ...]
    pages: tuple[Item, ...]
    data: tuple[Item, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """All of them, in the order in which the page has them."""
        return (*self.tables, *self.figures, *self.pages, *self.data)


class Report:
    """The page's content.

    Attributes:
        origins: By key, how the items and rows that were asked for so far came about.
    """

    def __init__(self) -> None:
        self._known = Origins()
        self.origins: dict[str, Origin] = {}

    @cached_property
    def tree(self) -> dict[str, list[Section]]:
        """A section a result set, by experiment."""
        tree: dict[str, list[Section]] = {}
        for found in result_sets():
            tree.setdefault(found.experiment, []).append(self._section(found))
        return tree

    @cached_property
    def run_times(self) -> list[RunTimes]:
        """What is known of how long jobs took."""
        return run_times()

    @cached_property
    def claim(self) -> str:
        """What the certificates say, all taken together."""
        return certified_in_all()

    def row_origin(self, table: Path, row: tables.Row) -> str:
        """Key of how the numbers of a table's row came about; empty where they are of no recorded runs."""
        record = self._known.record(table)
        if record is None or row.precision is None:
            return ""
        experiment = row.experiment or record["wildcards"].get("experiment", "")
        budget = record["wildcards"].get("budget", "")
        key = _anchor("origin", table.stem, experiment, budget, row.precision)
        if key not in self.origins:
            title = f"{experiment}, {budget} budget, {precision_title(row.precision)}"
            logs = Path("results", budget, experiment, "logs", row.precision)
            files = [path for path in record["inputs"] if Path(path).is_relative_to(logs)]
            if not files:
                return ""
            self.origins[key] = self._known.of_runs(files, title)
        return key

    def _section(self, found: ResultSet) -> Section:
        anchor = _anchor(found.experiment, found.budget)
        results_first = sorted(found.tables, key=lambda path: (path.stem not in ("results", "summary"), path))
        shown = [
            tuple(self._shown(anchor, path, found) for path in paths)
            for paths in (results_first, found.figures, found.pages)
        ]
        data = tuple(Item(_anchor(anchor, path.name), path, path.name, Markup(), "") for path in found.data)
        return Section(anchor, found.title, found.budget, *shown, data)

    def _shown(self, section: str, path: Path, found: ResultSet) -> Item:
        """What has a caption and an origin."""
        # A table that is called as a figure has a caption of its own, or the figure's.
        of_table = f"{path.stem}_table"
        name = of_table if path.suffix == ".md" and captions.source(of_table) else path.stem
        title, key = captions.title(name), _anchor("origin", section, path.name)
        self.origins[key] = self._known.of_file(path, title)
        wildcards, params = {"experiment": found.experiment, "budget": found.budget}, {}
        if record := self._known.record(path):
            wildcards, params = wildcards | record["wildcards"], record["params"]
        return Item(_anchor(section, path.name), path, title, captions.as_html(name, wildcards, params), key)


def _anchor(*names: str) -> str:
    return "--".join(re.sub(r"[^\w-]+", "-", name) for name in names if name)


def _held(cell: str) -> Markup:
    """A cell in which a line does not end between a value and its spread, unless the table is too wide."""
    return Markup(_SPREAD.sub(r'<span class="held">\g<0></span>', str(escape(cell))))


def rendered() -> str:
    """The whole page as HTML."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["held"] = _held
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    commit = git("describe", "--always", "--dirty", "--abbrev=8")
    return template.render(report=Report(), introduction=captions.as_html("workflow", {}, {}), commit=commit)
