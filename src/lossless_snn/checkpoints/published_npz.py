"""Checkpoints in the layout of the published code: one object array `params` in an `.npz` file.

Layer by layer the convolution kernel (height, width, in, out), then batch norm's beta, gamma,
moving mean and moving variance, each (out,); at the end the output matrix (in, out), "in" being the
last map flattened height, width, channel. Older versions have batch norm behind the output, too: four arrays more.

Nothing in it says which quantiser the network was trained with; files written here have that beside it.

An object array is a pickle, which is read as plain data only, see `files.plain_pickle`. Such files come from anywhere:
reading one takes at most twice the memory of the network's parameters in 64-bit numbers.
"""

import io
import pickle
import re
import struct
import zipfile
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import LosslessError, quoted
from ..files.atomic import replacing
from ..files.plain_pickle import read_object_array
from ..files.reading import reading
from ..networks.geometry import Layer
from ..networks.graph import Graph, chain_graph, parameter_shapes
from ..networks.quantiser import BATCH_NORM_EPS, quantiser_level
from .checkpoint import check_parameters

# A hidden layer's parameters in the order of the file, by the names that a checkpoint gives them.
ORDER = ("weight", "beta", "gamma", "mean", "variance")
TITLES = dict(zip(ORDER, ("kernel", "beta", "gamma", "moving mean", "moving variance"), strict=True))

_MEMBER, _PRECISION = "params.npy", "precision"
# The earliest date that a zip file can hold: the same checkpoint gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
# What NumPy wrote in 2017, and what every NumPy since has read, under Python 2 and 3.
_PROTOCOL = 2

# Bytes of a parameter in 64-bit floats or integers, and of all else in the file: headers, opcodes, other arrays.
_WIDEST_NUMBER, _BESIDES = 8, 1 << 20
# Bytes decompressed at once, and read at once of the archive as it is.
_PIECE, _MOST_AT_ONCE = 1 << 16, 1 << 20
_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER, _LONGEST_PRECISION = 10_000, 10
# Of arrays that are not the network's, a message has the shapes of so many.
_SHOWN_SHAPES = 12
# Python 2 on Windows wrote sizes as 11L.
_HEADER = re.compile(
    r"\{'descr': '(?P<descr>[^']*)', 'fortran_order': (?:False|True), 'shape': \((?P<size>\d+)L?,\), ?\} *\n?"
)


def write_npz(
    parameters: dict[str, np.ndarray], layers: tuple[Layer, ...], path: str | Path, precision: str | None = None
) -> None:
    """Write a network's parameters, as `Checkpoint` holds them, in the published layout, atomically.

    The `precision`, if given, is a member of its own, which other readers take no notice of.
    """
    arrays = [
        parameters[f"{index}.{name}"] if name != "weight" else _kernel(parameters[f"{index}.weight"])
        for index in range(len(layers) - 1)
        for name in ORDER
    ]
    output = _kernel(parameters[f"{len(layers) - 1}.weight"])
    params = np.empty(len(arrays) + 1, dtype=object)
    params[:] = [*arrays, output.reshape(-1, output.shape[-1])]
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": params.shape})
    stream.write(_pickled(params))
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_MEMBER, _DATE), stream.getvalue())
        if precision is not None:
            archive.writestr(zipfile.ZipInfo(_PRECISION, _DATE), precision)


def stated_precision(path: str | Path) -> str | None:
    """The precision that a file written here states; None of other files.

    Raises LosslessError where the file cannot be read, or states something else.
    """
    try:
        with reading(path), _Archive(path) as file, zipfile.ZipFile(file) as archive:
            if _PRECISION not in archive.namelist():
                return None
            member = _entry(archive, _PRECISION, path)
            # Some ways to compress expand a whole piece of the archive before it can be limited.
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > _LONGEST_PRECISION:
                raise LosslessError(f"{path}: '{_PRECISION}' in it is no name of a precision; export it again")
            stated = archive.read(member).decode("ascii")
        quantiser_level(stated)
        return stated
    except LosslessError:
        raise
    except Exception as error:  # whatever damaged bytes make zipfile and zlib stumble over
        raise LosslessError(f"{path}: truncated or not an .npz file ({quoted(error)}); get it again") from None


