"""Checkpoints in the layout of the published code: one object array `params` in an `.npz` file.

Layer by layer the convolution kernel (height, width, in, out), then batch norm's beta, gamma,
moving mean and moving variance, each (out,); at the end the output matrix (in, out), "in" being the
last map flattened height, width, channel.

An object array is a pickle, which is read here as plain data only, see `unpickling`.
"""

import pickle
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import LosslessError
from ..files.atomic import replacing
from ..files.plain_pickle import read_plain
from ..networks.geometry import Layer
from ..networks.graph import chain_graph
from .checkpoint import check_parameters

# A hidden layer's parameters in the order of the file, by the names that a checkpoint gives them.
ORDER = ("weight", "beta", "gamma", "mean", "variance")
TITLES = dict(zip(ORDER, ("kernel", "beta", "gamma", "moving mean", "moving variance"), strict=True))

_MEMBER = "params.npy"
# The earliest date that a zip file can hold: the same checkpoint gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
# What NumPy wrote in 2017, and what every NumPy since has read, under Python 2 and 3.
_PROTOCOL = 2


def write_npz(parameters: dict[str, np.ndarray], layers: tuple[Layer, ...], path: str | Path) -> None:
    """Write a network's parameters, as `Checkpoint` holds them, in the published layout, atomically."""
    arrays = [
        parameters[f"{index}.{name}"] if name != "weight" else _kernel(parameters[f"{index}.weight"])
        for index in range(len(layers) - 1)
        for name in ORDER
    ]
    output = _kernel(parameters[f"{len(layers) - 1}.weight"])
    params = np.empty(len(arrays) + 1, dtype=object)
    params[:] = [*arrays, output.reshape(-1, output.shape[-1])]
    stream = BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": params.shape})
    stream.write(_pickled(params))
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_MEMBER, _DATE), stream.getvalue())


def read_npz(path: str | Path, layers: tuple[Layer, ...]) -> dict[str, np.ndarray]:
    """Parameters of the network `layers`, as `Checkpoint` holds them, float32, from the published layout.

    The kernel of a fully connected layer may also be a matrix (in, out), flattened like the output's.
    Raises LosslessError, naming layer and shapes, where the arrays are not those of `layers`, and
    where the file is damaged or holds anything but plain arrays of numbers.
    """
    arrays = _read_arrays(path)
    expected = len(ORDER) * (len(layers) - 1) + 1
    if len(arrays) != expected:
        raise LosslessError(
            f"{path}: {len(arrays)} arrays in params, the network needs {expected} ({len(ORDER)} for each of its "
            f"{len(layers) - 1} hidden layers, 1 for the output); is this the experiment of this file?"
        )
    remaining = iter(arrays)
    parameters = {}
    for index, layer in enumerate(layers):
        for name in ORDER if layer is not layers[-1] else ("weight",):
            where = f"{path}: layer {index + 1} ({layer.token}): {TITLES[name]}"
            array = _single_precision(next(remaining), where)
            fit = _weight if name == "weight" else _per_channel
            parameters[f"{index}.{name}"] = fit(array, layer, where)
            if name == "variance" and (array < 0).any():
                raise LosslessError(
                    f"{where} is negative; its arrays must come in the order {', '.join(TITLES.values())}"
                )
    check_parameters(parameters, chain_graph(layers), path)
    return parameters


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
    if not np.array_equal(single, array, equal_nan=array.dtype.kind == "f"):
        raise LosslessError(f"{where}: {array.dtype} values that 32-bit floats do not hold; round them before saving")
    return single


def _pickled(params: np.ndarray) -> bytes:
    """The object array as NumPy before 2.0 pickled it."""
    stream = pickle.dumps(params, _PROTOCOL)
    # NumPy 2 renamed the module of its first word, which older ones then do not find. Names end
    # with a line feed here, without a length; and a later occurrence would be an array's own bytes.
    return stream.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _read_arrays(path: str | Path) -> np.ndarray:
    """The object array `params` (n,), of whatever it holds."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_MEMBER) as member:
            content = BytesIO(member.read())
    except KeyError:
        raise LosslessError(f"{path}: no array 'params' in it; expected a model saved by the published code") from None
    except OSError as error:
        raise LosslessError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # whatever damaged bytes make zipfile and its four decompressors stumble over
        raise LosslessError(f"{path}: truncated or not an .npz file ({error}); get it again") from None
    params = _unpickle(content, path)
    if not isinstance(params, np.ndarray) or params.dtype.kind != "O" or params.ndim != 1:
        raise LosslessError(f"{path}: params must be one row of arrays; expected a model saved by the published code")
    return params


def _unpickle(member: IO[bytes], path: str | Path) -> Any:
    try:
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        _, _, dtype = readers[npy.read_magic(member)](member)
    except (ValueError, KeyError) as error:
        raise LosslessError(f"{path}: params is no NumPy array ({error}); get it again") from None
    if dtype.kind != "O":
        raise LosslessError(f"{path}: params is an array of {dtype}, expected an object array, an entry a parameter")
    return read_plain(member, f"{path}: params", path, "a model")
