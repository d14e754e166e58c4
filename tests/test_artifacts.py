"""Files are whole, or not there, or refused."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import replacing, write_json
from lossless_snn.files.tensors import load_tensors, save_tensors

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([-1, 2**40])}


def test_round_trip_with_metadata(tmp_path):
    save_tensors(tmp_path / "deep" / "x.safetensors", "thing", TENSORS, {"seed": 3, "list": [1, {"y": None}]})
    tensors, metadata = load_tensors(tmp_path / "deep" / "x.safetensors", "thing")
    assert metadata == {"seed": 3, "list": [1, {"y": None}]}
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
