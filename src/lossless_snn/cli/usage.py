"""Commands that refuse a command line in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from ..errors import LONGEST_MESSAGE, quoted


class Command(click.Command):
    """A command that says in one line why its command line cannot be read, whatever words of it that quotes."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        with _in_one_line():
            return super().parse_args(context, arguments)

    def invoke(self, context: click.Context) -> object:
        with _in_one_line():
            return super().invoke(context)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = error.message and quoted(error.message, LONGEST_MESSAGE)
        raise
