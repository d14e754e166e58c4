"""`lossless-snn certify-peers`."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ....config.parameters import comparison_options
from ....conversion.spiking_network import SpikingNetwork
from ....errors import LosslessError
from ....networks.quantiser import MOST_STEPS
from ....runs import certified
from ....simulation.certification import neurons, peers
from ...options import local_option, threads_option
from . import certify

# In the order of tables and figures.
OURS = {
    "exact": neurons.exact,
    "faithful": neurons.faithful,
    "STBIF": neurons.stbif,
    "QCFS": neurons.qcfs,
    "signed with memory": neurons.signed,
}
PEERS = {
    "SpikingJelly STBIF": peers.stbif,
    "SpikingJelly ann2snn": peers.spikingjelly,
    "sinabs": peers.sinabs,
    "snnTorch": peers.snntorch,
}


@click.command()
@click.argument("snn", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option(
    "--peers-python",
    type=click.Path(path_type=Path),
    default=Path(".venv-peers/bin/python"),
    help="Interpreter of the environment of requirements/peers.lock.",
)
@click.option("--steps", type=click.IntRange(1, MOST_STEPS), help="Time steps; those of the experiment's `comparison`.")
@click.option("--limit", type=click.IntRange(min=1), default=200, help="First images of the test set.")
@click.option("--batch-size", type=click.IntRange(min=1), default=50, help="Images at once.")
@threads_option
@local_option
def command(snn, out, peers_python, steps, limit, batch_size, threads, local) -> None:
    """Judge published neurons and other libraries' implementations of SNN; write certified.csv.

    \b
    Example:
        lossless-snn certify-peers k1.snn.safetensors --out logs/
    """
    if not peers_python.is_file():
        raise LosslessError(f"{peers_python}: no such interpreter; make it by `make {peers_python}`")
    network = SpikingNetwork.load(snn)
    steps = steps or comparison_options(network.metadata.experiment)[0]
    rows: list[certified.CertifiedRecord] = []
    for name, factory in OURS.items():
        found = certify.judged(network, factory, steps, limit, batch_size, threads, local)
        rows += found.rows(name)
        click.echo("\n".join(found.lines(name)))
    options = ["--steps", steps, "--limit", limit, "--batch-size", batch_size, "--threads", threads]
    options += ["--local", local] if local else []
    for name, factory in PEERS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder, certified.FILE)
            implementation = f"{factory.__module__}:{factory.__name__}"
            _certify(peers_python, snn, "--implementation", implementation, "--name", name, "--out", path, *options)
            rows += certified.read_rows(path)
    certified.write(out / certified.FILE, rows)


def _certify(python: Path, *arguments: object) -> None:
    """`lossless-snn certify` in another environment; raises LosslessError where it fails."""
    source = Path(__file__).parents[4]
    command = [str(python), "-m", "lossless_snn", "certify", *map(str, arguments)]
    if status := subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}).returncode:
        raise LosslessError(f"{python}: status {status}; its messages stand above")
