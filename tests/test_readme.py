"""The numbers that the pages show are those of the files in results/."""

import re
from pathlib import Path

import pytest

from lossless_workflow.readme import PAGES, refreshed

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_what_the_files_say(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / page).read_text()
    assert refreshed(text) == text
    assert re.search(r"<!-- results/\S+ -->", text)


def test_only_the_marked_part_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/a.md").write_text("| 2 |\n")
    page = "Before.\n<!-- results/a.md -->\n| 1 |\n| old |\n<!-- /results/a.md -->\nAfter <!-- results/b.md -->\n"
    assert refreshed(page) == (
        "Before.\n<!-- results/a.md -->\n| 2 |\n<!-- /results/a.md -->\nAfter <!-- results/b.md -->\n"
    )
