"""YAML files as typed models: reading, validation, messages of one line."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LosslessError


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], content: Any, source: str | Path) -> Model:
    """`content` as a `model`; raises LosslessError, one line naming `source` and each wrong key."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise LosslessError(f"{source}: " + "; ".join(map(_message, error.errors()))) from None


def _message(error: dict[str, Any]) -> str:
    key = ".".join(map(str, error["loc"]))
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        text = "unknown key"
    elif error["type"] not in ("missing", "value_error"):
        text = f"{text[0].lower()}{text[1:]} (found {error['input']!r})"
    return f"{key}: {text}" if key else text


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; raises LosslessError where it cannot be read or parsed."""
    try:
        return yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise LosslessError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
