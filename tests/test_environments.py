"""Bytes do not depend on the locale, on the kind of processor, nor on how git is set to convert ends of lines."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_directories import write_config, write_run

ROOT = Path(__file__).parents[1]
# Python reads C as UTF-8 unless it is told not to; then it is ASCII, strictly. PyTorch and oneDNN make a processor
# behave as one without AVX.
ENVIRONMENTS = {
    "UTF-8": {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    "C": {"LC_ALL": "C"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ISO-8859-1": {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"},
    "without AVX": {"LC_ALL": "C.UTF-8", "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
# Names that neither ASCII nor ISO-8859-1 has.
FOLDER = "é – ő 数"
CHAIN = """
import os, shlex, sys
from lossless_snn.cli import main

for line in sys.stdin.buffer.read().split(b"\\n"):
    sys.argv = ["lossless-snn", *shlex.split(os.fsdecode(line))]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, (line, stop.code)
"""
COMPARED = "runs/k0/seed0 runs/k1/seed0 --published published.csv --energy energy.yaml"
COMMANDS = [
    "convert trained.safetensors --out 'ő.snn.safetensors'",
    "export trained.safetensors --out '–.npz'",
    "import '–.npz' --experiment tiny --precision k1 --out imported.safetensors",
    "evaluate trained.safetensors --limit 9 --out ann.json",
    "simulate 'ő.snn.safetensors' --limit 3 --steps 3 --logs logs",
    f"table {COMPARED} --out tables/results.csv",
    f"figure accuracy_speed {COMPARED} --format svg --out figures/accuracy_speed",
    "viewer 'ő.snn.safetensors' --count 1 --steps 3 --energy energy.yaml --out viewer.html",
]


@pytest.fixture(scope="module")
def with_locales(tmp_path_factory):
    """A folder of locales that has ISO-8859-1, which few machines come with."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("makes a locale by localedef")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", os.fspath(folder / "en_US.ISO-8859-1")]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("makes a locale, which takes the definitions of Debian's package locales")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_every_command_gives_the_same_bytes_in_every_environment(trained, digits_root, with_locales, tmp_path):
    made, said = {}, {}
    for name, settings in ENVIRONMENTS.items():
        folder = tmp_path / name / FOLDER
        folder.mkdir(parents=True)
        shutil.copytree(digits_root / "config", folder / "config")
        (folder / "data").symlink_to(digits_root / "data")
        shutil.copy(trained, folder / "trained.safetensors")
        # A title that no locale but UTF-8 has, on its way from configuration into tables and figures.
        (folder / "runs").mkdir()
        for precision in ("k0", "k1"):
            write_run(folder / "runs", precision, 0)
        _, energy = write_config(folder)
        energy.write_text("technology: 45 nm – ő\nmultiply_accumulate: 6\naddition: 1.5\n", encoding="utf-8")
        before = files_of(folder)
        environment = {**os.environ, "LOCPATH": os.fspath(with_locales), "OMP_NUM_THREADS": "1", **settings}
        ran = subprocess.run(
            [sys.executable, "-c", CHAIN],
            input="\n".join(COMMANDS).encode(),
            cwd=folder,
            env=environment,
            capture_output=True,
        )
        assert ran.returncode == 0, ran.stderr.decode(errors="replace")
        made[name] = {path: content for path, content in files_of(folder).items() if path not in before}
        said[name] = ran.stdout
    assert len(made["UTF-8"]) > 12
    for name in ENVIRONMENTS:
        assert made[name] == made["UTF-8"], name
    assert "ő.snn.safetensors: spiking network".encode() in said["UTF-8"]
    assert b".snn.safetensors: spiking network" in said["ASCII"]


def test_a_name_that_the_locale_has_not_got_is_one_line(project, command_line, monkeypatch):
    def refuse(*_):
        "ő".encode("ascii")

    monkeypatch.setattr("lossless_snn.checkpoints.checkpoint.load_tensors", refuse)
    assert command_line("convert", "x", "--out", "y") == (
        r"lossless-snn: 'ő': no name in the locale's ascii; set LC_ALL=C.UTF-8"
    )


def test_every_read_and_write_names_its_encoding():
    """What ruff's rule cannot see: methods of paths that it does not know to be paths, and output of programs."""
    lacking = []
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                named = {keyword.arg for keyword in call.keywords}
                of_a_path = call.func.attr in ("read_text", "write_text") and "'utf-8'" not in ast.unparse(call)
                of_a_program = call.func.attr in ("run", "Popen", "check_output") and "text" in named
                if (of_a_path or of_a_program) and "encoding" not in named:
                    lacking.append(f"{path}:{call.lineno}")
    assert lacking == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="compares with what git has")
def test_a_clone_has_the_bytes_that_were_committed_whatever_git_converts(tmp_path):
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    clone = ["clone", "--quiet", "--no-hardlinks", os.fspath(ROOT), os.fspath(tmp_path / "clone")]
    subprocess.run([*git, *clone], check=True, capture_output=True)
    listed = subprocess.run([*git, "ls-files", "-s", "-z"], cwd=tmp_path / "clone", check=True, capture_output=True)
    entries = [entry.split("\t") for entry in listed.stdout.decode().split("\0") if entry.startswith("100")]
    names = "".join(f"{name}\n" for _, name in entries).encode()
    hashed = [*git, "hash-object", "--no-filters", "--stdin-paths"]
    found = subprocess.run(hashed, cwd=tmp_path / "clone", input=names, check=True, capture_output=True)
    assert found.stdout.decode().split() == [entry.split()[1] for entry, _ in entries]


def test_links_in_place_of_folders_leave_the_tree_clean(tmp_path):
    """Data sets and environments may lie elsewhere."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for name in ("data", ".venv", ".venv-peers", ".snakemake", "site", "build", "dvc_plots"):
        (tmp_path / name).symlink_to(tmp_path.parent)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert status.stdout == "?? .gitignore\n"
