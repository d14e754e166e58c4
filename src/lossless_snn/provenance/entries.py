"""Where the code of a command begins: the functions that a command line runs, found by the names in it."""

import shlex

from ..boundary import covered_by
from .fingerprint import fingerprint

PROGRAM = "lossless-snn"


def entries(command: str) -> tuple[str, ...]:
    """The functions that a command line runs, by their dotted names: what its fingerprint starts from.

    Args:
        command: What follows `lossless-snn`, or all of it; the command's name will do, for figures with the figure's.
    """
    words = shlex.split(command)
    name, *arguments = words[1:] if words[0] == PROGRAM else words
    module = f"lossless_snn.cli.commands.{name.replace('-', '_')}"
    # The module that draws a figure is imported by its name.
    drawing = [f"lossless_snn.analysis.figures.{arguments[0]}.draw"] if name == "figure" else []
    return ("lossless_snn.cli.main.main", f"{module}.command", *drawing)


@covered_by("code")
def command_code(command: str) -> str:
    """The fingerprint of the code that a command line runs, as it was when this process began to ask."""
    return fingerprint(*entries(command))
