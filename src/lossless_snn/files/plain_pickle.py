"""Reading pickles that hold data: plain values and NumPy arrays, and nothing else.

Unpickling calls whatever a stream names, and NumPy's own objects take any state that it gives them, up to
one that crashes the interpreter. So a stream is interpreted here, opcode by opcode. It can make numbers,
text, bytes, tuples, lists and dicts; types and arrays are built from such values, once these are checked.
"""

import codecs
import pickletools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from math import prod
from pathlib import Path
from types import UnionType
from typing import IO, Any

import numpy as np

from ..errors import LosslessError, quoted

# A batch of CIFAR-10 has 40,000. An opcode of one byte makes an object of up to a hundred.
MOST_OPCODES = 200_000
# Bytes that are copied without being in the stream: of short strings, which Python shares.
_SHARED = 1 << 20
# Of an array; NumPy has room for 64.
_MOST_AXES, _LARGEST_AXIS = 64, 2**63 - 1


def read_plain(stream: IO[bytes], where: str, path: str | Path, kind: str) -> Any:
    """What a pickle of protocol 0 to 4 holds.

    Args:
        stream: The pickle. It takes memory for what it is, not for what it claims: a stream must not make
            room before it reads.
        where: What an error names where the pickle is damaged.
        path: What an error names where the pickle asks for more than data.
        kind: What such files are, for the same error: "a model".

    Returns:
        Plain values; the strings of Python 2 as text of one character a byte; arrays of numbers
        read-only, on top of the bytes that they came in.

    Raises:
        LosslessError: It is damaged, or names anything but arrays and their types. Nothing of it was run.
    """
    try:
        return _Interpreter(path, kind).run(stream)
    except LosslessError:
        raise
    except Exception as error:  # whatever a damaged stream makes the interpreter stumble over
        reason = f"{type(error).__name__}: {quoted(error)}"
        raise LosslessError(f"{where} cannot be read ({reason}); get it again") from None


def read_object_array(stream: IO[bytes], where: str, path: str | Path, kind: str) -> np.ndarray:
    """The array of objects in a pickle, which is what an `.npy` file has behind its header.

    Args:
        stream, where, path, kind: See `read_plain`.

    Returns:
        An array of type object, of any shape. Its entries are what `read_plain` gives.

    Raises:
        LosslessError: As `read_plain`, and where the pickle holds something else.
    """
    array = read_plain(stream, where, path, kind)
    if not (isinstance(array, np.ndarray) and array.dtype == object):
        raise LosslessError(f"{where} holds no array of objects; get it again")
    return array


class _Global(Enum):
    """What a stream may name."""

    RECONSTRUCT = "an array without content"
    NDARRAY = "the class of arrays"
    DTYPE = "the class of types"
    ENCODE = "text to bytes"


# The module of the first depends on the NumPy that wrote the file. By the last, Python 3 passes bytes through
# protocols that have only text.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Global.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Global.RECONSTRUCT,
    ("numpy", "ndarray"): _Global.NDARRAY,
    ("numpy", "dtype"): _Global.DTYPE,
    ("_codecs", "encode"): _Global.ENCODE,
}

