"""JSON and CSV files as typed models: one schema for those who write a file and those who read it."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..errors import LosslessError, quoted
from .atomic import replacing
from .reading import read_text
from .typed import validate

# What 64-bit integers hold: arrays and other programs' readers take no more.
LARGEST_INTEGER = 2**63 - 1

Unit = Literal["1", "epochs", "images", "pixels", "logits", "neurons", "spikes", "operations", "steps", "nat"]
"""Of a field: "1" is a pure number, a share among them; "nat" is the unit of a cross-entropy."""

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Natural = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Positive = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

# A cell that is a number, as JSON writes it: neither 1_0 nor another script's digits.
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Record(BaseModel):
    """A JSON object or a row of a CSV file, in the order of its fields.

    Values have the field's own type, no text that could be read as one, and are finite. Keys that
    are not listed are ignored: a later version may have more.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


Row = TypeVar("Row", bound=Record)


def described(description: str, unit: Unit | None = None, **options: Any) -> Any:
    """A field with what it means and its unit, which the model's JSON schema has, too."""
    return Field(description=description, json_schema_extra={"unit": unit} if unit else None, **options)


def json_text(record: Record) -> str:
    """`record` as indented JSON, keys in the order of its fields, without those that were not given."""
    return json.dumps(record.model_dump(exclude_unset=True), indent=2) + "\n"


def read_json(model: type[Row], path: Path, missing: str) -> Row:
    """The record in a JSON file.

    Raises LosslessError where the file cannot be read, is not JSON (which has no NaN and no
    infinity), or has other content; `missing` says what to do where there is none.
    """
    try:
        content = json.loads(read_text(path, missing), parse_constant=_refuse, object_pairs_hook=each_key_once)
    except (ValueError, RecursionError) as error:
        raise LosslessError(f"{path}: truncated or not JSON ({error}); make it again") from None
    return validate(model, content, path)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, as `json.loads` takes it (`object_pairs_hook`); raises ValueError where it has a key twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{next(quoted(name, 50) for name in names if names.count(name) > 1)}' twice")
    return content


def write_csv(path: str | Path, model: type[Row], rows: Iterable[Row]) -> None:
    """Write `rows` under the names of the model's fields, atomically; None becomes an empty cell."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(model.model_fields)
    writer.writerows(row.model_dump().values() for row in rows)
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8", newline="")


def read_csv(
    model: type[Row], path: Path, missing: str, *, key: Sequence[str] = (), shared: Sequence[str] = ()
) -> tuple[Row, ...]:
    """The rows of a CSV file, one at the least.

    Args:
        model: What a row is.
        path: The file.
        missing: What to do where there is none.
        key: Fields that no two rows have alike, if any.
        shared: Fields that all rows have alike.

    Raises:
        LosslessError: The file cannot be read, lacks a column or has it twice, or has a row of other content.
    """
    try:
        lines = list(csv.reader(StringIO(read_text(path, missing), newline=""), strict=True))
    except csv.Error as error:
        raise LosslessError(f"{path}: not a CSV table ({error}); make it again") from None
    if not lines:
        raise LosslessError(f"{path}: not a CSV table (it is empty); make it again")
    heading, *rows = lines
    if absent := [name for name in model.model_fields if name not in heading]:
        raise LosslessError(f"{path}: no column {', '.join(absent)}; make it again")
    if repeated := [name for name in model.model_fields if heading.count(name) > 1]:
        raise LosslessError(f"{path}: column {', '.join(repeated)} twice; make it again")
    if not rows:
        raise LosslessError(f"{path}: no rows; make it again")
    read = tuple(_row(model, heading, cells, f"{path}: line {number}") for number, cells in enumerate(rows, 2))
    seen = set()
    for row in read if key else ():
        named = tuple(getattr(row, name) for name in key)
        if named in seen:
            raise LosslessError(f"{path}: {', '.join(map(str, named))} twice; make it again")
        seen.add(named)
    check_shared(read, shared, path)
    return read


def check_shared(rows: Sequence[Record], names: Iterable[str], source: str | Path) -> None:
    """Raise LosslessError, naming `source`, unless all rows have the same in the fields of these names."""
    for name in names:
        if len(found := {getattr(row, name): None for row in rows}) > 1:
            first, second, *_ = found
            raise LosslessError(f"{source}: {name} {first} and {second}, of one test; make it again")


def check_at_most(row: Record, names: Iterable[str], most: int, source: str | Path) -> None:
    """Raise LosslessError, naming `source`, if one of the row's fields of these names is more than there are."""
    for name in names:
        if (found := getattr(row, name)) > most:
            raise LosslessError(f"{source}: {name} {found}, of {most}; make it again")


def check_never_falls(rows: Sequence[Record], names: Iterable[str], source: str | Path) -> None:
    """Raise LosslessError, naming `source`, if a field of these names, a count so far, is less than a row before."""
    for name in names:
        values = [getattr(row, name) for row in rows]
        if any(later < earlier for earlier, later in pairwise(values)):
            raise LosslessError(f"{source}: {name} falls from one time step to the next; make it again")


def _row(model: type[Row], heading: Sequence[str], cells: Sequence[str], where: str) -> Row:
    if len(cells) != len(heading):
        raise LosslessError(f"{where}: {len(cells)} cells, expected {len(heading)}; make it again")
    return validate(model, dict(zip(heading, map(_value, cells), strict=True)), where)


def _value(cell: str) -> Any:
    """What a cell stands for: a number, nothing, or the text that it is."""
    if not cell:
        return None
    return json.loads(cell) if len(cell) < 100 and _NUMBER.fullmatch(cell) else cell
