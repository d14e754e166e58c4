"""Faithful arithmetic: the published code's log files, line for line.

`published_logs` is the method in plain NumPy: 64-bit membranes, weights and thresholds as 32-bit
floats computed in 32 bits, straight from the arrays of an `.npz`. It imports nothing of the package.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from lossless_snn.checkpoints import Checkpoint, CheckpointMetadata
from lossless_snn.cli.main import cli
from lossless_snn.conversion.convert import convert
from lossless_snn.conversion.spiking_network import SpikingNetwork
from lossless_snn.datasets import load
from lossless_snn.errors import LosslessError
from lossless_snn.simulation import simulator

LOGS = ("accuracy", "spike_num", "spike_collect", "sop_num")

EXPERIMENT = """\
dataset: digits
network: {network}
padding: {padding}
training:
  validation_images: 97
  budgets:
    quick: {{phases: [{{epochs: 1, learning_rate: 1.0e-4}}]}}
simulation: {{steps: {steps}, batch_size: {batch}}}
"""


def strides_and_paddings(network, padding, kernels):
    """(stride, (before, after)) of each layer, the output's last."""
    geometry = []
    for token, kernel in zip([*network.split("-"), "output"], kernels, strict=True):
        size = kernel.shape[0]
        same = "C" in token and padding == "same"
        geometry.append((size if token.startswith("P") else 1, ((size - 1) // 2, size // 2) if same else (0, 0)))
    return geometry


def convolve(x, kernel, stride, padding):
    """x (N, H, W, C) with kernel (kh, kw, C, F)."""
    x = np.pad(x, ((0, 0), padding, padding, (0, 0)))
    rows, columns = ((x.shape[axis] - kernel.shape[axis - 1]) // stride + 1 for axis in (1, 2))
    total = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            total += x[:, i : i + stride * rows : stride, j : j + stride * columns : stride] @ kernel[i, j]
    return total


def synapses(in_shape, kernel, stride, padding):
    """Synapses that a spike at each position of the map (H, W) crosses, counted window by window."""
    height, width = in_shape
    (kh, kw, _, filters), (before, after) = kernel.shape, padding
    count = np.zeros((height + before + after, width + before + after), dtype=int)
    for row in range(0, count.shape[0] - kh + 1, stride):
        for column in range(0, count.shape[1] - kw + 1, stride):
            count[row : row + kh, column : column + kw] += filters
    return count[before : before + height, before : before + width]


def with_output_kernel(params, last_map):
    """The arrays as (kernel, beta, gamma, mean, variance) a hidden layer, and the output's kernel (h, w, in, out)."""
    hidden = [params[i : i + 5] for i in range(0, len(params) - 1, 5)]
    return hidden, params[-1].reshape(*last_map, -1, params[-1].shape[-1])


def threshold_and_base(beta, gamma, mean, variance, k):
    """In 32 bits, in the order in which the method writes them."""
    f = np.float32
    assert {a.dtype for a in (beta, gamma, mean, variance)} == {np.dtype(f)}
    sigma = np.sqrt(variance + f(1e-5))
    threshold = sigma / gamma
    return threshold, (f(2.0 ** -(k + 1)) - beta) * f(2**k) * sigma / gamma + f(2**k) * mean - threshold


def published_logs(params, network, padding, last_map, k, pixels, labels, batch_size, steps):
    """The four log files as lists of integers; pixels (N, H, W, C) are integers that mean p / 256."""
    hidden, output = with_output_kernel(params, last_map)
    geometry = strides_and_paddings(network, padding, [layer[0] for layer in hidden] + [output])
    logs = {name: [] for name in LOGS}
    for start in range(0, len(pixels), batch_size):
        image = 2.0**k * (pixels[start : start + batch_size] / 256)
        expected = labels[start : start + batch_size]
        V, Q, n = {}, {}, {}
        constants = []
        for kernel, beta, gamma, mean, variance in hidden:
            sign = np.where(gamma < 0, -1, 1).astype(np.float32)
            threshold, base = threshold_and_base(beta, gamma * sign, mean * sign, variance, k)
            constants.append((kernel * sign, threshold.astype(float), base.astype(float)))
        number = collected = operations = 0
        for t in range(steps):
            spikes = image if t == 0 else np.zeros_like(image)
            for index, (kernel, theta, b) in enumerate(constants):
                received = convolve(spikes, kernel.astype(float), *geometry[index])
                if t == 0:
                    V[index] = np.zeros_like(received)
                    Q[index] = np.zeros_like(received) + b
                    n[index] = np.zeros_like(received)
                V[index] += received
                d = np.maximum(V[index], b) - Q[index]
                spikes = np.where(d > theta, 1, np.where(d < -1e-5, -1, 0))
                Q[index] += spikes * theta
                n[index] += spikes
                after = hidden[index + 1][0] if index + 1 < len(hidden) else output
                cost = synapses(spikes.shape[1:3], after, *geometry[index + 1])
                number += int(np.abs(spikes).sum())
                collected += int(spikes.sum())
                operations += int((np.abs(spikes) * cost[:, :, None]).sum())
            logits = convolve(n[len(hidden) - 1], output.astype(float), *geometry[-1])[:, 0, 0]
            logs["accuracy"].append(int((logits.argmax(axis=1) == expected).sum()))
            logs["spike_num"].append(number)
            logs["spike_collect"].append(collected)
            logs["sop_num"].append(operations)
    return logs


def calibrated_params(shapes, network, padding, last_map, pixels, seed):
    """Arrays of a network whose batch norm has the statistics of `pixels`, some gammas negative."""
    rng = np.random.default_rng(seed)
    params, activation = [], pixels / 256
    kernels = [rng.normal(0, 0.1, shape) for shape in shapes]
    output = rng.normal(0, 0.1, (*last_map, shapes[-1][-1], 10))
    geometry = strides_and_paddings(network, padding, [*kernels, output])
    for kernel, place in zip(kernels, geometry, strict=False):
        total = convolve(activation, kernel, *place)
        filters = kernel.shape[3]
        mean, variance = total.mean(axis=(0, 1, 2)), total.var(axis=(0, 1, 2))
        gamma = rng.normal(1, 0.1, filters) * np.where(rng.random(filters) < 0.2, -1, 1)
        beta = rng.normal(0, 0.3, filters)
        params += [kernel, beta, gamma, mean, variance]
        activation = np.maximum(gamma * (total - mean) / np.sqrt(variance + 1e-5) + beta, 0)
    return [a.astype(np.float32) for a in [*params, output.reshape(-1, 10)]]


def invoke(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project folder with the digits."""
    root = tmp_path_factory.mktemp("faithful")
    (root / "config" / "experiments").mkdir(parents=True)
    load("digits", "test", root=root / "data")
    return root


@pytest.fixture
def project(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def imported(name, network, padding, shapes, last_map, precision, steps, batch, seed=0):
    """Write an experiment and an .npz, take it in by the command line; (params, path of the SNN)."""
    text = EXPERIMENT.format(network=network, padding=padding, steps=steps, batch=batch)
    Path(f"config/experiments/{name}.yaml").write_text(text, encoding="utf-8")
    pixels = load("digits", "test").pixels[-50:].transpose(0, 2, 3, 1)
    params = calibrated_params(shapes, network, padding, last_map, pixels, seed)
    row = np.empty(len(params), dtype=object)
    row[:] = params
    np.savez(f"{name}.npz", params=row)
    checkpoint, snn = f"{name}.safetensors", f"{name}.{precision}.snn.safetensors"
    invoke("import", f"{name}.npz", "--experiment", name, "--precision", precision, "--unchecked", "--out", checkpoint)
    invoke("convert", checkpoint, "--out", snn)
    return params, snn


SMALL = {
    "network": "3C3-P2-4C4-P2-6",
    "padding": "same",
    "last_map": (1, 1),
    "shapes": [(3, 3, 1, 3), (2, 2, 3, 3), (4, 4, 3, 4), (2, 2, 4, 4), (7, 7, 4, 6)],
}
NO_UNITS = {
    "network": "3C5-P4-5C2",
    "padding": "valid",
    "last_map": (5, 5),
    "shapes": [(5, 5, 1, 3), (4, 4, 3, 3), (2, 2, 3, 5)],
}
LENET = {
    "network": "20C5-P2-50C5-P2-500",
    "padding": "valid",
    "last_map": (1, 1),
    "shapes": [(5, 5, 1, 20), (2, 2, 20, 20), (5, 5, 20, 50), (2, 2, 50, 50), (4, 4, 50, 500)],
}


@pytest.mark.parametrize(
    ("name", "geometry", "precision", "images", "batch", "steps"),
    [
        ("small", SMALL, "k0", 50, 20, 20),
        ("small", SMALL, "k1", 50, 20, 20),
        ("small", SMALL, "k3", 50, 20, 25),
        ("no-units", NO_UNITS, "k2", 30, 30, 20),
        ("lenet", LENET, "k1", 12, 5, 12),
    ],
)
def test_log_files_equal_plain_numpys_line_for_line(project, name, geometry, precision, images, batch, steps):
    params, snn = imported(name, precision=precision, steps=steps, batch=batch, **geometry)
    invoke("simulate", snn, "--arithmetic", "faithful", "--logs", "logs", "--limit", images)
    digits = load("digits", "test")
    expected = published_logs(
        params,
        geometry["network"],
        geometry["padding"],
        geometry["last_map"],
        int(precision[1:]),
        digits.pixels[:images].transpose(0, 2, 3, 1),
        digits.labels[:images],
        batch,
        steps,
    )
    assert expected["spike_num"][-1] > expected["spike_collect"][-1], "the network shall spike with both signs"
    for log in LOGS:
        assert Path(f"logs/{log}.txt").read_text(encoding="utf-8") == "".join(
            f"{value}\n" for value in expected[log]
        ), log


def test_thresholds_are_computed_in_32_bits():
    """Membranes between the first threshold in 32 bits and that in 64 bits: only the former decides."""
    rng, units, k = np.random.default_rng(0), 500, 1
    variance, gamma, beta, mean = (rng.uniform(0.5, 1.5, units).astype(np.float32) for _ in range(4))
    theta, b = threshold_and_base(beta, gamma, mean, variance, k)
    first = theta.astype(float) + b
    v, g, be, m = (a.astype(float) for a in (variance, gamma, beta, mean))
    first_in_64_bits = (2.0 ** -(k + 1) - be) * 2**k * np.sqrt(v + 1e-5) / g + 2**k * m
    # One pixel is lit: the membrane is its weight times 2^k 255 / 256.
    weight = ((first + first_in_64_bits) / 2 / (2**k * 255 / 256)).astype(np.float32)
    membrane = weight.astype(float) * (2**k * 255.0 / 256)
    fires = membrane > first
    assert (fires != (membrane > first_in_64_bits)).sum() > 50
    weights = np.zeros((units, 1, 28, 28), np.float32)
    weights[:, 0, 3, 4] = weight
    parameters = {"0.weight": weights, "1.weight": np.ones((10, units, 1, 1), np.float32)}
    parameters |= {"0.gamma": gamma, "0.beta": beta, "0.mean": mean, "0.variance": variance}
    recipe = {"dataset": "digits", "network": str(units), "padding": "valid"}
    identity = {"experiment": "units", "budget": "imported", "precision": f"k{k}", "seed": None}
    pixels = np.zeros((1, 1, 28, 28), np.uint8)
    pixels[0, 0, 3, 4] = 255
    metadata = CheckpointMetadata(**identity, epochs=None, recipe=recipe)
    trace = simulator(convert(Checkpoint(parameters, metadata)), arithmetic="faithful").run(pixels, 1)
    assert trace.counts[0].ravel().tolist() == fires.tolist()


def test_the_arithmetic_is_recorded(project):
    _, snn = imported("small", precision="k1", steps=20, batch=20, **SMALL)
    for options, arithmetic in ([], "exact"), (["--arithmetic", "faithful"], "faithful"):
        invoke("simulate", snn, *options, "--logs", arithmetic, "--limit", 20)
        for record in ("snn.json", "certificate.json"):
            assert json.loads(Path(arithmetic, record).read_text(encoding="utf-8"))["arithmetic"] == arithmetic


def test_only_exact_arithmetic_fails_by_its_certificate(project):
    """A base that is off in one of the two arithmetics: in the faithful one it is reported."""
    _, path = imported("small", precision="k1", steps=20, batch=20, **SMALL)
    snn = SpikingNetwork.load(path)
    first = snn.hidden[0]
    off = replace(first, base=first.base - 2 * first.threshold)
    replace(snn, hidden=(off, *snn.hidden[1:])).save("off.snn.safetensors")
    arguments = ["simulate", "off.snn.safetensors", "--limit", 20, "--logs"]
    invoke(*arguments, "off", "--arithmetic", "faithful")
    assert json.loads(Path("off/certificate.json").read_text(encoding="utf-8"))["mismatches_in_settled_images"] > 0
    assert all(Path("off", f"{log}.txt").exists() for log in LOGS)
    invoke(*arguments, "on")
    assert json.loads(Path("on/certificate.json").read_text(encoding="utf-8"))["mismatches_in_settled_images"] == 0


def test_the_event_engine_refuses_faithful_arithmetic(project):
    _, snn = imported("small", precision="k1", steps=20, batch=20, **SMALL)
    with pytest.raises(LosslessError, match="--engine dense"):
        invoke("simulate", snn, "--arithmetic", "faithful", "--engine", "event", "--logs", "logs", "--limit", 20)
