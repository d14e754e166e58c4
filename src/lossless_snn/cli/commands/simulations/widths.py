"""`lossless-snn widths`."""

import click

from ....conversion.spiking_network import SpikingNetwork, Widths
from ....conversion.widths import narrow
from ....datasets import Images
from ....networks.quantiser import MEMBRANE_BITS
from ....runs import widths
from ....simulation.test_set import simulate_test_set
from ...sample_options import sample, sample_options

BITS = (4, 6, 8, 12, 16)
# Of weights, where membranes vary.
USUAL_WEIGHT_BITS = 8


@click.command()
@sample_options
def command(snn, out, steps, batch_size, limit, threads, local) -> None:
    """Simulate and certify SNN with weights, then membranes, of 4 to 16 bits; write widths.csv.

    \b
    Example:
        lossless-snn widths k1.snn.safetensors --out logs
    """
    network, images, steps = sample(snn, steps, limit, local)
    run = {"steps": steps, "batch_size": batch_size, "threads": threads}
    full = simulate_test_set(network, images, source=snn, **run).record.accuracy
    tried = [Widths(weight_bits=bits, membrane_bits=MEMBRANE_BITS, overflow="refuse") for bits in BITS]
    tried += [Widths(weight_bits=USUAL_WEIGHT_BITS, membrane_bits=bits, overflow="saturate") for bits in BITS]
    rows = [_at_width(network, bits, images, full, run) for bits in tried]
    widths.write(out / widths.FILE, rows)
    for row in rows:
        click.echo(
            f"{snn}: weights of {row.weight_bits} bits, membranes of {row.membrane_bits}: accuracy {row.accuracy:.2%} "
            f"of {row.images:,} test images (at full width {full:.2%}); {row.neurons_that_differ:,} neurons differ"
        )


def _at_width(network: SpikingNetwork, bits: Widths, images: Images, full: float, run: dict) -> widths.WidthRecord:
    """The network at one pair of widths; raises LosslessError where a count differs that nothing saturated."""
    simulated = simulate_test_set(narrow(network, bits), images, **run)
    simulated.check(f"weights of {bits.weight_bits} bits")
    proof = simulated.certificate
    return widths.WidthRecord(
        **bits.model_dump(),
        images=proof.images,
        accuracy=simulated.record.accuracy,
        grid_ann_accuracy=proof.grid_ann_accuracy,
        full_accuracy=full,
        neurons_compared=proof.neurons_compared,
        neurons_that_differ=proof.mismatches,
        predictions_that_differ=proof.predictions_that_differ,
        images_not_settled=proof.images_not_settled,
    )
