"""The page of all commands, from what each says of itself."""

import click

from lossless_snn.cli.main import cli

HEADING = """# Commands

`lossless-snn COMMAND --help` says the same. Exit status is 0 if all went well, 1 for a mistake that one line on
standard error describes, and 2 for a command line that cannot be read.
"""


def commands_page() -> str:
    """A section for each command: its help text."""
    context = click.Context(cli, info_name="lossless-snn")
    parts = [HEADING]
    for name in cli.list_commands(context):
        inner = click.Context(cli.get_command(context, name), context, info_name=name, terminal_width=76)
        with inner:
            parts.append(f"## {name}\n\n```text\n{inner.get_help()}\n```\n")
    return "\n".join(parts)
