"""The command line: one module of `commands` a command, imported only when it is asked for."""

from functools import cached_property
from importlib import import_module
from pkgutil import walk_packages

import click

from ..errors import did_you_mean
from . import commands
from .reporting import reporting


class _CommandModules(click.Group):
    """Finds command A-NAME in the module `a_name` below `commands`, so that no command pays for another's imports."""

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Modules by the names of their commands. A module cannot be called `import`; the command can."""
        found = walk_packages(commands.__path__, f"{commands.__name__}.")
        modules = [module.name for module in found if not module.ispkg]
        return {name.rpartition(".")[2].removesuffix("_").replace("_", "-"): name for name in modules}

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(self._modules)

    def resolve_command(self, context: click.Context, arguments: list[str]):
        if arguments[0] not in self._modules and not arguments[0].startswith("-"):
            context.fail(f"no command '{arguments[0]}'{did_you_mean(arguments[0], self._modules)}")
        return super().resolve_command(context, arguments)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return import_module(self._modules[name]).command if name in self._modules else None


@click.group(cls=_CommandModules, context_settings={"show_default": True})
@click.version_option(package_name="lossless-snn", prog_name="lossless-snn")
def cli() -> None:
    """Quantised networks as spiking networks with negative spikes, without loss.

    `lossless-snn COMMAND --help` tells what a command does, with an example. The exit status is 0 if all went well, 1
    for a mistake that one line on standard error describes, and 2 for a command line that cannot be read.

    \b
    Example:
        lossless-snn train digits-lenet --precision k1 --out k1.safetensors
    """


def main() -> None:
    """Run the command line; see `reporting` for how it ends."""
    with reporting("lossless-snn"):
        cli()
