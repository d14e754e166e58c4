"""A job: one command with all that decides what it gives."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

RESULTS = Path("results")

# Options that say how a command runs rather than what it gives: configuration does not make results stale by them.
_MANNER = ("--threads", "--device")


@dataclass(frozen=True)
class Job:
    """What is to run, or ran. Paths are relative to the project's folder.

    `params` decide the result beside the inputs; `command` is the command line, and `code` the fingerprint of the
    code that it executes.
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
        command: str,
        code: str,
        inputs: Iterable[Any],
        outputs: Iterable[Any],
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

    @property
    def title(self) -> str:
        """The job's name among all of one experiment at one budget: `simulate-k1-seed0`."""
        places = {"budget", "experiment", "figure"}  # the folder says the first two, the rule the third
        others = {name: value for name, value in self.wildcards.items() if name not in places}
        return "-".join([self.rule, *(f"seed{value}" if name == "seed" else value for name, value in others.items())])

    @property
    def record(self) -> Path:
        """Where the job's record lies: with its experiment, or with its budget if it is of several experiments."""
        folder = RESULTS / self.wildcards["budget"] / self.wildcards.get("experiment", "")
        return folder / "provenance" / f"{self.title}.json"

    def options(self) -> dict[str, str]:
        """The word after each option of the command line."""
        words = shlex.split(self.command)
        return {word: after for word, after in pairwise(words) if word.startswith("--")}


def decisive(command: str) -> str:
    """A command line without the options that do not decide the result."""
    words = shlex.split(command)
    return shlex.join(
        word for before, word in zip(["", *words], words, strict=False) if not {before, word} & set(_MANNER)
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
