"""`make readme`: refresh what README.md and docs/ show of results/, the drawing of the rules, and the schemas."""

from pathlib import Path

from lossless_snn.files.atomic import write_text

from ..program import program
from . import rule_graph
from .blocks import PAGES, refreshed
from .schemas import SCHEMAS, schema_text

if __name__ == "__main__":
    with program("readme"):
        for page in map(Path, PAGES):
            write_text(page, refreshed(page.read_text(encoding="utf-8")))
        write_text(rule_graph.DRAWING, rule_graph.drawn())
        for path, model in SCHEMAS.items():
            write_text(path, schema_text(model))
