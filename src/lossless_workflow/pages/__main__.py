"""`make readme`: refresh what README.md and docs/ show of results/, badges, the drawing of rules, and schemas."""

from pathlib import Path

from lossless_snn.files.atomic import write_text

from ..program import program
from . import rule_graph
from .badges import badges
from .blocks import PAGES, refreshed
from .schemas import SCHEMAS, schema_text

if __name__ == "__main__":
    with program("readme"):
        for page in map(Path, PAGES):
            write_text(page, refreshed(page.read_text(encoding="utf-8")))
        for path, badge in badges().items():
            write_text(path, badge)
        write_text(rule_graph.DRAWING, rule_graph.drawn())
        for path, model in SCHEMAS.items():
            write_text(path, schema_text(model))
