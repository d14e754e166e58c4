"""`python -m lossless_workflow.report [FILE]`: write the report, results/report.html if no other file is named."""

from pathlib import Path

import click

from lossless_snn.cli.usage import Command
from lossless_snn.files.atomic import write_text

from ..program import program
from .page import rendered

OUT = Path("results/report.html")


@click.command(cls=Command)
@click.argument("out", metavar="[FILE]", type=click.Path(path_type=Path), default=OUT)
def main(out: Path) -> None:
    """Write all figures and tables of results/ as one page, results/report.html if no other FILE is named."""
    page = rendered()
    write_text(out, page)
    print(f"{out}: {len(page.encode()) / 1e6:.1f} MB; open it in a browser, it needs no network")


if __name__ == "__main__":
    with program("report"):
        main(prog_name="python -m lossless_workflow.report")
