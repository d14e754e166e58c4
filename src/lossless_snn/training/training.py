"""Training: cross-entropy and Adam, an epoch at a time, resumable after each, the same bytes each time."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..checkpoints.checkpoint import Checkpoint
from ..datasets import load
from ..datasets.catalogue import find
from ..errors import LosslessError
from ..evaluation.accuracy import accuracy, encode
from ..files.atomic import replacing
from ..files.tensors import load_tensors, save_tensors
from ..networks.device import prepare
from ..networks.quantised import QuantisedNetwork
from ..networks.quantiser import quantiser_level
from .adam import Adam
from .training_set import TrainingSet, split

STATE_KIND = "training state"
HISTORY_COLUMNS = (
    "epoch",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "seconds",
)


@dataclass
class _State:
    """What an epoch leaves behind for the next one."""

    network: QuantisedNetwork
    optimiser: Adam
    history: list[dict[str, Any]]


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
        if not np.isfinite(seen[0]):
            raise LosslessError(f"{out}: the loss of epoch {epoch + 1} is not finite; lower the learning rate")
        tested = accuracy(network, held_out, labels) if len(labels) else (None, None)
        row = (epoch + 1, schedule[epoch], *seen, *tested, round(time.perf_counter() - started, 3))
        state.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)))
        _save(state, state_path, identity)
        _write_history(history_path, state.history)
        print(f"{title}, {_in_words(state.history[-1], len(schedule))}", flush=True)

    _write_history(history_path, state.history)
    # Not the code: the same network has the same bytes, whatever else was edited; its record names the code.
    metadata = {name: value for name, value in identity.items() if name != "code"}
    metadata |= {"epochs": len(schedule), "training_images": len(training)}
    checkpoint = Checkpoint(_arrays(network.state_dict()), metadata)
    checkpoint.save(out)
    state_path.unlink(missing_ok=True)
    return checkpoint


def _in_words(row: dict[str, Any], epochs: int) -> str:
    shares = [f"train loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}"]
    if row["validation_loss"] is not None:
        shares.append(f"validation loss {row['validation_loss']:.4f}, accuracy {row['validation_accuracy']:.2%}")
    return f"epoch {row['epoch']}/{epochs}: {'; '.join(shares)}; {row['seconds']:.1f} s"


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
    save_tensors(path, STATE_KIND, _arrays(tensors), {**identity, "history": state.history})


def _restore(state: _State, path: Path, identity: dict[str, Any], schedule: list[float]) -> None:
    """Load the state of the last finished epoch, unless it belongs to another training."""
    tensors, metadata = load_tensors(path, STATE_KIND)
    if changed := [name for name in identity if metadata.get(name) != identity[name]]:
        print(f"{path}: made with another {', '.join(changed)}; starting from the first epoch", flush=True)
        return
    state.history = metadata["history"]
    state.optimiser = Adam(state.network.parameters(), schedule[len(state.history) - 1])
    for name, tensor in {**state.network.state_dict(), **state.optimiser.state()}.items():
        tensor.copy_(torch.from_numpy(tensors[name]))
    print(f"{path}: going on after epoch {len(state.history)}", flush=True)


def _write_history(path: Path, history: list[dict[str, Any]]) -> None:
    with replacing(path) as partial:
        lines = [
            ",".join(HISTORY_COLUMNS),
            *(
                ",".join("" if row[column] is None else str(row[column]) for column in HISTORY_COLUMNS)
                for row in history
            ),
        ]
        partial.write_text("\n".join(lines) + "\n")
