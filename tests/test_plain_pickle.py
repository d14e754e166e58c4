"""Reading pickles as data: what NumPy and Python wrote comes back, and whatever else is asked for is one line."""

import io
import os
import pickle
import pickletools
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossless_snn.errors import LosslessError
from lossless_snn.files import plain_pickle
from lossless_snn.files.plain_pickle import read_object_array, read_plain


def read(content):
    return read_plain(io.BytesIO(content), "here", "file", "a model")


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if expected.dtype == object:
            assert_same(found.ravel().tolist(), expected.ravel().tolist())
        else:
            assert found.tobytes() == expected.tobytes()
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        assert_same(list(found.values()), list(expected.values()))
    else:
        assert found == expected or found != found


def complaint(content):
    """What the error says; nothing where there is none."""
    try:
        read(content)
    except LosslessError as error:
        return str(error)
    return ""


def assert_refused(content, message):
    with pytest.raises(LosslessError, match=message) as error:
        read(content)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


# What is read.


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(min_size=1),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.binary(min_size=1), inner)
        | st.lists(inner, max_size=5).map(tuple)
    ),
    max_leaves=20,
)


@given(PLAIN, st.integers(0, 4))
def test_plain_values_come_back(value, protocol):
    assert_same(read(pickle.dumps(value, protocol)), value)


ARRAYS = [
    np.random.default_rng(0).normal(size=(3, 4)),
    np.asfortranarray(np.random.default_rng(1).normal(size=(3, 4, 2)).astype(np.float32)),
    np.arange(-3, 4, dtype=">i2"),
    np.array([0, 255, 10, 13, 92, 39], np.uint8),
    np.array([1 + 2j]),
    np.array([True, False]),
    np.array(["a", "bcé"]),
    np.array([b"a", b"\xff\x80"]),
    np.full((), 3, "f4"),
    np.array([[1, "a"], [None, np.zeros(2)]], object),
]


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back(array, protocol):
    assert_same(read(pickle.dumps(array, protocol)), array)


@pytest.mark.parametrize("protocol", [3, 4])
def test_empty_arrays_come_back(protocol):
    assert_same(read(pickle.dumps(np.zeros((0, 3), "f4"), protocol)), np.zeros((0, 3), "f4"))


@pytest.mark.parametrize("protocol", range(5))
def test_what_is_there_twice_is_read_twice(protocol):
    """The second time a stream refers to what it memorised, which was before the array had its content."""
    array = np.arange(3)
    found = read(pickle.dumps([array, {"again": array}, array.dtype, np.arange(3)], protocol))
    assert_same(found, [array, {"again": array}, array.dtype, np.arange(3)])
    assert found[0] is found[1]["again"]


def test_the_strings_of_python_2_are_text_of_one_character_a_byte():
    every = bytes(range(256))
    assert read(b"\x80\x02T" + struct.pack("<i", 256) + every + b".") == every.decode("latin-1")
    assert read(b"\x80\x02U\xff" + every[:255] + b".") == every[:255].decode("latin-1")
    # Protocol 0 quotes and escapes them.
    assert read(b"S'\\x00\\xffa\\n\\''\np0\n.") == "\x00\xffa\n'"


def test_an_array_as_python_2_pickled_it_by_protocol_0():
    lines = [rb"cnumpy.core.multiarray", rb"_reconstruct", rb"p0", rb"(cnumpy", rb"ndarray", rb"p1", rb"(I0", rb"tp2"]
    lines += [rb"S'b'", rb"p3", rb"tp4", rb"Rp14", rb"(I1", rb"(I2", rb"tp5", rb"cnumpy", rb"dtype", rb"p6", rb"(S'u1'"]
    lines += [
        rb"p7",
        rb"I0",
        rb"I1",
        rb"tp8",
        rb"Rp9",
        rb"(I3",
        rb"S'|'",
        rb"p10",
        rb"NNNI-1",
        rb"I-1",
        rb"I0",
        rb"tp11",
    ]
    content = b"\n".join([*lines, rb"bI00", rb"S'\xc8\x07'", rb"p12", rb"tp13", rb"b."])
    assert_same(read(content), np.array([200, 7], np.uint8))
    assert_same(pickle.loads(content, encoding="latin1"), np.array([200, 7], np.uint8))


