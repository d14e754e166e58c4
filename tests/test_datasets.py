"""IDX files, the embedded digits, and loading them as arrays."""

import subprocess
import sys

import numpy as np
import pytest

from lossless_snn.datasets import digits, idx, load
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.errors import LosslessError


def test_idx_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "file"
    idx.write(path, np.array([[1, 2, 255], [4, 5, 6]], np.uint8))
    assert (
        path.read_bytes()
        == b"\x00\x00\x08\x02" + b"\x00\x00\x00\x02" + b"\x00\x00\x00\x03" + b"\x01\x02\xff\x04\x05\x06"
    )


@pytest.mark.parametrize("shape", [(7,), (2, 28, 28), (0, 3), (1, 2, 3, 4)])
def test_idx_round_trip(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    idx.write(tmp_path / "file", array)
    read = idx.read(tmp_path / "file")
    assert read.shape == shape
    np.testing.assert_array_equal(read, array)


def test_idx_takes_unsigned_bytes_only(tmp_path):
    with pytest.raises(TypeError, match="int64"):
        idx.write(tmp_path / "file", np.arange(3))
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"<html>not found</html>", "not an IDX file of unsigned bytes .*0x3c68746d"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00", "not an IDX file of unsigned bytes"),
        (b"\x00\x00\x08\x03\x00\x00\x00\x02", r"header cut off \(8 bytes, expected 16\)"),
        (b"\x00\x00\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03abcde", "5 bytes of values, but the IDX header says 2 x 3"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02abc", "3 bytes of values, but the IDX header says 2"),
    ],
)
def test_idx_refuses_what_is_not_whole(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LosslessError, match=message) as error:
        idx.read(path)
    assert str(error.value).startswith(f"{path}: ")


def test_idx_names_a_missing_file(tmp_path):
    with pytest.raises(LosslessError, match="nothing: no such file"):
        idx.read(tmp_path / "nothing")


def test_digits_are_split_in_the_order_of_scikit_learn(tmp_path):
    from sklearn.datasets import load_digits

    training, test = load("digits", "train", tmp_path), load("digits", "test", tmp_path)
    assert training.pixels.shape == (1297, 1, 28, 28)
    assert test.pixels.shape == (500, 1, 28, 28)
    assert training.pixels.dtype == test.pixels.dtype == np.uint8
    assert training.labels.dtype == test.labels.dtype == np.int64
    assert len(test) == 500
    np.testing.assert_array_equal(np.concatenate([training.labels, test.labels]), load_digits().target)
    assert (training.pixels.min(), training.pixels.max()) == (0, 255)


def test_digits_are_the_bilinear_resizing_that_torch_computes(tmp_path):
    import torch
    from sklearn.datasets import load_digits

    originals = torch.tensor(load_digits().images[1297:])[:, None]
    expected = (
        torch.nn.functional.interpolate(originals, size=(28, 28), mode="bilinear", align_corners=False) / 16 * 255
    )
    # Rounded to whole numbers, so up to a half away.
    assert np.abs(load("digits", "test", tmp_path).pixels - expected.numpy()).max() <= 0.5 + 1e-9


def test_enlarging_by_hand():
    assert (digits.enlarge(np.full((1, 8, 8), 16)) == 255).all()
    # Two columns, 0 and 16: output i's centre lies at (2 i + 1) / 28 - 1/2 between them.
    row = digits.enlarge(np.array([[[0, 16], [0, 16]]]))[0, 5]
    expected = [min(max((2 * i + 1) / 28 - 0.5, 0), 1) * 255 for i in range(28)]
    np.testing.assert_array_equal(row, [int(value + 0.5) for value in expected])


def test_paths_are_torchvisions(tmp_path):
    path = DATASETS["fashion-mnist"].paths(tmp_path)["t10k-labels-idx1-ubyte"]
    assert path == tmp_path / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"


def test_the_catalogue_costs_no_heavy_import():
    code = (
        "import sys, lossless_snn.datasets.catalogue, lossless_snn.datasets.sources;"
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'scipy', 'PIL') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
