"""Equivalences: that two versions of the code gave the same bytes on a probe of a job.

Results of hours need not be made again because of an edit that changes the code and not what it gives. That it does not
is shown, not assumed: by a probe (`probes`), which is written down here. What is accepted through one says so.
One file an experiment and budget, in git.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from ..errors import LosslessError
from ..files.atomic import write_json
from ..files.locks import locked
from ..files.reading import read_text_if_any
from .code.fingerprint import DIGITS
from .jobs import Job

FORMAT = 1
MOST_EPOCHS = 10**6
TRAIN, SIMULATE = "train", "simulate"
"""The rules that take long, and that have probes therefore."""
Code = Annotated[str, Field(pattern=f"^[0-9a-f]{{{DIGITS}}}$")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
# What a probe of one seed shows, it shows of all: seeds draw other numbers, by the same code.
_SEED = "seed"


class Probe(BaseModel):
    """How far a probe went, and how it was run.

    Attributes:
        epochs: How many were trained and compared; None of a simulation, which trains nothing that is compared.
        images: How many were trained on or simulated; None if all.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | None = None
    images: Annotated[int, Field(ge=1)] | None = None

    @property
    def extent(self) -> "Extent":
        """How far the probe went."""
        return Extent(self.epochs or math.inf, self.images or math.inf)


class Equivalence(BaseModel):
    """Two versions of the code that gave the same bytes.

    Attributes:
        rule: The rule whose command was probed.
        wildcards: What the job is for, without its seed, which is not of its subject.
        params: The job's.
        codes: Both fingerprints, the recorded one first.
        probe: How many epochs of a training, of how many images if not of all, the command, and how it was run.
        digests: SHA-256 of what both gave: of each tensor and of the history, or of each file of a simulation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    codes: tuple[Code, Code]
    probe: Probe
    digests: Annotated[dict[str, Digest], Field(min_length=1)]

    @field_validator("codes")
    @classmethod
    def _are_two(cls, codes: tuple[str, str]) -> tuple[str, str]:
        if len({*codes}) < 2:
            raise ValueError("one version, twice")
        return codes

    @field_validator("probe")
    @classmethod
    def _has_epochs_if_trained(cls, probe: Probe, info: ValidationInfo) -> Probe:
        if (probe.epochs is not None) != (info.data.get("rule") == TRAIN):
            raise ValueError("epochs belong to trainings, and to nothing else")
        return probe

    def is_of(self, job: Job) -> bool:
        """Whether the probe was one of this job, or of the same job with another seed."""
        return (self.rule, self.wildcards, self.params) == (job.rule, subject(job), job.params)


@dataclass(frozen=True)
class Extent:
    """How far a probe went: epochs, and images of each; infinitely many where all were taken.

    A simulation is not bounded by epochs: what bounds its probe are images.
    """

    epochs: float = math.inf
    images: float = math.inf

    def least(self, other: "Extent") -> "Extent":
        """What both went through."""
        return Extent(min(self.epochs, other.epochs), min(self.images, other.images))

    def __str__(self) -> str:
        bounds = ((self.epochs, "epochs"), (self.images, "images"))
        return " of ".join(f"{count} {name}" for count, name in bounds if count != math.inf) or "all images"


@dataclass(frozen=True)
class Chain:
    """Equivalences that lead from one version of the code to another."""

    codes: tuple[str, ...]
    extent: Extent = Extent()

    def __str__(self) -> str:
        return f"by a probe of {self.extent}, not by identity ({' = '.join(self.codes)})"


class Equivalences:
    """All equivalences that are asked for, each file read once."""

    def __init__(self) -> None:
        self._files: dict[Path, list[Equivalence]] = {}

    def chain(self, job: Job, recorded: str) -> Chain | None:
        """The shortest chain from the `recorded` fingerprint to the job's own, None if there is none.

        Raises:
            LosslessError: The file of equivalences is damaged.
        """
        path = equivalence_path(job)
        if path not in self._files:
            self._files[path] = read_equivalences(path)
        known = [equivalence for equivalence in self._files[path] if equivalence.is_of(job)]
        reached: dict[str, Chain] = {}
        waiting = [Chain((recorded,))]
        while waiting:
            chain = waiting.pop(0)
            *_, last = chain.codes
            if last in reached:
                continue
            reached[last] = chain
            for equivalence in known:
                if last in equivalence.codes:
                    (other,) = {*equivalence.codes} - {last}
                    waiting.append(Chain((*chain.codes, other), chain.extent.least(equivalence.probe.extent)))
        return reached.get(job.code)


def subject(job: Job) -> dict[str, str]:
    """What a job is for, whatever its seed."""
    return {name: value for name, value in job.wildcards.items() if name != _SEED}


def equivalence_path(job: Job) -> Path:
    """Where equivalences of the job are: beside its record."""
    return job.place.file.with_name("equivalences.json")


def read_equivalences(path: Path) -> list[Equivalence]:
    """The equivalences at `path`, none without the file.

    Raises:
        LosslessError: It is no file of equivalences.
    """
    text = read_text_if_any(path)
    if text is None:
        return []
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        return TypeAdapter(list[Equivalence]).validate_python(content["equivalences"])
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())
    raise LosslessError(f"{path}: no equivalences of format {FORMAT} ({why}); `git checkout {path}`, or delete it")


def write_equivalence(job: Job, equivalence: Equivalence) -> Path:
    """Add one to those of the job's experiment and budget, in place of an older one between the same versions."""
    path = equivalence_path(job)
    with locked(path.parent / "jobs" / "equivalences.lock"):
        others = [
            other
            for other in read_equivalences(path)
            if not (other.is_of(job) and {*other.codes} == {*equivalence.codes})
        ]
        content = [other.model_dump(mode="json", exclude_unset=True) for other in [*others, equivalence]]
        write_json(path, {"format": FORMAT, "equivalences": sorted(content, key=_order)})
    return path


def _order(equivalence: Mapping[str, Any]) -> str:
    return json.dumps([equivalence["rule"], equivalence["wildcards"], equivalence["codes"]], sort_keys=True)
