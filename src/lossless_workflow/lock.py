"""dvc.lock: which checkpoints and logs belong to the commit that is checked out."""

import sys
from pathlib import Path
from typing import Any

import yaml

LOCK = Path("dvc.lock")


def locked_stages() -> dict[str, Any]:
    """The stages of dvc.lock by name, none without the file; a file that cannot be read ends the program."""
    if not LOCK.is_file():
        return {}
    try:
        content = yaml.safe_load(LOCK.read_text())
    except yaml.YAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""
        sys.exit(f"{LOCK}{line}: not YAML; if a merge left it so, `git checkout --ours {LOCK}` or `--theirs`")
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        sys.exit(f"{LOCK}: names no stages; `git checkout {LOCK}`")
    return content["stages"]
