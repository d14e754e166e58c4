"""`make audit`: what can be checked of the project's security; exit status 1 where something is found.

Checked are the code, by ruff's rules of security; the repository and its history, for secrets; the locks, which must
name a digest of every file that is installed; and the packages that they name, against published advisories, where a
service that has these can be reached. What could not be checked is said, and is no finding: a machine without network
has as much of an answer as there is. With --complete it is one, for whoever relies on the answer being whole.
build/sbom.json lists the packages, as CycloneDX.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from lossless_snn.cli.usage import Command

from .program import program

LOCKS = (Path("requirements.lock"), *(Path(f"requirements/{name}.lock") for name in ("audit", "brevitas", "peers")))
BILL = Path("build/sbom.json")

# Extended regular expressions, as git takes them.
SECRETS = {
    "a private key": "-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "an access key of AWS": "(A3T[A-Z0-9]|AKIA|ASIA)[A-Z0-9]{16}",
    "a token of GitHub": "gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}",
    "a token of a package index": "pypi-AgE[A-Za-z0-9_-]{50}|npm_[A-Za-z0-9]{36}",
    "a token of a chat": "xox[abprs]-[A-Za-z0-9-]{10}",
    "a password in an address": "[a-z]+://[^/ :@'\"{}<>]+:[^/ :@'\"{}<>]{3,}@",
    "an assigned secret": "(password|passwd|secret|token|api_key)['\"]? *[=:] *['\"][A-Za-z0-9+/_-]{16,}['\"]",
}


@click.command(cls=Command)
@click.argument("tools", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--complete", is_flag=True, help="Take what could not be checked for a finding, too.")
def main(tools: Path, complete: bool) -> None:
    """Look for secrets, unsafe code and packages with known faults; TOOLS has the auditing programs.

    A line for each finding; the exit status is 1 if there is any.

    \b
    Example:
        python -m lossless_workflow.audit .venv-audit/bin
    """
    found = [*code_faults(), *secrets(), *lock_faults(LOCKS)]
    write_bill(tools)
    known, unchecked = advisories(tools)
    found += known
    for line in [*found, *(f"not checked: {line}" for line in unchecked)]:
        print(line)
    print(f"audit: {len(found)} findings in the code, for secrets, in locks and advisories; packages are in {BILL}")
    sys.exit(bool(found or (complete and unchecked)))


def code_faults() -> list[str]:
    """What ruff's rules of security find, less what pyproject.toml leaves out with a reason."""
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format", "concise", "."]
    return [line for line in _output(command).splitlines() if re.search(r": S\d+ ", line)]


def secrets() -> Iterator[str]:
    """Lines of tracked files, and commits that added or removed such lines, that look like secrets."""
    for title, pattern in SECRETS.items():
        for line in _output(["git", "grep", "-nIE", "-e", pattern]).splitlines():
            yield f"{':'.join(line.split(':')[:2])}: looks like {title}"
        for commit in _output(["git", "log", "--all", "--format=%h", "-E", f"-G{pattern}"]).split():
            yield f"commit {commit}: looks like {title}"


def lock_faults(locks: Iterable[Path]) -> Iterator[str]:
    """Requirements in locks without the digest of a file."""
    for lock in locks:
        text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if re.match(r"[a-zA-Z0-9]", line) and "--hash=sha256:" not in line:
                yield f"{lock}: {line.split()[0]}: without a digest"


def write_bill(tools: Path) -> None:
    """Write the packages that the lock names, with their digests."""
    BILL.parent.mkdir(exist_ok=True)
    options = ["--pyproject", "pyproject.toml", "--output-reproducible", "-o", str(BILL)]
    command = [str(tools / "cyclonedx-py"), "requirements", str(LOCKS[0]), *options]
    subprocess.run(command, check=True, capture_output=True)


def advisories(tools: Path) -> tuple[list[str], list[str]]:
    """Known vulnerabilities of locked packages, and what could not be compared with any advisory."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    answer = _output([str(tools / "pip-audit"), "--requirement", str(LOCKS[0]), *options])
    return vulnerabilities(json.loads(answer)["dependencies"] if answer.startswith("{") else [])


def vulnerabilities(packages: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The same, of what pip-audit says of each package; of none where no service answered."""
    found = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in {advisory['fix_versions']}"
        for package in packages
        for advisory in package.get("vulns", ())
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if packages and not unknown:
        return found, []
    count = f"{len(unknown)} of {len(packages)} packages" if packages else "all packages"
    return found, [f"{LOCKS[0]}: advisories on {count} (unknown to the service, or it cannot be reached)"]


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace").stdout


if __name__ == "__main__":
    with program("audit"):
        main(prog_name="python -m lossless_workflow.audit")
