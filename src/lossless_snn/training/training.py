"""Training, an epoch at a time, resumable after each, the same bytes each time."""

import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..checkpoints import Checkpoint, CheckpointMetadata
from ..config.architecture import network_graph
from ..config.recipe import Phase, Recipe
from ..datasets import Images, load
from ..datasets.catalogue import find
from ..errors import LosslessError
from ..evaluation.accuracy import accuracy, encode
from ..files.digests import sha256
from ..files.progress import progress
from ..files.typed import validate
from ..networks.device import prepare
from ..networks.quantised import QuantisedNetwork
from ..networks.quantiser import quantiser_level
from ..networks.rescaling import rescaled
from ..runs import history as histories
from ..runs.history import EpochRecord
from . import state as states
from .adam import Adam
from .muon import Muon
from .objective import Objective
from .training_set import TrainingSet, digest, split


@dataclass
class Job:
    """One training: who it is, and its recipe.

    Attributes:
        identity: All that decides the result: experiment, budget, precision, seed, recipe, the digest of the network
            that it starts from, and the code's fingerprint. It becomes the checkpoint's metadata.
        initial: The trained network to start from, where the recipe says so.
    """

    identity: dict[str, Any]
    recipe: Recipe
    initial: Checkpoint | None = None

    @classmethod
    def described(cls, identity: dict[str, Any], initial: Path | None = None) -> "Job":
        """A job from its identity; the network that it starts from becomes a part of that.

        Raises:
            LosslessError: Where the recipe starts from a trained network and none is given, or the other way
                round, and where the one at `initial` is not of the recipe's network and precision.
        """
        recipe = validate(Recipe, identity["recipe"], "recipe")
        where = f"{identity['experiment']}, {identity['budget']} budget, {identity['precision']}"
        if recipe.initial is None:
            if initial is not None:
                raise LosslessError(f"{where}: its recipe starts from nothing trained; leave --initial out")
            return cls(identity, recipe)
        if initial is None:
            raise LosslessError(f"{where}: starts from the network at {recipe.initial}; name its checkpoint: --initial")
        start = Checkpoint.load(initial)
        for name in ("network", "dataset", "upper_bound"):
            expected = getattr(recipe, name)
            if (found := getattr(start.metadata.recipe, name)) != expected:
                raise LosslessError(f"{initial}: {name} {found}, not {expected}")
        if start.metadata.precision != recipe.initial:
            raise LosslessError(f"{initial}: a network at {start.metadata.precision}; {where} needs {recipe.initial}")
        trained = start.metadata
        epochs = (trained.epochs or 0) + (trained.model_extra or {}).get("epochs_before", 0)
        return cls({**identity, "initial": sha256(initial), "epochs_before": epochs}, recipe, start)

    @property
    def epochs_before(self) -> int:
        """The epochs that the network which this one starts from was trained for, all together."""
        return self.identity.get("epochs_before", 0)

    @property
    def title(self) -> str:
        return f"{self.identity['experiment']} {self.identity['precision']} seed {self.identity['seed']}"

    def network(self, device: torch.device) -> QuantisedNetwork:
        """The network before its first step."""
        recipe, graph = self.recipe, network_graph(self.identity["recipe"])
        half = recipe.arithmetic == "bfloat16" or device.type == "cuda"
        arithmetic = torch.bfloat16 if half else None
        network = QuantisedNetwork(graph, quantiser_level(self.identity["precision"]), arithmetic)
        network.initialise(self.identity["seed"], recipe.initialisation == "identity")
        if self.initial is not None:
            parameters = self.initial.parameters
            if recipe.activation_scale != 1:
                parameters = rescaled(parameters, graph, recipe.activation_scale)
            network.load_state_dict({n: torch.from_numpy(a) for n, a in parameters.items()})
        network.train_at_width(recipe.weight_bits)
        return network.to(device, memory_format=torch.channels_last)

    def optimiser(self, network: QuantisedNetwork) -> states.Optimiser:
        """A fresh one, as each phase starts with."""
        return Muon(network, self.recipe.optimiser) if self.recipe.optimiser else Adam(network.parameters())


