"""The wheel, installed into a folder of its own and used in another one that has nothing of this repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lossless_snn.config.energy import read_energies
from lossless_snn.config.experiment import load_experiment
from lossless_snn.datasets.descriptions import described

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The folder that the wheel was installed into, without its dependencies."""
    wheels, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels], cwd=ROOT, check=True)
    (wheel,) = wheels.glob("*.whl")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "install", "--offline", "--no-deps", "--quiet", "--target", target, wheel], check=True)
    return target


@pytest.fixture
def program(installed, tmp_path):
    """Run the installed command in an empty folder; returns what it printed."""

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(installed / "bin/lossless-snn"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_the_chain_runs_in_an_empty_folder(program, tmp_path):
    assert "simulate" in program("--help")
    program("train", "digits-lenet", "--precision", "k1", "--epochs", "1", "--out", "k1.safetensors")
    program("evaluate", "k1.safetensors", "--limit", "20", "--out", "logs/ann.json")
    program("convert", "k1.safetensors", "--out", "k1.snn.safetensors")
    # Steps and images a line are of the experiment's file. Without the compiled engine, which takes a while to compile.
    said = program("simulate", "k1.snn.safetensors", "--logs", "logs", "--limit", "20", "--engine", "dense")
    assert "20 test images" in said
    assert "0 neurons of" in said
    program("table", "logs", "--out", "results.csv")
    program("figure", "sops", "logs", "--out", "sops", "--format", "svg")
    # Of the energies that the package brings.
    assert "45 nm CMOS: 4.6 pJ" in (tmp_path / "results.md").read_text(encoding="utf-8")
    assert not (tmp_path / "config").exists()


@pytest.mark.slow
def test_the_script_of_the_documentation(installed, tmp_path):
    """Less than 20 lines: a residual network trained, converted, certified, and a raster drawn."""
    page = (ROOT / "docs/interface.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) < 20
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.match(r"Run\(297 images, \d+ steps: 297 settled, ", done.stdout)
    assert "neurons_compared=171072, mismatches=0, mismatches_not_settled=0, predictions_that_differ=0" in done.stdout
    assert (tmp_path / "raster.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # else figures are not shown in the notebook
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "docs/notebooks/settling.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    images = [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
    ]
    assert len(images) == 3


def test_the_folder_s_own_configuration_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cifar10-jpeg" in described()
    assert load_experiment("fashion-mlp").network == "400-400"
    Path("config/experiments").mkdir(parents=True)
    # A file of one's own may stand in place of the package's, and another may extend one of these.
    Path("config/experiments/mine.yaml").write_text("extends: fashion-mlp\nnetwork: 30-20\n", encoding="utf-8")
    assert load_experiment("mine").dataset == "fashion-mnist"
    assert load_experiment("mine").network == "30-20"
    Path("config/energy.yaml").write_text("technology: mine\nmultiply_accumulate: 2\naddition: 1\n", encoding="utf-8")
    assert read_energies().technology == "mine"
    Path("config/energy.yaml").unlink()
    assert read_energies().technology == "45 nm CMOS"