def read_npz(path: str | Path, layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """Parameters of the network `layers`, as `Checkpoint` holds them, float32, from the published layout.

    The kernel of a fully connected layer may also be a matrix (in, out), flattened like the output's.
    Batch norm behind the output, where the file has it, becomes part of the output's weights, and its bias.
    Raises LosslessError, naming layer and shapes, where the arrays are not those of `layers`, and
    where the file is damaged or holds anything but plain arrays of numbers.
    """
    arrays = _read_arrays(path, layers)
    expected = len(ORDER) * (len(layers) - 1) + 1
    normalised = len(arrays) == expected + len(ORDER) - 1
    if len(arrays) != expected and not normalised:
        raise LosslessError(
            f"{path}: {len(arrays)} arrays in params, the network needs {expected} ({len(ORDER)} for each of its "
            f"{len(layers) - 1} hidden layers, 1 for the output, or {len(ORDER)} with batch norm); is this the "
            f"experiment of this file? Its shapes: {_shapes(arrays)}"
        )
    # Each is given up once it is converted: of 64-bit numbers one layer may be half of all memory that this takes.
    remaining = arrays.tolist()[::-1]
    del arrays
    parameters = {}
    for index, layer in enumerate(layers):
        for name in ORDER if normalised or layer is not layers[-1] else ("weight",):
            where = f"{path}: layer {index + 1} ({layer.token}): {TITLES[name]}"
            array = _single_precision(remaining.pop(), where)
            fit = _weight if name == "weight" else _per_channel
            parameters[f"{index}.{name}"] = fit(array, layer, where)
            if name == "variance" and (array < 0).any():
                raise LosslessError(
                    f"{where} is negative; its arrays must come in the order {', '.join(TITLES.values())}"
                )
    graph = chain_graph(layers)
    if normalised:
        graph = with_output_bias(graph)
        _fold_output(parameters, len(layers) - 1)
    check_parameters(parameters, graph, path)
    return parameters


def with_output_bias(graph: Graph) -> Graph:
    """The same network with a bias of its output."""
    return graph.model_copy(update={"output": graph.output.model_copy(update={"bias": True})})


def _fold_output(parameters: dict[str, np.ndarray], index: int) -> None:
    """Put the output's batch norm into its weights and a bias, computed in 64 bits."""
    weight, beta, gamma, mean, variance = (parameters.pop(f"{index}.{name}").astype(np.float64) for name in ORDER)
    gain = gamma / np.sqrt(variance + BATCH_NORM_EPS)
    parameters[f"{index}.weight"] = (weight * gain[:, None, None, None]).astype(np.float32)
    parameters[f"{index}.bias"] = (beta - mean * gain).astype(np.float32)


def _shapes(arrays: np.ndarray) -> str:
    """The shapes of a file's arrays, as far as a message has room for them."""
    shown = [str(array.shape) if isinstance(array, np.ndarray) else "no array" for array in arrays[:_SHOWN_SHAPES]]
    return ", ".join(shown) + (", ..." if len(arrays) > _SHOWN_SHAPES else "")


def _kernel(weight: np.ndarray) -> np.ndarray:
    """(filters, C, kh, kw) as (kh, kw, C, filters)."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0))


def _weight(array: np.ndarray, layer: Layer, where: str) -> np.ndarray:
    """(kh, kw, C, filters), or (kh kw C, filters) of a fully connected layer, as (filters, C, kh, kw)."""
    filters, channels, height, width = layer.weight_shape
    shape, flat = (height, width, channels, filters), (height * width * channels, filters)
    if array.shape != shape and not (array.shape == flat and layer.is_fully_connected):
        needed = f"{shape} or {flat}" if layer.is_fully_connected else f"{shape}"
        raise LosslessError(f"{where} has shape {array.shape}, the network needs {needed}")
    return np.ascontiguousarray(array.reshape(shape).transpose(3, 2, 0, 1))


def _per_channel(array: np.ndarray, layer: Layer, where: str) -> np.ndarray:
    if array.shape != layer.out_shape[:1]:
        raise LosslessError(f"{where} has shape {array.shape}, the network needs {layer.out_shape[:1]}")
    return np.ascontiguousarray(array)


def _single_precision(array: Any, where: str) -> np.ndarray:
    """The array as float32; raises LosslessError unless it is an array of numbers that float32 holds."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        found = f"array of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
        raise LosslessError(f"{where}: expected an array of numbers, found {found}")
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if not ((single == array) | (array != array)).all():  # NaN, which is refused later, differs from itself
        raise LosslessError(f"{where}: {array.dtype} values that 32-bit floats do not hold; round them before saving")
    return single


def _pickled(params: np.ndarray) -> bytes:
    """The object array as NumPy before 2.0 pickled it."""
    stream = pickle.dumps(params, _PROTOCOL)
    # NumPy 2 renamed the module of its first word, which older ones then do not find. Names end
    # with a line feed here, without a length; and a later occurrence would be an array's own bytes.
    return stream.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _entry(archive: zipfile.ZipFile, name: str, path: str | Path) -> zipfile.ZipInfo:
    """The one member of that name; raises KeyError where there is none, LosslessError where there are several."""
    if archive.namelist().count(name) > 1:
        raise LosslessError(f"{path}: '{name}' is in it more than once, and readers differ in which they take")
    return archive.getinfo(name)


class _Archive(io.FileIO):
    """A zip file as it is read: never more at once than a member's pieces and a sound directory need.

    zipfile takes in one go as much as an archive says that its directory has.
    """

    def read(self, size: int = -1) -> bytes:
        content = super().read(_MOST_AT_ONCE + 1 if size < 0 else min(size, _MOST_AT_ONCE + 1))
        if len(content) > _MOST_AT_ONCE:
            raise ValueError("its directory of contents is too large")
        return content


class _Member:
    """A file in a zip file, decompressed piece by piece: nothing makes room for as much as a pickle claims to hold."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self.readline = member.readline

    def read(self, size: int) -> bytes:
        pieces = []
        while size > 0 and (piece := self._member.read(min(size, _PIECE))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def _read_arrays(path: str | Path, layers: tuple[Layer, ...]) -> np.ndarray:
    """The object array `params` (n,), of whatever it holds; sizes are compared before anything is decompressed."""
    parameters = sum(prod(shape) for shape in parameter_shapes(chain_graph(layers)).values())
    largest = parameters * _WIDEST_NUMBER + _BESIDES
    try:
        with reading(path), _Archive(path) as file, zipfile.ZipFile(file) as archive:
            if file.seek(0, io.SEEK_END) > largest:
                raise LosslessError(f"{path}: {file.tell():,} bytes; the network's parameters take {largest:,} at most")
            entry = _entry(archive, _MEMBER, path)
            if entry.file_size > largest:
                raise LosslessError(
                    f"{path}: params has {entry.file_size:,} bytes; the network's parameters take {largest:,} at most"
                )
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise LosslessError(f"{path}: compressed in a way that NumPy does not use; save it with numpy.savez")
            with archive.open(entry) as member:
                params = _read_array(_Member(member), path)
    except KeyError:
        raise LosslessError(f"{path}: no array 'params' in it; expected a model saved by the published code") from None
    except LosslessError:
        raise
    except Exception as error:  # whatever damaged bytes make zipfile and zlib stumble over
        raise LosslessError(f"{path}: truncated or not an .npz file ({quoted(error)}); get it again") from None
    if params.ndim != 1:
        raise LosslessError(f"{path}: params must be one row of arrays; expected a model saved by the published code")
    return params


def _read_array(member: _Member, path: str | Path) -> np.ndarray:
    """The object array in an .npy file; the header is taken apart without being evaluated."""
    start = member.read(len(_MAGIC) + 2)
    sizes = {b"\x01\x00": "<H", b"\x02\x00": "<I", b"\x03\x00": "<I"}
    if start[:-2] != _MAGIC or start[-2:] not in sizes:
        raise LosslessError(f"{path}: params is no NumPy array; get it again")
    form = sizes[start[-2:]]
    (length,) = struct.unpack(form, member.read(struct.calcsize(form)))
    header = member.read(min(length, _LONGEST_HEADER)).decode("latin-1")
    found = _HEADER.fullmatch(header)
    if found is None:
        raise LosslessError(f"{path}: params has a header that NumPy does not write: {quoted(header)}")
    if found["descr"] not in ("|O", "O"):
        raise LosslessError(
            f"{path}: params is an array of '{quoted(found['descr'])}', expected an object array, an entry a parameter"
        )
    params = read_object_array(member, f"{path}: params", path, "a model")
    if str(params.size) != found["size"]:
        raise LosslessError(
            f"{path}: params must be one row of arrays, {quoted(found['size'])} by its header, but holds {params.size}"
        )
    if member.read(1):
        raise LosslessError(f"{path}: params goes on after its end; get it again")
    return params
