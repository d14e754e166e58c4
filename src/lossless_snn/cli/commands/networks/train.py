"""`lossless-snn train`."""

from pathlib import Path

import click

from ....config.parameters import training_recipe
from ....config.values import MOST_SEED
from ....provenance.code.entries import command_code
from ....training.training import Job, train
from ...options import budget_option, device_option, experiments, local_option, precision_option, threads_option


@click.command()
@click.argument("experiment", shell_complete=experiments)
@precision_option
@click.option("--seed", type=click.IntRange(0, MOST_SEED), default=0, help="Of the first weights and of the batches.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Checkpoint to write.")
@budget_option
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs in place of the budget's.")
@click.option("--resume", is_flag=True, help="Go on from the last finished epoch, if there is one.")
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write loss and accuracy of every epoch; beside the checkpoint if not given.",
)
@click.option(
    "--initial",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The checkpoint to start from, where the budget's recipe fine-tunes.",
)
@threads_option
@device_option
@local_option
def command(experiment, precision, seed, out, budget, epochs, resume, history, initial, threads, device, local) -> None:
    """Train EXPERIMENT's network at one precision and write its checkpoint.

    \b
    Example:
        lossless-snn train digits-lenet --precision k1 --seed 0 --out k1.safetensors
    """
    recipe = training_recipe(experiment, budget, precision, epochs)
    identity = {
        "experiment": experiment,
        "budget": budget,
        "precision": precision,
        "seed": seed,
        "recipe": recipe,
        "code": command_code("train"),
    }
    train(
        Job.described(identity, initial),
        out,
        history_path=history or out.with_suffix(".history.csv"),
        resume=resume,
        threads=threads,
        device=device,
        local=local,
    )