_VALUES = {"INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"}
_VALUES |= {"SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES"}
_VALUES |= {"SHORT_BINBYTES", "BINBYTES8"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


@dataclass
class _Unbuilt:
    """A type or an array between REDUCE, which asks for it, and BUILD, which gives its state.

    A stream memorises it in between: what it refers to later is `result`.
    """

    build: Callable[[Any], Any]
    result: Any = None


class _Interpreter:
    """The pickle machine: a stack, marks on it, and a memo."""

    def __init__(self, path: str | Path, kind: str) -> None:
        self._path, self._kind = path, kind
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        # Text can be memorised once and asked for as bytes a hundred thousand times.
        self._uncopied = _SHARED

    def run(self, stream: IO[bytes]) -> Any:
        for name, argument in _opcodes(stream):
            if name == "STOP":
                self._memo.clear()  # what is not built in it refers to this object: neither would go
                return self._stack.pop()
            if name in _VALUES:
                self._stack.append(argument)
                self._uncopied += len(argument) if isinstance(argument, str | bytes) else 0
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            else:
                self._step(name, argument)
        raise ValueError(f"more than {MOST_OPCODES:,} opcodes")

    def _step(self, name: str, argument: Any) -> None:
        """Carry out an opcode that does more than push its argument."""
        stack, memo = self._stack, self._memo
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self._marks.append(len(stack))
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                value = memo[argument]
                stack.append(value.result if isinstance(value, _Unbuilt) else value)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._pop_marked()
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(reversed([stack.pop() for _ in range(int(name[-1]))])))
            case "TUPLE":
                stack.append(tuple(self._pop_marked()))
            case "EMPTY_LIST" | "EMPTY_DICT":
                stack.append([] if name == "EMPTY_LIST" else {})
            case "LIST":
                stack.append(self._pop_marked())
            case "DICT":
                stack.append(_entries(self._pop_marked()))
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if name == "APPEND" else self._pop_marked()
                _expect(stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self._pop_marked()
                _expect(stack[-1], dict).update(_entries(items))
            case "GLOBAL" | "INST":
                stack.append(self._named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self._named(_expect(module, str), _expect(attribute, str)))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(self._call(function, arguments))
            case "BUILD":
                state, target = stack.pop(), _expect(stack.pop(), _Unbuilt)
                target.result = target.build(state)
                stack.append(target.result)
            case _:
                raise self._refusal(f"uses the opcode {name}")

    def _call(self, function: Any, arguments: Any) -> Any:
        """What one of the allowed functions returns."""
        first, *others = _expect(arguments, tuple)
        if function is _Global.ENCODE:
            (encoding,) = others
            if _expect(encoding, str) != "latin1":
                raise ValueError(f"bytes encoded as {encoding!r}")
            return self._encoded(_expect(first, str))
        if function is _Global.DTYPE:
            return _Unbuilt(partial(_dtype, _expect(first, str)))
        if function is _Global.RECONSTRUCT and first is _Global.NDARRAY:
            return _Unbuilt(self._array)
        raise TypeError("a call of what cannot be called")

    def _encoded(self, text: str) -> bytes:
        self._uncopied -= len(text)
        if self._uncopied < 0:
            raise ValueError("text asked for as bytes over and over")
        return text.encode("latin-1")

    def _array(self, state: tuple) -> np.ndarray:
        """An array from its state: (version, shape, type, Fortran order?, content)."""
        _version, shape, dtype, is_fortran, content = state
        if len(_expect(shape, tuple)) > _MOST_AXES or not all(map(_is_size, shape)):
            raise ValueError("a shape of other than sizes")
        if isinstance(content, str):
            content = self._encoded(content)
        size = prod(shape) * (1 if _expect(dtype, np.dtype).hasobject else dtype.itemsize)
        if len(_expect(content, list if dtype.hasobject else bytes)) != size:
            raise ValueError(f"{len(content):,} values or bytes, but shape and type need {size:,}")
        if dtype.hasobject:
            array = np.empty(size, object)
            for index, entry in enumerate(content):
                array[index] = entry
            content.clear()  # no second array may be made of it
        else:
            array = np.frombuffer(content, dtype)
        return array.reshape(shape, order="F" if is_fortran else "C")

    def _pop_marked(self) -> list[Any]:
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _named(self, module: str, name: str) -> _Global:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise self._refusal(f"wants to load '{quoted(f'{module}.{name}')}'") from None

    def _refusal(self, wish: str) -> LosslessError:
        return LosslessError(
            f"{self._path}: refused: it {wish}, and {self._kind} holds plain arrays only; nothing of it was run"
        )


def _opcodes(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Names and arguments of the stream's opcodes, at most MOST_OPCODES."""
    for _ in range(MOST_OPCODES):
        code = stream.read(1)
        if not code:
            raise ValueError("it ends in the middle")
        opcode = pickletools.code2op[code.decode("latin-1")]
        if opcode.name == "STRING":  # which pickletools takes for ASCII
            argument = codecs.escape_decode(pickletools.read_stringnl(stream, decode=False))[0].decode("latin-1")
        else:
            argument = opcode.arg and opcode.arg.reader(stream)
        yield opcode.name, argument


def _expect(value: Any, kind: type | UnionType) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in the place of {getattr(kind, '__name__', kind)}")
    return value


def _entries(items: list[Any]) -> dict[str | bytes, Any]:
    """Keys and values in turn. Keys are text: numbers can be chosen so that all of them collide."""
    return {_expect(key, str | bytes): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _dtype(code: str, state: tuple) -> np.dtype:
    """A type of numbers, text or objects: "f4" and the state (version, byte order, None, None, None, ...)."""
    _version, order, *composition = _expect(state, tuple)[:5]
    # Only text is looked up: hashing tuples of tuples of tuples, each twice the other, takes for ever.
    if not re.fullmatch(r"[biufcSU][1-9]\d{0,8}|O\d?", code) or _expect(order, str) not in {"<", ">", "|", "="}:
        raise ValueError(f"type {code!r} of byte order {order!r}")
    if composition != [None] * 3:
        raise ValueError("a composed type")
    return np.dtype(object if code.startswith("O") else code).newbyteorder(order)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= _LARGEST_AXIS
