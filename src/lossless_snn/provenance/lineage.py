"""How files came about: every step back to the raw data, as a tree that a person can read and as records."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..errors import LosslessError
from .circumstances import last_circumstances
from .jobs import RESULTS, Place
from .records import Records, record_files
from .verdicts import DATA, Contents

RECORDED, ABSENT, ALTERED = "as recorded", "not here", "altered since"
_DIGITS = 12
_WIDTH = 100


class Lineage:
    """All records by the files that they claim to have made."""

    def __init__(self) -> None:
        self._makers: dict[str, Place] = {}
        self._contents = Contents()
        self._records = Records()
        for file in record_files():
            try:
                for place in self._records.places([file]):
                    self._makers |= dict.fromkeys(self._records[place]["outputs"], place)
            except LosslessError:
                continue

    def of(self, path: str) -> str:
        """The steps that led to the file at `path`, as lines of a tree.

        Raises:
            LosslessError: No record says how it was made.
        """
        if path not in self._makers:
            raise LosslessError(
                f"{path}: {'no record tells' if Path(path).exists() else 'no such file, nor a record'} how it was made"
            )
        maker = self._makers[path]
        return "\n".join([self._file(path, self._records[maker]["outputs"][path]), *self._step(maker, set())])

    def steps(self, paths: Iterable[str]) -> dict[Place, dict[str, Any]]:
        """The records of all jobs that led to the files at `paths`, each after those whose outputs it read.

        A file that no record tells of leads to none. Raises LosslessError where records lead in a circle.
        """
        found: dict[Place, dict[str, Any]] = {}
        self._add_steps(paths, found, ())
        return found

    def _add_steps(self, paths: Iterable[str], found: dict[Place, dict[str, Any]], after: tuple[Place, ...]) -> None:
        for path in paths:
            maker = self._makers.get(path)
            if maker is None or maker in found:
                continue
            if maker in after:
                raise LosslessError(f"{maker}: is made from what is made from it; `git checkout` the records")
            record = self._records[maker]
            self._add_steps(record["inputs"], found, (*after, maker))
            found[maker] = record

    def state(self, path: str, entry: dict[str, Any]) -> str:
        """What a record's entry of a file says of the file that is here now: RECORDED, ABSENT or ALTERED."""
        present = self._contents[path]
        return ABSENT if present is None else RECORDED if present == entry["sha256"] else ALTERED

    def _step(self, place: Place, shown: set[str]) -> Iterator[str]:
        """Lines on a job and, indented, on what it read; a job shown before is only named."""
        record = self._records[place]
        name = _title(record)
        if name in shown:
            yield f"└─ {name} (see above)"
            return
        shown.add(name)
        yield f"└─ {name}"
        groups = self._read_by(record)
        yield from (f"   {'│' if groups else ' '}  {line}" for line in _details(place, record))
        for index, (source, (maker, paths)) in enumerate(groups.items()):
            last = index == len(groups) - 1
            first, *others = [self._file(path, record["inputs"][path]) for path in paths]
            if maker is None and source in shown and others:
                first, others = f"{source}: {len(paths)} files (see above)", []
            yield f"   {'└' if last else '├'}─ {first}"
            below = [*others, *(self._step(maker, shown) if maker else [])]
            yield from (f"   {' ' if last else '│'}  {line}" for line in below)
            if maker is None:
                shown.add(source)

    def _read_by(self, record: dict[str, Any]) -> dict[str, tuple[Place | None, list[str]]]:
        """The inputs of a job, together where one job made them."""
        groups: dict[str, tuple[Place | None, list[str]]] = {}
        for path in record["inputs"]:
            maker = self._makers.get(path)
            source = _title(self._records[maker]) if maker else str(Path(path).parent)
            groups.setdefault(source, (maker, []))[1].append(path)
        return groups

    def _file(self, path: str, entry: dict[str, Any]) -> str:
        state = self.state(path, entry)
        remark = "" if state == RECORDED else f" ({state})"
        origin = " raw data" if Path(path).is_relative_to(DATA) else ""
        if Path(path).is_relative_to(RESULTS) and path not in self._makers:
            origin = " (no record tells how it was made)"
        return f"{path}  {entry['sha256'][:_DIGITS]}{origin}{remark}"


def _title(record: dict[str, Any]) -> str:
    return " ".join([record["rule"], *record["wildcards"].values()])


def _details(place: Place, record: dict[str, Any]) -> Iterator[str]:
    """When and where a job ran, if that is known here, then how, then its parameters."""
    if attempt := last_circumstances(place):
        commit = attempt.get("commit")
        state = f", commit {commit[:_DIGITS]}{' with changes' if attempt.get('dirty') else ''}" if commit else ""
        yield f"{attempt['started']}, {attempt['seconds']} s{state}, {attempt['processor']}"
    execution = {name: record[name] for name in ("arithmetic", "device", "threads", "processor") if name in record}
    said = {"code": record["code"], **record["versions"], **execution}
    yield ", ".join(f"{name} {value}" for name, value in said.items())
    yield from wrap("; ".join(f"{name}: {value}" for name, value in _leaves(record["params"])), _WIDTH)


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
