"""How a program ends: whatever a person can mend is one line on standard error, and exit status 1."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper

from ..errors import LosslessError, quoted
from ..files.atomic import DISK_ERRORS, open_file

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


@contextmanager
def reporting(program: str) -> Iterator[None]:
    """Run the block as a program of that name.

    A LosslessError ends it with one line, and so does what the system says against reading or writing: a full disk, a
    folder that nobody may write to, a standard output that is closed or full. Where the command line has standard
    output take a file (`--out /dev/stdout`), all that is meant for people goes to standard error.
    """
    try:
        _open_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # dashes and names that a locale has not got
        names = [word.rpartition("=")[2] for word in sys.argv[1:]]
        with redirect_stdout(sys.stderr if _OUTPUT in map(open_file, names) else sys.stdout):
            try:
                yield
            finally:
                sys.stdout.flush()
    except LosslessError as error:
        sys.exit(f"{program}: {error}")
    except UnicodeEncodeError as error:
        sys.exit(f"{program}: '{quoted(error.object)}': no name in the locale's {error.encoding}; set LC_ALL=C.UTF-8")
    except OSError as error:
        sys.exit(f"{program}: {_said(error)}" if error.errno != errno.EPIPE else _quietly())


def _open_streams() -> None:
    """Have the three standard streams open: the next file that is opened would take the number of one that is not."""
    for descriptor in (_INPUT, _OUTPUT, _ERRORS):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            if descriptor == _OUTPUT:
                raise LosslessError("standard output: closed; send it to a file or to /dev/null") from None
            if descriptor == _ERRORS:
                sys.stderr = open(descriptor, "w", encoding="utf-8")  # noqa: SIM115 (for as long as the program runs)


def _said(error: OSError) -> str:
    """What the system has to say, in one line."""
    reason = quoted(error.strerror or error)
    if error.filename:
        return f"{error.filename}: {reason}; free or choose another place"
    if error.errno in {*DISK_ERRORS, errno.EBADF}:  # files are written by `files.atomic`, which names them
        _discard_output()
        return f"standard output: cannot be written ({reason}); send it to another place"
    return reason


def _quietly() -> int:
    """The exit status where whoever read standard output has gone away, such as `head`."""
    _discard_output()
    return 1


def _discard_output() -> None:
    """Have Python not try once more to write what cannot be written, when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _OUTPUT)
