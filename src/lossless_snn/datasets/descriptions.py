"""Descriptions of image folders, config/datasets/NAME.yaml, as typed models."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..files.typed import Strict, read_yaml, validate
from . import encoding
from .spec import DATASET_FOLDER, ImageFolder, decoded_folder

# Labels are stored as bytes.
MOST_CLASSES = 256


def _classes(value: Any) -> int | tuple[str, ...]:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, list) and all(isinstance(name, str) and name for name in value)):
        raise ValueError(
            f"expected their number, or a list of names, in quotes where they are digits (found {value!r})"
        )
    count = value if is_number else len(value)
    if not 2 <= count <= MOST_CLASSES:
        raise ValueError(f"from 2 to {MOST_CLASSES} classes are possible (found {count})")
    if is_number:
        return value
    if repeated := sorted({name for name in value if value.count(name) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return tuple(value)


def _shape(value: tuple[int, int, int]) -> tuple[int, int, int]:
    if value[0] not in (1, 3):
        raise ValueError(
            f"pictures have 1 channel (grey) or 3 (colour), found {value[0]} (order: channels, height, width)"
        )
    return value


Size = Annotated[int, Field(ge=1)]


class Scaled(Strict):
    """Pixels p as p / 2^`bits`."""

    bits: Annotated[int, Field(ge=0, le=24)] = 8


class Standardised(Strict):
    """The central `crop` x `crop` pixels, standardised image by image."""

    crop: Size


class Encoding(Strict):
    """How pictures become inputs: one of the two."""

    scaled: Scaled | None = None
    standardised: Standardised | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Encoding":
        if (self.scaled is None) == (self.standardised is None):
            raise ValueError("expected either scaled: {bits: 8} or standardised: {crop: <pixels>}")
        return self

    def chosen(self) -> encoding.Encoding:
        if self.standardised:
            return encoding.Standardised(crop=self.standardised.crop)
        return encoding.Scaled(bits=self.scaled.bits)


class Description(Strict):
    """Title, shape (C, H, W) of the pictures, their classes by name or number, and their encoding."""

    title: Annotated[str, Field(min_length=1)]
    shape: Annotated[tuple[Size, Size, Size], AfterValidator(_shape)]
    classes: Annotated[int | tuple[str, ...], BeforeValidator(_classes)]
    encoding: Encoding = Encoding(scaled=Scaled())

    @model_validator(mode="after")
    def _crop_fits(self) -> "Description":
        crop = self.encoding.standardised and self.encoding.standardised.crop
        if crop and crop > min(self.shape[1:]):
            raise ValueError(f"encoding: a crop of {crop} x {crop} does not fit into {self.shape[1]} x {self.shape[2]}")
        return self


def described() -> list[str]:
    """Names of the data sets that have a description, below the working folder."""
    return sorted(path.stem for path in DATASET_FOLDER.glob("*.yaml"))


def read_description(name: str) -> ImageFolder:
    """The data set of that name as its file describes it; raises LosslessError where the file is wrong."""
    path = DATASET_FOLDER / f"{name}.yaml"
    description = validate(Description, read_yaml(path), path)
    classes = description.classes
    return ImageFolder(
        name=name,
        title=description.title,
        folder=decoded_folder(name),
        shape=description.shape,
        classes=classes if isinstance(classes, int) else len(classes),
        class_names=None if isinstance(classes, int) else tuple(sorted(classes)),
        files={},
        encoding=description.encoding.chosen(),
    )
