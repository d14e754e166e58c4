"""Output that cannot be written, and what is in its place: one line, a status that is not 0, nothing half-written."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from run_directories import write_config, write_run

from lossless_snn.checkpoints import Checkpoint
from lossless_snn.checkpoints.published_npz import write_npz
from lossless_snn.errors import LosslessError
from lossless_snn.files.atomic import open_file, replacing, write_text, write_together

COMPARED = "{run} --published {published} --energy {energy} --out {place}"
WORDS = {
    "convert": "{checkpoint} --out {place}/x.snn.safetensors",
    "export": "{checkpoint} --out {place}/x.npz",
    "import": "{npz} --experiment tiny --precision k1 --unchecked --out {place}/x.safetensors",
    "evaluate": "{checkpoint} --limit 9 --out {place}/ann.json",
    "noise": "{checkpoint} --seeds 1 --out {place}/noise.csv",
    "simulate": "{network} --limit 3 --steps 2 --logs {place}/logs",
    "compare-neurons": "{network} --limit 3 --steps 2 --out {place}/neurons",
    "train": "tiny --precision k1 --epochs 1 --out {place}/x.safetensors",
    "table": f"{COMPARED}/results.csv",
    "figure": f"sparsity {COMPARED}/sparsity",
    "summary": f"{COMPARED}/summary.csv",
    "viewer": "{network} --count 1 --steps 3 --energy {energy} --out {place}/x.html",
}


@pytest.fixture(scope="module")
def inputs(trained, tmp_path_factory, digits_root):
    """Files that the commands read."""
    from lossless_snn.conversion.convert import convert

    folder = tmp_path_factory.mktemp("inputs")
    published, energy = write_config(folder)
    checkpoint = Checkpoint.load(trained)
    write_npz(checkpoint.parameters, checkpoint.layers, folder / "x.npz")
    convert(checkpoint).save(folder / "x.snn.safetensors")
    files = {"checkpoint": trained, "network": folder / "x.snn.safetensors", "npz": folder / "x.npz"}
    return files | {"run": write_run(folder, "k0", 0), "published": published, "energy": energy}


def mounted(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounts a file system of its own, which takes root")


@pytest.fixture(params=["a file above it", "a full disk", "no inodes", "a read-only disk"])
def unwritable(request, tmp_path):
    """A folder that nothing can be written to; whatever happens there, only there."""
    folder = tmp_path / "place"
    if request.param == "a file above it":
        folder.write_text("")
        yield folder
        assert folder.read_text() == ""
        return
    folder.mkdir()
    options = {"a full disk": "size=8k", "no inodes": "nr_inodes=1", "a read-only disk": "ro"}
    mounted(folder, options[request.param])
    try:
        if request.param == "a full disk":
            (folder / "filling").write_bytes(bytes(8 << 10))
        before = sorted(folder.rglob("*"))
        yield folder
        assert [path for path in sorted(folder.rglob("*")) if path.is_file()] == before
    finally:
        subprocess.run(["umount", os.fspath(folder)], check=True)


def arguments(command: str, inputs: dict, place: Path) -> list[str]:
    return [command, *(word.format(place=place, **inputs) for word in WORDS[command].split())]


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize("command", WORDS)
def test_a_place_that_cannot_be_written_to(command, inputs, unwritable, project, command_line):
    said = command_line(*arguments(command, inputs, unwritable))
    assert isinstance(said, str)
    assert said.startswith(f"lossless-snn: {unwritable}")
    assert said.endswith("another place")
    assert said.isprintable()


@pytest.mark.bad_input("outputs")
def test_a_data_set_that_cannot_be_written(unwritable, project, command_line, monkeypatch):
    (unwritable.parent / "work").mkdir()
    monkeypatch.chdir(unwritable.parent / "work")
    Path("data").symlink_to(unwritable)
    said = command_line("fetch", "digits")
    assert isinstance(said, str)
    assert said.startswith("lossless-snn: data")
    assert said.isprintable()


# What is there already.


def make_pipe(path):
    os.mkfifo(path)


def make_device(path):
    """A second null device: nothing is lost if it were written to."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("makes a device node, which takes root")


def make_circle(path):
    path.symlink_to(path.name)


def identity(path):
    """What says that it is the same one; a link that is looked at gets another time of access."""
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_mtime_ns


SPECIAL = {"pipe": make_pipe, "device": make_device, "folder": Path.mkdir, "circle": make_circle}
SPECIAL["socket"] = lambda path: socket.socket(socket.AF_UNIX).bind(os.fspath(path))


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_stays(tmp_path, kind):
    path = tmp_path / "x"
    SPECIAL[kind](path)
    before = identity(path)
    with pytest.raises(LosslessError, match=rf"^{path}: .*; choose another name$"):
        write_text(path, "text")
    with pytest.raises(LosslessError, match=rf"^{path}: .*; choose another name$"):
        write_together(tmp_path, {"a": "1", "x": "2", "y": "3"})
    assert identity(path) == before
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("command", ["convert", "export", "import", "evaluate", "viewer"])
def test_commands_leave_what_is_no_regular_file(command, kind, inputs, project, command_line, tmp_path):
    *words, last = arguments(command, inputs, tmp_path)
    SPECIAL[kind](Path(last))
    before = Path(last).lstat().st_mode
    assert "no regular file" in command_line(*words, last)
    assert Path(last).lstat().st_mode == before


