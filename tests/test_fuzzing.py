"""Readers of files from outside on inputs by hypothesis: sound files damaged anywhere, and text of the right words.

Memory is bounded in each case. `make fuzz` looks for other inputs, see fuzzing.py; what it found is below.
"""

import json
import pickle
import random
import tracemalloc
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import fuzzing
import numpy as np
import pytest
import test_run_files as run_files
from fuzzing import LAYERS, TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_exchange import random_parameters
from tiny_networks import random_checkpoint

from lossless_snn.checkpoints.published_npz import write_npz
from lossless_snn.conversion import convert
from lossless_snn.datasets import idx

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("tiny_datasets")
MOST_MEMORY = 64 << 20
SHORT, LONG = 40, 2500


def bounded(target: str, content: bytes) -> None:
    """Run a target; it takes no more memory than what is read here ever does."""
    tracemalloc.start()
    try:
        TARGETS[target](content)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


# Text of the words that a reader knows, and of others.
TOKENS = ["20C5", "P2", "500", "3C3", "-", "C", "P", "0", "01", "9" * 12, "9" * 5000, "-20C5", " ", "é", "\uff12", "\0"]
NOTATION = st.lists(st.sampled_from(TOKENS) | st.text(max_size=3), max_size=40).map("-".join)
KEYS = "dataset network padding training budgets quick phases epochs learning_rate simulation steps batch_size extends"
VALUES = "digits 3C5-P4-8 same 1 0 -1 1e400 .inf .nan true null ~ 0x 1_0 0o7 2026-13-45 999999999999999999999 &a *a"
SIGNS = ["[", "]", "{", "}", ", ", "- ", "? ", ": ", "!!python/object:os.system ", "!!binary |", "%YAML 9\n", "---\n"]
SIGNS += ["\n", "\n  ", "\n    ", "\t", "'", '"', "#", "|\n", ">\n"]
WORDS = [*(f"{key}: " for key in KEYS.split()), *VALUES.split(), *SIGNS]
YAML = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=40).map("".join)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["experiment", "budget", "precision", "seed", "epochs", "recipe", "dataset", "network", "padding", "kind"]
METADATA = st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES).map(json.dumps)
TEXTS = {"notation": NOTATION, "experiment": YAML, "settings": YAML, "description": YAML, "metadata": METADATA}


def of_bytes(make) -> bytes:
    stream = BytesIO()
    make(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sound(tmp_path_factory, tiny_datasets) -> dict[str, bytes]:
    """A file for each target that reads files, as it should be."""
    folder = tmp_path_factory.mktemp("sound")
    checkpoint = random_checkpoint(np.random.default_rng(0), "3C3-P2-4", (1, 8, 8), 1)
    checkpoint.save(folder / "checkpoint")
    convert(checkpoint).save(folder / "spiking network")
    write_npz(random_parameters(LAYERS, 0), LAYERS, folder / "npz")
    idx.write(folder / "idx", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    row = np.empty(3, object)
    row[:] = [np.arange(3.0), np.ones((2, 2), "f4"), "text"]
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [3, 4]}
    counts = {"train": {"a": 1, "b": 2}, "test": {"a": 1, "b": 1}}
    digest = 64 * "a"
    manifest = {"layout": 1, "pictures": digest, "listing": digest, "shape": [1, 4, 4], "classes": ["a", "b"]}
    files |= {
        "objects": pickle.dumps(row, 2),
        "pickle": pickle.dumps(batch, 2),
        "cifar": pickle.dumps(batch, 4),
        "manifest": json.dumps(manifest | {"counts": counts, "files": {"x": digest}}).encode(),
        "picture": of_bytes(lambda stream: Image.new("L", (4, 4)).save(stream, "PNG")),
        "experiment": (ROOT / "config" / "experiments" / "digits-lenet.yaml").read_bytes(),
        "settings": (ROOT / "config" / "config.yaml").read_bytes(),
        "ann.json": run_files.ANN.encode(),
        "snn.json": run_files.SNN.encode(),
        "certificate.json": run_files.CERTIFICATE.encode(),
        "history.csv": run_files.HISTORY.encode(),
        "noise.csv": run_files.NOISE.encode(),
        "neurons.csv": run_files.NEURONS.encode(),
    }
    return files


FILES = "checkpoint|spiking network|npz|idx|objects|pickle|cifar|manifest|picture|experiment|settings|ann.json|snn.json"
FILES = [*FILES.split("|"), "certificate.json", "history.csv", "noise.csv", "neurons.csv"]
PIECES = [b"", b"\0", b"\xff", b"-", b"9", b"e999", b"NaN", b"\n", b"\r\n", b'"', b"[" * 50, b"{", b"\x80", b"\xff" * 8]


def damaged(content: bytes, damage: random.Random) -> bytes:
    """The content with a few bytes changed, cut out, repeated or put in, anywhere."""
    for _ in range(damage.randint(1, 4)):
        start = damage.randrange(len(content) + 1)
        end = min(len(content), start + damage.choice([0, 1, 1, 4, 30, len(content)]))
        piece = damage.choice([*PIECES, damage.randbytes(2), content[end : end + 20]])
        content = content[:start] + piece + content[end:]
    return content


def check_text(target: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None)
    @given(TEXTS[target])
    def check(text: str) -> None:
        bounded(target, text.encode("utf-8", "surrogatepass"))

    check()


def check_damage(target: str, content: bytes, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None)
    @given(st.integers(0, 2**64))
    def check(seed: int) -> None:
        bounded(target, damaged(content, random.Random(seed)))

    bounded(target, content)
    check()


@pytest.mark.parametrize("target", TEXTS)
def test_text(target):
    check_text(target, SHORT)


@pytest.mark.parametrize("target", FILES)
def test_damaged_files(target, sound):
    check_damage(target, sound[target], SHORT)


@pytest.mark.long
@pytest.mark.parametrize("target", TEXTS)
def test_much_text(target):
    check_text(target, LONG)


@pytest.mark.long
@pytest.mark.parametrize("target", FILES)
def test_many_damaged_files(target, sound):
    check_damage(target, sound[target], LONG)


# What crashed once.
FOUND = [
    ("notation", b"9" * 5000),
    ("notation", b"1C" + b"9" * 5000),
    ("experiment", b"a: 2026-13-45"),
    ("experiment", b"\xff\xfe"),
    ("experiment", b"[" * 5000),
    ("experiment", b"? [a]\n: 1"),
    ("experiment", b"a: &a [1]\nb: *a"),
    ("experiment", b"network: 1\nnetwork: 2"),
    ("experiment", b"a: " + b"9" * 5000),
    ("experiment", b"a: !!python/object:os.system x"),
    ("experiment", b"\0"),
]


@pytest.mark.parametrize("target", ["npz", "member", "objects", "pickle", "notation"])
def test_runs_begin_with_what_the_readers_take(target, monkeypatch):
    monkeypatch.setattr(fuzzing, "_refusing", nullcontext)
    TARGETS[target](fuzzing.sound(target))


@pytest.mark.bad_input("fuzzed")
@pytest.mark.parametrize(("target", "content"), FOUND)
def test_what_was_found(target, content):
    bounded(target, content)
