"""The figures of docs/reliability.md are those of the tests: how many bad inputs of each kind are tried.

    python tests/test_reliability.py

prints the table. Tests mark what they refuse by `bad_input(kind)`; each of their parametrisations is an input.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"


class Counting:
    """A plugin of pytest that counts what is collected, and runs nothing."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.counts.update(mark.args[0] for item in items if (mark := item.get_closest_marker("bad_input")))


def table() -> str:
    counting = Counting()
    options = ["--collect-only", "-qq", "-n0", "-p", "no:cacheprovider", "-m", "bad_input", str(ROOT / "tests")]
    pytest.main(options, plugins=[counting])
    counts = counting.counts
    rows = [f"| {kind} | {count:,} |" for kind, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return "\n".join(["| bad inputs | tried |", "| --- | ---: |", *rows, f"| all | {counts.total():,} |"])


def test_the_figures_are_those_of_the_tests():
    made = subprocess.run([sys.executable, __file__], cwd=ROOT, capture_output=True, encoding="utf-8")
    found = made.stdout[made.stdout.index("| bad inputs") :].strip()
    assert found in PAGE.read_text(encoding="utf-8"), found
    assert int(found.rsplit("|", 2)[1].replace(",", "")) >= 300


def test_every_promise_names_tests_that_there_are():
    named = re.findall(r"`(tests/test_\w+\.py)(?:::(\w+))?`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 15
    for path, function in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not function or re.search(rf"^def {function}\(", text, re.MULTILINE), (path, function)


if __name__ == "__main__":
    print(table())
