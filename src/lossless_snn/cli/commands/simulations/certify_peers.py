"""`lossless-snn certify-peers`."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import torch

from ....config.parameters import comparison_options
from ....conversion.spiking_network import SpikingNetwork
from ....datasets import load
from ....errors import LosslessError
from ....networks.quantiser import MOST_STEPS
from ....runs import certified
from ....simulation.certification import judge, neurons, peers
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
    """Judge published neurons and other libraries' implementations of SNN; write certified.csv."""
    if not peers_python.is_file():
        raise LosslessError(f"{peers_python}: no such interpreter; make it by `make {peers_python}`")
    network = SpikingNetwork.load(snn)
    steps = steps or comparison_options(network.metadata.experiment)[0]
    torch.set_num_threads(threads)
    data, encoded = network.metadata.dataset, network.data.encoding.integers
    calibration = encoded(load(data, "train", local=local)[: certify.CALIBRATION_IMAGES].pixels)
    images, rows = load(data, "test", local=local)[:limit], []
    for name, factory in OURS.items():
        found = judge(network, factory(network, calibration), images, steps, batch_size, f"Certify {name}")
        rows += found.rows(name)
        click.echo("\n".join(found.lines(name)))
    options = ["--steps", steps, "--limit", limit, "--batch-size", batch_size, "--threads", threads]
    options += ["--local", local] if local else []
    for name, factory in PEERS.items():
        with TemporaryDirectory() as folder:
            path = Path(folder, certified.FILE)
            judged = f"{factory.__module__}:{factory.__name__}"
            arguments = [snn, "--implementation", judged, "--name", name, "--out", path, *options]
            _run(peers_python, certify.command.name, *arguments)
            rows += certified.read_rows(path)
    certified.write(out / certified.FILE, rows)


def _run(python: Path, *arguments: object) -> None:
    """A command of this package in another environment; raises LosslessError where it fails."""
    source = Path(__file__).parents[4]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    command = [str(python), "-m", "lossless_snn", *map(str, arguments)]
    if status := subprocess.run(command, env=environment).returncode:
        raise LosslessError(f"{python}: status {status}; its messages stand above")
