"""A probe of a training: its first epochs by the archived sources and by the present ones, compared byte by byte."""

import csv
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ..datasets.sources import LOCAL
from ..errors import LosslessError
from ..files.digests import sha256
from ..files.tensors import load_tensors
from .code.fingerprint import PACKAGE
from .equivalence import Equivalence, subject, write_equivalence
from .jobs import PROGRAM, Place
from .recording import compared_versions
from .records import Records, recorded_job
from .sources import present_code, require_own_folder, unpack_sources
from .verdicts import DATA

RULE = "train"
# What a recipe has beside what all versions of the code know: keys of a budget by the same names.
_OF_BUDGET = ("optimiser", "arithmetic", "initialisation", "label_smoothing", "weight_bits")
_OF_STAGE = ("activation_penalty", "penalty_power")
_NETWORK = "probe.safetensors"


def probe(place: Place, record: Mapping[str, Any], epochs: int, images: int | None = None) -> tuple[Path, Equivalence]:
    """Run the first epochs of a recorded training by its sources and by the present ones, and write what that shows.

    A network that it started from and that is not here is trained by both as well, for as many epochs.

    Args:
        place: Where the record is.
        record: The record of a training.
        epochs: How many epochs to train.
        images: On how many images; None for as many as the recorded training.

    Returns:
        The file that the equivalence was written to, and the equivalence.

    Raises:
        LosslessError: The record is of no training, its sources or data cannot be had, one of the two fails, or
            what they give differs in a single byte; or this process runs another folder's code.
    """
    require_own_folder()
    job = recorded_job(record)
    if job.rule != RULE:
        raise LosslessError(f"{place}: no training; what else there is, is made again in minutes")
    if job.code == record["code"]:
        raise LosslessError(f"{place}: made by the present code; there is nothing to probe")
    steps = _steps(place, record)
    with TemporaryDirectory() as folder:
        before = Path(folder, "before")
        before.mkdir()
        source = unpack_sources(place, record["code"], record["command"], before)
        given = [
            _train(steps, sources, Path(folder, name), epochs, images)
            for name, sources in (("recorded", before / "src"), ("present", PACKAGE.parent))
        ]
    if present_code(job.command) != job.code:
        raise LosslessError(f"{place}: the code was edited while the probe ran; probe again")
    if differing := [name for name in {**given[0], **given[1]} if given[0].get(name) != given[1].get(name)]:
        raise LosslessError(
            f"{place}: not equivalent: after {epochs} epochs by the code of {source} and by the present code "
            f"{_listed(differing)} differ; the present code has to train it anew"
        )
    described = {"epochs": epochs, "command": probe_command(record, epochs)}
    described |= {**_execution(record), "versions": compared_versions()}
    if before_it := steps[:-1]:
        described["from"] = [probe_command(step, epochs) for step in before_it]
    if images is not None:
        described["images"] = images
    equivalence = Equivalence(
        rule=job.rule,
        wildcards=subject(job),
        params=job.params,
        codes=(record["code"], job.code),
        probe=described,
        digests=given[0],
    )
    return write_equivalence(job, equivalence), equivalence


def probe_command(record: Mapping[str, Any], epochs: int) -> str:
    """The record's command, for so many epochs, with files of its own."""
    words = shlex.split(record["command"])
    for option, value in (("--out", _NETWORK), ("--history", "history.csv")):
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


def _steps(place: Place, record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Records of the trainings to probe: `record`, after those that give networks it needs and that are not here."""
    initial = recorded_job(record).options().get("--initial")
    if initial is None or Path(initial).is_file():
        return [record]
    if (made := Records().made(initial)) is None or made[1]["rule"] != RULE:
        raise LosslessError(
            f"{place}: {initial}, which it started from, is not here, and no record tells how to train it"
        )
    return [*_steps(*made), record]


def _train(
    steps: list[Mapping[str, Any]], sources: Path, folder: Path, epochs: int, images: int | None
) -> dict[str, str]:
    """Digests of what the last of the trainings gives by these sources, each in an empty project below `folder`."""
    initial = None
    for number, record in enumerate(steps):
        project = folder / str(number)
        recipe = record["params"]["recipe"] | ({} if images is None else {"train_images": images})
        _run(probe_command(record, epochs), record, recipe, sources, project, initial)
        initial = project / _NETWORK
    return _digests(project, recipe)


def _run(
    command: str,
    record: Mapping[str, Any],
    recipe: Mapping[str, Any],
    sources: Path,
    folder: Path,
    initial: Path | None,
) -> None:
    """Train by these sources, in an empty project in `folder`, from `initial` if that is not the recorded network."""
    experiment, wildcards = record["wildcards"]["experiment"], record["wildcards"]
    path = folder / "config" / "experiments" / f"{experiment}.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(experiment_file(recipe, wildcards["budget"], wildcards["precision"]), encoding="utf-8")
    if (descriptions := Path("config/datasets")).is_dir():
        shutil.copytree(descriptions, folder / descriptions)
    words = shlex.split(command)
    if "--initial" in words:
        given = words.index("--initial") + 1
        if initial is None and sha256(words[given]) != record["inputs"][words[given]]["sha256"]:
            raise LosslessError(f"{words[given]}: not the network that the training started from; restore it")
        words[given] = str(Path(initial or words[given]).resolve())
    environment = {**os.environ, "PYTHONPATH": str(sources.resolve())}
    if all(Path(name).is_file() for name in record["inputs"] if Path(name).is_relative_to(DATA)):
        (folder / DATA).symlink_to(DATA.resolve())
    if LOCAL in environment:
        environment[LOCAL] = str(Path(environment[LOCAL]).resolve())
    run = subprocess.run(
        [sys.executable, "-m", PACKAGE.name, *words[words.index(PROGRAM) + 1 :]],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if run.returncode:
        *_, last = run.stderr.strip().splitlines() or ["no message"]
        raise LosslessError(f"probe by {sources}: {command} failed: {last}")


def _digests(folder: Path, recipe: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every tensor with its type and shape, and of all numbers of the history."""
    tensors, metadata = load_tensors(folder / _NETWORK, "checkpoint")
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


def _execution(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("device", "threads") if name in record}


def _listed(names: list[str]) -> str:
    shown, more = names[:5], len(names) - 5
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
