"""`python -m lossless_workflow.report [FILE]`: write the report, results/report.html if no other file is named."""

import argparse
from pathlib import Path

from lossless_snn.files.atomic import write_text

from ..program import program
from .page import rendered

OUT = Path("results/report.html")


def main() -> None:
    parser = argparse.ArgumentParser(prog="report", description="Write all figures and tables of results/ as one page.")
    parser.add_argument("out", nargs="?", type=Path, default=OUT, metavar="FILE", help=f"the page ({OUT})")
    out = parser.parse_args().out
    page = rendered()
    write_text(out, page)
    print(f"{out}: {len(page.encode()) / 1e6:.1f} MB; open it in a browser, it needs no network")


if __name__ == "__main__":
    with program("report"):
        main()
