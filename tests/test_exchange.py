"""Checkpoints to and from the published code's `.npz`: nothing lost, nothing run, every misfit named."""

import io
import json
import os
import pickle
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import TINY

from lossless_snn.checkpoints import Checkpoint, CheckpointMetadata
from lossless_snn.checkpoints.published_npz import read_npz, stated_precision, write_npz
from lossless_snn.cli.commands.networks.import_ import CHECKED_IMAGES
from lossless_snn.cli.main import cli
from lossless_snn.config.experiment import load_experiment
from lossless_snn.conversion.convert import convert
from lossless_snn.datasets import load
from lossless_snn.errors import LosslessError
from lossless_snn.evaluation.accuracy import build, encode
from lossless_snn.evaluation.precision import fits_better
from lossless_snn.exchange.nir_file import read_nir
from lossless_snn.networks.graph import chain_graph, parameter_shapes
from lossless_snn.networks.notation import parse
from lossless_snn.networks.quantised import convolve

# A 2 x 2 convolution on 1 x 3 x 3, then 3 units on all of its 2 x 2 x 2 map, 2 classes.
LAYERS = parse("2C2-3", (1, 3, 3), 2)
SHAPES = [(2, 2, 1, 2), (2,), (2,), (2,), (2,), (2, 2, 2, 3), (3,), (3,), (3,), (3,), (3, 2)]
ORDER = ["weight", "beta", "gamma", "mean", "variance"]

# `params` saved by real NumPy 1.13.3: array a has at [i, j, ...] the number with the digits a i j ...
OLD_FILES = sorted((Path(__file__).parent / "exchange").glob("*.npz"))


def coded(number: int, shape: tuple[int, ...]) -> np.ndarray:
    digits = np.indices(shape).reshape(len(shape), -1).T
    return np.array([int(str(number) + "".join(map(str, row))) for row in digits], dtype=np.float32).reshape(shape)


def arrays() -> list[np.ndarray]:
    return [coded(number, shape) for number, shape in enumerate(SHAPES)]


def save(path: Path, params: list) -> Path:
    """Save as NumPy of today does."""
    row = np.empty(len(params), dtype=object)
    row[:] = params
    np.savez(path, params=row)
    return path


