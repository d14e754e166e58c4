"""What is fixed about a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..networks.notation import Shape
from .encoding import Encoding, Scaled

DATASET_FOLDER = Path("config/datasets")

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetSpec:
    """What is fixed about a data set.

    `shape` (C, H, W) is that of its 8-bit images, `encoding` says how they become inputs. `files`
    gives the SHA-256 of each file in `folder`, decompressed and whatever source it came from.
    """

    title: str
    folder: str
    shape: Shape
    classes: int
    files: dict[str, str]
    encoding: Encoding = Scaled()  # noqa: RUF009 (frozen)

    @property
    def input_shape(self) -> Shape:
        """Shape (C, H, W) of a network's inputs."""
        return self.encoding.input_shape(self.shape)

    def paths(self, root: str | Path = "data") -> dict[str, Path]:
        """Where each file lies below `root`."""
        return {name: Path(root) / self.folder / name for name in self.files}


MANIFEST = "manifest.json"
DECODED_FILES: dict[Split, tuple[str, str]] = {
    "train": ("train-images-idx4-ubyte", "train-labels-idx1-ubyte"),
    "test": ("test-images-idx4-ubyte", "test-labels-idx1-ubyte"),
}


@dataclass(frozen=True, kw_only=True)
class ImageFolder(DatasetSpec):
    """A person's own pictures, described in config/datasets/NAME.yaml; `files` is empty.

    `class_names` are those of the description, sorted; None where it gives their number only.
    """

    name: str
    class_names: tuple[str, ...] | None

    @property
    def description(self) -> Path:
        return DATASET_FOLDER / f"{self.name}.yaml"

    def paths(self, root: str | Path = "data") -> dict[str, Path]:
        """Where the decoded pictures lie below `root`, and the manifest that they are checked by."""
        return decoded_paths(self.name, root)


def decoded_folder(name: str) -> str:
    return f"{name}/decoded"


def decoded_paths(name: str, root: str | Path = "data") -> dict[str, Path]:
    """Where the decoded pictures of data set `name` lie below `root`, and their manifest."""
    files = [file for pair in DECODED_FILES.values() for file in pair]
    return {file: Path(root) / decoded_folder(name) / file for file in [*files, MANIFEST]}
