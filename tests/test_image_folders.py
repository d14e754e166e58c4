"""Image folders: which pictures are taken, how, in which order, the cache of them, and what is refused."""

import hashlib
import io
import json
import os
import subprocess
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from lossless_snn.cli.commands import fetch
from lossless_snn.datasets import idx, load, pictures
from lossless_snn.datasets.catalogue import find
from lossless_snn.datasets.encoding import Scaled, Standardised
from lossless_snn.datasets.image_folders import present_listing
from lossless_snn.datasets.sources import acquire, retrieve
from lossless_snn.errors import LosslessError

DESCRIPTION = """\
title: Pets
shape: [3, 4, 6]
classes: 2
"""
SHAPE = (3, 4, 6)


def write_picture(path, pixels, **options):
    """`pixels` (H, W) or (H, W, 3), in the format that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def random_pixels(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, (*shape[1:], shape[0]), np.uint8).squeeze()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with the description of `pets`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    describe(tmp_path, DESCRIPTION)
    return tmp_path


def describe(project, text):
    (project / "config" / "datasets" / "pets.yaml").write_text(text)


@pytest.fixture
def folder(project):
    """The pictures of `pets`, in data/: 5 cats and 4 dogs for training, 2 and 3 for testing."""
    folder = project / "data" / "pets"
    numbers = iter(range(100))
    for split, counts in {"train": {"dog": 4, "cat": 5}, "test": {"dog": 3, "cat": 2}}.items():
        for name, count in counts.items():
            for index in range(count):
                write_picture(folder / split / name / f"{index}.png", random_pixels(next(numbers)))
    return folder


def refusal(message):
    return pytest.raises(LosslessError, match=message)


def expected_order(folder, split):
    """Names of the split's pictures, by the SHA-256 of their names."""
    names = [path.relative_to(folder).as_posix() for path in (folder / split).rglob("*.png")]
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


# What is read.


@pytest.mark.parametrize("split", ["train", "test"])
def test_pictures_and_their_classes(folder, split):
    images = load("pets", split)
    names = expected_order(folder, split)
    assert (images.pixels.dtype, images.labels.dtype) == (np.uint8, np.int64)
    assert images.pixels.shape == (len(names), *SHAPE)
    for pixels, name in zip(images.pixels, names, strict=True):
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(folder / name)).transpose(2, 0, 1))
    # Class names in alphabetical order, whatever order the file system lists them in.
    assert images.labels.tolist() == [["cat", "dog"].index(name.split("/")[1]) for name in names]


def test_the_order_is_a_fair_mixture():
    names = [f"train/{label}/{index}.png" for label in "abcdefghij" for index in range(500)]
    order = [name.split("/")[1] for name in pictures.in_order(names)]
    assert sorted(order) == sorted(name.split("/")[1] for name in names)
    for part in (order[:1000], order[-1000:]):
        # 100 expected of each class; the standard deviation is 8.5.
        assert all(60 < part.count(label) < 140 for label in "abcdefghij")


def test_grey_pictures(project, folder):
    describe(project, "title: Grey\nshape: [1, 4, 6]\nclasses: 2\n")
    for path in folder.rglob("*.png"):
        write_picture(path, random_pixels(1, (1, 4, 6)))
    assert load("pets", "test").pixels.shape == (5, 1, 4, 6)
    np.testing.assert_array_equal(load("pets", "test").pixels[0, 0], random_pixels(1, (1, 4, 6)))


def test_jpeg_pictures(folder):
    path = folder / "test" / "cat" / "0.png"
    path.unlink()
    write_picture(path.with_name("photo.JPG"), np.full((4, 6, 3), (200, 100, 50), np.uint8), quality=100)
    colours = load("pets", "test").pixels.mean(axis=(2, 3))
    assert np.abs(colours - (200, 100, 50)).max(axis=1).min() < 3


def test_hidden_files_are_not_there(folder):
    expected = load("pets", "train").pixels
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "train" / "cat" / name).write_text("whatever")
        (folder / "train" / name).write_text("whatever")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    assert retrieve("pets").popitem()[1] == "already there"
    np.testing.assert_array_equal(load("pets", "train").pixels, expected)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_palettes_and_opaque_alpha_channels_lose_nothing(folder, mode):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0], pixels[1] = (250, 3, 120), (7, 8, 9)
    path = folder / "test" / "cat" / "0.png"
    image = Image.fromarray(pixels)
    (image.quantize(8) if mode == "P" else image.convert(mode)).save(path)
    assert Image.open(path).mode == mode
    read = load("pets", "test").pixels[expected_order(folder, "test").index("test/cat/0.png")]
    np.testing.assert_array_equal(read, pixels.transpose(2, 0, 1))