def save_stream(path: Path, stream: bytes) -> Path:
    """An .npz whose `params` has `stream` where the pickle belongs."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("params.npy", member.getvalue() + stream)
    return path


def check_coded(parameters: dict[str, np.ndarray]) -> None:
    assert parameters.keys() == parameter_shapes(chain_graph(LAYERS)).keys()
    assert all(array.dtype == np.float32 for array in parameters.values())
    for out, channel, row, column in np.ndindex(2, 1, 2, 2):
        assert parameters["0.weight"][out, channel, row, column] == int(f"0{row}{column}{channel}{out}")
    for out, channel, row, column in np.ndindex(3, 2, 2, 2):
        assert parameters["1.weight"][out, channel, row, column] == int(f"5{row}{column}{channel}{out}")
    for offset, name in enumerate(ORDER[1:], 1):
        np.testing.assert_array_equal(parameters[f"0.{name}"], [10 * offset, 10 * offset + 1])
        np.testing.assert_array_equal(parameters[f"1.{name}"], [10 * (5 + offset) + i for i in range(3)])
    for out, unit in np.ndindex(2, 3):
        assert parameters["2.weight"][out, unit, 0, 0] == int(f"10{unit}{out}")


def random_parameters(layers, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    parameters = {name: rng.normal(0, 0.05, shape) for name, shape in parameter_shapes(chain_graph(layers)).items()}
    for name in parameters:
        if name.endswith("gamma"):
            parameters[name] += 1
        if name.endswith("variance"):
            parameters[name] = np.abs(parameters[name]) + 0.05
    return {name: array.astype(np.float32) for name, array in parameters.items()}


def test_there_are_files_of_2017():
    assert [path.name for path in OLD_FILES] == ["python2.7-numpy1.13.3.npz", "python3.6-numpy1.13.3.npz"]


@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: path.stem)
def test_files_of_2017_load(path):
    check_coded(read_npz(path, LAYERS))


def test_files_of_today_load(tmp_path):
    check_coded(read_npz(save(tmp_path / "m.npz", arrays()), LAYERS))


def test_compressed_big_endian_fortran_ordered_and_double_arrays_load(tmp_path):
    params = arrays()
    params[0], params[1], params[5] = np.asfortranarray(params[0]), params[1].astype(">f4"), params[5].astype("f8")
    row = np.empty(len(params), dtype=object)
    row[:] = params
    np.savez_compressed(tmp_path / "m.npz", params=row)
    check_coded(read_npz(tmp_path / "m.npz", LAYERS))


def test_fully_connected_kernel_may_be_a_matrix(tmp_path):
    params = arrays()
    params[5] = params[5].reshape(8, 3)
    check_coded(read_npz(save(tmp_path / "m.npz", params), LAYERS))


def test_output_follows_the_map_by_height_width_channel(tmp_path):
    """Without a fully connected layer the output matrix itself flattens the last map."""
    layers = parse("2C2", (1, 3, 3), 2)
    output = coded(5, (2, 2, 2, 2)).reshape(8, 2)
    weight = read_npz(save(tmp_path / "m.npz", [*arrays()[:5], output]), layers)["1.weight"]
    for out, channel, row, column in np.ndindex(2, 2, 2, 2):
        assert weight[out, channel, row, column] == int(f"5{row}{column}{channel}{out}")


@pytest.mark.parametrize("network", ["2C2-3", "20C5-P2-7", "4C3-P2-5C3", "6"])
def test_round_trip_changes_no_bit(tmp_path, network):
    layers = parse(network, (2, 8, 8), 10, "same")
    parameters = random_parameters(layers, 0)
    parameters["0.beta"][:2] = -0.0, np.float32(1e-45)
    write_npz(parameters, layers, tmp_path / "m.npz")
    back = read_npz(tmp_path / "m.npz", layers)
    assert {name: array.tobytes() for name, array in back.items()} == {
        name: array.tobytes() for name, array in parameters.items()
    }


def test_export_is_the_published_layout_as_numpy_reads_it(tmp_path):
    """The writer against NumPy's own reader."""
    parameters = read_npz(OLD_FILES[0], LAYERS)
    write_npz(parameters, LAYERS, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=True) as file:
        assert file.files == ["params"]
        found = file["params"]
    assert len(found) == len(SHAPES)
    for array, expected in zip(found, arrays(), strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_export_names_only_what_numpy_had_in_2017(tmp_path):
    write_npz(random_parameters(LAYERS, 0), LAYERS, tmp_path / "m.npz")
    stream = zipfile.ZipFile(tmp_path / "m.npz").read("params.npy")
    assert b"numpy.core.multiarray\n_reconstruct\n" in stream
    assert b"numpy._core" not in stream


def test_same_parameters_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(random_parameters(LAYERS, 0), LAYERS, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a.npz").infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("member", ["params.npy", "precision"])
@pytest.mark.bad_input("npz")
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path, member):
    """NumPy takes the last, other readers the first."""
    path = tmp_path / "k1.npz"
    write_npz(random_parameters(LAYERS, 0), LAYERS, path, "k1")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, archive.read(member))
    with pytest.raises(LosslessError, match=f"k1.npz: '{member}' is in it more than once"):
        stated_precision(path) if member == "precision" else read_npz(path, LAYERS)


class _Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.bad_input("npz")
def test_a_malicious_file_is_refused_and_nothing_of_it_runs(tmp_path, protocol):
    mark = tmp_path / "executed"
    evil = np.array([_Evil(os.mkdir, str(mark))], dtype=object)
    path = save_stream(tmp_path / "m.npz", pickle.dumps(evil, protocol))
    with pytest.raises(LosslessError, match=r"m\.npz: refused: it wants to load '(posix|os|nt)\.mkdir'"):
        read_npz(path, LAYERS)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["builtins\neval", "numpy\nsave", "numpy.core.multiarray\nfromfile", "numpy\nmatrix"])
@pytest.mark.bad_input("npz")
def test_nothing_but_arrays_can_be_named(tmp_path, name):
    path = save_stream(tmp_path / "m.npz", b"\x80\x02c" + name.encode() + b"\n.")
    with pytest.raises(LosslessError, match="wants to load '" + name.replace("\n", r"\.")):
        read_npz(path, LAYERS)


