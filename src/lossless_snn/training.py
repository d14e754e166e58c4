"""Training: cross-entropy and Adam, an epoch at a time, resumable after each, the same bytes each time."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from .adam import Adam
from .artifacts import load_tensors, replacing, save_tensors
from .checkpoints import Checkpoint
from .datasets import Images, load
from .datasets.catalogue import DATASETS
from .errors import LosslessError
from .evaluation import accuracy, encode, select_device
from .experiments import quantiser_level
from .network import QuantisedNetwork

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
    history: list[dict[str, float]]


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
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    target = select_device(device)
    recipe = identity["recipe"]
    images = load(recipe["dataset"], "train", local=local)
    train_set, validation_set = split(images, recipe, target)
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
        batches = _batches(len(train_set[1]), recipe["batch_size"], identity["seed"], epoch)
        seen = _run_epoch(state, train_set, batches, f"{title}, epoch {epoch + 1}/{len(schedule)}")
        if not np.isfinite(seen[0]):
            raise LosslessError(f"{out}: the loss of epoch {epoch + 1} is not finite; lower the learning rate")
        held_out = accuracy(network, *validation_set)
        row = (epoch + 1, schedule[epoch], *seen, *held_out, round(time.perf_counter() - started, 3))
        state.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)))
        _save(state, state_path, identity)
        _write_history(history_path, state.history)
        print(f"{title}, {_in_words(state.history[-1], len(schedule))}", flush=True)

    _write_history(history_path, state.history)
    checkpoint = Checkpoint(_arrays(network.state_dict()), {**identity, "epochs": len(schedule)})
    checkpoint.save(out)
    state_path.unlink(missing_ok=True)
    return checkpoint


def _in_words(row: dict[str, float], epochs: int) -> str:
    return (
        f"epoch {row['epoch']}/{epochs}: "
        f"train loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.2%}; "
        f"validation loss {row['validation_loss']:.4f}, accuracy {row['validation_accuracy']:.2%}; "
        f"{row['seconds']:.1f} s"
    )


def split(images: Images, recipe: dict[str, Any], device: torch.device) -> tuple[tuple[Tensor, Tensor], ...]:
    """Training and validation set as (inputs, labels) on `device`; the last images are held out."""
    held_out, available = recipe["validation_images"], len(images.labels)
    if available - held_out < recipe["batch_size"]:
        raise LosslessError(
            f"{recipe['dataset']}: {available} training images, {held_out} of them held out, "
            f"do not fill one batch of {recipe['batch_size']}"
        )
    inputs = encode(images.pixels, DATASETS[recipe["dataset"]], device)
    labels = torch.from_numpy(images.labels).to(device)
    return (inputs[:-held_out], labels[:-held_out]), (inputs[-held_out:], labels[-held_out:])


def _batches(images: int, batch_size: int, seed: int, epoch: int) -> Tensor:
    """Shuffled indices, (batches, batch size): a function of seed and epoch, so that resuming
    needs no generator's state. What does not fill a batch sits this epoch out."""
    order = np.random.default_rng([seed, epoch]).permutation(images)
    return torch.from_numpy(order[: images - images % batch_size].reshape(-1, batch_size))


def _run_epoch(state: _State, train_set: tuple[Tensor, Tensor], batches: Tensor, title: str) -> tuple[float, float]:
    """One pass over the training images; (mean loss, accuracy) as seen while training."""
    inputs, labels = train_set
    state.network.train()
    loss_sum = torch.zeros((), dtype=torch.float64, device=labels.device)
    correct = torch.zeros((), dtype=torch.int64, device=labels.device)
    for batch in tqdm(batches.to(labels.device), title, leave=False, disable=not sys.stderr.isatty()):
        target = labels[batch]
        logits = state.network(inputs[batch])
        loss = F.cross_entropy(logits, target)
        loss.backward()
        state.optimiser.step()
        loss_sum += loss.detach()
        correct += (logits.detach().argmax(1) == target).sum()
    return loss_sum.item() / len(batches), correct.item() / batches.numel()


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


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    with replacing(path) as partial:
        lines = [
            ",".join(HISTORY_COLUMNS),
            *(",".join(str(row[column]) for column in HISTORY_COLUMNS) for row in history),
        ]
        partial.write_text("\n".join(lines) + "\n")
