"""The data sets that the project knows: shapes, encodings, files and their digests."""

from ..boundary import covered_by
from ..errors import LosslessError, did_you_mean
from .descriptions import described, read_description
from .encoding import Standardised
from .spec import DECODED_FILES, DatasetSpec, ImageFolder, decoded_folder

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
(TRAIN_PIXELS, TRAIN_CLASSES), (TEST_PIXELS, TEST_CLASSES) = DECODED_FILES["train"], DECODED_FILES["test"]

DATASETS = {
    "digits": DatasetSpec(
        title="scikit-learn's handwritten digits, resized to 28 x 28",
        folder="Digits/raw",
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
        folder="MNIST/raw",
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
        folder="FashionMNIST/raw",
        shape=(1, 28, 28),
        classes=10,
        files={
            TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
    "cifar10": DatasetSpec(
        title="CIFAR-10",
        folder=decoded_folder("cifar10"),
        shape=(3, 32, 32),
        classes=10,
        # These images, each after its label, have the digests that are published of cifar-10-batches-bin/*.bin.
        files={
            TRAIN_PIXELS: "1086b65fb2d8719d99846dc8bc5d5a52141422760ff01eb1e06619041c1670f9",
            TRAIN_CLASSES: "1a4c5fb4e1cab2caa8eee134c093de84d620899e907756e71736fb7b0d4ab554",
            TEST_PIXELS: "d4d62aa9f6b816a3be65053ddc66fdd27c1350e10d25345000fec0d9e2f9e2dd",
            TEST_CLASSES: "987e01129ceec0098f1e9d9404cff9fa82ad3d15383a61e8ec60ff20ffe6db40",
        },
        encoding=Standardised(crop=24),
    ),
}


class UnknownDataset(LosslessError, ValueError):
    """No data set has this name."""


@covered_by("dataset")
def find(name: str) -> DatasetSpec | ImageFolder:
    """The data set of that name: a built-in one, or the one that config/datasets/NAME.yaml describes.

    Raises UnknownDataset, listing those that there are, and LosslessError where the description is wrong.
    """
    if name in DATASETS:
        return DATASETS[name]
    if name in described():
        return read_description(name)
    known = [*DATASETS, *described()]
    raise UnknownDataset(f"'{name}' is no data set (expected {', '.join(known)}){did_you_mean(name, known)}")
