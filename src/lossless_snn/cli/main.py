"""The command line: one module of `commands` a command, imported only when it is asked for."""

import sys
from importlib import import_module
from pkgutil import iter_modules

import click

from ..errors import LosslessError
from . import commands


class _CommandModules(click.Group):
    """Finds command A-NAME in module `commands.a_name`, so that no command pays for another's imports."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(module.name.removesuffix("_").replace("_", "-") for module in iter_modules(commands.__path__))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        # A module cannot be called `import`; the command can.
        module = f"{name}_" if name == "import" else name.replace("-", "_")
        return import_module(f"{commands.__name__}.{module}").command


@click.group(cls=_CommandModules, context_settings={"show_default": True})
@click.version_option(package_name="lossless-snn", prog_name="lossless-snn")
def cli() -> None:
    """Quantised networks as spiking networks with negative spikes, without loss."""


def main() -> None:
    """Run the command line; a LosslessError becomes one line and exit status 1."""
    try:
        cli()
    except LosslessError as error:
        sys.exit(f"lossless-snn: {error}")
