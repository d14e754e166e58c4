"""A command line that cannot be read is refused in one line, whatever words of it the refusal quotes."""

from types import TracebackType

import click

from ..errors import LONGEST_MESSAGE, quoted


class Context(click.Context):
    """What a command is run in. Everything that refuses a command line passes it on its way out."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if isinstance(error, click.ClickException):
            error.message = error.message and quoted(error.message, LONGEST_MESSAGE)
        return super().__exit__(kind, error, trace)


class Command(click.Command):
    """A command of its own, without a group above it."""

    context_class = Context