def test_links_stay_and_lead_to_what_is_written(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    (tmp_path / "link").symlink_to("second")
    (tmp_path / "second").symlink_to("folder/file")
    (tmp_path / "dangling").symlink_to("folder/new")
    for name in ("link", "dangling"):
        write_text(tmp_path / name, name)
    assert (tmp_path / "folder" / "file").read_text() == "link"
    assert (tmp_path / "folder" / "new").read_text() == "dangling"
    write_together(tmp_path, {"link": "a", "dangling": "b", "third": "c"})
    assert [(tmp_path / "folder" / name).read_text() for name in ("file", "new")] == ["a", "b"]
    assert all((tmp_path / name).is_symlink() for name in ("link", "second", "dangling"))
    assert not list(tmp_path.rglob(".*"))


def test_links_and_files_stay_as_they_were_where_writing_fails(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "link") as partial:
        partial.with_name("nothing").rename(partial)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2


def test_names_of_open_files(tmp_path):
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "1").write_text("a file of this name")
    names = [
        "/dev/stdout",
        "/dev/fd/1",
        "/proc/self/fd/1",
        f"/proc/{os.getpid()}/fd/1",
        "/dev/stderr",
        tmp_path / "link",
    ]
    assert [open_file(name) for name in names] == [1, 1, 1, 1, 2, 1]
    others = [tmp_path / "1", "/dev/null", "", "x", "/dev/fd/x", "/dev/fd", tmp_path]
    assert [open_file(name) for name in others] == [None] * len(others)


# Programs as a shell starts them.


def run(folder: Path, *words: str, shell: str = "{}", **options) -> subprocess.CompletedProcess:
    """The command line, by a shell that may redirect its streams."""
    command = shell.format(f"{sys.executable} -m lossless_snn {' '.join(map(str, words))}")
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, timeout=300, **options)


def test_standard_output_takes_a_file_and_messages_go_elsewhere(inputs, project, tmp_path):
    """By all of its names: in a pipeline, into a file, and past its end."""
    exported = ("export", inputs["checkpoint"], "--out")
    run(project, *exported, tmp_path / "file.npz")
    expected = (tmp_path / "file.npz").read_bytes()
    ran = run(project, *exported, "/dev/stdout", shell="{} | cat")
    assert (ran.stdout, ran.returncode) == (expected, 0)
    assert ran.stderr.decode() == f"/dev/stdout: network of {inputs['checkpoint']}\n"
    (tmp_path / "before").write_bytes(b"before")
    run(project, *exported, "/dev/fd/1", shell=f"{{}} >> {tmp_path}/before 2> /dev/null")
    assert (tmp_path / "before").read_bytes() == b"before" + expected
    (tmp_path / "link").symlink_to("/dev/stdout")
    assert run(project, *exported, tmp_path / "link").stdout == expected
    assert (tmp_path / "link").is_symlink()


def test_null_takes_everything_and_stays_what_it_is(inputs, project, command_line):
    before = os.stat(os.devnull)
    assert command_line("export", inputs["checkpoint"], "--out", os.devnull) == 0
    after = os.stat(os.devnull)
    assert (after.st_mode, after.st_ino, after.st_rdev) == (before.st_mode, before.st_ino, before.st_rdev)
    with pytest.raises(LosslessError, match=r"^/dev/null: is there, and no regular file"):
        write_together("/dev", {"null": "a", "lossless-snn-test": "b"})
    assert not Path("/dev/lossless-snn-test").exists()


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize(
    "words", ["evaluate {checkpoint} --limit 9", "convert {checkpoint} --out {place}/x", "--help", "viewer --help"]
)
@pytest.mark.parametrize(
    ("stream", "reason"), [("> /dev/full", "cannot be written (No space left on device)"), (">&-", "closed")]
)
def test_a_standard_output_that_takes_nothing(words, stream, reason, inputs, project, tmp_path):
    ran = run(project, words.format(place=tmp_path, **inputs), shell="{} " + stream)
    assert ran.returncode == 1
    said = ran.stderr.decode().splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"lossless-snn: standard output: {reason}; send it to a")


def test_a_reader_that_goes_away_ends_the_program_without_a_word(inputs, project):
    ran = run(project, "--help", shell="{} | true; exit ${{PIPESTATUS[0]}}")
    assert ran.stderr == b""


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize("name", ["/dev/full", "/dev/fd/77"])
def test_devices_and_files_that_are_not_open(inputs, project, name):
    ran = run(project, "export", inputs["checkpoint"], "--out", name)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith(b"lossless-snn: " + name.encode())


def test_a_closed_standard_error_changes_no_result(inputs, project, tmp_path):
    for number, stream in enumerate(["", "2>&-", "<&- 2>&-"]):
        ran = run(project, "export", inputs["checkpoint"], "--out", tmp_path / f"{number}.npz", shell="{} " + stream)
        assert ran.returncode == 0
    assert len({(tmp_path / f"{number}.npz").read_bytes() for number in range(3)}) == 1


@pytest.mark.bad_input("outputs")
def test_a_temporary_folder_that_is_not_there(inputs, project, tmp_path):
    """Where none of the usual places can be written to; here, where the one that is named is none."""
    code = "import tempfile; from lossless_snn.cli import main; tempfile._candidate_tempdir_list = lambda: []; main()"
    command = [sys.executable, "-c", code, "export", str(inputs["checkpoint"]), "--out", "/dev/null"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "No usable temporary directory" in ran.stderr


def test_other_errors_of_the_system_name_their_file(project, command_line, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied", "some/file")

    monkeypatch.setattr("lossless_snn.checkpoints.checkpoint.load_tensors", refuse)
    assert command_line("convert", "x", "--out", "y") == (
        "lossless-snn: some/file: Permission denied; free or choose another place"
    )
