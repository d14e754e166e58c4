"""The probe of a simulation: the first test images through one network by both versions, and the files they give."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from ...errors import LosslessError
from ...files.digests import sha256
from ..code.fingerprint import PACKAGE
from ..equivalence import TRAIN
from ..jobs import Place, options
from ..sources import present_code
from .procedure import Procedure, is_here, making, run_in_project
from .trainings import NETWORK, train, training_command, trainings

_CONVERT = "convert"
_LOGS = "logs"


def simulation(place: Place, record: Mapping[str, Any], epochs: int, images: int | None, folder: Path) -> Procedure:
    """What both versions do to show that they simulate the same: the recorded command on the first test images.

    Both simulate the recorded network. If that or its checkpoint is not here, the present code makes one for both: it
    is the simulation alone that is compared.

    Args:
        place: Where the record is.
        record: The record of a simulation.
        epochs: How many epochs to train a network that is not here.
        images: How many images to simulate, and to train such a network on; None for as many as recorded.
        folder: Where to make such a network, and where the present code's trainings are, see `trainings.train`; it must
            be there for as long as the procedure is run.

    Raises:
        LosslessError: Another network is in the recorded one's place, or it cannot be made.
    """
    files, commands = _networks(place, record, epochs, images, folder)
    command = simulation_command(record, images)

    def run(sources: Path, own: Path) -> dict[str, str]:
        own.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=own) as project:
            run_in_project(command, sources, Path(project), record["inputs"], files)
            logs = Path(project, _LOGS)
            # `--limit` takes more images than there are for all: the equivalence would name more than were simulated.
            simulated = json.loads((logs / "snn.json").read_text(encoding="utf-8"))["images"]
            if images is not None and simulated < images:
                raise LosslessError(f"{place}: {images} images are more than the {simulated} of the test set")
            return {path.name: sha256(path) for path in sorted(logs.iterdir())}

    described = {"command": command, "network": "made for the probe" if commands else "recorded"}
    if commands:
        described["from"] = commands
    if images is not None:
        described["images"] = images
    return Procedure(run, described)


def simulation_command(record: Mapping[str, Any], images: int | None) -> str:
    """The record's command, for the first so many images if not for all, with a folder of its own."""
    words = shlex.split(record["command"])
    words[words.index("--logs") + 1] = _LOGS
    if images is not None:
        if "--limit" in words:
            del words[(limit := words.index("--limit")) : limit + 2]
        words += ["--limit", str(images)]
    return shlex.join(words)


def _networks(
    place: Place, record: Mapping[str, Any], epochs: int, images: int | None, folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """Files to simulate by the names that the command has for them, and the commands that made them for the probe."""
    command, inputs = record["command"], record["inputs"]
    against = options(command).get("--against")
    network = next(word for word in shlex.split(command) if word in inputs and word != against)
    needed = [network] if against is None else [network, against]
    # Asked of all before the first that is not here decides: none that is another one may pass.
    here = [is_here(record, path) for path in needed]
    if all(here):
        return {path: Path(path) for path in needed}, []
    converting, conversion = making(place, network, _CONVERT)
    (checkpoint,) = conversion["inputs"]
    files, commands = {checkpoint: Path(checkpoint)}, []
    if not is_here(conversion, checkpoint):
        steps = trainings(*making(converting, checkpoint, TRAIN))
        trained = folder / present_code(steps[-1]["command"])
        files[checkpoint] = train(steps, PACKAGE.parent, trained, epochs, images) / NETWORK
        commands = [training_command(step, epochs) for step in steps]
    project = Path(mkdtemp(dir=folder))
    run_in_project(conversion["command"], PACKAGE.parent, project, files=files)
    return {**files, network: project / network}, [*commands, conversion["command"]]