def test_bytes_may_be_encoded_as_latin1_only(tmp_path):
    """`_codecs.encode` imports a module by the name of the encoding."""
    path = save_stream(tmp_path / "m.npz", b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.")
    with pytest.raises(LosslessError, match="bytes encoded as 'rot13'"):
        read_npz(path, LAYERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop(), r"10 arrays in params, the network needs 11 \(5 for each of its 2 hidden layers"),
        (
            lambda p: p.__setitem__(0, np.zeros((3, 3, 1, 2), "f4")),
            r"layer 1 \(2C2\): kernel has shape \(3, 3, 1, 2\), the network needs \(2, 2, 1, 2\)$",
        ),
        (lambda p: p.__setitem__(0, p[0].reshape(4, 2)), r"layer 1 \(2C2\): kernel has shape \(4, 2\)"),
        (
            lambda p: p.__setitem__(5, np.zeros((9, 3), "f4")),
            r"layer 2 \(3\): kernel has shape \(9, 3\), the network needs \(2, 2, 2, 3\) or \(8, 3\)",
        ),
        (
            lambda p: p.__setitem__(8, np.zeros(2, "f4")),
            r"layer 2 \(3\): moving mean has shape \(2,\), the network needs \(3,\)",
        ),
        (
            lambda p: p.__setitem__(10, p[10].T),
            r"layer 3 \(output\): kernel has shape \(2, 3\), .* needs \(1, 1, 3, 2\) or \(3, 2\)",
        ),
        (lambda p: p.__setitem__(4, -p[4]), r"layer 1 \(2C2\): moving variance is negative"),
        (lambda p: p.__setitem__(1, np.array([1, np.nan], "f4")), r"0\.beta is not finite"),
        (lambda p: p.__setitem__(1, np.array([0.1, 1e300])), "32-bit floats do not hold"),
        (lambda p: p.__setitem__(1, "beta"), r"layer 1 \(2C2\): beta: expected an array of numbers, found str"),
        (lambda p: p.__setitem__(1, np.array(["a", "b"])), "beta: expected an array of numbers, found array of <U1"),
    ],
)
@pytest.mark.bad_input("npz")
def test_a_misfit_names_layer_and_shapes(tmp_path, change, message):
    params = arrays()
    change(params)
    with pytest.raises(LosslessError, match=message):
        read_npz(save(tmp_path / "m.npz", params), LAYERS)


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "m.npz"
    with pytest.raises(LosslessError, match=r"m\.npz: no such file; is its name right"):
        read_npz(path, LAYERS)
    path.write_text("not a zip file")
    with pytest.raises(LosslessError, match=r"truncated or not an \.npz file"):
        read_npz(path, LAYERS)
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(LosslessError, match="no array 'params'"):
        read_npz(path, LAYERS)
    np.savez(path, params=np.zeros(3))
    with pytest.raises(LosslessError, match="params is an array of '<f8'"):
        read_npz(path, LAYERS)
    save_stream(path, pickle.dumps([1, 2], 2))
    with pytest.raises(LosslessError, match="params holds no array of objects"):
        read_npz(path, LAYERS)


def test_a_truncated_file_gives_an_error_wherever_it_ends(tmp_path):
    whole = OLD_FILES[1].read_bytes()
    for length in range(0, len(whole), 13):
        (tmp_path / "m.npz").write_bytes(whole[:length])
        with pytest.raises(LosslessError, match=r"m\.npz: "):
            read_npz(tmp_path / "m.npz", LAYERS)


def test_a_truncated_pickle_gives_an_error_wherever_it_ends(tmp_path):
    member = zipfile.ZipFile(OLD_FILES[1]).read("params.npy")
    for length in range(0, len(member), 13):
        with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
            archive.writestr("params.npy", member[:length])
        with pytest.raises(LosslessError, match=r"m\.npz: "):
            read_npz(tmp_path / "m.npz", LAYERS)


def test_damaged_bytes_give_an_error_or_the_same_arrays(tmp_path):
    """A zip file has a check sum: no flipped bit of the arrays goes unnoticed."""
    whole = OLD_FILES[1].read_bytes()
    expected = read_npz(OLD_FILES[1], LAYERS)
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        (tmp_path / "m.npz").write_bytes(damaged)
        try:
            found = read_npz(tmp_path / "m.npz", LAYERS)
        except LosslessError:
            continue
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.bad_input("npz")
def test_a_damaged_entry_is_an_error_however_it_was_compressed(tmp_path, compression):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("params.npy", zipfile.ZipFile(OLD_FILES[1]).read("params.npy"))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(LosslessError, match=r"m\.npz: "):
        read_npz(path, LAYERS)


