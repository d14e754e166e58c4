"""Reading pickles that hold data: plain values and NumPy arrays, and nothing else.

Reading a pickle runs whatever is in it. Here it may make dicts, lists, numbers, text, bytes and
arrays; the first other thing that it names ends the reading.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import LosslessError


def read_plain(stream: IO[bytes], where: str, path: str | Path, kind: str) -> Any:
    """What the pickle in `stream` holds, the strings of Python 2 as text of one byte a character.

    Raises LosslessError where it is damaged, naming it `where`, and where it wants to load anything
    but arrays, saying that a `kind` has no need to.
    """
    try:
        return _PlainUnpickler(stream, path, kind).load()
    except LosslessError:
        raise
    except Exception as error:  # whatever a damaged stream makes the interpreter of it stumble over
        raise LosslessError(f"{where} cannot be read ({type(error).__name__}: {error}); get it again") from None


def _latin1(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which Python 3 passes bytes through the older protocols."""
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding!r}")
    return text.encode("latin-1")


# By what name it goes depends on the NumPy that wrote the file.
_reconstruct = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class _PlainUnpickler(pickle.Unpickler):
    """Makes NumPy arrays, and refuses every other thing that a stream names."""

    def __init__(self, stream: IO[bytes], path: str | Path, kind: str) -> None:
        # Python 2 wrote raw data as strings: NumPy takes them back as text of one byte a character.
        super().__init__(stream, encoding="latin1")
        self._path, self._kind = path, kind

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise LosslessError(
                f"{self._path}: refused: it wants to load '{module}.{name}', and {self._kind} holds plain arrays only; "
                "nothing of it was run"
            ) from None