def train(
    job: Job,
    out: Path,
    *,
    history_path: Path,
    resume: bool = False,
    threads: int = 1,
    device: str = "auto",
    local: Path | None = None,
) -> Checkpoint:
    """Train one network and write its checkpoint and its history.

    After every epoch the state is written beside `out`; with `resume` training goes on from there, and gives the
    bytes that an uninterrupted run gives. A state of another identity, of other images, or of another way to
    calculate (device, threads, processor, releases of PyTorch and NumPy), is never resumed.

    Args:
        job: What to train.
        out: The checkpoint to write.
        history_path: The history to write, see `runs.history`.
        resume: Whether to go on from the last finished epoch.
        threads: Threads to calculate with.
        device: "cpu", "cuda" or "auto".
        local: Folder to look in for the data set first.

    Returns:
        Checkpoint: What was written.

    Raises:
        LosslessError: Where the data cannot be had or do not suffice, and where training diverges.
    """
    target = prepare(device, threads)
    recipe = job.recipe
    training, validation = split(load(recipe.dataset, "train", local=local), recipe)
    network = job.network(target)
    epochs = _Epochs(job, network, TrainingSet(training, recipe, target), target)
    validate = _validation(validation, recipe, target)

    state_path = out.with_suffix(".training")
    images = digest(training, validation, find(recipe.dataset))
    identity = job.identity | {"images": images} | states.decides_bits(target, threads)
    history: list[EpochRecord] = []
    if resume and state_path.exists():
        history = epochs.restore(state_path, identity)
    batches = epochs.batches
    with progress(None, job.title, epochs.count * batches, "batches", initial=len(history) * batches) as bar:
        for epoch in range(len(history), epochs.count):
            started = time.perf_counter()
            seen = epochs.run(epoch, bar)
            tested = validate(network)
            if not np.isfinite((*seen, *(value for value in tested if value is not None))).all() or not _finite(
                network
            ):
                raise LosslessError(f"{out}: epoch {epoch + 1} is not finite; lower the learning rate")
            values = (epoch + 1, *seen, *tested)
            history.append(EpochRecord(**dict(zip(EpochRecord.model_fields, values, strict=True))))
            states.save(state_path, network, epochs.optimiser, identity, history)
            histories.write(history_path, history)
            seconds = time.perf_counter() - started
            with tqdm.external_write_mode():
                print(f"{job.title}, {_in_words(history[-1], epochs.count)}; {seconds:.1f} s", flush=True)

    histories.write(history_path, history)
    network.round_to_width()
    # Not the code: the same network has the same bytes, whatever else was edited; its record names the code.
    metadata = {name: value for name, value in job.identity.items() if name != "code"}
    metadata |= {"epochs": epochs.count, "training_images": len(training)}
    checkpoint = Checkpoint(states.arrays(network.state_dict()), CheckpointMetadata(**metadata))
    checkpoint.save(out)
    state_path.unlink(missing_ok=True)
    return checkpoint


class _Epochs:
    """The epochs of a training, phase after phase, each with a fresh optimiser."""

    def __init__(self, job: Job, network: QuantisedNetwork, images: TrainingSet, device: torch.device) -> None:
        self._job, self._network, self._images, self._device = job, network, images, device
        self._objective = Objective(job.recipe)
        self._ends = list(accumulate(phase.epochs for phase in job.recipe.phases))
        self.count = self._ends[-1]
        self.optimiser = job.optimiser(network)

    def _phase(self, epoch: int) -> tuple[Phase, int]:
        """The phase of an epoch, and the epoch that it started with."""
        index = next(i for i, end in enumerate(self._ends) if epoch < end)
        return self._job.recipe.phases[index], self._ends[index - 1] if index else 0

    def restore(self, path: Path, identity: dict[str, Any]) -> list[EpochRecord]:
        """Go back to the state of the last finished epoch, unless it belongs to another training; its history."""
        saved = states.State(path)
        if differing := saved.differs(identity):
            print(f"{path}: made with other {', '.join(differing)}; starting from the first epoch", flush=True)
            return []
        if len(saved.history) > self.count:
            raise LosslessError(f"{path}: {len(saved.history)} epochs of a training of {self.count}; delete it")
        saved.copy_into(self._network, self.optimiser)
        print(f"{path}: going on after epoch {len(saved.history)}", flush=True)
        return saved.history

    @property
    def batches(self) -> int:
        """The batches of an epoch."""
        return self._images.batches

    def run(self, epoch: int, bar: tqdm) -> tuple[float, float, float]:
        """Train for one epoch; its first learning rate, and the mean loss and the accuracy as seen while training.

        `bar` is moved on with each batch.
        """
        phase, first = self._phase(epoch)
        if epoch == first:
            self.optimiser = self._job.optimiser(self._network)
        batches, seed = self.batches, self._job.identity["seed"]
        self._network.train()
        losses = torch.zeros((), dtype=torch.float64, device=self._device)
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        images = 0
        for index, (inputs, labels) in enumerate(self._images.epoch(seed, self._job.epochs_before + epoch)):
            loss, logits = self._objective(self._network, inputs, labels)
            loss.backward()
            rate = phase.rate((epoch - first) * batches + index, phase.epochs * batches)
            self.optimiser.step(rate)
            losses += loss.detach()
            correct += (logits.detach().argmax(1) == labels).sum()
            images += len(labels)
            bar.update()
        first_rate = phase.rate((epoch - first) * batches, phase.epochs * batches)
        return first_rate, losses.item() / batches, correct.item() / images


def _validation(images: Images, recipe: Recipe, device: torch.device):
    """A function that gives a network's loss and accuracy on held-out images; None for both without any."""
    if not len(images):
        return lambda network: (None, None)
    inputs = encode(images.pixels, find(recipe.dataset), device)
    labels = torch.from_numpy(images.labels).to(device)
    return lambda network: accuracy(network, inputs, labels)


def _finite(network: QuantisedNetwork) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values())


def _in_words(row: EpochRecord, epochs: int) -> str:
    shares = [f"train loss {row.train_loss:.4f}, accuracy {row.train_accuracy:.2%}"]
    if row.validation_loss is not None:
        shares.append(f"validation loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.2%}")
    return f"epoch {row.epoch}/{epochs}: {'; '.join(shares)}"
