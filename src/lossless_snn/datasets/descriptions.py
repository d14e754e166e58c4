"""Descriptions of image folders, config/datasets/NAME.yaml, as typed models."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..files.configuration import configured, configured_names
from ..files.typed import Strict, read_yaml, validate
from . import encoding
from .spec import DATASET_FOLDER, ImageFolder, decoded_folder

# Labels are stored as bytes.
MOST_CLASSES = 256
# A batch of 200 inputs of 3 x 1,024 x 1,024 integers takes 2.5 GB.
LARGEST_SIDE = 1024
# Below it every integer is a number of 32-bit floating point, in which networks are trained and evaluated.
_LARGEST_INPUT = 2**24


def _classes(value: Any) -> int | list[str]:
    names = value if isinstance(value, list) and all(isinstance(name, str) and name for name in value) else None
    if names is None and type(value) is not int:
        raise ValueError(
            f"expected their number, or a list of names, in quotes where they are digits (found {value!r})"
        )
    count = value if names is None else len(names)
    if not 2 <= count <= MOST_CLASSES:
        raise ValueError(f"from 2 to {MOST_CLASSES} classes are possible (found {count})")
    if repeated := sorted({name for name in names or () if names.count(name) > 1}):
        raise ValueError(f"listed twice: {', '.join(repeated)}")
    return value


def _shape(value: tuple[int, int, int]) -> tuple[int, int, int]:
    if value[0] not in (1, 3):
        raise ValueError(
            f"pictures have 1 channel (grey) or 3 (colour), found {value[0]} (order: channels, height, width)"
        )
    return value


Side = Annotated[int, Field(strict=True, ge=1, le=LARGEST_SIDE)]


class Scaled(Strict):
    """Pixels p as p / 2^`bits`."""

    bits: Annotated[int, Field(strict=True, ge=0, le=24)] = 8


class Standardised(Strict):
    """The central `crop` x `crop` pixels, standardised image by image."""

    crop: Side


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

    title: Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]
    shape: Annotated[tuple[Side, Side, Side], AfterValidator(_shape)]
    classes: Annotated[int | list[str], BeforeValidator(_classes)]
    encoding: Encoding = Encoding(scaled=Scaled())

    @model_validator(mode="after")
    def _crop_fits(self) -> "Description":
        crop = self.encoding.standardised and self.encoding.standardised.crop
        if crop and crop > min(self.shape[1:]):
            raise ValueError(f"encoding: a crop of {crop} x {crop} does not fit into {self.shape[1]} x {self.shape[2]}")
        if crop and self.encoding.chosen().peak(self.shape) > _LARGEST_INPUT:
            raise ValueError(f"encoding: a crop of {crop} x {crop} gives inputs of more than 24 bits")
        return self


def described() -> list[str]:
    """Names of the data sets that have a description, below the working folder or in the package."""
    return configured_names(DATASET_FOLDER)


def read_description(name: str) -> ImageFolder:
    """The data set of that name as its file describes it; raises LosslessError where the file is wrong."""
    path = configured(DATASET_FOLDER / f"{name}.yaml")
    description = validate(Description, read_yaml(path), path)
    names = description.classes if isinstance(description.classes, list) else None
    return ImageFolder(
        name=name,
        title=description.title,
        folder=decoded_folder(name),
        shape=description.shape,
        classes=len(names) if names else description.classes,
        class_names=tuple(sorted(names)) if names else None,
        files={},
        encoding=description.encoding.chosen(),
    )
