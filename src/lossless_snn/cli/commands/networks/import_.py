"""`lossless-snn import`."""

from pathlib import Path

import click

from ....checkpoints import Checkpoint, CheckpointMetadata
from ....checkpoints.published_npz import read_npz
from ....config.experiment import load_experiment
from ...options import experiments, precision_option

# An .npz says neither how long its network was trained nor from which seed.
UNKNOWN = {"budget": "imported", "seed": None, "epochs": None}


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--experiment", required=True, shell_complete=experiments, help="The experiment whose network this is.")
@precision_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Checkpoint to write.")
def command(model, experiment, precision, out) -> None:
    """Make a checkpoint of MODEL, an .npz file in the layout of the published code.

    \b
    Example:
        lossless-snn import model_mnist.npz --experiment mnist-lenet --precision k1 --out k1.safetensors
    """
    settings = load_experiment(experiment)
    parameters = read_npz(model, settings.layers)
    identity = {"experiment": experiment, "precision": precision, "recipe": settings.architecture}
    Checkpoint(parameters, CheckpointMetadata(**identity, **UNKNOWN)).save(out)
    click.echo(f"{out}: parameters of {model}, as {experiment} at {precision}")
