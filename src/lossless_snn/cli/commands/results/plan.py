"""`lossless-snn plan`."""

import click

from ....analysis import planning
from ....config.costs import read_costs
from ....config.settings import read_settings
from ....config.values import MOST_SEED
from ....provenance.circumstances import measured
from ...options import budget_option, check_precision, experiments


@click.command()
@click.argument("names", nargs=-1, metavar="EXPERIMENTS...", shell_complete=experiments)
@budget_option
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    metavar="fp32|k<N>",
    callback=lambda context, parameter, values: tuple(check_precision(context, parameter, value) for value in values),
    help="Those of configuration if none is given.",
)
@click.option(
    "--seed", "seeds", multiple=True, type=click.IntRange(0, MOST_SEED), help="Those of the budget if none is given."
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="That of configuration if not given.")
def command(names, budget, precisions, seeds, device) -> None:
    """Say what EXPERIMENTS (those of config/config.yaml if none is named) will cost: jobs, hours, memory, disk.

    Costs are those of jobs that ran here, where there are any, and those of config/costs.yaml otherwise.

    \b
    Example:
        lossless-snn plan --budget paper --seed 0 --seed 1 mnist-lenet
    """
    settings = read_settings({})
    rows = planning.plan(
        read_costs(),
        names or settings.experiments,
        budget,
        precisions or settings.precisions,
        seeds or settings.seeds,
        measured,
    )
    click.echo(planning.in_words(rows, device or settings.device))
