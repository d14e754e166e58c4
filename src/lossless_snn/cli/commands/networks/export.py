"""`lossless-snn export`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....checkpoints.published_npz import write_npz
from ....conversion.convert import convert
from ....exchange.nir_file import LOSSY, write_nir
from ....exchange.onnx_file import write_onnx
from ....exchange.stbif import write_stbif
from ....files.atomic import open_file


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write: .npz, .onnx, .nir or .stbif.safetensors, by its ending.",
)
def command(checkpoint, out) -> None:
    """Write CHECKPOINT's network in the format of another project.

    .npz is the layout of the published code, with the precision beside it, and what standard output gets; .onnx the
    quantised network before conversion; .nir the spiking network, as integrate-and-fire neurons, which lose something,
    and as it is, in the metadata; .stbif.safetensors its state for SpikingJelly's ST-BIF neurons, in 32-bit floats.

    \b
    Example:
        lossless-snn export k1.safetensors --out model_mnist.npz
    """
    trained = Checkpoint.load(checkpoint)
    if out.suffix == ".onnx":
        write_onnx(trained.graph, trained.parameters, trained.k, out)
    elif out.suffix == ".nir":
        write_nir(convert(trained), out)
        click.echo(f"{out}: {LOSSY}", err=True)
    elif out.name.endswith(".stbif.safetensors"):
        write_stbif(convert(trained), out)
    elif out.suffix == ".npz" or (not out.suffix and (open_file(out) is not None or out.is_char_device())):
        write_npz(trained.parameters, trained.graph.chain("export to .npz"), out, trained.metadata.precision)
    else:
        raise click.BadParameter(f"'{out}' ends in none of .npz, .onnx, .nir, .stbif.safetensors", param_hint="--out")
    click.echo(f"{out}: network of {checkpoint}")
