"""What the commands that read results take: runs, and what to put beside them."""

from pathlib import Path

import click

from ..config.energy import ENERGY
from ..config.settings import PUBLISHED

runs_argument = click.argument("runs", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
published_option = click.option(
    "--published", type=click.Path(path_type=Path), default=PUBLISHED, help="Published values beside ours."
)
energy_option = click.option(
    "--energy", type=click.Path(path_type=Path), default=ENERGY, help="What an operation costs."
)
