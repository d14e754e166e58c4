"""Where the code of a command begins: the functions that a command line runs, found by the names in it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...boundary import covered_by
from .fingerprint import PACKAGE, Sources, fingerprint

PROGRAM = "lossless-snn"


@dataclass(frozen=True)
class Layout:
    """Where a version of the package has what command lines run.

    Attributes:
        main: The function that every command enters by.
        commands: The package of the commands: function `command` of the module of its name, somewhere in it.
        figure: The function that draws one figure, its name in place of {}; it is imported by its name.
        covered: Parameters that cover definitions, where these bear no mark of it, see `fingerprint.Sources`.
    """

    main: str
    commands: str
    figure: str
    covered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def entries(self, command: str, package: Path = PACKAGE) -> tuple[str, ...]:
        """The functions that a command line runs, by their dotted names.

        Raises:
            ValueError: The sources in the folder `package` have no such command.
        """
        words = shlex.split(command)
        name, *arguments = words[1:] if words[0] == PROGRAM else words
        if name == "figure" and not arguments:
            raise ValueError(f"{command}: names no figure")
        drawing = [self.figure.format(arguments[0])] if name == "figure" else []
        folder = package.parent.joinpath(*self.commands.split("."))
        found = sorted(folder.rglob(f"{name.replace('-', '_')}.py"))
        if not found:
            raise ValueError(f"{self.commands}: no command {name}")
        inside = found[0].relative_to(folder).with_suffix("").parts
        return (self.main, ".".join([self.commands, *inside, "command"]), *drawing)


PRESENT = Layout("lossless_snn.cli.main.main", "lossless_snn.cli.commands", "lossless_snn.analysis.figures.{}.draw")
# Sources that were archived when all modules lay in one folder; boundaries were a list of modules then.
FLAT = Layout(
    "lossless_snn.cli.main",
    "lossless_snn.commands",
    "lossless_snn.figures.{}.draw",
    {
        "lossless_snn.datasets.catalogue.find": ("dataset",),
        "lossless_snn.datasets.sources.retrieve": ("input",),
        "lossless_snn.experiments.load_experiment": ("recipe", "options", "compared_with"),
        "lossless_snn.fingerprint.fingerprint": ("code",),
    },
)


def entries(command: str) -> tuple[str, ...]:
    """What the fingerprint of a command line starts from.

    Args:
        command: What follows `lossless-snn`, or all of it; the command's name will do, for figures with the figure's.
    """
    return PRESENT.entries(command)


@covered_by("code")
def command_code(command: str) -> str:
    """The fingerprint of the code that a command line runs, as it was when this process began to ask."""
    return fingerprint(*entries(command))


def code_in(folder: Path, command: str) -> str | None:
    """The fingerprint of a command line's code in the sources of a project in `folder`; None if they lack it."""
    package = folder / "src" / PACKAGE.name
    for layout in (PRESENT, FLAT):
        try:
            return Sources(package, layout.covered).fingerprint(*layout.entries(command, package))
        except (ValueError, SyntaxError):
            continue
    return None