# What is refused: one line that names the file.


def test_a_file_that_is_no_picture(folder):
    (folder / "train" / "cat" / "notes.txt").write_text("seen today")
    with refusal(r"^data/pets/train/cat/notes.txt: not a picture in PNG or JPEG format$"):
        load("pets", "test")


def test_a_picture_in_another_format(folder):
    write_picture(folder / "train" / "cat" / "a.gif", random_pixels(0))
    with refusal(r"^data/pets/train/cat/a.gif: not a picture in PNG or JPEG format$"):
        load("pets", "test")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_truncated_picture(project, name):
    describe(project, "title: Pets\nshape: [3, 64, 64]\nclasses: 2\n")
    folder = project / "data" / "pets"
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        write_picture(folder / place / name, random_pixels(0, (3, 64, 64)))
    path = folder / "train" / "dog" / name
    path.write_bytes(path.read_bytes()[:-1000])
    with refusal(rf"^data/pets/train/dog/{name}: a damaged picture \(.*\)$"):
        load("pets", "test")
    assert not (folder / "decoded" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image.new("RGB", (4, 6)), "6 x 4 pixels (height x width), but all pictures must be 4 x 6"),
        (lambda: Image.new("L", (6, 4)), "mode L, but all pictures must be colour with 8 bits a channel (mode RGB)"),
        (lambda: Image.new("I;16", (6, 4)), "mode I;16, but all pictures must be colour"),
        (lambda: Image.new("RGBA", (6, 4), (1, 2, 3, 254)), "has transparent pixels"),
    ],
)
def test_pictures_that_do_not_fit(folder, make, message):
    make().save(folder / "train" / "cat" / "odd.png")
    with pytest.raises(LosslessError) as error:
        load("pets", "test")
    assert str(error.value).startswith(f"data/pets/train/cat/odd.png: {message}")


def test_colour_among_grey(project, folder):
    describe(project, "title: Grey\nshape: [1, 4, 6]\nclasses: 2\n")
    with refusal(r"\.png: mode RGB, but all pictures must be grey"):
        load("pets", "test")


def test_transparent_palettes(folder):
    image = Image.fromarray(random_pixels(0)).quantize(4)
    image.save(folder / "train" / "cat" / "odd.png", transparency=image.getpixel((0, 0)))
    with refusal("train/cat/odd.png: has transparent pixels"):
        load("pets", "test")


def remove(path):
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


def test_a_class_missing_from_one_split(folder):
    remove(folder / "test" / "dog")
    with refusal(r"^data/pets/test/dog: no such folder, but data/pets/train has this class$"):
        load("pets", "test")


def test_an_empty_class(folder):
    (folder / "test" / "dog" / "0.png").rename(folder / "train" / "dog" / "10.png")
    for path in (folder / "test" / "dog").iterdir():
        path.unlink()
    (folder / "test" / "dog" / ".DS_Store").touch()
    with refusal(r"^data/pets/test/dog: a class without pictures$"):
        load("pets", "test")


def test_another_number_of_classes(project, folder):
    describe(project, DESCRIPTION.replace("classes: 2", "classes: 3"))
    with refusal(r"^data/pets: 2 classes \(cat, dog\), but config/datasets/pets.yaml says 3$"):
        load("pets", "test")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("[cat, dog, fish]", "data/pets/train/fish: no such folder, but config/datasets/pets.yaml has this class"),
        ("[cat, fish]", "data/pets/train/fish: no such folder"),
    ],
)
def test_other_classes(project, folder, classes, message):
    describe(project, DESCRIPTION.replace("classes: 2", f"classes: {classes}"))
    with refusal(f"^{message}"):
        load("pets", "test")


def test_a_class_that_is_not_described(project, folder):
    describe(project, DESCRIPTION.replace("classes: 2", "classes: [dog, cat]"))
    write_picture(folder / "train" / "fish" / "0.png", random_pixels(0))
    with refusal("^data/pets: class 'fish' is not among the classes of config/datasets/pets.yaml$"):
        load("pets", "test")


def test_what_lies_where_no_picture_belongs(folder):
    write_picture(folder / "train" / "stray.png", random_pixels(0))
    with refusal(r"^data/pets/train/stray.png: lies in no folder of a class \(expected train/<class>/\*\)$"):
        load("pets", "test")
    (folder / "train" / "stray.png").unlink()
    (folder / "train" / "cat" / "more").mkdir()
    with refusal(r"^data/pets/train/cat/more: a folder among the pictures of a class"):
        load("pets", "test")


