"""Projects in folders of their own: small copies of this one, what they run, and how tests alter them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
PARTS = ["Snakefile", "config", "workflow", "profiles", "src"]
# A real experiment, small enough to be made in full before the first test.
EXPERIMENT = """
dataset: digits
network: 2C5-P4-10
training:
  batch_size: 100
  validation_images: 97
  budgets:
    quick:
      phases:
        - {epochs: 1, learning_rate: 1.0e-3}
simulation:
  steps: 4
  batch_size: 250
"""


def copy(source: Path, target: Path) -> Path:
    """With the caches of compiled code, which are valid as long as time stamps are kept."""
    return shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} no longer says {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def insert_in_functions(path: Path, statement: str) -> None:
    """Give each function of a module another meaning, by a first statement of its own."""
    text, count = re.subn(
        r"^def (\w+\([^)]*\)(?: -> [^\n]+)?:)\n",
        rf"def \1\n    {statement}\n",
        path.read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert count, f"{path} has no function that it finds"
    path.write_text(text, encoding="utf-8")


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    # The copy's sources, not those of the environment.
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "snakemake", "--directory", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


def planned(folder: Path, *arguments: str) -> set[str]:
    """The jobs that a dry run lists, by their messages, without target rules."""
    run = snakemake(folder, "--dry-run", *arguments)
    assert run.returncode == 0, run.stderr
    return set(re.findall(r"^Job \d+: (Decode .*|.*(?= \(\S+, \w+\)$))", run.stdout + run.stderr, re.MULTILINE))


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a program of the environment on the folder's own sources."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": "1", **variables}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    environment |= {"GIT_AUTHOR_NAME": "A Person", "GIT_AUTHOR_EMAIL": "person@example.org"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"]
    run = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def restore(folder: Path, status: int = 0) -> list[str]:
    """The lines that `make restore` prints, without what its summary says of raw data."""
    run = python(folder, "-m", "lossless_workflow.restore")
    assert run.returncode == status, run.stdout + run.stderr
    return re.sub(r"; raw data not here: .* is made anew", "", run.stdout).splitlines()


def flip_a_bit(path: Path) -> None:
    """Alter one byte and keep time stamp and size."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
