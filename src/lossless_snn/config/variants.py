"""Variants: an experiment with some of its keys changed, named by what is changed: `digits-lenet@steps=20,width=0.5`.

A variant has no file. Its name can stand wherever an experiment's can: on the command line, in configuration, in paths.

| key | what it changes |
| --- | --- |
| dataset, network, padding, upper_bound | the experiment's |
| width | filters and units of every layer, times this factor, rounded to whole ones |
| learning_rate, epochs | those of every phase of every budget |
| any other word | that key of every budget: steps, batch_size, label_smoothing, ... |
| words with dots | the key at that place in the experiment's file: training.budgets.quick.phases.0.decay |
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence
from copy import deepcopy
from typing import Any

from ..errors import LosslessError, quoted
from ..networks.named import NAMED
from ..networks.notation import scaled

_KEY, _VALUE = r"\w+(?:\.\w+)*", r"[\w.+-]+"
VARIANT_NAME = rf"[\w-]+(?:@{_KEY}={_VALUE}(?:,{_KEY}={_VALUE})*)?"
"""Regular expression for names of experiments, variants among them: parts of paths, safe in a shell."""

# As long as file names may be, less what is added to them.
LONGEST_NAME = 200

Scalar = str | int | float | bool | None

_WIDTH = "width"
# A star stands for every key, or every item, at its place.
_PLACES = {name: name for name in ("dataset", "network", "padding", "upper_bound")}
_PLACES |= {name: f"training.budgets.*.phases.*.{name}" for name in ("learning_rate", "epochs")}


def split_name(name: str) -> tuple[str, dict[str, str]]:
    """The experiment that a variant is of, and its changes; none where the name is an experiment's own.

    Raises:
        LosslessError: The name is not well formed, or changes a key twice.
    """
    if not re.fullmatch(VARIANT_NAME, name, re.ASCII) or len(name) > LONGEST_NAME:
        raise LosslessError(
            f"'{quoted(name)}': no name of an experiment (letters a to z, digits, - and _; a variant's goes on with "
            f"@KEY=VALUE,KEY=VALUE; {LONGEST_NAME} characters at the most)"
        )
    base, separator, listed = name.partition("@")
    if not separator:
        return base, {}
    pairs = [change.split("=", 1) for change in listed.split(",")]
    changes = dict(pairs)
    if len(changes) < len(pairs):
        raise LosslessError(f"'{name}': changes a key twice")
    return base, changes


def variant_name(base: str, changes: Mapping[str, Scalar]) -> str:
    """The name of `base` with `changes`, keys sorted: the same changes give the same name.

    Raises:
        LosslessError: A key or value cannot be part of a name.
    """
    if not changes:
        return base
    name = f"{base}@{','.join(f'{key}={_text(changes[key])}' for key in sorted(changes))}"
    if not re.fullmatch(VARIANT_NAME, name, re.ASCII):
        raise LosslessError(
            f"'{name}': keys are words, values words or numbers; an experiment that `extends` another changes more"
        )
    return name


def _text(value: Scalar) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def changed(content: Any, changes: Mapping[str, str], name: str) -> Any:
    """The content of an experiment's file with `changes` made; values are checked by the experiment's model.

    Published values are no longer those of such a network: `published` is dropped.

    Args:
        content: What the file holds, and the experiments that it extends.
        changes: Values by their keys, as the name has them.
        name: The variant, for messages.

    Raises:
        LosslessError: A key has no place in the content, or the width is no positive number.
    """
    if not isinstance(content, Mapping):
        return content  # which validation says
    result = deepcopy({key: value for key, value in content.items() if key != "published"})
    for key, text in changes.items():
        if key == _WIDTH:
            network = result.get("network")
            if not isinstance(network, str) or network in NAMED:
                raise LosslessError(f"'{name}': width: for networks in the paper's notation only (found {network})")
            result["network"] = scaled(network, _factor(text, name))
            continue
        *parents, last = _PLACES.get(key, key if "." in key else f"training.budgets.*.{key}").split(".")
        owners = list(_reached(result, parents))
        if not owners:
            raise LosslessError(f"'{name}': {key}: the experiment's file has no such place")
        for owner in owners:
            _assign(owner, last, None if text == "null" else text, f"'{name}': {key}")
    return result


def _factor(text: str, name: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 1000:
        raise LosslessError(f"'{name}': width: expected a factor above 0, 1000 at the most (found '{text}')")
    return factor


def _reached(content: Any, path: list[str]) -> Iterator[Any]:
    """What lies at `path` in nested mappings and lists."""
    if not path:
        yield content
        return
    first, *rest = path
    if isinstance(content, Mapping):
        chosen = list(content.values()) if first == "*" else [content[first]] if first in content else []
    elif isinstance(content, list):
        chosen = content if first == "*" else content[int(first) : int(first) + 1] if first.isdecimal() else []
    else:
        chosen = []
    for inner in chosen:
        yield from _reached(inner, rest)


def _assign(owner: Any, key: str, value: str | None, where: str) -> None:
    if isinstance(owner, MutableMapping):
        owner[key] = value
    elif isinstance(owner, MutableSequence) and key.isdecimal() and int(key) < len(owner):
        owner[int(key)] = value
    else:
        raise LosslessError(f"{where}: the experiment's file has no such place")
