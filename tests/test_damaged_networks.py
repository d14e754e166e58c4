"""Checkpoints, spiking networks and training states that are well-formed files and make no sense.

Every field of the metadata and every tensor is damaged in every way of a list; none is accepted, and each is one line.
"""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_networks import random_checkpoint

from lossless_snn.checkpoints import Checkpoint
from lossless_snn.conversion import SpikingNetwork, convert
from lossless_snn.conversion.binding import check_conversion
from lossless_snn.errors import LosslessError
from lossless_snn.files.digests import sha256
from lossless_snn.files.tensors import tensors_sha256
from lossless_snn.training import state as states

pytestmark = pytest.mark.usefixtures("tiny_datasets")

NETWORK, SHAPE = "3C3-P2-4", (1, 8, 8)
LOADERS = {"checkpoint": Checkpoint.load, "spiking network": SpikingNetwork.load}


def read(path):
    """A file's tensors, in PyTorch, which has all types, and its metadata."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["lossless_snn"])  # noqa: SIM118


def write(path, tensors, metadata):
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"lossless_snn": text})


@pytest.fixture
def files(tmp_path):
    """One sound file of each kind."""
    checkpoint = random_checkpoint(np.random.default_rng(0), NETWORK, SHAPE, 1)
    checkpoint.save(tmp_path / "checkpoint")
    convert(checkpoint).save(tmp_path / "spiking network")
    return tmp_path


def refuses(files, kind, message=""):
    """Whether the file of this kind is refused in one line that names it."""
    with pytest.raises(LosslessError, match=message or None) as error:
        LOADERS[kind](files / kind)
    said = str(error.value)
    assert said.startswith(f"{files / kind}: ")
    assert "\n" not in said
    assert said.isprintable()
    assert len(said) < len(str(files)) + 640


MISSING = object()
VALUES = [MISSING, None, [], {}, True, -1, 0.5, 2**64, "", "none of them", "a\nb", "x" * 5000]
# Fields, and by their place above the values that are damage elsewhere and sound there.
SOUND = {("seed", 1), ("epochs", 1), ("training_images", 0), ("training_images", 1), ("readout_exponent", 5)}
FIELDS = {
    "checkpoint": ["experiment", "budget", "precision", "seed", "epochs", "training_images", "recipe"],
    "spiking network": ["experiment", "budget", "precision", "seed", "readout_exponent", "checkpoint_sha256"],
}
ARCHITECTURE = ["dataset", "network", "padding"]


def metadata_faults():
    for kind in LOADERS:
        paths = [(field,) for field in FIELDS[kind]]
        paths += [("recipe", field) if kind == "checkpoint" else (field,) for field in ARCHITECTURE]
        for path in paths:
            for value in VALUES:
                if (path[-1], VALUES.index(value)) not in SOUND:
                    yield pytest.param(kind, path, value, id=f"{kind}-{'.'.join(path)}-{VALUES.index(value)}")


@pytest.mark.parametrize(("kind", "path", "value"), metadata_faults())
@pytest.mark.bad_input("networks")
def test_metadata(files, kind, path, value):
    tensors, metadata = read(files / kind)
    place = metadata
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    if value is not MISSING:
        place[path[-1]] = value
    write(files / kind, tensors, metadata)
    refuses(files, kind, path[-1])


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(
    "text", ["[]", "3", "null", '"checkpoint"', "{", "{}", "[" * 100_000, '{"kind": 3}', '{"kind": "a\\nb"}', "NaN"]
)
@pytest.mark.bad_input("networks")
def test_metadata_that_is_none(files, kind, text):
    tensors, _ = read(files / kind)
    write(files / kind, tensors, text)
    refuses(files, kind)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.bad_input("networks")
def test_numbers_that_are_none(files, kind, number):
    tensors, metadata = read(files / kind)
    write(files / kind, tensors, json.dumps(metadata).replace('"seed": 0', f'"seed": {number}'))
    refuses(files, kind)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("3C3-P2-5", "shape|missing"),
        ("3C3-P2", "shape|missing"),
        ("3C3-P2-4-4", "shape|missing"),
        ("3C3-P4-4", "does not divide"),
        ("3Q3", "unknown token"),
        ("3C9", "larger than its"),
        ("3C3-P2-4" + "-4" * 600, "at most 1000"),
        ("9" * 900, "shape|missing|network"),
        ("9" * 900 + "C3", "shape|missing|network"),
    ],
)
def test_the_layers_of_another_network(files, kind, network, message):
    tensors, metadata = read(files / kind)
    (metadata["recipe"] if kind == "checkpoint" else metadata)["network"] = network
    write(files / kind, tensors, metadata)
    refuses(files, kind, message)


def other_type(dtype):
    return lambda tensor: tensor.to(dtype)


def filled(value):
    def fill(tensor):
        tensor = tensor.clone()
        tensor.view(-1)[-1] = value
        return tensor

    return fill


TYPES = [torch.bool, torch.int8, torch.int32, torch.float16, torch.bfloat16, torch.float64]
TYPES += [torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64, torch.uint64]
TENSOR_FAULTS = {
    **{str(dtype): other_type(dtype) for dtype in TYPES},
    "absent": None,
    "cut": lambda tensor: tensor[:-1],
    "longer": lambda tensor: torch.cat([tensor, tensor[:1]]),
    "flat": lambda tensor: tensor[..., None],
    "scalar": lambda tensor: tensor.flatten()[0],
    "empty": lambda tensor: tensor[:0],
}
FLOAT_FAULTS = {"nan": filled(np.nan), "infinite": filled(np.inf), "minus infinite": filled(-np.inf)}


def names(kind):
    parts = {"checkpoint": ["weight", "gamma", "beta", "mean", "variance"]}
    parts["spiking network"] = ["weight", "threshold", "base", "exponent", "grid_threshold", "grid_offset"]
    output = "3.weight" if kind == "checkpoint" else "readout"
    return [f"{index}.{part}" for index in (0, 2) for part in parts[kind]] + [output]


INTEGERS = ("exponent", "grid_threshold", "grid_offset")


def tensor_faults():
    for kind in LOADERS:
        for name in names(kind):
            faults = TENSOR_FAULTS if name.endswith(INTEGERS) else TENSOR_FAULTS | FLOAT_FAULTS
            yield from ((kind, name, fault) for fault in faults)


@pytest.mark.parametrize(("kind", "name", "fault"), tensor_faults())
@pytest.mark.bad_input("networks")
def test_tensors(files, kind, name, fault):
    tensors, metadata = read(files / kind)
    damage = (TENSOR_FAULTS | FLOAT_FAULTS)[fault]
    value = tensors.pop(name)
    if damage:
        tensors[name] = damage(value)
    write(files / kind, tensors, metadata)
    refuses(files, kind, name)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.bad_input("networks")
def test_tensors_in_excess(files, kind):
    tensors, metadata = read(files / kind)
    write(files / kind, {**tensors, "9.weight\n\x1b[2J" + "x" * 500: torch.zeros(1)}, metadata)
    refuses(files, kind, "missing or in excess: 9.weight")


@pytest.mark.parametrize("name", ["0.variance", "2.variance"])
@pytest.mark.bad_input("networks")
def test_a_negative_variance(files, name):
    tensors, metadata = read(files / "checkpoint")
    tensors[name][1] = -1e-30
    write(files / "checkpoint", tensors, metadata)
    refuses(files, "checkpoint", f"{name} is negative")


# A layer's channel 1, a number for it, and what is said.
GRID_FAULTS = [
    ("threshold", 0.0, "threshold is out of range"),
    ("threshold", -1.0, "threshold is out of range"),
    ("grid_threshold", 0, "threshold on the grid is out of range"),
    ("grid_threshold", -5, "threshold on the grid is out of range"),
    ("grid_threshold", 2**62, "more than 62 bits"),
    ("grid_offset", 2**62, "more than 62 bits"),
    ("grid_offset", -(2**62), "more than 62 bits"),
    ("grid_offset", -(2**63), "base is out of range"),
    ("exponent", 10**6, "exponent is out of range"),
    ("exponent", -(10**6), "exponent is out of range"),
    ("exponent", -(2**63), "exponent is out of range"),
    ("exponent", -80, "weights beyond 30 bits"),
    ("weight", 3e38, "weights beyond 30 bits"),
]


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize(("name", "value", "message"), GRID_FAULTS)
@pytest.mark.bad_input("networks")
def test_numbers_that_no_conversion_gives(files, layer, name, value, message):
    tensors, metadata = read(files / "spiking network")
    tensors[f"{layer}.{name}"][1] = value
    write(files / "spiking network", tensors, metadata)
    refuses(files, "spiking network", rf"layer {layer + 1} \(.*\), channel 1: .*{message}")


@pytest.mark.parametrize(
    ("exponent", "message"), [(10**6, "less than or equal"), (-(10**6), "greater than"), (-300, "beyond 30 bits")]
)
@pytest.mark.bad_input("networks")
def test_the_unit_of_the_output(files, exponent, message):
    tensors, metadata = read(files / "spiking network")
    write(files / "spiking network", tensors, metadata | {"readout_exponent": exponent})
    refuses(files, "spiking network", message)


def sound_changes():
    """Changes that leave a network that could be: by name, of tensors and metadata."""
    return {
        "a weight": lambda t, m: t["0.weight"].view(-1)[3].mul_(1.5),
        "all weights halved": lambda t, m: [t[f"{index}.weight"].mul_(0.5) for index in range(3)],
        "the readout": lambda t, m: t["readout"].mul_(-1),
        "a threshold": lambda t, m: t["1.grid_threshold"].add_(1),
        "an offset": lambda t, m: t["2.grid_offset"].sub_(1),
        "a threshold in single precision": lambda t, m: t["1.threshold"].mul_(2),
        "a unit": lambda t, m: t["0.exponent"].add_(1),
        "k1 changed to k9": lambda t, m: m.update(precision="k9"),
        "the seed": lambda t, m: m.update(seed=1),
        "the unit of the output": lambda t, m: m.update(readout_exponent=m["readout_exponent"] + 1),
        "the checkpoint's digest": lambda t, m: m.update(checkpoint_sha256=64 * "0"),
    }


@pytest.mark.parametrize("change", sound_changes())
@pytest.mark.bad_input("networks")
def test_a_network_that_was_altered(files, change):
    """Its digest tells; and where the digest was made anew, the conversion of its checkpoint does."""
    path, trained = files / "spiking network", Checkpoint.load(files / "checkpoint")
    check_conversion(SpikingNetwork.load(path), trained)
    tensors, metadata = read(path)
    sound_changes()[change](tensors, metadata)
    write(path, tensors, metadata)
    refuses(files, "spiking network", "altered since it was converted")
    write(path, tensors, {key: value for key, value in metadata.items() if key != "content_sha256"})
    refuses(files, "spiking network", "altered since it was converted")
    kind, digest = metadata.pop("kind"), metadata.pop("content_sha256")
    metadata["content_sha256"] = tensors_sha256(kind, {n: t.numpy() for n, t in tensors.items()}, metadata)
    assert metadata["content_sha256"] != digest
    write(path, tensors, metadata | {"kind": kind})
    with pytest.raises(LosslessError, match=r"^x\.snn: .*checkpoint's conversion") as error:
        check_conversion(SpikingNetwork.load(path), trained, "x.snn")
    assert "\n" not in str(error.value)


def test_digests_are_those_of_the_files(files):
    checkpoint, network = Checkpoint.load(files / "checkpoint"), SpikingNetwork.load(files / "spiking network")
    assert checkpoint.sha256 == sha256(files / "checkpoint") == network.metadata.checkpoint_sha256
    assert network.sha256 == sha256(files / "spiking network")


@pytest.mark.bad_input("networks")
def test_thresholds_beyond_single_precision_are_not_converted():
    checkpoint = random_checkpoint(np.random.default_rng(0), NETWORK, SHAPE, 1)
    checkpoint.parameters["1.gamma"][2] = 1e-45
    with pytest.raises(LosslessError, match=r"layer 2 \(P2\), channel 2: threshold or base beyond 32-bit floats"):
        convert(checkpoint)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.bad_input("networks")
def test_what_is_no_regular_file(tmp_path, kind):
    with pytest.raises(LosslessError, match="no regular file"):
        LOADERS[kind](tmp_path)


ARGUMENTS = ("--precision", "k1", "--device", "cpu", "--epochs", "3")


@contextmanager
def killed_after_the_second_epoch():
    calls, save = [], states.save

    def interrupted(*arguments):
        save(*arguments)
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patcher:
        patcher.setattr(states, "save", interrupted)
        yield


EPOCH = {"epoch": 2, "learning_rate": 1e-2, "train_loss": 0.5, "train_accuracy": 0.5}
EPOCH |= {"validation_loss": None, "validation_accuracy": None}
HISTORIES = {
    "absent": MISSING,
    "null": None,
    "text": "two epochs",
    "number": 2,
    "empty": [],
    "list of numbers": [1, 2],
    "two first epochs": [EPOCH | {"epoch": 1}, EPOCH | {"epoch": 1}],
    "the second alone": [EPOCH],
    "more than the training has": [EPOCH | {"epoch": number} for number in range(1, 10)],
    "accuracy above 1": [EPOCH | {"epoch": 1, "train_accuracy": 1.5}],
}


def test_training_states(project, command_line, tmp_path, capsys):
    """Damaged in every way, a state is refused in one line; as it was, training goes on from it."""
    out, state = tmp_path / "seed0.safetensors", tmp_path / "seed0.training"
    arguments = ("train", "tiny", *ARGUMENTS, "--out", out, "--resume")
    with killed_after_the_second_epoch():
        assert command_line(*arguments) != 0
    tensors, metadata = read(state)
    for fault, history in HISTORIES.items():
        damaged = {key: value for key, value in metadata.items() if key != "history"}
        write(state, tensors, damaged if history is MISSING else damaged | {"history": history})
        said = command_line(*arguments)
        assert str(said).startswith(f"lossless-snn: {state}: "), fault
        assert "\n" not in said, fault
    for name in ("0.weight", "adam.0.moment"):
        for fault in ("absent", "cut", "torch.float64", "torch.bfloat16", "nan"):
            damage = (TENSOR_FAULTS | FLOAT_FAULTS)[fault]
            damaged = {key: value for key, value in tensors.items() if key != name}
            write(state, damaged | ({name: damage(tensors[name])} if damage else {}), metadata)
            said = command_line(*arguments)
            assert str(said).startswith(f"lossless-snn: {state}: "), (name, fault)
            assert "\n" not in said, (name, fault)
    assert not out.exists()
    write(state, tensors, metadata)
    capsys.readouterr()
    assert command_line(*arguments) == 0
    assert "going on after epoch 2" in capsys.readouterr().out
