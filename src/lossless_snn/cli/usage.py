"""A command line that cannot be read is refused in one line, whatever words of it the refusal quotes.

What it asks for is looked at before the command begins, see `demands`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any

import click

from ..errors import LONGEST_MESSAGE, quoted
from .demands import check_demands


class Context(click.Context):
    """What a command is run in. Everything that refuses a command line passes it on its way out."""

    def invoke(self, callback: Callable[..., Any], /, *args: Any, **parameters: Any) -> Any:
        if callback is self.command.callback:
            check_demands(self)
        return super().invoke(callback, *args, **parameters)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if isinstance(error, click.ClickException):
            error.message = error.message and quoted(error.message, LONGEST_MESSAGE)
        return super().__exit__(kind, error, trace)


class Command(click.Command):
    """A command of its own, without a group above it."""

    context_class = Context
