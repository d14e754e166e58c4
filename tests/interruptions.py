"""Trainings that are cut off at a known place."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from lossless_snn.training import state


@contextmanager
def interrupted_after_an_epoch() -> Iterator[None]:
    """Within, training is interrupted when its first epoch's state has been written."""
    original = state.save

    def save(*arguments):
        original(*arguments)
        raise KeyboardInterrupt

    with patch.object(state, "save", save):
        yield
