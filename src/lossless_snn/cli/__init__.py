"""The command line: one module of `commands` a command."""

from .main import cli, main

__all__ = ["cli", "main"]
