"""`make readme`: put tables of results/ where a page shows them, between <!-- FILE --> and <!-- /FILE -->."""

import re
from pathlib import Path

PAGES = ("README.md", "docs/performance.md")
_BLOCK = re.compile(r"<!-- (results/\S+) -->\n.*?<!-- /\1 -->", re.DOTALL)


def refreshed(page: str) -> str:
    """The page with the content that its files have now."""
    return _BLOCK.sub(lambda block: f"<!-- {block[1]} -->\n{Path(block[1]).read_text()}<!-- /{block[1]} -->", page)


if __name__ == "__main__":
    for path in map(Path, PAGES):
        path.write_text(refreshed(path.read_text()))
