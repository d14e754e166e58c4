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
from projects import git

from lossless_workflow import audit

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


@pytest.mark.slow
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


def test_secrets_are_found_in_files_and_in_history(tmp_path, monkeypatch):
    """The secrets are put together here: `make audit` looks into this file, too."""
    secrets = [
        "AKIA" + 16 * "A",
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        "ghp_" + 36 * "a",
        "password = '" + 20 * "b" + "'",
    ]
    git(tmp_path, "init", "--quiet")
    (tmp_path / "old.txt").write_text(secrets[0], encoding="utf-8")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    (tmp_path / "old.txt").write_text("nothing: password = read(), token='short', s3://bucket", encoding="utf-8")
    (tmp_path / "new.py").write_text("\n".join(secrets[1:]), encoding="utf-8")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "two")
    monkeypatch.chdir(tmp_path)
    found = list(audit.secrets())
    assert [line for line in found if not line.startswith("commit")] == [
        "new.py:1: looks like a private key",
        "new.py:2: looks like a token of GitHub",
        "new.py:3: looks like an assigned secret",
    ]
    assert sum("an access key of AWS" in line for line in found) == 2  # it came, and it went


def test_what_cannot_be_compared_with_advisories_is_said_and_is_no_finding():
    sound = {"name": "a", "version": "1", "vulns": []}
    faulty = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    unknown = {"name": "c", "skip_reason": "not found"}
    assert audit.vulnerabilities([sound]) == ([], [])
    assert audit.vulnerabilities([sound, faulty]) == (["b 2: PYSEC-1, mended in ['3']"], [])
    found, unchecked = audit.vulnerabilities([faulty, unknown])
    assert (len(found), unchecked[0][:48]) == (1, "requirements.lock: advisories on 1 of 2 packages")
    found, unchecked = audit.vulnerabilities([])
    assert (found, unchecked[0][:45]) == ([], "requirements.lock: advisories on all packages")


def test_every_locked_package_has_a_digest(tmp_path):
    assert list(audit.lock_faults([ROOT / lock for lock in audit.LOCKS])) == []
    (tmp_path / "a.lock").write_text("a==1 \\\n    --hash=sha256:00\nb==2\n", encoding="utf-8")
    assert list(audit.lock_faults([tmp_path / "a.lock"])) == [f"{tmp_path}/a.lock: b==2: without a digest"]


if __name__ == "__main__":
    print(table())
