"""The event-driven engine from inside: its layout against lists of connections, and its optional cache."""

import importlib
import os
import pickle
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest
from tiny_networks import assert_same_bytes, random_checkpoint, random_pixels, reference_layers

import lossless_snn
from lossless_snn.conversion.convert import convert
from lossless_snn.simulation import compile_ahead, simulator
from lossless_snn.simulation.events import EventSimulator, kernel
from lossless_snn.simulation.events.layout import Layout

pytestmark = pytest.mark.usefixtures("tiny_datasets")

SHAPE = (2, 8, 6)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("network", ["3C2-P2-2C3-4", "3C4-2C1", "2C3-3C3-5"])
def test_a_spike_reaches_what_a_list_of_connections_says(network, padding):
    """Each layer's layout gives each neuron the weights that a brute-force list of its connections gives it."""
    if (network, padding) == ("3C2-P2-2C3-4", "valid"):
        network = "3C3-P2-2C2-4"  # what P2 divides
    rng = np.random.default_rng(3)
    checkpoint = random_checkpoint(rng, network, SHAPE, 1, padding)
    snn = convert(checkpoint)
    layout = Layout.of(snn)
    weights = [layer.grid_weight for layer in snn.hidden] + [snn.grid_readout]
    for record, layer, weight, reference in zip(
        layout.inputs, snn.layers, weights, reference_layers(checkpoint), strict=True
    ):
        channels, height, width = layer.in_shape
        kernel_row = record["kernel_width"] * record["out_group"]
        matrix = np.zeros((layer.neurons, channels, height * width), dtype=np.int64)
        for position, reached in enumerate(layout.positions[record["positions_start"] :][: height * width]):
            synapses = 0
            for channel in range(channels):
                neuron = reached["first_neuron"]
                source = channel * record["kernel_height"] * kernel_row + reached["first_weight"]
                for _ in range(reached["rows"]):
                    start, length = record["weights_start"] + source, reached["row_length"]
                    matrix[neuron : neuron + length, channel, position] = layout.weights[start : start + length]
                    synapses += length
                    neuron, source = neuron + record["map_row"], source + kernel_row
            assert synapses == channels * layer.fan_out.ravel()[position]
        # from channels last to the order of the list, channels first
        matrix = matrix.reshape(*layer.out_shape[1:], layer.out_shape[0], -1).transpose(2, 0, 1, 3)
        assert (matrix.reshape(layer.neurons, -1) == reference.matrix(weight.astype(np.int64))).all()


def test_no_two_fields_of_the_layout_have_one_type():
    """numba's cache would take code that was compiled for another order of such fields."""
    types = [numba.typeof(field) for field in Layout.empty()]
    assert len(set(types)) == len(types)
    layout = Layout.of(convert(random_checkpoint(np.random.default_rng(0), "3C3-4", SHAPE, 1)))
    assert [numba.typeof(field) for field in layout] == types


def test_what_is_compiled_ahead_is_what_a_simulation_runs():
    """Nothing is left to compile at the first image, whatever the network and the options."""
    compile_ahead()
    rng = np.random.default_rng(0)
    for negative_spikes in (True, False):
        snn = convert(random_checkpoint(rng, "3C3-4", SHAPE, 1))
        EventSimulator(snn, 2, negative_spikes).run(random_pixels(rng, 3, SHAPE), 5)
    assert len(kernel.compiled().signatures) == 1


SIMULATE = """
import pickle, sys
from unittest.mock import patch
import numpy as np
from tiny_networks import DATASETS, dataset_entries, random_checkpoint, random_pixels
from lossless_snn.conversion.convert import convert
from lossless_snn.simulation.events import EventSimulator
with patch.dict(DATASETS, dataset_entries()):
    rng = np.random.default_rng(7)
    snn, pixels = convert(random_checkpoint(rng, "3C3-4", (2, 8, 6), 2)), random_pixels(rng, 3, (2, 8, 6))
    sys.stdout.buffer.write(pickle.dumps(EventSimulator(snn).run(pixels, 30)))
"""


@pytest.mark.long
def test_without_a_folder_for_the_cache_the_bytes_are_the_same(tmp_path):
    """As a user without a home that can be written, and with an installation that cannot."""
    package = tmp_path / "lossless_snn"
    shutil.copytree(Path(lossless_snn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    # A file where a folder has to be made stops root, too, whom permissions do not stop.
    (package / "simulation" / "events" / "__pycache__").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    environment |= {"HOME": os.devnull, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parent)])}
    run = subprocess.run([sys.executable, "-c", SIMULATE], env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    rng = np.random.default_rng(7)
    snn, pixels = convert(random_checkpoint(rng, "3C3-4", SHAPE, 2)), random_pixels(rng, 3, SHAPE)
    assert_same_bytes(pickle.loads(run.stdout), simulator(snn, "event").run(pixels, 30))


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """A small loop in a module of its own, whose cache lies in tmp_path/cache."""
    (tmp_path / "doubling.py").write_text("def double(numbers):\n    for i in range(numbers.size):\n"
                                          "        numbers[i] *= 2\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    yield importlib.import_module("doubling").double
    del sys.modules["doubling"]


def doubled(loop):
    numbers = np.arange(4)
    kernel.compile_loop(loop, np.arange(0))(numbers)
    return numbers.tolist()


@contextmanager
def full_disk():
    """No file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_stops_the_cache_and_nothing_else(loop, tmp_path):
    with full_disk():
        assert doubled(loop) == [0, 2, 4, 6]
    assert not list(tmp_path.glob("cache/*/*.nbi"))


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_damaged_cache_is_not_needed(loop, tmp_path, kind):
    assert doubled(loop) == [0, 2, 4, 6]
    (file,) = tmp_path.glob(f"cache/*/*.{kind}")
    file.write_bytes(file.read_bytes()[:40])
    assert doubled(loop) == [0, 2, 4, 6]


def test_an_error_in_the_loop_is_not_taken_for_one_of_the_cache(loop):
    with pytest.raises(numba.TypingError):
        kernel.compile_loop(loop, "no numbers")
