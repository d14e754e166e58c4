"""`lossless-snn import`."""

from pathlib import Path

import click

from ....checkpoints import Checkpoint, CheckpointMetadata
from ....checkpoints.published_npz import read_npz, stated_precision, with_output_bias
from ....config.architecture import network_graph
from ....config.experiment import load_experiment
from ....datasets import load
from ....errors import LosslessError
from ...options import experiments, local_option, precision_option

# An .npz says neither how long its network was trained nor from which seed.
UNKNOWN = {"budget": "imported", "seed": None, "epochs": None}
# Training images, the first ones, whose activations tell one precision from another.
CHECKED_IMAGES = 500


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--experiment", required=True, shell_complete=experiments, help="The experiment whose network this is.")
@precision_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Checkpoint to write.")
@click.option("--upper-bound", type=click.FloatRange(0, min_open=True), help="Upper bound of all activations.")
@click.option("--unchecked", is_flag=True, help="Take the precision as given, where the file does not state it.")
@local_option
def command(model, experiment, precision, out, upper_bound, unchecked, local) -> None:
    """Make a checkpoint of MODEL, an .npz file in the layout of the published code.

    The layout: one array `params` of arrays, by layer the kernel (height, width, in, out), then batch norm's beta,
    gamma, moving mean and moving variance; at the end the output's matrix (in, out), with the same four behind it or
    without. It says nothing of strides, padding, pixels, of an upper bound of activations, or of the quantiser: the
    experiment, --upper-bound and --precision do. A file of `lossless-snn export` states its precision. With another
    one, the moving means are compared with those of training images at each precision, unless it is --unchecked; a
    precision that others clearly fit better than is refused.

    \b
    Example:
        lossless-snn import model_mnist.npz --experiment mnist-lenet --precision k1 --out k1.safetensors
    """
    settings = load_experiment(experiment)
    parameters = read_npz(model, settings.layers)
    recipe = settings.architecture | ({} if upper_bound is None else {"upper_bound": upper_bound})
    if any(name.endswith(".bias") for name in parameters):
        # The notation has no bias of the output: the graph itself says what the network is.
        recipe["network"] = with_output_bias(network_graph(settings.architecture)).model_dump(mode="json")
    metadata = CheckpointMetadata(experiment=experiment, precision=precision, recipe=recipe, **UNKNOWN)
    checkpoint = Checkpoint(parameters, metadata)
    stated = stated_precision(model)
    if stated not in (None, precision):
        raise LosslessError(f"{model}: states that it is of precision {stated}, not {precision}")
    if stated is None and not unchecked:
        _check_precision(checkpoint, model, local)
    checkpoint.save(out)
    click.echo(f"{out}: parameters of {model}, as {experiment} at {precision}")


def _check_precision(checkpoint: Checkpoint, model: Path, local: Path | None) -> None:
    """Raise LosslessError if the moving means clearly fit another precision better than the checkpoint's."""
    import torch  # takes seconds, and files that state their precision need not have it

    from ....evaluation.accuracy import encode
    from ....evaluation.precision import CANDIDATES, fits_better, misfits

    named = checkpoint.metadata.precision
    images = load(checkpoint.metadata.recipe.dataset, "train", local=local)[:CHECKED_IMAGES]
    inputs = encode(images.pixels, checkpoint.data, torch.device("cpu"))
    found = misfits(checkpoint, inputs, dict.fromkeys([*CANDIDATES, named]))
    unstated = f"{model}: does not state its precision, and"
    if not len(found[named]):
        raise LosslessError(
            f"{unstated} a single layer's moving means do not tell; import it --unchecked if it is {named}"
        )
    better = [precision for precision in found if fits_better(found[precision], found[named])]
    if better:
        best = min(better, key=lambda precision: found[precision].mean())
        raise LosslessError(
            f"{unstated} its moving means fit {best} better than {named}; name that, or import it --unchecked"
        )
