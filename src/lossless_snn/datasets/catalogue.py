"""The data sets that the project knows: shapes, encodings, files and their SHA-256."""

from dataclasses import dataclass
from pathlib import Path

from ..notation import Shape
from .encoding import Encoding, Scaled

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@dataclass(frozen=True)
class DatasetSpec:
    """What is fixed about a data set.

    `shape` (C, H, W) is that of its 8-bit images, `encoding` says how they become inputs. `files`
    gives the SHA-256 of each decompressed IDX file, whatever source it came from.
    """

    title: str
    folder: str
    shape: Shape
    classes: int
    files: dict[str, str]
    encoding: Encoding = Scaled()

    @property
    def input_shape(self) -> Shape:
        """Shape (C, H, W) of a network's inputs."""
        return self.encoding.input_shape(self.shape)

    def paths(self, root: str | Path = "data") -> dict[str, Path]:
        """Where each file lies below `root`: the layout that torchvision reads and writes."""
        return {name: Path(root) / self.folder / "raw" / name for name in self.files}


DATASETS = {
    "digits": DatasetSpec(
        title="scikit-learn's handwritten digits, resized to 28 x 28",
        folder="Digits",
        shape=(1, 28, 28),
        classes=10,
        files={
            TRAIN_IMAGES: "60adda41fa07c150e2c72524190ae2ded8baf2ffbca36be8f412c074ed4bf98a",
            TRAIN_LABELS: "12e54aedc1175ef07da3afb73c78656de73e57f04a9aa2d62ef685f459914d54",
            TEST_IMAGES: "3a8bc0f15aa1306671512f029426929ce744a1d193b4774a4697fad0832b0bef",
            TEST_LABELS: "2ca621f7ba00fba0e667cfe7bed1bb66b08f0803050ce92d346135d5051cd9af",
        },
    ),
    "mnist": DatasetSpec(
        title="MNIST",
        folder="MNIST",
        shape=(1, 28, 28),
        classes=10,
        files={
            TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": DatasetSpec(
        title="FashionMNIST",
        folder="FashionMNIST",
        shape=(1, 28, 28),
        classes=10,
        files={
            TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}
