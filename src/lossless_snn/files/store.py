"""A folder that several clones share: what one has made, the others take instead of making it again."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic import replacing, write_json
from .digests import sha256
from .locks import locked

_CONTENTS = "contents.json"


class Store:
    """Sets of files by a key that stands for all that decides their content.

    Args:
        folder: Where they are, on a file system with locks that all who share it see.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, key: str, notice: str) -> Iterator[None]:
        """Be the only one who makes or takes what `key` stands for; says `notice` before waiting for another."""
        with locked(self._folder / f"{key}.lock", notice=notice):
            yield

    def take(self, key: str, paths: Iterable[str]) -> bool:
        """Put the files of `key` at `paths`, each atomically; whether all of them are there, unaltered."""
        place = self._folder / key
        try:
            digests = json.loads((place / _CONTENTS).read_text(encoding="utf-8"))
            stored = {path: place / digests[path] for path in paths}
            if any(sha256(file) != digests[path] for path, file in stored.items()):
                return False
        except (OSError, ValueError, KeyError):
            return False
        for path, file in stored.items():
            with replacing(path) as partial:
                shutil.copyfile(file, partial)
        return True

    def keep(self, key: str, paths: Iterable[str]) -> None:
        """Copy the files at `paths` into the store, the list of them last."""
        place = self._folder / key
        digests = {path: sha256(path) for path in paths}
        for path, digest in digests.items():
            with replacing(place / digest) as partial:
                shutil.copyfile(path, partial)
        write_json(place / _CONTENTS, digests)
