"""Files are whole, or not there, or refused."""

import os
from contextlib import nullcontext

import numpy as np
import pytest
from safetensors.numpy import save_file

from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import replacing, write_all, write_json
from lossless_snn.files.tensors import load_tensors, save_tensors

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([-1, 2**40])}


def test_round_trip_with_metadata(tmp_path):
    save_tensors(tmp_path / "deep" / "x.safetensors", "thing", TENSORS, {"seed": 3, "list": [1, {"y": None}]})
    tensors, metadata = load_tensors(tmp_path / "deep" / "x.safetensors", "thing")
    assert metadata == {"seed": 3, "list": [1, {"y": None}], "kind": "thing"}
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert (tensors[name].dtype, tensors[name].tobytes()) == (array.dtype, array.tobytes())


def test_arrays_in_any_memory_order_keep_their_values(tmp_path):
    save_tensors(tmp_path / "x", "thing", {"a": TENSORS["b"].T}, {})
    assert load_tensors(tmp_path / "x", "thing")[0]["a"].tolist() == TENSORS["b"].T.tolist()


def test_the_same_content_gives_the_same_bytes(tmp_path):
    save_tensors(tmp_path / "x", "thing", TENSORS, {"one": 1, "two": 2, "three": 3})
    save_tensors(tmp_path / "y", "thing", dict(reversed(TENSORS.items())), {"three": 3, "two": 2, "one": 1})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "x"
    save_tensors(path, "thing", TENSORS, {})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(LosslessError, match="truncated") as error:
            load_tensors(path, "thing")
        assert "\n" not in str(error.value)


def test_other_kinds_of_files_are_refused(tmp_path):
    save_tensors(tmp_path / "x", "thing", TENSORS, {})
    save_file(TENSORS, tmp_path / "foreign")
    with pytest.raises(LosslessError, match=r"x: expected a checkpoint, found thing"):
        load_tensors(tmp_path / "x", "checkpoint")
    with pytest.raises(LosslessError, match="foreign"):
        load_tensors(tmp_path / "foreign", "checkpoint")
    with pytest.raises(LosslessError, match="no such file"):
        load_tensors(tmp_path / "nowhere", "checkpoint")


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})

    def interrupted():
        with replacing(path) as partial:
            partial.write_text("half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_a_set_of_files_is_replaced_as_one(tmp_path):
    write_all({tmp_path / "a.txt": "old a\n", tmp_path / "deep" / "b.bin": b"old b"})
    write_all({tmp_path / "a.txt": "µ\n", tmp_path / "deep" / "b.bin": b"\0"})
    assert (tmp_path / "a.txt").read_bytes() == b"\xc2\xb5\n"
    assert (tmp_path / "deep" / "b.bin").read_bytes() == b"\0"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "b.bin", "deep"]


@pytest.mark.parametrize("failing_call", range(1, 7))
def test_a_set_of_files_is_left_as_it_was(tmp_path, monkeypatch, failing_call):
    """Of three files two are there; each of the five renames fails in turn, and the sixth does not come."""
    old, new = {tmp_path / "a": "old a", tmp_path / "b": "old b"}, {tmp_path / name: "new" for name in "abc"}
    write_all(old)
    calls, rename = [], os.replace

    def failing(source, target):
        calls.append(source)
        if len(calls) == failing_call:
            raise OSError("disk on fire")
        rename(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="on fire") if failing_call < 6 else nullcontext():
        write_all(new)
    expected = old if failing_call < 6 else new
    assert {path: path.read_text() for path in tmp_path.iterdir()} == expected


def test_a_set_with_a_folder_in_a_files_place(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("old")
    with pytest.raises(IsADirectoryError, match="b"):
        write_all({tmp_path / "a": "new", tmp_path / "b": "new"})
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
