"""Image folders: which pictures are taken, how, in which order, the cache of them, and what is refused."""

import hashlib
import io
import json
import os
import re
import socket
import struct
import subprocess
import tracemalloc
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from lossless_snn.cli.commands.networks import fetch
from lossless_snn.datasets import idx, image_folders, load, pictures
from lossless_snn.datasets.catalogue import find
from lossless_snn.datasets.encoding import Scaled, Standardised
from lossless_snn.datasets.image_folders import PictureFolder, present_listing
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
    folder = PictureFolder(Path("x"), {"train": list("abcdefghij")}, dict.fromkeys(names, (1, 1)))
    order = list(folder.labels("train").values())
    assert [order.count(label) for label in range(10)] == [500] * 10
    for part in (order[:1000], order[-1000:]):
        # 100 expected of each class; the standard deviation is 8.5.
        assert all(60 < part.count(label) < 140 for label in range(10))


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


@pytest.mark.bad_input("pictures")
def test_a_file_that_is_no_picture(folder):
    (folder / "train" / "cat" / "notes.txt").write_text("seen today")
    with refusal(r"^data/pets/train/cat/notes.txt: not a picture in PNG or JPEG format$"):
        load("pets", "test")


@pytest.mark.bad_input("pictures")
def test_a_picture_in_another_format(folder):
    write_picture(folder / "train" / "cat" / "a.gif", random_pixels(0))
    with refusal(r"^data/pets/train/cat/a.gif: not a picture in PNG or JPEG format$"):
        load("pets", "test")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.bad_input("pictures")
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
@pytest.mark.bad_input("pictures")
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
    with refusal(r"^data/pets/test/dog: no such folder; every class has one in train/ and in test/$"):
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
        ("[cat, dog, fish]", "data/pets/train/fish: no such folder; every class has one"),
        ("[cat, fish]", "data/pets: class 'dog' is not among the classes of config/datasets/pets.yaml"),
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
    with refusal(r"^data/pets/train/stray.png: lies in no folder of a class$"):
        load("pets", "test")
    (folder / "train" / "stray.png").unlink()
    (folder / "train" / "cat" / "more").mkdir()
    with refusal(r"^data/pets/train/cat/more: a folder among the pictures of a class"):
        load("pets", "test")


def test_no_pictures_at_all(project):
    with refusal("^pets: no pictures: looked in data/pets and elsewhere/pets for train/<class>/.*LOSSLESS_SNN_DATA"):
        load("pets", "test", local=project.relative_to(project) / "elsewhere")
    (project / "data" / "pets" / "train").mkdir(parents=True)
    with refusal(r"^data/pets: 0 classes \(\), but config/datasets/pets.yaml says 2$"):
        load("pets", "test")


def test_a_split_without_pictures(folder):
    for name in ("cat", "dog"):
        remove(folder / "test" / name)
    with refusal(r"^data/pets/test/cat: no such folder; every class has one in train/ and in test/$"):
        load("pets", "train")


# Pictures made chunk by chunk, so that each part can be wrong by itself.

PIXELS = random_pixels(5)


