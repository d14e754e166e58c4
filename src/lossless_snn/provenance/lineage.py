"""How one file came about, as a tree that a person can read: every step back to the raw data."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..errors import LosslessError
from .jobs import RESULTS
from .records import read_record, record_paths
from .verdicts import DATA, Contents

_DIGITS = 12
_WIDTH = 100


class Story:
    """All records by the files that they say were made."""

    def __init__(self) -> None:
        self._makers: dict[str, dict[str, Any]] = {}
        self._contents = Contents()
        for path in record_paths():
            try:
                record = read_record(path)
            except LosslessError:
                continue
            self._makers |= dict.fromkeys(record["outputs"], record)

    def of(self, path: str) -> str:
        """The story of the file at `path`; raises LosslessError where no record tells of it."""
        if path not in self._makers:
            raise LosslessError(
                f"{path}: {'no record tells' if Path(path).exists() else 'no such file, nor a record'} how it was made"
            )
        return "\n".join(
            [self._file(path, self._makers[path]["outputs"][path]), *self._step(self._makers[path], set())]
        )

    def _step(self, record: dict[str, Any], told: set[str]) -> Iterator[str]:
        """Lines on a job and, indented, on what it read; a job told before is only named."""
        name = _title(record)
        if name in told:
            yield f"└─ {name} (told above)"
            return
        told.add(name)
        yield f"└─ {name}"
        groups = self._read_by(record)
        yield from (f"   {'│' if groups else ' '}  {line}" for line in _circumstances(record))
        for index, (source, (maker, paths)) in enumerate(groups.items()):
            last = index == len(groups) - 1
            first, *others = [self._file(path, record["inputs"][path]) for path in paths]
            if maker is None and source in told and others:
                first, others = f"{source}: {len(paths)} files (told above)", []
            yield f"   {'└' if last else '├'}─ {first}"
            below = [*others, *(self._step(maker, told) if maker else [])]
            yield from (f"   {' ' if last else '│'}  {line}" for line in below)
            if maker is None:
                told.add(source)

    def _read_by(self, record: dict[str, Any]) -> dict[str, tuple[dict[str, Any] | None, list[str]]]:
        """The inputs of a job, together where one job made them."""
        groups: dict[str, tuple[dict[str, Any] | None, list[str]]] = {}
        for path in record["inputs"]:
            maker = self._makers.get(path)
            groups.setdefault(_title(maker) if maker else str(Path(path).parent), (maker, []))[1].append(path)
        return groups

    def _file(self, path: str, entry: dict[str, Any]) -> str:
        present = self._contents[path]
        remark = " (not here)" if present is None else "" if present == entry["sha256"] else " (altered since)"
        origin = " raw data" if Path(path).is_relative_to(DATA) else ""
        if Path(path).is_relative_to(RESULTS) and path not in self._makers:
            origin = " (no record tells how it was made)"
        return f"{path}  {entry['sha256'][:_DIGITS]}{origin}{remark}"


def _title(record: dict[str, Any]) -> str:
    return " ".join([record["rule"], *record["wildcards"].values()])


def _circumstances(record: dict[str, Any]) -> Iterator[str]:
    git = record["git"]
    commit = f", commit {git['commit'][:_DIGITS]}{' with changes' if git['dirty'] else ''}" if git else ""
    yield f"{record['started']}, {record['seconds']} s, code {record['code']['fingerprint']}{commit}"
    manner = {name: record[name] for name in ("arithmetic", "device", "threads") if name in record}
    yield ", ".join(f"{name} {value}" for name, value in [*record["versions"].items(), *manner.items()])
    yield from wrap("; ".join(f"{place}: {value}" for place, value in _leaves(record["params"])), _WIDTH)


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each parameter with its place; what a data set is its files say."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not (place == "dataset" and name == "files"):
                yield from _leaves(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}.{index}")
    elif value is not None:
        yield place, " ".join(map(str, value)) if isinstance(value, list) else str(value)
