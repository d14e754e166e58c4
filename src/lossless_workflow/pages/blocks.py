"""Marked parts of pages, <!-- NAME --> to <!-- /NAME -->, replaced by what they name.

NAME is a file of results/, `published`, the table of all that was published beside ours, `demo`, what
`make demo` gives, or `gallery`, all figures.
"""

import re
from pathlib import Path

from .gallery import gallery
from .headline import demo_table, headline_table

PAGES = ("README.md", "docs/index.md", "docs/gallery.md", "docs/performance.md")
_BLOCK = re.compile(r"<!-- (results/\S+|published|demo|gallery) -->\n.*?<!-- /\1 -->", re.DOTALL)


def refreshed(page: str) -> str:
    """The page with the content that its marked parts have now."""
    return _BLOCK.sub(lambda block: f"<!-- {block[1]} -->\n{_content(block[1])}<!-- /{block[1]} -->", page)


def _content(name: str) -> str:
    made = {"published": headline_table, "demo": demo_table, "gallery": gallery}
    return made[name]() if name in made else Path(name).read_text(encoding="utf-8")