def test_no_pictures_at_all(project):
    with refusal("^pets: no pictures: looked in data/pets and elsewhere/pets for train/<class>/.*LOSSLESS_SNN_DATA"):
        load("pets", "test", local=project.relative_to(project) / "elsewhere")
    (project / "data" / "pets" / "train").mkdir(parents=True)
    with refusal(r"^data/pets/train: no pictures \(expected train/<class>/\*\)$"):
        load("pets", "test")


def test_a_split_without_pictures(folder):
    for name in ("cat", "dog"):
        remove(folder / "test" / name)
    with refusal(r"^data/pets/test: no pictures"):
        load("pets", "train")


# The cache.


@pytest.fixture
def decoding(monkeypatch):
    """The files that were decoded from here on."""
    decoded, read_picture = [], pictures.read_picture

    def record(content, shape, path):
        decoded.append(path)
        return read_picture(content, shape, path)

    monkeypatch.setattr(pictures, "read_picture", record)
    return decoded


def test_the_manifest_says_what_was_decoded(folder):
    paths = acquire("pets")
    manifest = json.loads(paths.pop("manifest.json").read_text())
    assert manifest["classes"] == ["cat", "dog"]
    assert manifest["counts"] == {"train": {"cat": 5, "dog": 4}, "test": {"cat": 2, "dog": 3}}
    assert manifest["files"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}
    assert idx.read(paths["train-images-idx4-ubyte"]).shape == (9, *SHAPE)
    # The digest is that of the list that the command prints.
    listing = subprocess.run(
        "find train test -name '*.png' | LC_ALL=C sort | xargs sha256sum | sha256sum",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert manifest["pictures"] == listing.split()[0]


def test_pictures_are_decoded_once(folder, decoding):
    load("pets", "train")
    assert len(decoding) == 14
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))  # a time of change alone is no change
    load("pets", "train")
    load("pets", "test")
    assert len(decoding) == 14


def assert_decoded_anew(folder, decoding, count=14):
    decoding.clear()
    images = load("pets", "train")
    assert len(decoding) == count
    first = expected_order(folder, "train")[0]
    np.testing.assert_array_equal(images.pixels[0], np.asarray(Image.open(folder / first)).transpose(2, 0, 1))
    decoding.clear()
    load("pets", "train")
    assert decoding == []


def test_changed_added_and_removed_pictures_are_decoded_anew(folder, decoding):
    load("pets", "train")
    write_picture(folder / expected_order(folder, "train")[0], random_pixels(99))
    assert_decoded_anew(folder, decoding)
    write_picture(folder / "train" / "cat" / "new.png", random_pixels(98))
    assert_decoded_anew(folder, decoding, 15)
    (folder / "train" / "cat" / "new.png").unlink()
    assert_decoded_anew(folder, decoding)
    (folder / "train" / "cat" / "0.png").rename(folder / "train" / "cat" / "renamed.png")
    assert_decoded_anew(folder, decoding)


def test_a_change_of_one_byte_is_noticed(folder, decoding):
    path = folder / "train" / "cat" / "0.png"
    black, other = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 1, np.uint8)
    Image.fromarray(black).save(path, compress_level=0)
    load("pets", "train")
    size = path.stat().st_size
    Image.fromarray(other).save(path, compress_level=0)
    assert path.stat().st_size == size
    assert_decoded_anew(folder, decoding)


@pytest.mark.parametrize("name", ["train-images-idx4-ubyte", "test-labels-idx1-ubyte"])
def test_a_damaged_cache_is_made_anew(folder, decoding, capsys, name):
    path = acquire("pets")[name]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert_decoded_anew(folder, decoding)
    assert path.read_bytes() == content
    assert f"{path}: missing or damaged" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"layout": 1}'])
def test_a_damaged_manifest(folder, decoding, content):
    acquire("pets")["manifest.json"].write_text(content)
    assert_decoded_anew(folder, decoding)


def test_the_cache_serves_without_pictures(folder, project):
    expected = load("pets", "test")
    folder.joinpath("train").rename(project / "away-train")
    folder.joinpath("test").rename(project / "away-test")
    again = load("pets", "test")
    np.testing.assert_array_equal(again.pixels, expected.pixels)
    np.testing.assert_array_equal(again.labels, expected.labels)
    # But not for another description.
    describe(project, DESCRIPTION.replace("[3, 4, 6]", "[3, 6, 4]"))
    with refusal("^pets: no pictures"):
        load("pets", "test")
    describe(project, DESCRIPTION.replace("classes: 2", "classes: [cat, fish]"))
    with refusal("^pets: no pictures"):
        load("pets", "test")