# Files that are made to harm.


def npy_member(header: str, stream: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    size = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + version + size + header.encode("latin-1") + stream


def save_member(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("params.npy", content)
    return path


def refused(path: Path, layers=LAYERS) -> tuple[str, int]:
    """What is said, and the bytes that were allocated at the most meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(LosslessError) as error:
            read_npz(path, layers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert said.isprintable()
    assert len(said) < len(str(path)) + 400
    return said, peak


HEADERS = {
    "nothing": "",
    "no bracket": "{'descr': '|O', 'fortran_order': False, 'shape': (1,)",
    "unbalanced": "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }}",
    "open string": "{'descr': '|O",
    "unhashable key": "{['descr']: '|O', 'fortran_order': False, 'shape': (1,), }",
    "deep": "(" * 9_000,
    "deep signs": "-" * 9_000 + "1",
    "a power": "{'descr': '|O', 'fortran_order': False, 'shape': (9**9**9,), }",
    "a call": "{'descr': '|O', 'fortran_order': False, 'shape': (exit(),), }",
    "negative": "{'descr': '|O', 'fortran_order': False, 'shape': (-1,), }",
    "two axes": "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }",
    "no axes": "{'descr': '|O', 'fortran_order': False, 'shape': (), }",
    "another size": "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "an enormous size": "{'descr': '|O', 'fortran_order': False, 'shape': (" + "9" * 5_000 + ",), }",
    "a key more": "{'descr': '|O', 'fortran_order': False, 'shape': (1,), 'a': 1, }",
    "a type more": "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }",
    "a line feed": "{'descr': '|O\n\x1b[2J', 'fortran_order': False, 'shape': (1,), }",
    "bytes": "".join(map(chr, range(256))),
    "null": "None",
    "a list": "[]",
}
ONE_ENTRY = pickle.dumps(np.array([None]), 2)


def test_the_headers_below_are_wrong_by_themselves(tmp_path):
    right = npy_member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", ONE_ENTRY)
    said, _ = refused(save_member(tmp_path / "m.npz", right))
    assert "1 arrays in params" in said


@pytest.mark.bad_input("npz")
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x03\x00"], ids=["1", "3"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_that_numpy_does_not_write(tmp_path, header, version):
    said, peak = refused(save_member(tmp_path / "m.npz", npy_member(header, ONE_ENTRY, version)))
    assert "params" in said
    assert peak < 2 << 20


@pytest.mark.bad_input("npz")
@pytest.mark.parametrize(
    "start", [b"", b"\x93NUM", b"\x93NUMPY\x04\x00", b"\x93NUMPY\x00\x00", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x05"]
)
def test_members_that_are_no_arrays(tmp_path, start):
    refused(save_member(tmp_path / "m.npz", start))


@pytest.mark.bad_input("npz")
def test_a_header_of_four_gigabytes(tmp_path):
    content = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b" " * 100
    assert refused(save_member(tmp_path / "m.npz", content))[1] < 2 << 20


@pytest.mark.bad_input("npz")
def test_a_file_that_crashed_the_interpreter(tmp_path):
    """numpy.dtype takes any state; then reading the array's type is a jump to anywhere."""
    stream = (
        b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R(K\x03X\x01\0\0\0<NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb."
    )
    assert "a composed type" in refused(save_stream(tmp_path / "m.npz", stream))[0]


# Of LAYERS: 16, 36 and 6 parameters, and what the file may have beside them.
LARGEST = 58 * 8 + (1 << 20)


@pytest.mark.bad_input("npz")
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_decompressed(tmp_path, compression):
    """Two hundred megabytes of zeros, in a file of kilobytes."""
    path = tmp_path / "m.npz"
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", compression) as archive, archive.open("params.npy", "w", force_zip64=True) as out:
        for _ in range(200):
            out.write(zeros)
    said, peak = refused(path)
    assert f"params has {200 << 20:,} bytes; the network's parameters take {LARGEST:,} at most" in said
    assert peak < 2 * LARGEST


@pytest.mark.bad_input("npz")
def test_a_bomb_that_declares_little(tmp_path):
    path = tmp_path / "m.npz"
    content = npy_member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", bytes(100 << 20))
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = packed.compress(content) + packed.flush()
    sizes = struct.pack("<III", zlib.crc32(content), len(raw), 500)
    fields = b"\x14\0\0\0\x08\0" + b"\0\0\x21\0" + sizes + b"\x0a\0\0\0"
    local = b"PK\x03\x04" + fields + b"params.npy" + raw
    central = b"PK\x01\x02\x14\0" + fields + bytes(14) + b"params.npy"
    end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0" + struct.pack("<IIH", len(central), len(local), 0)
    path.write_bytes(local + central + end)
    with zipfile.ZipFile(path) as archive:  # as it is meant to be read
        assert archive.getinfo("params.npy").file_size == 500
    assert refused(path)[1] < 2 * LARGEST


@pytest.mark.bad_input("npz")
def test_a_file_larger_than_any_model_of_the_network(tmp_path):
    path = save_member(tmp_path / "m.npz", bytes(LARGEST + 1))
    assert refused(path)[1] < 2 * LARGEST
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("params.npy", b"")
        archive.writestr("other.npy", bytes(LARGEST))
    said, _ = refused(path)
    assert f"parameters take {LARGEST:,} at most" in said


@pytest.mark.bad_input("npz")
@pytest.mark.parametrize("zip64", [False, True])
def test_a_directory_that_is_larger_than_any(tmp_path, zip64):
    """zipfile makes half a kilobyte of each of its 46 bytes."""
    path, entries = tmp_path / "m.npz", 60_000
    directory = (b"PK\x01\x02" + bytes(42)) * entries
    count, size = (0xFFFF, 0xFFFFFFFF) if zip64 else (entries, len(directory))
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, len(directory), 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(directory), 1)
    end = b"PK\x05\x06\0\0\0\0" + struct.pack("<HHIIH", count, count, size, 0, 0)
    path.write_bytes(directory + (record + locator if zip64 else b"") + end)
    said, peak = refused(path)
    assert "its directory of contents is too large" in said
    assert peak < 4 << 20


NESTED = b")" + b"2\x86".replace(b"2", b"q\0h\0") * 60
PICKLES = {
    "a memo index of 2^31": b"]r\xff\xff\xff\x7f",
    "lists": b"]" * 500_000,
    "dicts in the memo": b"".join(b"}r" + struct.pack("<I", n) for n in range(90_000)),
    "text as bytes": b"c_codecs\nencode\nq\0X\x90\xd0\x03\0"
    + b"a" * 250_000
    + b"q\x01X\x06\0\0\0latin1q\x02"
    + b"h\0h\x01h\x02\x86R" * 5_000,
    "a module that is nested": NESTED + b"X\x01\0\0\0a\x93",
    "a type that is nested": b"cnumpy\ndtype\n" + NESTED + b"\x85R)b",
    "an order that is nested": b"cnumpy\ndtype\nX\x02\0\0\0f4\x85R(K\x03" + NESTED + b"NNNK\0K\0K\0tb",
    "an encoding that is nested": b"c_codecs\nencode\nX\x01\0\0\0a" + NESTED + b"\x86R",
    "a shape that is nested": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R(K\x01" + NESTED + b"NNNtb",
    "a shape of enormous sizes": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x85R(K\x01(\x8b"
    + struct.pack("<i", 400_000)
    + b"\x7f" * 400_000
    + b"q\0"
    + b"h\0" * 20_000
    + b"tNNNtb",
}


@pytest.mark.slow
@pytest.mark.bad_input("npz")
@pytest.mark.parametrize("stream", PICKLES.values(), ids=PICKLES)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pickles_that_take_much_memory_or_time(tmp_path, stream, compression):
    """Nested: sixty tuples, each of the one before twice, which is looked at 2^60 times by who hashes or prints it."""
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    said, peak = refused(save_member(tmp_path / "m.npz", npy_member(header, b"\x80\x02" + stream + b"."), compression))
    assert "params" in said
    assert peak < 32 << 20  # of two hundred thousand opcodes; a megabyte of bytes each would be 200 GB


@pytest.mark.bad_input("npz")
def test_what_goes_on_after_its_end(tmp_path):
    content = npy_member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", ONE_ENTRY + b"more")
    assert "goes on after its end" in refused(save_member(tmp_path / "m.npz", content))[0]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reading_takes_twice_the_memory_of_the_parameters_at_most(tmp_path, compression, protocol, dtype):
    """Nearly all of them in one layer, as in the published networks; twice 64-bit numbers."""
    layers = parse("400", (1, 50, 50), 10)
    params = [np.zeros((2500, 400), dtype), *(np.ones(400, dtype) for _ in range(4)), np.zeros((400, 10), dtype)]
    row = np.empty(len(params), dtype=object)
    row[:] = params
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (6,), }"
    path = save_member(tmp_path / "m.npz", npy_member(header, pickle.dumps(row, protocol)), compression)
    tracemalloc.start()
    try:
        read_npz(path, layers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * (8 * sum(array.size for array in params) + (1 << 20))


@pytest.mark.bad_input("npz")
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "m.npz")
    assert "no regular file" in refused(tmp_path / "m.npz")[0]


def invoke(*arguments) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def test_an_imported_network_goes_through_the_whole_chain(tmp_path, monkeypatch):
    shutil.copytree(Path(__file__).parents[1] / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    settings = load_experiment("digits-lenet")
    trained = Checkpoint(
        random_parameters(settings.layers, 0),
        CheckpointMetadata(
            experiment="digits-lenet",
            budget="quick",
            precision="k1",
            seed=0,
            epochs=1,
            recipe=settings.recipe("quick", "k1").recorded(),
        ),
    )
    trained.save("trained.safetensors")
    invoke("export", "trained.safetensors", "--out", "model.npz")
    invoke("import", "model.npz", "--experiment", "digits-lenet", "--precision", "k1", "--out", "imported.safetensors")
    imported = Checkpoint.load("imported.safetensors")
    assert all(np.array_equal(imported.parameters[name], array) for name, array in trained.parameters.items())
    assert imported.metadata.model_dump(include={"budget", "seed", "epochs"}) == {
        "budget": "imported",
        "seed": None,
        "epochs": None,
    }
    invoke("evaluate", "imported.safetensors", "--out", "ann.json")
    invoke("convert", "imported.safetensors", "--out", "imported.snn.safetensors")
    invoke("simulate", "imported.snn.safetensors", "--logs", "logs", "--limit", 4, "--steps", 3)
    assert json.loads(Path("ann.json").read_text(encoding="utf-8"))["budget"] == "imported"
    assert json.loads(Path("logs/snn.json").read_text(encoding="utf-8"))["precision"] == "k1"


def imported(model, *options, experiment="tiny"):
    invoke("import", model, "--experiment", experiment, "--out", "imported.safetensors", *options)
    return Checkpoint.load("imported.safetensors")


def refusal(model, *options, experiment="tiny"):
    arguments = ["import", model, "--experiment", experiment, "--out", "refused.safetensors", *options]
    error = CliRunner().invoke(cli, arguments).exception
    assert isinstance(error, LosslessError)
    assert not Path("refused.safetensors").exists()
    return str(error)


def test_a_precision_other_than_the_file_states_is_refused(trained, project):
    invoke("export", trained, "--out", "stated.npz")
    assert imported("stated.npz", "--precision", "k1").k == 1
    assert refusal("stated.npz", "--precision", "k2") == "stated.npz: states that it is of precision k1, not k2"


def write_silent(path: Path, stray: float) -> None:
    """A file of `wide` that says nothing of its precision, as the published code's; its moving means stray from k = 1.

    Args:
        path: Where to write it.
        stray: Standard deviation of what is added to the means, over the sums' own.
    """
    Path("config/experiments/wide.yaml").write_text(TINY.replace("3C5-P4-8", "16C5-P4-64"), encoding="utf-8")
    settings = load_experiment("wide")
    parameters = random_parameters(settings.layers, 0)
    metadata = CheckpointMetadata(
        experiment="wide", budget="quick", precision="k1", seed=0, epochs=1, recipe=settings.architecture
    )
    checkpoint = Checkpoint(parameters, metadata)
    images = load("digits", "train")[:CHECKED_IMAGES]  # others would stray by themselves: the images are few
    activation = encode(images.pixels, checkpoint.data, torch.device("cpu"))
    rng = np.random.default_rng(0)
    for index, layer in enumerate(settings.layers[:-1]):
        sums = convolve(activation, torch.from_numpy(parameters[f"{index}.weight"]), layer).transpose(0, 1).flatten(1)
        parameters[f"{index}.variance"] = sums.var(1).numpy()
        strays = stray * sums.std(1) * torch.from_numpy(rng.normal(0, 1, len(sums)).astype(np.float32))
        parameters[f"{index}.mean"] = sums.mean(1).numpy()
        activation = build(checkpoint, torch.device("cpu"))[index](activation).detach()
        parameters[f"{index}.mean"] += strays.numpy()
    write_npz(parameters, settings.layers, path)


def test_a_precision_that_the_moving_means_speak_against_is_refused(project):
    write_silent(Path("silent.npz"), stray=0.01)
    assert imported("silent.npz", "--precision", "k1", experiment="wide").k == 1
    for wrong in ("fp32", "k0", "k2"):
        message = f"silent.npz: does not state its precision, and its moving means fit k1 better than {wrong}; name"
        assert refusal("silent.npz", "--precision", wrong, experiment="wide").startswith(message)
    assert imported("silent.npz", "--precision", "k0", "--unchecked", experiment="wide").k == 0


def test_moving_means_that_tell_nothing_speak_against_no_precision(project):
    """Running means of a short training stray by more than a quantiser's level moves them."""
    write_silent(Path("silent.npz"), stray=1)
    for named in ("fp32", "k0", "k1", "k2"):
        assert imported("silent.npz", "--precision", named, experiment="wide").metadata.precision == named


@pytest.mark.parametrize(
    ("other", "named", "better"),
    [
        ([1, 1, 1, 1], [2, 2.1, 1.9, 2], True),
        ([1, 1, 1, 1], [1.4, 1.5, 1.3, 1.4], False),  # not by half
        ([1, 1, 1, 1], [9, 1, 1, 1], False),  # by one channel: its lead is one standard error
        ([2, 2, 2, 2], [1, 1.1, 0.9, 1], False),
        ([1], [9], False),  # a single channel has no standard error
    ],
)
def test_another_precision_fits_better_by_half_and_by_three_standard_errors(other, named, better):
    assert fits_better(torch.tensor(other, dtype=torch.float32), torch.tensor(named, dtype=torch.float32)) is better


def test_a_bound_of_the_activations_is_an_upper_stop(trained, project):
    invoke("export", trained, "--out", "stated.npz")
    bounded = imported("stated.npz", "--precision", "k1", "--upper-bound", 2)
    assert bounded.graph.upper_bound == 2
    assert [layer.upper_stop for layer in convert(bounded).hidden] == [4] * 3


def test_batch_norm_behind_the_output_becomes_weights_and_a_bias(trained, project):
    network = Checkpoint.load(trained)
    *hidden, output = network.layers
    rng = np.random.default_rng(0)
    order = ("weight", "beta", "gamma", "mean", "variance")
    values = {f"{index}.{name}": network.parameters[f"{index}.{name}"] for index in range(3) for name in order}
    arrays = [a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for a in values.values()]
    weight = network.parameters["3.weight"]
    beta, gamma, mean = rng.normal(0, 1, (3, 10)).astype(np.float32)
    variance = rng.exponential(1, 10).astype(np.float32)
    matrix = weight.transpose(2, 3, 1, 0).reshape(-1, 10)
    path = save(Path("older.npz"), [*arrays, matrix, beta, gamma, mean, variance])
    read = imported(path, "--precision", "k1", "--unchecked")
    assert read.graph.output.bias
    inputs = rng.integers(0, 5, (6, output.in_shape[0]))
    expected = gamma * (inputs @ matrix.astype(float) - mean) / np.sqrt(variance + 1e-5) + beta
    found = inputs @ read.parameters["3.weight"].reshape(10, -1).T.astype(float) + read.parameters["3.bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    spiking = convert(read)
    assert spiking.readout_offset is not None
    assert len(hidden) == len(spiking.hidden)


def test_a_count_that_does_not_fit_names_the_shapes(tmp_path):
    with pytest.raises(
        LosslessError, match=r"3 arrays in params, the network needs \d+ .* Its shapes: \(2, 2\), \(3,\), \(1,\)$"
    ):
        read_npz(save(tmp_path / "m.npz", [np.zeros((2, 2)), np.zeros(3), np.zeros(1)]), LAYERS)


def test_export_by_its_ending(trained, project):
    pytest.importorskip("onnx")
    pytest.importorskip("nir")
    for ending in ("onnx", "nir"):
        invoke("export", trained, "--out", f"network.{ending}")
    assert read_nir("network.nir").sha256 == convert(Checkpoint.load(trained)).sha256
    assert CliRunner().invoke(cli, ["export", str(trained), "--out", "network.txt"]).exit_code == 2
