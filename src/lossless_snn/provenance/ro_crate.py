"""How files came about, as a Workflow Run RO-Crate: a folder that other programs read, with the files in it.

Profile: https://w3id.org/ro/wfrun/workflow/0.5. The run of the workflow is one action, and each recorded job another;
both name what they read and made, by digest. Raw data, and files that are not here, are named and not packed.
"""

import mimetypes
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from ..errors import LosslessError
from .circumstances import last_circumstances
from .jobs import RESULTS, Place
from .verdicts import Contents

WORKFLOW = Path("workflow/Snakefile")
_PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_LICENCE = "https://spdx.org/licenses/MIT"
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"


def write_ro_crate(path: str, steps: Mapping[Place, Mapping[str, Any]], folder: Path) -> int:
    """Write the lineage of the file at `path` as an RO-Crate to `folder`: all of it, or nothing.

    Args:
        path: The file whose lineage it is.
        steps: Its records by their places, each after those whose outputs it reads, see `Lineage.steps`.
        folder: A folder that is not there yet.

    Returns:
        How many files are packed.

    Raises:
        LosslessError: The folder is there, or cannot be written, or this is no project's folder.
    """
    if folder.exists():
        raise LosslessError(f"{folder}: is there already; delete it, or name another folder")
    if not WORKFLOW.is_file():
        raise LosslessError(f"{WORKFLOW}: no such file; run in the repository's root")
    crate = _Crate(path)
    jobs = [crate.add_job(place, record) for place, record in steps.items()]
    crate.add_run(jobs)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as partial:
            crate.crate.write(Path(partial, "crate"))
            Path(partial, "crate").rename(folder)
    except OSError as error:
        raise LosslessError(f"{folder}: cannot be written ({error.strerror}); free or choose another place") from None
    return crate.packed


class _Crate:
    """A crate that is filled job by job.

    Attributes:
        crate: What the library writes.
        packed: How many files of results/ it holds.
    """

    def __init__(self, path: str) -> None:
        self.crate, self.packed = ROCrate(version="1.1"), 0
        self._path = path
        self._contents = Contents()
        self._files: dict[str, Entity] = {}
        self._times: list[str] = []
        profiles = [
            self.crate.add(ContextEntity(self.crate, url, {"@type": "CreativeWork", "name": name, "version": number}))
            for url, name, number in _PROFILES
        ]
        licence = {"@type": "CreativeWork", "name": "MIT License", "url": _LICENCE}
        root = self.crate.root_dataset
        root["conformsTo"] = profiles
        root["license"] = self.crate.add(ContextEntity(self.crate, _LICENCE, licence))
        self.crate.name = f"Lineage of {path}"
        self.crate.description = (
            f"Every step from raw data to {path}, made by lossless-snn, with the files that it read and made."
        )
        self._program = self.crate.add(self._software("lossless-snn", version("lossless-snn")))
        self._workflow = self._add_workflow()

    def _software(self, name: str, number: str) -> ContextEntity:
        properties = {"@type": "SoftwareApplication", "name": name, "softwareVersion": number}
        return ContextEntity(self.crate, f"#{name}", properties)

    def _add_workflow(self) -> ComputationalWorkflow:
        workflow = self.crate.add_workflow(WORKFLOW, WORKFLOW, main=True, lang="snakemake", gen_cwl=False)
        workflow["name"], workflow["version"] = "lossless-snn", version("lossless-snn")
        workflow["encodingFormat"] = "text/plain"
        described = {"@type": "CreativeWork", "name": "ComputationalWorkflow profile", "version": "1.0-RELEASE"}
        workflow["conformsTo"] = self.crate.add(ContextEntity(self.crate, _BIOSCHEMAS, described))
        return workflow

    def add_job(self, place: Place, record: Mapping[str, Any]) -> Entity:
        """An action for a recorded job, with what it read and made."""
        words = shlex.split(record["command"])
        properties = {
            "@type": "CreateAction",
            "name": " ".join([record["rule"], *record["wildcards"].values()]),
            "description": f"{record['command']} (code {record['code']})",
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }
        if attempt := last_circumstances(place):
            properties["startTime"] = attempt["started"]
            ended = datetime.fromisoformat(attempt["started"]).timestamp() + attempt["seconds"]
            properties["endTime"] = datetime.fromtimestamp(ended, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._times += [properties["startTime"], properties["endTime"]]
        action = self.crate.add(ContextEntity(self.crate, f"#{place.file.parent.as_posix()}/{place.name}", properties))
        action["instrument"] = self._program
        read = [self._file(path, entry) for path, entry in record["inputs"].items()]
        options = [(word, after) for word, after in pairwise(words) if word.startswith("--")]
        action["object"] = _one_or_all(read + [self._parameter(place, *option) for option in options])
        action["result"] = _one_or_all([self._file(path, entry) for path, entry in record["outputs"].items()])
        return action

    def _parameter(self, place: Place, option: str, value: str) -> Entity:
        name = f"#{place.file.parent.as_posix()}/{place.name}{option}"
        return self.crate.add(
            ContextEntity(self.crate, name, {"@type": "PropertyValue", "name": option, "value": value})
        )

    def _file(self, path: str, entry: Mapping[str, Any]) -> Entity:
        """A file by its digest: packed if it is one of results/ and as recorded, else named only."""
        if path not in self._files:
            properties = {"name": path, "sha256": entry["sha256"], "contentSize": str(entry["size"])}
            if Path(path).is_relative_to(RESULTS) and self._contents[path] == entry["sha256"]:
                format, _ = mimetypes.guess_type(path)
                properties["encodingFormat"] = format or "application/octet-stream"
                self._files[path] = self.crate.add_file(path, path, properties=properties)
                self.packed += 1
            else:
                named = {"@type": "CreativeWork", **properties}
                self._files[path] = self.crate.add(ContextEntity(self.crate, f"#{path}", named))
        return self._files[path]

    def add_run(self, jobs: list[Entity]) -> None:
        """The action of the whole workflow: raw data in, the file out."""
        made = {entity.id for job in jobs for entity in _listed(job["result"])}
        read = {entity.id: entity for job in jobs for entity in _listed(job["object"])}
        properties = {"@type": "CreateAction", "name": f"Run of the workflow that made {self._path}"}
        properties["description"] = "From raw data, through all jobs that are listed beside it."
        properties |= {"startTime": min(self._times), "endTime": max(self._times)} if self._times else {}
        run = self.crate.add(ContextEntity(self.crate, "#run", properties))
        run["instrument"] = self._workflow
        first = [entity for name, entity in read.items() if name not in made and entity.type != "PropertyValue"]
        run["object"] = _one_or_all(first)
        run["result"] = self._files[self._path]
        self.crate.root_dataset["mentions"] = [run, *jobs]
        self.crate.datePublished = max(self._times, default=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _one_or_all(entities: Sequence[Entity]) -> Entity | Sequence[Entity]:
    """As RO-Crate writes lists: one value stands by itself."""
    return entities[0] if len(entities) == 1 else entities


def _listed(value: Entity | list[Entity] | None) -> list[Entity]:
    return value if isinstance(value, list) else [] if value is None else [value]
