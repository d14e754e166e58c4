"""YAML files as typed models: reading, validation, messages of one line."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from ..errors import LosslessError, quoted
from .reading import read_text


class Strict(BaseModel):
    """A model that refuses unknown keys, numbers that are not finite, and `true` for 1 where no field takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        items = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, bool) for item in items) and "bool" not in str(cls.model_fields[info.field_name]):
            raise ValueError(f"expected another value than true or false (found {quoted(repr(value))})")
        return value


# Of a file with many faults a person needs the first.
_QUOTED_FAULTS = 5
_DEEPEST_BRACKETS = 50

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
    key = quoted(".".join(map(str, error["loc"])))
    text = quoted(error["msg"].removeprefix("Value error, "), 300)
    if error["type"] == "extra_forbidden":
        text = "unknown key"
    elif error["type"] not in ("missing", "value_error"):
        text = f"{text[0].lower()}{text[1:]} (found {quoted(repr(error['input']))})"
    return f"{key}: {text}" if key else text


class _PlainLoader(yaml.SafeLoader):
    """Plain values written out: no aliases, which a few lines multiply a billion times, and no key twice."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        if self.flow_level >= _DEEPEST_BRACKETS:  # scanning takes time by the square of this
            raise yaml.MarkedYAMLError(None, None, f"brackets more than {_DEEPEST_BRACKETS} deep", self.get_mark())
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, "an alias (*...); write out what it stands for", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.MarkedYAMLError(None, None, f"key '{quoted(key.value)}' twice", key.start_mark)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else "")
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; raises LosslessError where it cannot be read or parsed, or has a key twice."""
    text = read_text(path)
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 (a safe loader)
    except yaml.YAMLError as error:
        raise LosslessError(f"{path}: not valid YAML: {quoted(' '.join(str(error).split()), 500)}") from None
    except (ValueError, RecursionError) as error:  # dates that are none, integers of too many digits, nesting
        raise LosslessError(f"{path}: not valid YAML: {quoted(error)}") from None
