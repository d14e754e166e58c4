"""`make readme`: refresh what README.md and docs/ show of results/, and the drawing of the rules."""

from pathlib import Path

from lossless_snn.cli.reporting import reporting
from lossless_snn.files.atomic import write_text

from . import rule_graph
from .blocks import PAGES, refreshed

if __name__ == "__main__":
    with reporting("readme"):
        for page in map(Path, PAGES):
            write_text(page, refreshed(page.read_text(encoding="utf-8")))
        write_text(rule_graph.DRAWING, rule_graph.drawn())
