"""Arguments and options that several commands share."""

from pathlib import Path
from typing import get_args

import click
from click.shell_completion import CompletionItem

from ..config.experiment import EXPERIMENT_FOLDER
from ..config.values import MOST_THREADS, PRECISIONS, BudgetName, checked_precision
from ..errors import did_you_mean
from ..files.configuration import configured_names


class OneOf(click.Choice):
    """A choice whose message says what may have been meant."""

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:
        return f"{super().get_invalid_choice_message(value, ctx).rstrip('.')}{did_you_mean(value, self.choices)}"


def experiments(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """For the shell: the experiments of this folder that begin so."""
    return [CompletionItem(name) for name in configured_names(EXPERIMENT_FOLDER) if name.startswith(begun)]


def _precisions(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in PRECISIONS if name.startswith(begun)]


def check_precision(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checked_precision(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


precision_option = click.option(
    "--precision",
    required=True,
    callback=check_precision,
    shell_complete=_precisions,
    metavar="fp32|k<N>",
    help="Level k of the quantiser, such as k1; fp32 for none.",
)
budget_option = click.option(
    "--budget", type=OneOf(get_args(BudgetName)), default="quick", help="How long to train, as the experiment says."
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MOST_THREADS),
    default=1,
    help="Threads of the job; they may change the last bits. At most this machine's processors, or 64.",
)
device_option = click.option(
    "--device",
    type=OneOf(["auto", "cpu", "cuda"]),
    default="auto",
    help="What calculates; it may change the last bits.",
)
local_option = click.option(
    "--local",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LOSSLESS_SNN_DATA",
    show_envvar=True,
    help="Folder to look in for the data set before anything is downloaded.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else, on standard output."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Refuse what other code made, even if a probe showed it to give the same."
)
full_option = click.option(
    "--full", is_flag=True, help="Read every file, also those unchanged by size, times and inode."
)
