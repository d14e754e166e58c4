"""What no command may be asked for: files that it would lose, sizes and numbers that nothing has."""

import json
import os
import re
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import lossless_snn as ls
from lossless_snn import __main__ as program
from lossless_snn.checkpoints import Checkpoint
from lossless_snn.checkpoints.published_npz import write_npz
from lossless_snn.conversion.convert import convert
from lossless_snn.files.tensors import save_tensors
from lossless_snn.networks.graph import Graph, parameter_shapes

pytestmark = pytest.mark.bad_input("outputs")
STEPS = ["--limit", "2", "--steps", "2"]
IMPORT = ["import", "k1.npz", "--experiment", "tiny", "--precision", "k1", "--out", "imported.safetensors"]


@pytest.fixture
def folder(trained, tmp_path, digits_root, monkeypatch):
    """A folder with a checkpoint, its spiking network, and what else a person has there."""
    for name in ("config", "data"):
        (tmp_path / name).symlink_to(digits_root / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    Path("k1.safetensors").write_bytes(trained.read_bytes())
    checkpoint = Checkpoint.load("k1.safetensors")
    convert(checkpoint).save("k1.snn.safetensors")
    convert(checkpoint).save("logs.simulation")
    write_npz(checkpoint.parameters, checkpoint.layers, "k1.npz", "k1")
    Path("link.safetensors").symlink_to("k1.safetensors")
    return tmp_path


@pytest.fixture
def refused(folder, monkeypatch):
    """Run a command that is to be refused, with every file left as it was; returns the line."""

    def run(*arguments) -> str:
        before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        monkeypatch.setattr(sys, "argv", ["lossless-snn", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            program.run()
        assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
        line = stop.value.code
        assert line.startswith("lossless-snn: ")
        assert line.isprintable()
        return line.removeprefix("lossless-snn: ")

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "k1.safetensors", "--out", "k1.safetensors"], "--out .*: would replace CHECKPOINT"),
        (["convert", "link.safetensors", "--out", "./k1.safetensors"], "--out .*: would replace CHECKPOINT"),
        (["evaluate", "k1.safetensors", "--out", "k1.safetensors"], "--out .*: would replace CHECKPOINT"),
        (["viewer", "k1.snn.safetensors", "--out", "k1.snn.safetensors"], "--out .*: would replace SNN"),
        (["export", "k1.safetensors", "--out", "k1.safetensors"], "--out .*: would replace CHECKPOINT"),
        (["train", "tiny", "--precision", "k1", "--out", "y.training"], "--out y.training: a name of unfinished"),
        (
            ["train", "tiny", "--precision", "k1", "--out", "x.safetensors", "--history", "x.training"],
            "--history x.training: a name of unfinished states",
        ),
        (
            ["train", "tiny", "--precision", "k1", "--out", "same", "--history", "same"],
            "the same file as --(out|history)",
        ),
        (["simulate", "logs.simulation", "--logs", "logs", *STEPS], "logs.simulation: a name of unfinished states"),
        (["simulate", "k1.snn.safetensors", "--logs", ".", *STEPS], r"--logs \.: name a file or folder in it"),
        (["simulate", "k1.snn.safetensors", "--logs", "", *STEPS], r"--logs \.: name a file or folder in it"),
        (["simulate", "k1.snn.safetensors", "--logs", "..", *STEPS], r"--logs \.\.: name a file or folder in it"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_no_command_replaces_or_removes_what_it_reads(refused, arguments, message):
    assert re.search(message, refused(*arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["simulate", "k1.snn.safetensors", "--logs", "x", "--batch-size", 10**30],
            "--batch-size: 1000.* more than",
        ),
        (["noise", "k1.safetensors", "--out", "n.csv", "--seeds", 10**30], "--seeds: 1000.* is more than anything has"),
        ([*IMPORT, "--upper-bound", "inf"], "^--upper-bound: inf is no number to calculate with"),
        ([*IMPORT, "--upper-bound", "nan"], "^--upper-bound: nan is no number to calculate with"),
        (
            ["certify", "k1.snn.safetensors", "--implementation", "a:b", "--name", "\udcff", "--out", "c.csv"],
            "--name: '.udcff' is no text in UTF-8",
        ),
        (["record", "[" * 50_000, "convert"], "nested too deeply"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_numbers_and_text_that_nothing_has(refused, arguments, message):
    assert re.search(message, refused(*arguments))


def test_files_that_are_too_large_are_not_read(refused, folder):
    """They are sparse: 3 GB that take no place, and would take twice as much memory."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [3 << 28], "data_offsets": [0, 3 << 30]}}).encode()
    Path("large").mkdir()
    with open("large/k1.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(3 << 30)
    for command in ("convert", "evaluate"):
        assert "large/k1.safetensors: 3,221,225,472 bytes" in refused(command, "large/k1.safetensors", "--out", "x")
    Path("run").mkdir()
    with open("run/accuracy.txt", "wb") as file:
        file.truncate(100_000_000)
    assert "run/accuracy.txt: 100,000,000 bytes" in refused("table", "run", "--out", "t/results.csv")
    assert "run/accuracy.txt" in refused("table", "elsewhere", "--published", "run/accuracy.txt", "--out", "t.csv")


@pytest.mark.parametrize("padding", [10_000, 2**30])
def test_maps_that_no_weights_stand_behind(refused, padding):
    """Of a checkpoint's graph: its parameters are as few as ever, its maps have up to 2^62 values."""
    sound = Checkpoint.load("k1.safetensors")
    content = sound.graph.model_dump(mode="json", exclude_defaults=True)
    pads, window, side = [[padding, padding]] * 2, [padding + 1] * 2, sound.graph.shape(0)[1] + padding
    pooling = {"name": "P", "source": 0, "pooling": "average", "kernel": window, "stride": [1, 1], "padding": pads}
    corner = {"source": 1, "filters": 2, "kernel": [1, 1], "stride": [side, side]}
    nodes = [content["nodes"][0], pooling, {"name": "corner", "inputs": [corner]}]
    graph = content | {"nodes": nodes, "output": content["output"] | {"source": 2, "kernel": [1, 1]}}
    content = sound.metadata.model_dump(exclude_unset=True)
    content["recipe"]["network"] = graph
    parameters = {
        name: np.ones(shape, np.float32) for name, shape in parameter_shapes(Graph.model_validate(graph)).items()
    }
    save_tensors("padded.safetensors", "checkpoint", parameters, content)
    for command in ("convert", "evaluate"):
        line = refused(command, "padded.safetensors", "--out", "x")
        assert re.match(r"padded.safetensors: its network's maps have [\d,]+ values an image; nothing", line)
    convert(Checkpoint.load("padded.safetensors")).save("padded.snn.safetensors")
    with pytest.raises(ls.LosslessError, match=r"padded.snn.safetensors: its network's maps have [\d,]+ values"):
        ls.load("padded.snn.safetensors")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_bomb_in_place_of_the_precision_is_not_decompressed(refused, compression):
    with zipfile.ZipFile("k1.npz") as sound, zipfile.ZipFile("bomb.npz", "w") as archive:
        archive.writestr("params.npy", sound.read("params.npy"))
        archive.writestr("precision", bytes(1 << 8 if compression == zipfile.ZIP_STORED else 1 << 26), compression)
    words = ["import", "bomb.npz", "--experiment", "tiny", "--precision", "k1", "--out", "x.safetensors"]
    assert refused(*words) == "bomb.npz: 'precision' in it is no name of a precision; export it again"


def test_memory_that_is_not_there_is_one_line(refused, monkeypatch):
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")):
        monkeypatch.setattr("lossless_snn.checkpoints.checkpoint.load_tensors", lambda *_, error=error: throw(error))
        assert refused("convert", "k1.safetensors", "--out", "x").startswith("it takes more memory than there is")


def throw(error):
    raise error


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("NUMBA_NUM_THREADS", "0", "NUMBA_NUM_THREADS=0: no number of threads; unset it"),
        ("NUMBA_NUM_THREADS", "-3", "NUMBA_NUM_THREADS=-3: no number of threads; unset it"),
        ("NUMBA_DISABLE_JIT", "1", "NUMBA_DISABLE_JIT=1: nothing is simulated uncompiled here; unset it"),
        ("NUMBA_DISABLE_JIT", "a\nb", r"NUMBA_DISABLE_JIT=a\\nb: nothing is simulated uncompiled here; unset it"),
    ],
)
def test_variables_by_which_nothing_is_compiled(refused, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    assert re.match(message, refused("simulate", "k1.snn.safetensors", "--logs", "logs", *STEPS))


@pytest.mark.parametrize("factory", ["json:loads", "json:JSONDecodeError", "math:pi", "builtins:dict", "os:getcwd"])
def test_what_is_no_factory_of_implementations(refused, factory):
    line = refused("certify", "k1.snn.safetensors", "--implementation", factory)
    assert line.startswith(f"--implementation {factory}: not to be called with a network and calibration images (")


def test_a_network_of_a_module_has_no_checkpoint_to_be_held_against(refused):
    layers = torch.nn.Flatten(), torch.nn.Linear(28 * 28, 9), torch.nn.ReLU(), torch.nn.Linear(9, 10)
    module = torch.nn.Sequential(*layers).eval()
    ls.convert(module, torch.rand(2, 1, 28, 28), k=1).save("module.snn.safetensors")
    for words in (["certify"], ["simulate", "--logs", "logs", *STEPS]):
        line = refused(words[0], "module.snn.safetensors", "--against", "k1.safetensors", *words[1:])
        assert line.startswith("module.snn.safetensors: converted from a module, so that no checkpoint")


def test_what_is_right_is_let_through(folder, monkeypatch):
    for words in (
        ["convert", "k1.safetensors", "--out", "other.snn.safetensors"],
        ["evaluate", "k1.safetensors", "--limit", "9", "--out", os.devnull],
        ["simulate", "k1.snn.safetensors", "--logs", "sub/logs", *STEPS],
    ):
        monkeypatch.setattr(sys, "argv", ["lossless-snn", *words])
        with pytest.raises(SystemExit) as stop:
            program.run()
        assert not stop.value.code
