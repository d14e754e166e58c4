"""Readers of files from outside, each as a function of bytes that lets nothing through but a LosslessError of one line.

`make fuzz` runs one under atheris, which follows which code an input reaches:

    python tests/fuzzing.py npz -max_total_time=1800

The rest of the words are libFuzzer's options; a folder among them is the corpus, which gets a sound file to begin with:
from nothing, no run comes as far as a zip archive. Inputs that crash, or take more than 10 seconds or 1 GiB, are
written to the working folder. test_fuzzing.py runs the same functions on inputs by hypothesis.
"""

import io
import json
import os
import pickle
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from lossless_snn.checkpoints import Checkpoint
from lossless_snn.checkpoints.published_npz import read_npz, write_npz
from lossless_snn.config.experiment import load_experiment
from lossless_snn.config.settings import read_settings
from lossless_snn.conversion import SpikingNetwork
from lossless_snn.datasets.cifar import read_batch
from lossless_snn.datasets.descriptions import Description
from lossless_snn.datasets.idx import read as read_idx
from lossless_snn.datasets.image_folders import read_manifest
from lossless_snn.datasets.pictures import read_picture
from lossless_snn.errors import LosslessError
from lossless_snn.files.plain_pickle import read_plain
from lossless_snn.files.typed import read_yaml, validate
from lossless_snn.networks.graph import chain_graph, parameter_shapes
from lossless_snn.networks.notation import parse
from lossless_snn.runs import ann, certificate, history, neurons, noise, snn

LAYERS = parse("2C2-3", (1, 3, 3), 2)
_HEADER = "{'descr': '|O', 'fortran_order': False, 'shape': (11,), }"
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzzing-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))


@contextmanager
def _refusing() -> Iterator[None]:
    """Let a LosslessError pass as the answer that it is, if it is one line."""
    said = ""
    try:
        yield
    except LosslessError as error:
        said = str(error)
    assert said.isprintable()
    assert len(said) <= 2000


def _file(content: bytes, name: str = "input") -> Path:
    path = _FOLDER / name
    path.write_bytes(content)
    return path


def _of_a_file(reader: Callable[[Path], object], name: str = "input") -> Callable[[bytes], None]:
    def target(content: bytes) -> None:
        with _refusing():
            reader(_file(content, name))

    return target


def notation(content: bytes) -> None:
    with _refusing():
        layers = parse(content.decode("utf-8", "replace"), (3, 32, 32), 10, "same" if content[:1] > b"0" else "valid")
        assert all(layer.neurons > 0 and layer.macs > 0 for layer in layers)


def member(content: bytes) -> None:
    """The array in an .npz file, with a right check sum."""
    with zipfile.ZipFile(_FOLDER / "member", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("params.npy", content)
    with _refusing():
        read_npz(_FOLDER / "member", LAYERS)


def objects(content: bytes) -> None:
    """The pickle in that array, behind a right header."""
    member(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(_HEADER)) + _HEADER.encode() + content)


def pickled(content: bytes) -> None:
    with _refusing():
        read_plain(io.BytesIO(content), "here", "file", "a model")


def experiment(content: bytes) -> None:
    with _refusing():
        _file(content, "input.yaml")
        load_experiment("input", _FOLDER)


def metadata(content: bytes) -> None:
    """A checkpoint without tensors whose metadata is the input."""
    header = json.dumps({"__metadata__": {"lossless_snn": content.decode("utf-8", "replace")}}).encode()
    _of_a_file(Checkpoint.load)(struct.pack("<Q", len(header)) + header)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "notation": notation,
    "npz": _of_a_file(lambda path: read_npz(path, LAYERS)),
    "member": member,
    "objects": objects,
    "pickle": pickled,
    "experiment": experiment,
    "settings": _of_a_file(lambda path: read_settings({}, path)),
    "description": _of_a_file(lambda path: validate(Description, read_yaml(path), path)),
    "checkpoint": _of_a_file(Checkpoint.load),
    "metadata": metadata,
    "spiking network": _of_a_file(SpikingNetwork.load),
    "ann.json": _of_a_file(ann.read),
    "snn.json": _of_a_file(snn.read),
    "certificate.json": _of_a_file(certificate.read),
    "history.csv": _of_a_file(history.read),
    "noise.csv": _of_a_file(noise.read),
    "neurons.csv": _of_a_file(neurons.read_neurons),
    "manifest": _of_a_file(read_manifest),
    "cifar": _of_a_file(read_batch),
    "idx": _of_a_file(read_idx),
    "picture": _of_a_file(lambda path: read_picture(path.read_bytes(), (1, 4, 4), path)),
}


def sound(target: str) -> bytes:
    """What the reader takes: an archive, the array in it, the pickle in that, plain values, a network's notation."""
    if target == "notation":
        return b"20C5-P2-3C3-500"
    if target == "pickle":
        return pickle.dumps({"data": np.zeros((2, 30), np.uint8), "labels": [3, 4]}, 2)
    shapes = parameter_shapes(chain_graph(LAYERS))
    write_npz({name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}, LAYERS, _FOLDER / "sound")
    if target == "npz":
        return (_FOLDER / "sound").read_bytes()
    with zipfile.ZipFile(_FOLDER / "sound") as archive:
        array = archive.read("params.npy")
    (header,) = struct.unpack_from("<H", array, 8)
    return array if target == "member" else array[10 + header :]


def main() -> None:
    import atheris

    # Once more, so that atheris sees which of its branches are taken.
    for name in [name for name in sys.modules if name.partition(".")[0] == "lossless_snn"]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["lossless_snn"]):
        target = import_module("fuzzing").TARGETS[sys.argv[1]]
    for corpus in filter(os.path.isdir, sys.argv[2:]):
        Path(corpus, "sound").write_bytes(sound(sys.argv[1]))
    bounds = ["-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=1024", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *bounds, *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
