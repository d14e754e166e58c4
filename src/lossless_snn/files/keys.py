"""Keys of configuration that its models do not have: which key of the same place may have been meant."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from ..errors import LosslessError, did_you_mean, quoted
from .typed import Model, validate


def validate_keys(model: type[Model], content: Any, source: str | Path) -> Model:
    """`content` as a `model`, where a key that it does not have is likely to be a slip of the pen.

    Args:
        model: What `content` is to become.
        content: Nested mappings and lists, as read.
        source: What messages begin with.

    Raises:
        LosslessError: There is an unknown key: one line names it by its path, and the key most like it. Or
            something else is wrong, see `typed.validate`.
    """
    for path, known in _unknown(model, content, ()):
        key = quoted(".".join(path))
        raise LosslessError(f"{source}: {key}: unknown key{did_you_mean(path[-1], known)}")
    return validate(model, content, source)


def _unknown(kind: Any, content: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Paths of unknown keys, each with those that its place has, where `content` is to be of the type `kind`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for key, value in content.items() if isinstance(content, Mapping) else ():
            if key in kind.model_fields:
                yield from _unknown(kind.model_fields[key].annotation, value, (*path, key))
            else:
                yield (*path, str(key)), list(kind.model_fields)
    elif isinstance(content, Mapping) and get_origin(kind) is dict:
        for key, value in content.items():
            yield from _unknown(get_args(kind)[1], value, (*path, str(key)))
    elif isinstance(content, list) and get_origin(kind) is tuple:
        for place, value in enumerate(content):
            yield from _unknown(get_args(kind)[0], value, (*path, str(place)))
    else:
        # Of a union, no two kinds are models.
        for one in get_args(kind):
            yield from _unknown(one, content, path)
