"""`lossless-snn activity`."""

import click

from ....runs import activity
from ....simulation.activity import measure_activity
from ...sample_options import sample, sample_options


@click.command()
@sample_options
def command(snn, out, steps, batch_size, limit, threads, local) -> None:
    """Count what every layer of SNN and of its ANN does in every step; write activity.json.

    \b
    Example:
        lossless-snn activity k1.snn.safetensors --out logs
    """
    network, images, steps = sample(snn, steps, limit, local)
    record = measure_activity(network, images, steps, batch_size, threads=threads, title=f"Count activity of {snn}")
    activity.write(out, record)
    spikes = sum(sum(layer.positive) + sum(layer.negative) for layer in record.layers)
    click.echo(f"{snn}: {record.images:,} test images, {steps} steps, {spikes / record.images:,.1f} spikes an image")
