"""Options that several commands share."""

from pathlib import Path
from typing import get_args

import click

from ..config.values import BudgetName
from ..networks.quantiser import quantiser_level


def check_precision(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        quantiser_level(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


precision_option = click.option(
    "--precision", required=True, callback=check_precision, metavar="fp32|k<N>", help="Level of the quantiser, or none."
)
budget_option = click.option("--budget", type=click.Choice(get_args(BudgetName)), default="quick")
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), default=1, help="Threads of the job; they may change the last bits."
)
device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
local_option = click.option(
    "--local",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LOSSLESS_SNN_DATA",
    show_envvar=True,
    help="Folder to look in for the data set before anything is downloaded.",
)
