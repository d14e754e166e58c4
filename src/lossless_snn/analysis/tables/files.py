"""The files of a table: written together, each under a name of its own."""

from collections import Counter
from pathlib import Path

from ...errors import LosslessError
from ...files.atomic import write_together


def write_all(folder: Path, *files: tuple[str, str]) -> None:
    """Write texts under their names into `folder`, all or none.

    Raises:
        LosslessError: Two have the same name, of which a person chose one; or they cannot be written.
    """
    (name, times), *_ = Counter(name for name, _ in files).most_common(1)
    if times > 1:
        raise LosslessError(f"{folder / name}: the name of two files of this table; choose another .csv")
    write_together(folder, dict(files))
