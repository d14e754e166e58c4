"""Captions of figures and tables: workflow/report/NAME.rst, in which Snakemake's placeholders are filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils.core import publish_parts
from jinja2 import Template
from markupsafe import Markup

CAPTIONS = Path("workflow/report")
_QUIET = {"report_level": 5, "halt_level": 5, "file_insertion_enabled": False, "raw_enabled": False}


def source(name: str) -> str:
    """The caption as it stands in its file; empty where there is none."""
    path = CAPTIONS / f"{name}.rst"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def title(name: str) -> str:
    """What a caption says first, in bold; else the file's name in words."""
    found = re.search(r"\*\*(.+?)\*\*", source(name))
    return found[1] if found else name.replace("_", " ").capitalize()


def filled_in(name: str, wildcards: Mapping[str, str], params: Mapping[str, Any]) -> str:
    """The caption with a job's wildcards and params in their places; empty where there is none."""
    job = SimpleNamespace(wildcards=SimpleNamespace(**wildcards), params=SimpleNamespace(**params))
    return Template(source(name)).render(snakemake=job)


def as_html(name: str, wildcards: Mapping[str, str], params: Mapping[str, Any]) -> Markup:
    """The same as HTML."""
    text = filled_in(name, wildcards, params)
    return Markup(publish_parts(text, writer="html5", settings_overrides=_QUIET)["body"])
