"""YAML files as typed models: reading, validation, messages of one line."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LosslessError


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Of a file with many faults, or large ones, a person needs the first.
_QUOTED_FAULTS, _QUOTED_CHARACTERS, _QUOTED_MESSAGE = 5, 100, 300

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], content: Any, source: str | Path) -> Model:
    """`content` as a `model`; raises LosslessError, one line naming `source` and each wrong key."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        messages = [_message(fault) for fault in error.errors()]
        more = [f"{len(messages) - _QUOTED_FAULTS} faults more"] if len(messages) > _QUOTED_FAULTS else []
        raise LosslessError(f"{source}: " + "; ".join(messages[:_QUOTED_FAULTS] + more)) from None


def _message(error: dict[str, Any]) -> str:
    key = _quotable(".".join(map(str, error["loc"])))
    text = _quotable(error["msg"].removeprefix("Value error, "), _QUOTED_MESSAGE)
    if error["type"] == "extra_forbidden":
        text = "unknown key"
    elif error["type"] not in ("missing", "value_error"):
        text = f"{text[0].lower()}{text[1:]} (found {_quotable(repr(error['input']))})"
    return f"{key}: {text}" if key else text


def _quotable(text: str, most: int = _QUOTED_CHARACTERS) -> str:
    """`text` of a file as part of one line for a terminal: cut, and without control characters."""
    cut = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; raises LosslessError where it cannot be read or parsed."""
    try:
        return yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise LosslessError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
