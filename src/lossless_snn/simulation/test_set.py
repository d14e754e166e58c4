"""The central loop: a test set simulated, measured and certified, batch after batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..checkpoints import Checkpoint
from ..conversion.binding import check_conversion
from ..conversion.spiking_network import SpikingNetwork
from ..datasets import Images
from ..errors import LosslessError
from ..files.progress import batches
from ..runs.certificate import CertificateRecord
from ..runs.identity import NetworkRecord
from ..runs.snn import SnnRecord
from ..runs.step_logs import StepLogs, write_simulation
from . import simulator
from .certificate import Certificate
from .metrics import Metrics
from .state import State, content_sha256


@dataclass(frozen=True)
class TestSetSimulation:
    """A spiking network on a test set.

    Attributes:
        record: accuracy, time steps, spikes and operations over all images, as in snn.json.
        certificate: every neuron's net spike count beside the ANN's activation, as in certificate.json.
        logs: the same step by step, (batches, steps) each.
        settled_step: steps until no neuron spikes any more, int64 (N,); -1 where one still can.
        saturating: whether the network's membranes saturate where they do not fit.
    """

    __test__ = False  # no test of pytest's, whatever its name begins with

    record: SnnRecord
    certificate: CertificateRecord
    logs: StepLogs
    settled_step: np.ndarray
    saturating: bool = False

    def write(self, folder: Path) -> None:
        """Write snn.json, certificate.json and the four step logs to `folder`: all of them, or none."""
        write_simulation(folder, self.logs, self.record, self.certificate)

    def check(self, source: str | Path) -> None:
        """Raise LosslessError, naming the network's `source`, where exact arithmetic was not lossless.

        The published code's arithmetic rounds, and membranes may saturate: there a count that differs is a finding,
        here it is a bug.
        """
        proof = self.certificate
        if proof.arithmetic == "exact" and not self.saturating and proof.first_offender:
            raise LosslessError(
                f"{source}: not lossless: {proof.mismatches_in_settled_images} neurons at rest differ from the "
                f"ANN's, the first in {proof.first_offender}"
            )


def simulate_test_set(
    network: SpikingNetwork,
    images: Images,
    steps: int,
    batch_size: int,
    *,
    arithmetic: str = "exact",
    engine: str = "auto",
    threads: int = 1,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
    source: str | Path = "network",
    state: Path | None = None,
    code: str = "",
) -> TestSetSimulation:
    """Simulate `images` for `steps` time steps, `batch_size` at a time, and compare every neuron with the ANN's.

    Args:
        network: the spiking network; its metadata says which data set `images` must be of.
        images: test images as stored, uint8 (N, C, H, W), and their classes.
        steps: time steps of each batch.
        batch_size: images that share a line of the logs; no other number depends on it.
        arithmetic, engine, threads, device: see `simulation.simulator`; in exact arithmetic they change nothing.
        checkpoint: the trained network, where it is at hand: the network must be its conversion, bit for bit, and
            the certificate says that it was.
        source: where the network came from, for messages and the progress bar.
        state: where to keep what is simulated so far, in exact arithmetic (the faithful one may round otherwise on
            another machine): an interrupted simulation goes on from there, and gives the bytes of an uninterrupted one.
        code: fingerprint of the code, which a state must be of.

    Raises:
        LosslessError: where the simulator cannot be had, its numbers would not be exact, or the network is not the
            checkpoint's conversion.
    """
    if checkpoint is not None:
        check_conversion(network, checkpoint, source)
    metrics, certificate = Metrics(), Certificate(network, threads=threads)
    run = simulator(network, engine, threads, device, arithmetic).run
    identity = {"network": network.sha256, "images": content_sha256(images), "steps": steps, "batch_size": batch_size}
    progress = State(state if arithmetic == "exact" else None, {**identity, "code": code})
    done = progress.restore(metrics, certificate)
    for batch in batches(len(images), batch_size, f"Simulate {source}", done):
        pixels, labels = network.data.encoding.integers(images.pixels[batch]), images.labels[batch]
        trace = run(pixels, steps)
        metrics.add(trace, labels)
        certificate.add(pixels, labels, trace)
        progress.save(metrics, certificate)
    units, state = network.graph.max_pooling
    record = SnnRecord(
        **network.metadata.model_dump(include=set(NetworkRecord.model_fields)),
        arithmetic=arithmetic,
        **metrics.summary(),
        neurons=network.graph.neuron_count,
        ann_operations=network.graph.ann_operations,
        simulated_steps=steps,
        batch_size=batch_size,
        **({"max_pooling_units": units, "max_pooling_state": state} if units else {}),
    )
    proof = CertificateRecord(
        arithmetic=arithmetic,
        **certificate.summary(),
        network_sha256=network.sha256,
        checkpoint_sha256=network.metadata.checkpoint_sha256,
        bound_to_checkpoint=checkpoint is not None,
    )
    return TestSetSimulation(
        record, proof, metrics.step_logs(), np.concatenate(metrics.settled_step), saturating=network.saturates
    )
