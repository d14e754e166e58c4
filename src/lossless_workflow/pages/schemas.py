"""JSON schemas of the configuration, made from its typed models: for editors, and for whoever writes such files."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lossless_snn.config.experiment import Experiment
from lossless_snn.config.settings import Settings
from lossless_snn.config.sweep import Sweep

SCHEMAS: dict[Path, type[BaseModel]] = {
    Path("workflow/schemas/config.schema.json"): Settings,
    Path("workflow/schemas/experiment.schema.json"): Experiment,
    Path("workflow/schemas/sweep.schema.json"): Sweep,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a file that holds such a model; of an experiment, also one that `extends` another."""
    content = model.model_json_schema()
    if model is not Experiment:
        return {"$schema": _DIALECT, **content}
    definitions = content.pop("$defs")
    others = dict.fromkeys(content["properties"], True)
    extending = {
        "description": "An experiment that has only what differs from the one that it extends.",
        "type": "object",
        "required": ["extends"],
        "properties": {"extends": {"type": "string"}, **others},
        "additionalProperties": False,
    }
    return {"$schema": _DIALECT, "title": content["title"], "oneOf": [content, extending], "$defs": definitions}


def schema_text(model: type[BaseModel]) -> str:
    """The schema as the file has it."""
    return json.dumps(schema(model), indent=1, ensure_ascii=False) + "\n"
