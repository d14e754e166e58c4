"""`lossless-snn convert`."""

from pathlib import Path

import click

from ....checkpoints.checkpoint import Checkpoint
from ....conversion.convert import convert
from ....conversion.spiking_network import Widths
from ....conversion.widths import narrow
from ....networks.quantiser import MEMBRANE_BITS


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Network to write.")
@click.option("--weight-bits", type=click.IntRange(2, 24), help="Bits of a weight; as many as conversion takes.")
@click.option("--membrane-bits", type=click.IntRange(2, MEMBRANE_BITS), help="Bits of a membrane, with --weight-bits.")
@click.option(
    "--overflow",
    type=click.Choice(["refuse", "saturate"]),
    default="refuse",
    help="Refuse a network of which a membrane may not fit its bits, or let it saturate.",
)
def command(checkpoint, out, weight_bits, membrane_bits, overflow) -> None:
    """Convert CHECKPOINT's quantised network into a spiking network.

    \b
    Example:
        lossless-snn convert k1.safetensors --out k1.snn.safetensors
    """
    if membrane_bits and not weight_bits:
        raise click.UsageError("--membrane-bits needs --weight-bits")
    network, bits = convert(Checkpoint.load(checkpoint)), ""
    if weight_bits:
        membrane_bits = membrane_bits or MEMBRANE_BITS
        network = narrow(network, Widths(weight_bits=weight_bits, membrane_bits=membrane_bits, overflow=overflow))
        bits = f", weights of {weight_bits} bits, membranes of {membrane_bits}"
    network.save(out)
    click.echo(f"{out}: spiking network of {checkpoint}{bits}")
