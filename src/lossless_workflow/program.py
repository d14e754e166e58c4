"""How each program of the workflow runs: with this folder's own code, and to an end that one line describes."""

from collections.abc import Iterator
from contextlib import contextmanager

from lossless_snn.cli.reporting import reporting
from lossless_snn.provenance.sources import require_own_folder


@contextmanager
def program(name: str) -> Iterator[None]:
    """Run the block as the program of that name, see `reporting`; not where its code is another checkout's."""
    with reporting(name):
        require_own_folder()
        yield
