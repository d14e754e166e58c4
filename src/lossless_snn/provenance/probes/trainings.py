"""The probe of a training: its first epochs by both versions, and the tensors and the history that they give."""

import csv
import hashlib
import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ...config.variants import split_name
from ...errors import LosslessError
from ...files.digests import sha256
from ...files.tensors import load_tensors
from ..equivalence import TRAIN
from ..jobs import Place, options
from .procedure import Procedure, is_here, making, run_in_project

# What a recipe has beside what all versions of the code know: keys of a budget by the same names.
_OF_BUDGET = ("optimiser", "arithmetic", "initialisation", "label_smoothing", "weight_bits")
_OF_STAGE = ("activation_penalty", "penalty_power", "activation_scale")
NETWORK = "probe.safetensors"
"""What the command of a probe writes the network to."""


def training(place: Place, record: Mapping[str, Any], epochs: int, images: int | None) -> Procedure:
    """What both versions do to show that they train the same: the first epochs of the recorded command.

    Args:
        place: Where the record is.
        record: The record of a training.
        epochs: How many epochs to train.
        images: On how many images; None for as many as the recorded training.

    Raises:
        LosslessError: Another network is in the place of the one that it started from, or no record tells how to
            train that.
    """
    steps = trainings(place, record)

    def run(sources: Path, folder: Path) -> dict[str, str]:
        return _digests(train(steps, sources, folder, epochs, images), _recipe(record, images))

    described: dict[str, Any] = {"epochs": epochs, "command": training_command(record, epochs)}
    if before_it := steps[:-1]:
        described["from"] = [training_command(step, epochs) for step in before_it]
    if images is not None:
        described["images"] = images
    return Procedure(run, described)


def training_command(record: Mapping[str, Any], epochs: int) -> str:
    """The record's command, for so many epochs, with files of its own: a variant is the experiment of its recipe."""
    words = shlex.split(record["command"])
    words[2] = split_name(words[2])[0]
    for option, value in (("--out", NETWORK), ("--history", "history.csv")):
        words[words.index(option) + 1] = value
    return shlex.join([*(word for word in words if word != "--resume"), "--epochs", str(epochs)])


def experiment_file(recipe: Mapping[str, Any], budget: str, precision: str) -> str:
    """The file of an experiment with this recipe, without keys that it can do without, and some version may not know.

    Args:
        recipe: A training's parameter, as recorded.
        budget: The budget that shall have it.
        precision: The precision that shall have it.
    """
    own = {"phases": recipe["phases"], **{name: recipe[name] for name in _OF_BUDGET if name in recipe}}
    stage = {name: recipe[name] for name in _OF_STAGE if name in recipe}
    if "initial" in recipe:
        start = [] if recipe["initial"] == "fp32" else [{"precision": recipe["initial"], "phases": recipe["phases"]}]
        own["fine_tuning"] = [*start, {"precision": precision, "phases": recipe["phases"], **stage}]
    else:
        if precision == "fp32" and "activation_penalty" in stage:
            stage["fp32_penalty"] = stage.pop("activation_penalty")
        own |= stage
    if recipe["train_images"] is not None:
        own["train_images"] = recipe["train_images"]
    training = {name: recipe[name] for name in ("batch_size", "validation_images")} | {"budgets": {budget: own}}
    if recipe["augmentation"] is not None:
        training["augmentation"] = recipe["augmentation"]
    network = {name: recipe[name] for name in ("dataset", "network", "padding")}
    content = {**network, "training": training, "simulation": {"steps": 1, "batch_size": 1}}
    # By way of JSON nothing stands in two places, to which YAML would give a name, which no version reads.
    return yaml.safe_dump(json.loads(json.dumps(content)))


def trainings(place: Place, record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records of the trainings to run: `record`, after those that give networks it needs and that are not here.

    Raises:
        LosslessError: Another network is in the place of one of these, or no record tells how to train it.
    """
    initial = _initial(record)
    if initial is None or is_here(record, initial):
        return [record]
    return [*trainings(*making(place, initial, TRAIN)), record]


def train(steps: list[Mapping[str, Any]], sources: Path, folder: Path, epochs: int, images: int | None) -> Path:
    """Run the first epochs of these trainings, each from the network of the one before.

    Args:
        steps: Their records, see `trainings`.
        sources: The folder that the package is in.
        folder: Where each gets a project. What these sources have trained there already is not trained again.
        epochs: How many epochs to train.
        images: On how many images; None for as many as the recorded trainings.

    Returns:
        The project of the last, in which the network is `NETWORK`.

    Raises:
        LosslessError: One of them fails.
    """
    network = None
    for record in steps:
        wildcards = record["wildcards"]
        command = training_command(record, epochs)
        content = experiment_file(_recipe(record, images), wildcards["budget"], wildcards["precision"])
        initial = _initial(record)
        files = {initial: network or Path(initial)} if initial else {}
        decides = [command, content, *map(sha256, files.values())]
        project = folder / hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        network = project / NETWORK
        if network.is_file():
            continue
        shutil.rmtree(project, ignore_errors=True)
        experiment = project / "config" / "experiments" / f"{split_name(wildcards['experiment'])[0]}.yaml"
        experiment.parent.mkdir(parents=True)
        experiment.write_text(content, encoding="utf-8")
        run_in_project(command, sources, project, record["inputs"], files)
    return project


def _initial(record: Mapping[str, Any]) -> str | None:
    return options(record["command"]).get("--initial")


def _recipe(record: Mapping[str, Any], images: int | None) -> dict[str, Any]:
    return record["params"]["recipe"] | ({} if images is None else {"train_images": images})


def _digests(folder: Path, recipe: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every tensor with its type and shape, and of all numbers of the history."""
    tensors, metadata = load_tensors(folder / NETWORK, "checkpoint")
    if any(metadata["recipe"].get(name) != value for name, value in recipe.items() if name != "phases"):
        raise LosslessError(f"the probe's recipe is not the recorded one: {json.dumps(metadata['recipe'])}")
    digests = {
        name: hashlib.sha256(f"{tensor.dtype.str} {tensor.shape}".encode() + tensor.tobytes()).hexdigest()
        for name, tensor in sorted(tensors.items())
    }
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    numbers = [{name: float(value).hex() if value else None for name, value in row.items()} for row in rows]
    return digests | {"history": hashlib.sha256(json.dumps(numbers).encode()).hexdigest()}
