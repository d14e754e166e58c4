"""Packages that only an exchange format needs: the extra `exchange`."""

from importlib import import_module
from types import ModuleType

from ..errors import LosslessError


def required(name: str) -> ModuleType:
    """The package of that name; raises LosslessError, with what to install, where it is missing."""
    try:
        return import_module(name)
    except ImportError:
        raise LosslessError(f"{name}: not installed; pip install 'lossless-snn[exchange]'") from None