def encoded(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(compressed, size=(6, 4), interlaced=0, extra=b""):
    """A PNG file of 8-bit RGB with these compressed pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def rows(pixels):
    """Each row after filter type 0."""
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def read(content, shape=SHAPE):
    return pictures.read_picture(content, shape, Path("a.png"))


def assert_refused(content, message, shape=SHAPE):
    with pytest.raises(LosslessError, match=f"^a.png: {message}") as error:
        read(content, shape)
    assert str(error.value).isprintable()


def test_a_png_made_by_hand():
    np.testing.assert_array_equal(read(png(zlib.compress(rows(PIXELS)))), PIXELS.transpose(2, 0, 1))


@pytest.mark.parametrize("width", range(1, 10))
@pytest.mark.parametrize("height", [1, 3, 5, 9])
def test_interlaced_pictures(width, height):
    """Adam7, made from its definition: pass by pass, the pixels whose place in the 8 x 8 pattern has its number."""
    pattern = "1 6 4 6 2 6 4 6\n7 7 7 7 7 7 7 7\n5 6 5 6 5 6 5 6\n7 7 7 7 7 7 7 7\n"
    pattern += "3 6 4 6 3 6 4 6\n7 7 7 7 7 7 7 7\n5 6 5 6 5 6 5 6\n7 7 7 7 7 7 7 7"
    numbers = np.array([line.split() for line in pattern.splitlines()], int)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    content = b""
    for number in range(1, 8):
        for y in range(height):
            chosen = [pixels[y, x].tobytes() for x in range(width) if numbers[y % 8, x % 8] == number]
            content += b"\0" + b"".join(chosen) if chosen else b""
    found = read(png(zlib.compress(content), (width, height), interlaced=1), (3, height, width))
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))
    if content:
        assert_refused(png(zlib.compress(content[:-1]), (width, height), 1), "a damaged picture", (3, height, width))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "RGB"])
def test_every_kind_of_png_has_the_size_that_it_is_checked_for(mode):
    """With palettes of 1, 2, 4 and 8 bits; what has no right mode is refused by that, not as damaged."""
    image = Image.fromarray(random_pixels(0, (3, 13, 21))).convert("L" if mode in ("1", "LA") else "RGB")
    for colours in (2, 4, 16, 256):
        made = image.quantize(colours) if mode == "P" else image.convert(mode)
        shape = (1 if mode in ("1", "L", "LA") else 3, 13, 21)
        if mode == "1":
            assert_refused(encoded(made, "PNG"), "mode 1, but", shape)
        else:
            expected = np.asarray(made.convert("L" if shape[0] == 1 else "RGB")).reshape(13, 21, shape[0])
            np.testing.assert_array_equal(read(encoded(made, "PNG"), shape), expected.transpose(2, 0, 1))


@pytest.mark.parametrize("length", range(len(zlib.compress(rows(PIXELS)))))
@pytest.mark.bad_input("pictures")
def test_pixels_of_a_png_that_are_cut_off(length):
    """The chunk is whole and has the right checksum: only the stream in it is not."""
    assert_refused(png(zlib.compress(rows(PIXELS))[:length]), "a damaged picture")


@pytest.mark.parametrize(
    "content",
    [rows(PIXELS)[:-1], rows(PIXELS[:-1]), b"", rows(PIXELS) + b"\0", rows(PIXELS) * 2],
    ids=["a byte", "a row", "all", "one too many", "twice"],
)
@pytest.mark.bad_input("pictures")
def test_a_png_with_another_number_of_rows(content):
    assert_refused(png(zlib.compress(content)), "a damaged picture")


def test_a_png_that_ends_anywhere_or_has_a_wrong_byte_anywhere():
    whole = encoded(Image.fromarray(PIXELS), "PNG")
    for position in range(len(whole)):
        assert_refused(whole[:position], "(a damaged|not a) picture")
        damaged = bytearray(whole)
        damaged[position] ^= 1
        assert_refused(bytes(damaged), "")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}])
def test_a_jpeg_that_ends_anywhere(options):
    """With and without the marker of its end, which makes decoders fill in grey.

    A progressive picture may end after any of its scans: then it is whole, and less exact.
    """
    image = Image.fromarray(random_pixels(0, (3, 40, 48)))
    whole = encoded(image, "JPEG", **options)
    assert read(whole, (3, 40, 48)).shape == (3, 40, 48)
    scans = [match.start() for match in re.finditer(rb"\xff\xda", whole)]
    for length in range(scans[0] + 20, len(whole) - 2, 5):
        assert_refused(whole[:length], "a damaged picture", (3, 40, 48))
        if not options.get("progressive"):
            assert_refused(whole[:length] + b"\xff\xd9", "a damaged picture", (3, 40, 48))


@pytest.mark.parametrize("orientation", [0, 2, 3, 6, 8])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.bad_input("pictures")
def test_a_rotated_picture(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_refused(encoded(Image.fromarray(PIXELS), format, exif=exif), f"EXIF orientation {orientation}; store")
    exif[0x0112] = 1
    read(encoded(Image.fromarray(PIXELS), format, exif=exif))


@pytest.mark.bad_input("pictures")
def test_several_pictures_in_a_file():
    image, other = Image.fromarray(PIXELS), Image.fromarray(random_pixels(6))
    message = "more than one picture in a file"
    assert_refused(encoded(image, "PNG", save_all=True, append_images=[other]), message)
    assert_refused(encoded(image, "MPO", save_all=True, append_images=[other]), message)
    assert_refused(encoded(image, "GIF", save_all=True, append_images=[other]), "not a picture in PNG or JPEG format")


@pytest.mark.parametrize("behind", ["a picture", "half a picture", "text"])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.bad_input("pictures")
def test_what_follows_a_picture(format, behind):
    """Decoders see the first one alone. Padding is nothing."""
    picture = encoded(Image.fromarray(PIXELS), format)
    more = {"a picture": picture, "half a picture": picture[: len(picture) // 2], "text": b"a note"}[behind]
    assert_refused(
        picture + more, rf"a damaged picture \(goes on for {len(more)} bytes after its end; store one picture"
    )
    read(picture + b"\0\0\r\n")


@pytest.mark.bad_input("pictures")
def test_many_small_chunks_take_time_by_their_number_alone():
    """Each is looked at once: by the square of the size, this file would take minutes."""
    pixels = zlib.compress(rows(PIXELS))
    read(png(pixels, extra=300_000 * chunk(b"teSt", b"")))


@pytest.mark.bad_input("pictures")
def test_a_picture_that_declares_more_pixels_than_it_may_have():
    """Refused by its header: nothing is decompressed, whatever size the description gives."""
    bomb = png(zlib.compress(bytes(10**6)), (50_000, 50_000))
    assert_refused(bomb, "")
    assert_refused(bomb, "a damaged picture .*exceeds limit", (3, 50_000, 50_000))
    assert_refused(png(zlib.compress(bytes(10**7))), "a damaged picture")


@pytest.mark.bad_input("pictures")
def test_text_that_decompresses_to_much_more():
    text = zlib.compress(bytes(64 << 20), 1)
    read(png(zlib.compress(rows(PIXELS))))
    for kind in (b"zTXt", b"iCCP"):
        tracemalloc.start()
        with suppress(LosslessError):
            read(png(zlib.compress(rows(PIXELS)), extra=chunk(kind, b"a\0\0" + text)))
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
        tracemalloc.stop()


# Names and files that are none.


@pytest.mark.parametrize(("name", "shown"), [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\udcff", r"\udcff")])
def test_odd_names_are_read_and_print_escaped(folder, name, shown):
    expected = load("pets", "train")
    (folder / "train" / "cat" / "0.png").rename(folder / "train" / "cat" / f"{name}.png")
    assert len(load("pets", "train")) == len(expected)
    (folder / "train" / "cat" / f"{name}.png").write_text("no picture")
    with pytest.raises(LosslessError) as error:
        load("pets", "train")
    assert str(error.value) == f"data/pets/train/cat/{shown}.png: not a picture in PNG or JPEG format"


def test_odd_names_of_classes(folder):
    (folder / "test" / "dog").rename(folder / "test" / "d\nog")
    with refusal(r"^data/pets: 3 classes \(cat, d\\nog, dog\), but config/datasets/pets.yaml says 2$"):
        load("pets", "test")
    (folder / "test" / "d\nog").rename(folder / "test" / "d\udcffog")
    with refusal(r"^data/pets/test/d\\udcffog: the name of a class must be UTF-8$"):
        load("pets", "test")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(os.fspath(path))])
@pytest.mark.bad_input("pictures")
def test_what_is_no_regular_file_is_not_read(folder, make):
    make(folder / "train" / "cat" / "pipe.png")
    for act in (load, lambda *_: present_listing("pets", folder.parent)):
        with refusal(r"data/pets/train/cat/pipe.png: no regular file; take it out$"):
            act("pets", "train")


@pytest.mark.bad_input("pictures")
def test_a_device_is_not_read(folder):
    (folder / "train" / "cat" / "zero.png").symlink_to("/dev/zero")
    with refusal(r"^data/pets/train/cat/zero.png: no regular file; take it out$"):
        load("pets", "train")


@pytest.mark.bad_input("pictures")
def test_a_link_to_nothing(folder):
    (folder / "train" / "cat" / "link.png").symlink_to("nowhere")
    with refusal(r"^data/pets/train/cat/link.png: No such file or directory$"):
        load("pets", "train")


def test_a_link_to_a_picture(folder):
    (folder / "train" / "cat" / "link.png").symlink_to("0.png")
    assert len(load("pets", "train")) == 10


@pytest.mark.bad_input("pictures")
def test_an_enormous_file_is_not_read(folder):
    with (folder / "train" / "cat" / "sparse.png").open("wb") as file:
        file.truncate(1 << 40)
    with refusal(r"^data/pets/train/cat/sparse.png: 1,099,511,627,776 bytes; a picture has 67,108,864 at the most$"):
        load("pets", "train")


# The cache.


@pytest.fixture
def decoding(monkeypatch):
    """The files that were decoded from here on."""
    decoded, read_picture = [], image_folders.read_picture

    def record(content, shape, path):
        decoded.append(path)
        return read_picture(content, shape, path)

    monkeypatch.setattr(image_folders, "read_picture", record)
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


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"1", b'"a"', b'{"layout": 1}', b"\xff\xfe", b"[" * 10**6, b" " * (1 << 21)]
)
@pytest.mark.bad_input("manifests")
def test_a_damaged_manifest(folder, decoding, content):
    acquire("pets")["manifest.json"].write_bytes(content)
    assert_decoded_anew(folder, decoding)


@pytest.mark.parametrize("key", ["layout", "pictures", "listing", "shape", "classes", "counts", "files"])
@pytest.mark.parametrize(
    "value", [None, [], {}, "a", 2, -1, 1.5, True, [10**7] * 3, [1e999], {"train": 1}, {"train": {"cat": 10**30}}]
)
@pytest.mark.bad_input("manifests")
def test_a_manifest_of_wrong_types_counts_as_none(folder, decoding, key, value):
    path = acquire("pets")["manifest.json"]
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: value}))
    present_listing("pets", folder.parent)
    assert_decoded_anew(folder, decoding)
    assert json.loads(path.read_text()) == content


@pytest.mark.bad_input("manifests")
def test_manifests_with_other_keys_count_as_none(folder, decoding):
    path = acquire("pets")["manifest.json"]
    content = json.loads(path.read_text())
    for changed in ({**content, "more": 1}, {key: content[key] for key in list(content)[1:-1]}):
        path.write_text(json.dumps(changed))
        assert_decoded_anew(folder, decoding)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest, images, labels: images.write_bytes(idx.header((9, 3, 6, 4)) + images.read_bytes()[20:]),
        lambda manifest, images, labels: images.write_bytes(idx.header((8, *SHAPE)) + images.read_bytes()[20:]),
        lambda manifest, images, labels: idx.write(labels, np.full(9, 7, np.uint8)),
        lambda manifest, images, labels: idx.write(labels, np.zeros((9, 1), np.uint8)),
        lambda manifest, images, labels: manifest["counts"]["train"].update(cat=4, dog=5),
        lambda manifest, images, labels: manifest["counts"]["train"].pop("cat"),
        lambda manifest, images, labels: manifest.update(counts={"train": manifest["counts"]["train"]}),
    ],
)
@pytest.mark.bad_input("manifests")
def test_files_and_manifest_that_do_not_agree_count_as_none(folder, decoding, change):
    """Even where the digests are right."""
    paths = acquire("pets")
    manifest = json.loads(paths["manifest.json"].read_text())
    change(manifest, paths["train-images-idx4-ubyte"], paths["train-labels-idx1-ubyte"])
    manifest["files"] = {name: hashlib.sha256(paths[name].read_bytes()).hexdigest() for name in manifest["files"]}
    paths["manifest.json"].write_text(json.dumps(manifest))
    assert_decoded_anew(folder, decoding)


@pytest.mark.parametrize("name", ["manifest.json", "train-images-idx4-ubyte"])
def test_a_pipe_in_the_cache_is_not_read(folder, decoding, name):
    path = acquire("pets")[name]
    path.unlink()
    os.mkfifo(path)
    with refusal(rf"^{path}: is there, and no regular file; choose another name$"):
        load("pets", "test")
    assert path.is_fifo()
    path.unlink()
    assert_decoded_anew(folder, decoding)


def test_a_cache_that_cannot_be_written(folder):
    (folder / "decoded").write_text("a file in the way")
    with refusal(r"^data/pets/decoded\S*: no folder can be made here \((File exists|Not a directory)\); "):
        load("pets", "test")


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
        (
            "title: a\nshape: [3, 4, 6]\nclasses: yes\n",
            "classes: expected another value than true or false .*found True",
        ),
        ("title: a\nshape: [3, 4, 6]\nclasses: 2\ncolour: yes\n", "colour: unknown key"),
        (DESCRIPTION + "encoding: {}\n", "encoding: expected either scaled"),
        (DESCRIPTION + "encoding: {scaled: {}, standardised: {crop: 4}}\n", "encoding: expected either scaled"),
        (DESCRIPTION + "encoding: {standardised: {crop: 5}}\n", "encoding: a crop of 5 x 5 does not fit into 4 x 6"),
        (": :", "not valid YAML"),
        ("[]", "valid dictionary"),
        (
            "title: a\nshape: [3, 10000000, 10000000]\nclasses: 2\n",
            "shape.1: input should be less than or equal to 1024",
        ),
        ("title: a\nshape: [3, true, 6]\nclasses: 2\n", "shape: expected another value than true or false"),
        ("title: a\nshape: [3, 4.0, 6]\nclasses: 2\n", "shape.1: input should be a valid integer"),
        ("title: a\nshape: [3, 0, 6]\nclasses: 2\n", "shape.1: input should be greater than or equal to 1"),
        ("title: a\nshape: null\nclasses: 2\n", "shape: input should be a valid tuple"),
        ("title: a\nshape: [3, 4, 6]\nclasses: 1e400\n", "classes: expected their number"),
        ('title: "a\\nb"\nshape: [3, 4, 6]\nclasses: 2\n', "title: string should match pattern"),
        (DESCRIPTION + "encoding: {scaled: {bits: 25}}\n", "encoding.scaled.bits: input should be less than"),
        (
            "title: a\nshape: [3, 200, 200]\nclasses: 2\nencoding: {standardised: {crop: 148}}\n",
            "encoding: a crop of 148 x 148 gives inputs of more than 24 bits",
        ),
    ],
)
@pytest.mark.bad_input("configuration")
def test_mistakes_in_a_description(project, text, message):
    describe(project, text)
    with pytest.raises(LosslessError, match=f"^config/datasets/pets.yaml: .*{message}") as error:
        find("pets")
    assert "\n" not in str(error.value)


def test_the_largest_crop_whose_inputs_are_exact(project):
    describe(project, "title: a\nshape: [3, 200, 200]\nclasses: 2\nencoding: {standardised: {crop: 147}}\n")
    assert find("pets").encoding.peak((3, 200, 200)) <= 2**24


def test_a_description_that_is_no_regular_file(project):
    (project / "config" / "datasets" / "pets.yaml").unlink()
    os.mkfifo(project / "config" / "datasets" / "pets.yaml")
    with refusal(r"^config/datasets/pets.yaml: no regular file; name one$"):
        find("pets")


def test_an_unknown_name_lists_what_there_is(project):
    for name in ("pet", "../datasets/pets"):
        with refusal(
            rf"'{name}' is no data set \(expected digits, mnist, fashion-mnist, cifar10, cifar10-jpeg, pets\)"
        ):
            find(name)


def test_pictures_are_read_from_their_bytes_alone(project):
    stream = io.BytesIO()
    Image.fromarray(random_pixels(3)).save(stream, "PNG")
    read = pictures.read_picture(stream.getvalue(), SHAPE, project / "no such file")
    np.testing.assert_array_equal(read, random_pixels(3).transpose(2, 0, 1))
