"""Training: cross-entropy and Adam, an epoch at a time, resumable after each, the same bytes each time."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from ..checkpoints import Checkpoint, CheckpointMetadata
from ..datasets import load
from ..datasets.catalogue import find
from ..errors import LosslessError
from ..evaluation.accuracy import accuracy, encode
from ..files.records import Record
from ..files.tensors import TensorSpec, check_tensors, load_tensors, save_tensors
from ..files.typed import validate
from ..networks.device import prepare
from ..networks.quantised import QuantisedNetwork
from ..networks.quantiser import quantiser_level
from ..runs import history
from ..runs.history import EpochRecord
from .adam import Adam
from .training_set import TrainingSet, split

STATE_KIND = "training state"


@dataclass
class _State:
    """What an epoch leaves behind for the next one."""

    network: QuantisedNetwork
    optimiser: Adam
    history: list[EpochRecord]


class _StateMetadata(Record):
    """What a state's file says beside the training's identity: the epochs that it is the state after."""

    history: Annotated[list[EpochRecord], Field(min_length=1)]


def train(
    identity: dict[str, Any],
    layers: tuple,
    out: Path,
    *,
    history_path: Path,
    resume: bool = False,
    threads: int = 1,
    device: str = "auto",
    local: Path | None = None,
) -> Checkpoint:
    """Train one network and write its checkpoint to `out` and its history to `history_path`.

    `identity` is all that decides the result: experiment, budget, precision, seed, recipe and code
    fingerprint; a state of another identity is never resumed. After every epoch the state is
    written beside `out`; with `resume` training goes on from there, and gives the bytes that an
    uninterrupted run gives. Raises LosslessError where the data cannot be had or do not suffice.
    """
    target = prepare(device, threads)
    recipe = identity["recipe"]
    training, validation = split(load(recipe["dataset"], "train", local=local), recipe)
    training_set = TrainingSet(training, recipe, target)
    held_out = encode(validation.pixels, find(recipe["dataset"]), target)
    labels = torch.from_numpy(validation.labels).to(target)
    schedule = [phase["learning_rate"] for phase in recipe["phases"] for _ in range(phase["epochs"])]
    title = f"{identity['experiment']} {identity['precision']} seed {identity['seed']}"
    starts = np.cumsum([phase["epochs"] for phase in recipe["phases"]])

    network = QuantisedNetwork(layers, quantiser_level(identity["precision"]))
    network.initialise(identity["seed"])
    network.to(target, memory_format=torch.channels_last)
    state = _State(network, Adam(network.parameters(), schedule[0]), [])
    state_path = out.with_suffix(".training")
    if resume and state_path.exists():
        _restore(state, state_path, identity, schedule)

    for epoch in range(len(state.history), len(schedule)):
        if epoch in starts:
            state.optimiser = Adam(network.parameters(), schedule[epoch])
        started = time.perf_counter()
        batches = tqdm(
            training_set.epoch(identity["seed"], epoch),
            f"{title}, epoch {epoch + 1}/{len(schedule)}",
            training_set.batches,
            leave=False,
            disable=not sys.stderr.isatty(),
        )
        seen = _run_epoch(state, batches, target)
        tested = accuracy(network, held_out, labels) if len(labels) else (None, None)
        if not np.isfinite((seen[0], tested[0] or 0.0)).all():
            raise LosslessError(f"{out}: the loss of epoch {epoch + 1} is not finite; lower the learning rate")
        row = (epoch + 1, schedule[epoch], *seen, *tested)
        state.history.append(EpochRecord(**dict(zip(EpochRecord.model_fields, row, strict=True))))
        _save(state, state_path, identity)
        history.write(history_path, state.history)
        seconds = time.perf_counter() - started
        print(f"{title}, {_in_words(state.history[-1], len(schedule))}; {seconds:.1f} s", flush=True)

    history.write(history_path, state.history)
    metadata = CheckpointMetadata(**identity, epochs=len(schedule), training_images=len(training))
    checkpoint = Checkpoint(_arrays(network.state_dict()), metadata)
    checkpoint.save(out)
    state_path.unlink(missing_ok=True)
    return checkpoint


def _in_words(row: EpochRecord, epochs: int) -> str:
    shares = [f"train loss {row.train_loss:.4f}, accuracy {row.train_accuracy:.2%}"]
    if row.validation_loss is not None:
        shares.append(f"validation loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.2%}")
    return f"epoch {row.epoch}/{epochs}: {'; '.join(shares)}"


def _run_epoch(state: _State, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> tuple[float, float]:
    """One pass over the training images; (mean loss, accuracy) as seen while training."""
    state.network.train()
    # On a GPU, convolutions calculate in 16 bits; all else, and all that is stored, has 32.
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
    losses = torch.zeros((), dtype=torch.float64, device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    count = images = 0
    for inputs, labels in batches:
        with mixed:
            logits = state.network(inputs)
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward()
        state.optimiser.step()
        losses += loss.detach()
        correct += (logits.detach().argmax(1) == labels).sum()
        count, images = count + 1, images + len(labels)
    return losses.item() / count, correct.item() / images


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def _save(state: _State, path: Path, identity: dict[str, Any]) -> None:
    tensors = {**state.network.state_dict(), **state.optimiser.state()}
    rows = [row.model_dump() for row in state.history]
    save_tensors(path, STATE_KIND, _arrays(tensors), {**identity, "history": rows})


def _restore(state: _State, path: Path, identity: dict[str, Any], schedule: list[float]) -> None:
    """Load the state of the last finished epoch, unless it belongs to another training."""
    tensors, metadata = load_tensors(path, STATE_KIND)
    if changed := [name for name in identity if metadata.get(name) != identity[name]]:
        print(f"{path}: made with another {', '.join(changed)}; starting from the first epoch", flush=True)
        return
    epochs = validate(_StateMetadata, metadata, path).history
    if [row.epoch for row in epochs] != list(range(1, len(epochs) + 1)) or len(epochs) > len(schedule):
        raise LosslessError(f"{path}: its history has not one row an epoch; delete it to start again")
    state.history, state.optimiser = epochs, Adam(state.network.parameters(), schedule[len(epochs) - 1])
    parts = {**state.network.state_dict(), **state.optimiser.state()}
    specs = {name: TensorSpec(tuple(part.shape), str(part.numpy(force=True).dtype)) for name, part in parts.items()}
    check_tensors(tensors, specs, path)
    for name, part in parts.items():
        part.copy_(torch.from_numpy(tensors[name]))
    print(f"{path}: going on after epoch {len(state.history)}", flush=True)