def test_pictures_in_a_local_folder(folder, project, monkeypatch):
    local = project / "elsewhere"
    local.mkdir()
    folder.rename(local / "pets")
    run = partial(CliRunner().invoke, fetch.command, ["pets"], catch_exceptions=False)
    assert run(env={"LOSSLESS_SNN_DATA": str(local)}).output == (
        f"pets: data/pets/decoded (decoded from {local}/pets)\n"
    )
    assert run(env={"LOSSLESS_SNN_DATA": str(local)}).output == "pets: data/pets/decoded (already there)\n"
    assert len(load("pets", "train", local=local)) == 9


def test_the_listing_follows_names_and_sizes(folder, project):
    root = project / "data"
    before = present_listing("pets", root)
    assert present_listing("pets", root) == before
    path = folder / "train" / "cat" / "0.png"
    content = path.read_bytes()
    path.write_bytes(content + b"0")
    assert present_listing("pets", root) != before
    path.write_bytes(content)
    assert present_listing("pets", root) == before
    path.rename(path.with_name("other.png"))
    assert present_listing("pets", root) != before
    path.with_name("other.png").rename(path)
    # Of what was decoded, once the pictures are gone.
    acquire("pets")
    folder.joinpath("train").rename(project / "away-train")
    folder.joinpath("test").rename(project / "away-test")
    assert present_listing("pets", root) == before
    assert present_listing("nothing", root) is None


# Descriptions.


def test_what_a_description_says(project):
    spec = find("pets")
    assert (spec.title, spec.shape, spec.classes, spec.encoding) == ("Pets", SHAPE, 2, Scaled())
    describe(project, DESCRIPTION + "encoding:\n  standardised: {crop: 4}\n")
    assert find("pets").encoding == Standardised(crop=4)
    assert find("pets").input_shape == (3, 4, 4)
    describe(project, DESCRIPTION.replace("classes: 2", "classes: [dog, cat]") + "encoding: {scaled: {bits: 7}}\n")
    assert (find("pets").classes, find("pets").class_names) == (2, ("cat", "dog"))
    assert find("pets").encoding == Scaled(bits=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: a\nshape: [3, 4, 6]\n", "classes: Field required"),
        ("title: a\nshape: [2, 4, 6]\nclasses: 2\n", r"shape: pictures have 1 channel .* found 2"),
        ("title: a\nshape: [3, 4]\nclasses: 2\n", "shape"),
        ("title: a\nshape: [3, 4, 6]\nclasses: 1\n", r"classes: from 2 to 256 classes are possible \(found 1\)"),
        ("title: a\nshape: [3, 4, 6]\nclasses: [x, x]\n", "classes: listed twice: x"),
        ("title: a\nshape: [3, 4, 6]\nclasses: [0, 1]\n", "classes: .* in quotes where they are digits"),
        ("title: a\nshape: [3, 4, 6]\nclasses: yes\n", "classes: expected their number, or a list .*found True"),
        ("title: a\nshape: [3, 4, 6]\nclasses: 2\ncolour: yes\n", "colour: unknown key"),
        (DESCRIPTION + "encoding: {}\n", "encoding: expected either scaled"),
        (DESCRIPTION + "encoding: {scaled: {}, standardised: {crop: 4}}\n", "encoding: expected either scaled"),
        (DESCRIPTION + "encoding: {standardised: {crop: 5}}\n", "encoding: a crop of 5 x 5 does not fit into 4 x 6"),
        (": :", "not valid YAML"),
    ],
)
def test_mistakes_in_a_description(project, text, message):
    describe(project, text)
    with pytest.raises(LosslessError, match=f"^config/datasets/pets.yaml: .*{message}") as error:
        find("pets")
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_what_there_is(project):
    for name in ("pet", "../datasets/pets"):
        with refusal(rf"'{name}' is no data set \(expected digits, mnist, fashion-mnist, cifar10, pets\)"):
            find(name)


def test_pictures_are_read_from_their_bytes_alone(project):
    stream = io.BytesIO()
    Image.fromarray(random_pixels(3)).save(stream, "PNG")
    read = pictures.read_picture(stream.getvalue(), SHAPE, project / "no such file")
    np.testing.assert_array_equal(read, random_pixels(3).transpose(2, 0, 1))
