"""The page: template, style sheet, script and data in one file that asks nothing of any other."""

import html
import json
import re
from pathlib import Path
from typing import Any

from ...errors import LosslessError
from ...files.atomic import write_text

# So that it opens at once on a phone, and can be kept in a repository.
LARGEST = 5_000_000

_FOLDER = Path(__file__).parent
SOURCES = tuple(_FOLDER / name for name in ("template.html", "viewer.css", "viewer.js"))


def write_page(data: dict[str, Any], path: Path) -> int:
    """Write the page that shows `data`, see `page_data`; returns its size in bytes.

    Raises:
        LosslessError: The page would be larger than `LARGEST`.
    """
    text = page(data)
    size = len(text.encode())
    if size > LARGEST:
        raise LosslessError(
            f"{path}: {size / 1e6:.1f} MB, more than a page should have ({LARGEST / 1e6:.0f}); "
            "take fewer images (--count, --image) or fewer networks"
        )
    write_text(path, text)
    return size


def page(data: dict[str, Any]) -> str:
    """The whole page as HTML."""
    template, style, script = (path.read_text(encoding="utf-8") for path in SOURCES)
    # In a script element nothing is escaped, and only these two could end it.
    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "experiment": html.escape(data["experiment"]),
        "dataset": html.escape(data["dataset"]),
        "style": style,
        "data": content,
        "script": script,
    }
    return re.sub("<!-- (.*?) -->", lambda place: parts[place[1]], template)