def test_an_object_array_from_bytes():
    row = np.empty(2, object)
    row[:] = [np.arange(3.0), np.ones((2, 2), "f4")]
    assert_same(read_object_array(io.BytesIO(pickle.dumps(row, 2)), "here", "file", "a model"), row)
    for other in ([1], np.arange(3), None):
        with pytest.raises(LosslessError, match=r"^here holds no array of objects; get it again$"):
            read_object_array(io.BytesIO(pickle.dumps(other, 2)), "here", "file", "a model")


# What is refused.


def test_a_type_does_not_take_any_state():
    """Six values in the place of eight crash the interpreter, where numpy.dtype takes them."""
    assert_refused(
        b"\x80\x02cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R(K\x03X\x01\0\0\0<NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb.",
        r"^here cannot be read \(ValueError: a composed type\); get it again$",
    )


def dtype(code="f4", state=(3, "<", None, None, None, -1, -1, 0)):
    """A stream for a type, without the end."""
    text = [b"cnumpy\ndtype\n", pickle.dumps(code, 2)[2:-1], b"\x89\x88\x87R", pickle.dumps(state, 2)[2:-1], b"b"]
    # Memorised under numbers that nothing refers to.
    return b"".join(text)


def array(type_stream=None, shape=(2,), content=b"\0" * 8, version=1, fortran=False):
    """A stream for an array, without the end."""
    start = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\nK\0\x85U\x01b\x87R("
    parts = [pickle.dumps(part, 3)[2:-1] for part in (version, shape)]
    rest = [pickle.dumps(part, 3)[2:-1] for part in (fortran, content)]
    return start + b"".join(parts) + (type_stream or dtype()) + b"".join(rest) + b"tb"


def test_the_streams_below_are_right_but_for_what_is_changed():
    assert_same(read(b"\x80\x03" + array() + b"."), np.zeros(2, "f4"))


@pytest.mark.parametrize(
    "stream",
    [
        dtype(state=()),
        dtype(state=(3, "<")),
        dtype(state=None),
        dtype(state="<"),
        dtype(state=(3, "x", None, None, None, -1, -1, 0)),
        dtype(state=(3, ["<"], None, None, None, -1, -1, 0)),
        dtype(state=(3, "<", (1, (2,)), None, None, -1, -1, 0)),
        dtype(state=(3, "<", None, ("a",), {"a": 1}, -1, -1, 0)),
        dtype("V8"),
        dtype("M8"),
        dtype("f4,f4"),
        dtype("(1000000000,)f8"),
        dtype("f3"),
        dtype("S0"),
        dtype("U9999999999"),
        dtype("x4"),
        dtype(4),
        dtype(b"f4"),
        dtype(None),
        array(shape=(3,)),
        array(shape=(-2,)),
        array(shape=(2**62, 2**62)),
        array(shape=(2**62, 0), content=b""),
        array(shape=(1,) * 70 + (2,)),
        array(shape=[2]),
        array(shape=(2.0,)),
        array(shape=2),
        array(shape=None),
        array(content=b"\0" * 7),
        array(content=[1, 2]),
        array(content=None),
        array(content=2),
        array(dtype("O8", (3, "|", None, None, None, -1, -1, 63))),
        array(dtype("O8", (3, "|", None, None, None, -1, -1, 63)), content=[1]),
        array(b"N"),
        array(b"cnumpy\ndtype\n"),
        array(b"cnumpy\ndtype\nU\x02f4\x89\x88\x87R"),
        array() + b")b",  # a second state
        dtype() + b")b",
        b"]" + b"}b",
        b"K\x01}b",
        b"cnumpy\nndarray\n}b",
        b"cnumpy\nndarray\nK\x05\x85R",
        b"cnumpy\nndarray\n)R",
        b"cnumpy\ndtype\n)R",
        b"cnumpy\ndtype\nK\x05R",
        b"cnumpy.core.multiarray\n_reconstruct\n(K\x00K\x00K\x00tR",
        b"K\x01)R",
        b"c_codecs\nencode\nK\x01U\x06latin1\x86R",
        b"c_codecs\nencode\nU\x01aU\x05utf-8\x86R",
        b"c_codecs\nencode\nU\x01a\x85R",
        b"]K\x01K\x02s",
        b"}K\x01a",
        b"}K\x01K\x02s",  # a key that is a number
        b"}K\x01Nu",
        b"(K\x01d",
        b"N(e",
        b"t",
        b"\x87",
        b"0",
        b"h\x05",
        b"q\x05",
        b"g99999999999999999999\n",
        b"",
        b"K",
        b"U\xffabc",
        b"X\xff\xff\xff\xffabc",
        b"X\x02\0\0\0\xff\xff",
        b"T\xff\xff\xff\xff",
        b"B\xff\xff\xff\xffabc",
        b"\x8e" + b"\xff" * 8 + b"abc",
        b"\x8d" + b"\xff\xff\xff\xff\0\0\0\0abc",
        b"\x8b\xff\xff\xff\x7f",
        b"I1_0x\n",
        b"L" + b"9" * 10_000 + b"L\n",
        b"Fx\n",
        b"S'abc\n",
        b"S'\\x'\n",
        b"\xff",
        b"\x1b",
    ],
)
@pytest.mark.bad_input("pickles")
def test_streams_that_make_no_sense_are_one_line(stream):
    assert_refused(b"\x80\x03" + stream + b".", r"^here cannot be read \(\w+: ?.*\); get it again$")


@pytest.mark.parametrize(
    "stream", [b"(K\x01ios\nsystem\n", b"cos\nsystem\n", b"U\x02osU\x06system\x93", b"(cos\nsystem\nU\x01ao"]
)
@pytest.mark.bad_input("pickles")
def test_a_name_is_refused_however_it_is_given(stream):
    assert_refused(
        b"\x80\x04" + stream + b".", r"^file: refused: it wants to load 'os\.system', and a model holds plain"
    )


@pytest.mark.parametrize(
    "stream",
    [b"P1\n", b"NQ", b"\x82\x01", b"(N\x90", b"\x8f", b"(\x91", b"NN\x81", b"NNN\x92", b"\x97", b"N\x98", b"(No"],
)
@pytest.mark.bad_input("pickles")
def test_opcodes_that_data_do_not_need(stream):
    assert_refused(
        b"\x80\x05" + stream + b".", r"^file: refused: it uses the opcode \w+, and a model holds plain arrays"
    )


def test_names_with_control_characters_are_one_short_line():
    assert_refused(
        b"\x80\x02c" + b"a\x1b[31m\r" * 100 + b"\nb\n.", r"^file: refused: it wants to load 'a\\x1b\[31m\\ra"
    )
    assert_refused(b"\x80\x02U\x04a\nb\x00U\x01c\x93.", r"wants to load 'a\\nb\\x00\.c'")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo index of 2^31: C's unpickler makes room for all before it
        b"\x80\x02]r\xff\xff\xff\xff.",
        b"]p99999999999\n.",
        b"\x80\x02" + b"]" * 60_000 + b".",
        b"\x80\x02" + b"(" * 60_000 + b".",
        b"\x80\x02" + b"]" + b"]a" * 9_000 + b".",
        b"\x80\x02)" + b"2\x86" * 9_000 + b".",
        b"\x80\x04\x95" + b"\xff" * 8 + b".",
    ],
    ids=["memo", "memo of 2^32", "memo as text", "lists", "marks", "nested", "doubled", "frame"],
)
@pytest.mark.bad_input("pickles")
def test_memory_is_bounded(content, monkeypatch):
    """Here for a fiftieth of the opcodes that a file may have."""
    monkeypatch.setattr(plain_pickle, "MOST_OPCODES", plain_pickle.MOST_OPCODES // 50)
    tracemalloc.start()
    assert len(complaint(content)) < 400
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("protocol", range(5))
def test_every_byte_cut_or_changed_is_an_array_or_one_line(protocol):
    content = pickle.dumps({"data": np.arange(4, dtype="u1"), "labels": [1, 2], "text": ["a", b"b"]}, protocol)
    for position in range(len(content)):
        for damaged in [
            content[:position],
            *(content[:position] + bytes([b]) + content[position + 1 :] for b in b"\x00\x01(.Rbst]}\x80\xff"),
        ]:
            assert complaint(damaged).isprintable()


@given(st.lists(st.sampled_from([o.code.encode("latin-1") for o in pickletools.opcodes]) | st.binary(max_size=4)))
def test_any_opcodes_end_in_a_value_or_one_line(parts):
    assert complaint(b"\x80\x02" + b"".join(parts) + b".").isprintable()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.bad_input("pickles")
def test_nothing_runs(tmp_path, protocol):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (os.fspath(tmp_path / "made"),)

    assert_refused(pickle.dumps([Malicious()], protocol), r"wants to load '(posix|nt)\.mkdir'")
    assert not (tmp_path / "made").exists()
