"""What no command may be asked for, whichever it is: files that it would lose, what nothing has or can be compared.

All of it is looked at before a command begins, and outside of every fingerprint: what is refused makes no result.
"""

import inspect
import json
import os
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import click

from ..errors import LosslessError, quoted

# Parameters that name what a command writes; all other paths it reads.
_OUTPUTS = frozenset({"history", "logs", "out"})
# Where a person has raw data, of any size, among other things.
_FOLDERS_OF_DATA = frozenset({"local"})
# States of what is not finished lie beside what is made, under these names, and are removed with its end.
_STATES = (".simulation", ".training")
_MOST = 2**53
# Bytes: of a network of 130 million parameters; of text, which takes many times its size as objects.
_LARGEST, _LARGEST_TEXT = 1 << 29, 1 << 26
_TEXT = frozenset({".csv", ".json", ".md", ".txt", ".yaml", ".yml"})


def check_demands(context: click.Context) -> None:
    """Raise LosslessError where the command's parameters are such that files would be lost, or memory would not do."""
    read: dict[str, str] = {}
    written: dict[str, str] = {}
    for parameter in context.command.params:
        said = parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name
        for value in _each(context.params.get(parameter.name)):
            _check_value(said, value)
            if not isinstance(value, Path) or parameter.name in _FOLDERS_OF_DATA:
                continue
            if value.suffix in _STATES:
                raise LosslessError(f"{said} {value}: a name of unfinished states (*{value.suffix}); choose another")
            if parameter.name in _OUTPUTS:
                _check_output(said, value)
                if (place := os.path.realpath(value)) in written:
                    raise LosslessError(f"{said} {value}: the same file as {written[place]}; choose another name")
                if not _is_device(value):
                    written[place] = said
            else:
                _check_size(value)
                _check_maps(value)
                read[os.path.realpath(value)] = said
    for place in written.keys() & read.keys():
        raise LosslessError(f"{written[place]} {place}: would replace {read[place]}; choose another name")
    _check_environment()
    if implementation := context.params.get("implementation"):
        _check_implementation(implementation)
    if context.params.get("against"):
        _check_has_checkpoint(context.params["snn"])


def _each(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, tuple) else (value,)


def _check_value(said: str, value: Any) -> None:
    if isinstance(value, int) and abs(value) >= _MOST and said != "--seed":
        raise LosslessError(f"{said}: {quoted(value, 40)} is more than anything has")
    if isinstance(value, float) and not isfinite(value):
        raise LosslessError(f"{said}: {value} is no number to calculate with")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise LosslessError(f"{said}: '{quoted(value)}' is no text in UTF-8")


def _check_output(said: str, path: Path) -> None:
    if path.name in ("", ".."):
        raise LosslessError(f"{said} {path}: name a file or folder in it")


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _check_size(path: Path) -> None:
    """Of a file, or of the files in a folder."""
    try:
        files = list(path.iterdir()) if path.is_dir() else [path]
        sizes = {file: file.stat().st_size for file in files if file.is_file()}
    except OSError:
        return  # which who reads it will say
    for file, size in sizes.items():
        most = _LARGEST_TEXT if file.suffix in _TEXT else _LARGEST
        if size > most:
            raise LosslessError(f"{file}: {size:,} bytes; nothing of this kind has more than {most:,}")


def _content(path: Path) -> dict[str, Any]:
    """What the file of a network says beside its tensors; nothing where none can be read: its reader says why."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return {}
    try:
        with safe_open(path, framework="numpy") as file:
            (content,) = map(json.loads, (file.metadata() or {}).values())
    except (OSError, SafetensorError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _check_maps(path: Path) -> None:
    """Of the graph that a file of a network may have."""
    if path.suffix != ".safetensors":
        return
    from ..files.typed import validate
    from ..networks.graph import Graph
    from ..networks.maps import require_possible_maps

    content = _content(path)
    try:
        given = content.get("graph") or (content.get("recipe") or content)["network"]
        graph = validate(Graph, given, path) if isinstance(given, dict) else None
    except (LookupError, TypeError, LosslessError):
        return  # which who reads it will say
    if graph:
        require_possible_maps(graph, path)


def _check_environment() -> None:
    """Of variables by which Numba, which compiles the simulation, would fail or not compile it."""
    threads, uncompiled = os.environ.get("NUMBA_NUM_THREADS", "1"), os.environ.get("NUMBA_DISABLE_JIT", "0")
    if threads.lstrip("-").isdigit() and int(threads) < 1:
        raise LosslessError(
            f"NUMBA_NUM_THREADS={quoted(threads, 40)}: no number of threads; unset it, --threads says how many"
        )
    if uncompiled not in ("", "0"):
        raise LosslessError(
            f"NUMBA_DISABLE_JIT={quoted(uncompiled, 40)}: nothing is simulated uncompiled here; unset it"
        )


def _check_implementation(name: str) -> None:
    """That it can be called with a network and images to calibrate by, as `certification.Factory` is."""
    from ..simulation.certification import load_factory

    factory = load_factory(name)
    try:
        inspect.signature(factory).bind("network", "calibration")
    except (TypeError, ValueError) as error:  # the latter of built-in functions, which tell nothing
        raise LosslessError(
            f"--implementation {name}: not to be called with a network and calibration images ({quoted(error)}); see "
            "docs/certified-peers.md"
        ) from None


def _check_has_checkpoint(snn: Path) -> None:
    if "graph" in _content(snn):
        raise LosslessError(
            f"{snn}: converted from a module, so that no checkpoint is what it was made from; see docs/interface.md"
        )
