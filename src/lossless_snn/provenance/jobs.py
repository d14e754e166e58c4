"""A job: one command of the command line with all that decides what it gives."""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any, NamedTuple

from ..files.atomic import write_text
from ..files.reading import read_text

RESULTS = Path("results")
STORAGE = ".snakemake/storage/"
PROGRAM = "lossless-snn"

# How a command runs rather than what it gives: configuration does not make results stale by these.
_EXECUTION_OPTIONS = ("--threads", "--device")
# Wildcards that a job's name leaves out: its folder says the first two, its rule the third.
_SAID_ELSEWHERE = ("budget", "experiment", "figure")
# What ends a command in a shell's line.
_SHELL_OPERATORS = (">", ">>", "2>&1", "|", "&&", ";")


class Place(NamedTuple):
    """Where a record is kept: a file of records, and the job's name in it."""

    file: Path
    name: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass(frozen=True)
class Job:
    """What is to run, or ran. Paths are relative to the project's folder.

    Attributes:
        rule: Name of the workflow's step, such as "simulate".
        wildcards: What the step is for: budget, experiment, precision, seed.
        params: What decides the result beside the inputs, as JSON gives it back.
        command: The command line, without what a shell adds to it.
        code: Fingerprint of the code that the command executes.
        inputs: Paths of the files that it reads, sorted.
        outputs: Paths of the files that it makes, sorted.
    """

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    command: str
    code: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def described(
        cls,
        rule: str,
        wildcards: Mapping[str, Any],
        params: Mapping[str, Any],
        code: str,
        inputs: Iterable[Any],
        outputs: Iterable[Any],
        command: str = "",
    ) -> "Job":
        """A job from what a workflow engine knows of it: every value becomes one that JSON keeps as it is."""
        return cls(
            rule=rule,
            wildcards={name: str(wildcards[name]) for name in sorted(wildcards)},
            params={name: _plain(params[name]) for name in sorted(params)},
            command=command,
            code=code,
            inputs=tuple(sorted(map(str, inputs))),
            outputs=tuple(sorted(map(str, outputs))),
        )

    def as_json(self) -> str:
        """All but the command, on one line: what `lossless-snn record` takes before the command's own words."""
        content = {name: getattr(self, name) for name in ("rule", "wildcards", "params", "code", "inputs", "outputs")}
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def parsed(cls, text: str, words: Iterable[str]) -> "Job":
        """The job of `lossless-snn record TEXT WORDS...`; long ones are in files, see `expanded`.

        Raises:
            ValueError: `text` is not what `as_json` gives.
        """
        content = json.loads("".join(expanded([text])))
        try:
            return cls.described(**content, command=shlex.join([PROGRAM, *expanded(words)]))
        except (TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None

    @classmethod
    def of_shell_line(cls, line: str) -> "Job":
        """The job of a rule's shell line, which begins with `lossless-snn record`.

        Raises:
            ValueError: The line begins with something else.
        """
        program, record, text, *words = shlex.split(line)
        if (program, record) != (PROGRAM, "record"):
            raise ValueError(f"no recorded command: {line}")
        return cls.parsed(text, takewhile(lambda word: word not in _SHELL_OPERATORS, words))

    @property
    def name(self) -> str:
        """The job's name among all of one experiment at one budget: `simulate-k1-seed0`."""
        others = {name: value for name, value in self.wildcards.items() if name not in _SAID_ELSEWHERE}
        return "-".join([self.rule, *(f"seed{value}" if name == "seed" else value for name, value in others.items())])

    @property
    def place(self) -> Place:
        """Where the job's record is: with its experiment, or with its budget if it is of several experiments."""
        folder = RESULTS / self.wildcards["budget"] / self.wildcards.get("experiment", "")
        return Place(folder / "provenance.json", self.name)

    def options(self) -> dict[str, str]:
        """The word after each option of the command line."""
        return options(self.command)


def options(command: str) -> dict[str, str]:
    """The word after each option of a command line."""
    return {word: after for word, after in pairwise(shlex.split(command)) if word.startswith("--")}


def keep_lines(lines: Iterable[str], folder: Path) -> Path:
    """Write lines, too many for a command line, to a file of their digest's name, if it is not there; its path."""
    text = "".join(f"{line}\n" for line in lines)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    if not path.is_file():
        write_text(path, text)
    return path


def in_project(path: str) -> str:
    """The path of a file in the project that a workflow engine calls by the place of its copy of a storage.

    That place is a link to the project's folder.
    """
    return os.path.relpath(os.path.realpath(path)) if str(path).startswith(STORAGE) else str(path)


def expanded(words: Iterable[str]) -> list[str]:
    """Words of a command line, with the lines of a file in place of its name after `@`, and paths in the project."""
    return [
        in_project(line)
        for word in words
        for line in (read_text(word[1:]).splitlines() if word.startswith("@") else [word])
    ]


def decisive(command: str) -> str:
    """A command line without the options that say how it runs and do not decide the result."""
    words = shlex.split(command)
    return shlex.join(
        word for before, word in zip(["", *words], words, strict=False) if not {before, word} & set(_EXECUTION_OPTIONS)
    )


def _plain(value: Any) -> Any:
    """`value` as JSON gives it back; a string that holds a JSON object becomes that object."""
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return str(value)
