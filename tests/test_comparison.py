"""The neurons that the method's is compared with: against plain loops, and what is stored and drawn of them."""

import numpy as np
import pandas as pd
import pytest
import reference
from click.testing import CliRunner
from run_directories import compare, write_config, write_run
from tiny_networks import assert_same_bytes, random_checkpoint, random_pixels, reference_layers

from lossless_snn.analysis.comparison import load_comparison
from lossless_snn.analysis.tables.negative_spikes import tidy, write_comparison_table
from lossless_snn.cli.commands.results import table_neurons
from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LosslessError
from lossless_snn.runs.neurons import NEURONS
from lossless_snn.simulation.dense import DenseSimulator
from lossless_snn.simulation.events import EventSimulator
from lossless_snn.simulation.integrate_and_fire import RateCodedSimulator

ARCHITECTURES = [("6C3-P2-9-7", (1, 8, 8), "valid"), ("4C3-6", (2, 6, 6), "same"), ("9-8-8", (3, 5, 5), "valid")]


def unsigned(snn, layers, pixels, steps):
    """Net counts, spikes a step and predictions of upward-only neurons, in Python integers; one image."""
    constants = [
        (
            layer.matrix(spiking.grid_weight.astype(object)),
            reference.per_neuron(layer, spiking.grid_threshold.astype(object)),
            reference.per_neuron(layer, spiking.grid_offset.astype(object)),
        )
        for layer, spiking in zip(layers, snn.hidden, strict=False)
    ]
    readout = layers[-1].matrix(snn.grid_readout.astype(object))
    membranes = [np.zeros(len(theta), dtype=object) for _, theta, _ in constants]
    counts = [np.zeros(len(theta), dtype=object) for _, theta, _ in constants]
    fired, predictions = [], []
    for t in range(steps):
        received, spikes_now = pixels.astype(object).ravel() * (t == 0), 0
        for index, (matrix, theta, offset) in enumerate(constants):
            membranes[index] = membranes[index] + matrix @ received
            received = np.zeros(len(theta), dtype=object)
            for i in range(len(theta)):
                # b = offset - 1/2, so V > b + (n + 1) theta is V >= offset + (n + 1) theta.
                if membranes[index][i] >= offset[i] + (counts[index][i] + 1) * theta[i]:
                    received[i] = 1
            counts[index] = counts[index] + received
            spikes_now += sum(received)
        fired.append(spikes_now)
        logits = list(readout @ counts[-1])
        predictions.append(logits.index(max(logits)))
    return counts, fired, predictions


@pytest.mark.usefixtures("tiny_datasets")
@pytest.mark.parametrize("k", [0, 2])
@pytest.mark.parametrize(("network", "shape", "padding"), ARCHITECTURES)
def test_without_negative_spikes(network, shape, padding, k):
    rng = np.random.default_rng(8 + k)
    checkpoint = random_checkpoint(rng, network, shape, k, padding)
    snn, pixels = convert(checkpoint), random_pixels(rng, 3, shape)
    trace = EventSimulator(snn, negative_spikes=False).run(pixels, 12)
    assert_same_bytes(trace, DenseSimulator(snn, negative_spikes=False).run(pixels, 12))
    assert not trace.negative.any()
    # These networks are such that it matters.
    assert EventSimulator(snn).run(pixels, 12).negative.any()
    for image in range(3):
        counts, fired, predictions = unsigned(snn, reference_layers(checkpoint), pixels[image], 12)
        assert trace.positive[image].tolist() == fired
        assert trace.predictions[image].tolist() == predictions
        for count, expected in zip(trace.counts, counts, strict=True):
            assert count[image].ravel().tolist() == expected.tolist()


@pytest.mark.usefixtures("tiny_datasets")
def test_without_negative_spikes_rest_is_when_no_threshold_is_passed():
    rng = np.random.default_rng(5)
    checkpoint = random_checkpoint(rng, "4C3-6", (2, 6, 6), 1)
    snn, pixels = convert(checkpoint), random_pixels(rng, 4, (2, 6, 6))
    trace = EventSimulator(snn, negative_spikes=False).run(pixels, 300)
    assert (trace.settled_step > 0).all()
    last = 300 - (trace.positive[:, ::-1] > 0).argmax(axis=1)
    assert trace.settled_step.tolist() == last.tolist()
    # One step short of the last spike it has not settled.
    short = int(trace.settled_step.max()) - 1
    assert (EventSimulator(snn, negative_spikes=False).run(pixels, short).settled_step == -1).any()


def normalised(layer, parameters, index, k):
    """z = 2^k BN(a) for a in quantiser steps, as (matrix, bias), from the ANN's parameters."""
    weight, gamma, beta, mean, variance = (
        parameters[f"{index}.{name}"].astype(float) for name in ("weight", "gamma", "beta", "mean", "variance")
    )
    gain = gamma / np.sqrt(variance + 1e-5)
    matrix = layer.matrix(weight) * reference.per_neuron(layer, gain)[:, None]
    return matrix, reference.per_neuron(layer, 2**k * (beta - gain * mean))


def integrate_and_fire(layers, parameters, k, thresholds, pixels, steps):
    """Counts, spikes and operations a step, and predictions; neuron by neuron, one image."""
    constants = [normalised(layer, parameters, i, k) for i, layer in enumerate(layers[:-1])]
    readout = layers[-1].matrix(parameters[f"{len(layers) - 1}.weight"].astype(float))
    fan_out = [layer.fan_out() for layer in layers[1:]]
    membranes = [np.zeros(len(bias)) for _, bias in constants]
    counts = [np.zeros(len(bias), dtype=int) for _, bias in constants]
    fired, operations, predictions = [], [], []
    logits = np.zeros(len(readout))
    for t in range(steps):
        received, spikes, crossed = 2**k * (pixels.ravel() / 256), 0, 0
        for index, (matrix, bias) in enumerate(constants):
            membranes[index] += matrix @ received + bias
            received = np.zeros(len(bias))
            for i in range(len(bias)):
                if membranes[index][i] >= thresholds[index]:
                    membranes[index][i] -= thresholds[index]
                    counts[index][i] += 1
                    received[i] = thresholds[index]
                    spikes, crossed = spikes + 1, crossed + fan_out[index][i]
        logits += readout @ received
        fired.append(spikes)
        operations.append(int(crossed))
        predictions.append(int(np.argmax(logits / (t + 1))))
    return counts, fired, operations, predictions


@pytest.mark.usefixtures("tiny_datasets")
@pytest.mark.parametrize("k", [0, 2])
@pytest.mark.parametrize(("network", "shape", "padding"), ARCHITECTURES)
def test_integrate_and_fire(network, shape, padding, k):
    rng = np.random.default_rng(10 + k)
    checkpoint = random_checkpoint(rng, network, shape, k, padding)
    layers, pixels = reference_layers(checkpoint), random_pixels(rng, 3, shape)
    simulator = RateCodedSimulator(convert(checkpoint), random_pixels(rng, 20, shape))
    trace = simulator.run(pixels, 30)
    assert (trace.settled_step == -1).all()
    assert not trace.negative.any()
    for image in range(3):
        counts, fired, operations, predictions = integrate_and_fire(
            layers, checkpoint.parameters, k, simulator.thresholds, pixels[image], 30
        )
        assert trace.positive[image].tolist() == fired
        assert trace.operations[image].tolist() == operations
        assert trace.predictions[image].tolist() == predictions
        for count, expected in zip(trace.counts, counts, strict=True):
            assert count[image].ravel().tolist() == expected.tolist()


@pytest.mark.usefixtures("tiny_datasets")
def test_thresholds_are_a_percentile_of_the_activations_and_rates_approach_them():
    rng = np.random.default_rng(3)
    checkpoint = random_checkpoint(rng, "4C3-6", (2, 6, 6), 1)
    layers, snn = reference_layers(checkpoint), convert(checkpoint)
    calibration, pixels = random_pixels(rng, 150, (2, 6, 6)), random_pixels(rng, 2, (2, 6, 6))
    simulator = RateCodedSimulator(snn, calibration)

    def activations(image):
        received, found = 2 * (image.ravel() / 256), []
        for index, layer in enumerate(layers[:-1]):
            matrix, bias = normalised(layer, checkpoint.parameters, index, 1)
            received = np.maximum(matrix @ received + bias, 0)
            found.append(received)
        return found

    for index, threshold in enumerate(simulator.thresholds):
        values = np.concatenate([activations(image)[index] for image in calibration])
        assert threshold == pytest.approx(np.percentile(values, 99.9, method="higher"), rel=1e-5)
    steps = 4000
    counts = simulator.run(pixels, steps).counts
    for image in range(2):
        expected = np.minimum(activations(pixels[image])[0], simulator.thresholds[0])
        rates = counts[0][image].ravel() * simulator.thresholds[0] / steps
        assert rates == pytest.approx(expected, abs=2 * simulator.thresholds[0] / steps)


def test_table(tmp_path):
    runs = [write_run(tmp_path, precision, 0) for precision in ("fp32", "k0", "k1")]
    published, energy = write_config(tmp_path)
    out = tmp_path / "negative_spikes.csv"
    arguments = [*map(str, runs), "--out", str(out), "--published", str(published), "--energy", str(energy)]
    assert CliRunner().invoke(table_neurons.command, arguments, catch_exceptions=False).exit_code == 0
    table = pd.read_csv(out).set_index(["precision", "neuron"])
    assert list(table.loc["k1"].index) == ["signed", "unsigned", "integrate-and-fire"]
    signed, unsigned = table.loc[("k0", "signed")], table.loc[("k0", "unsigned")]
    assert (signed["time_steps_to_ann"], signed["spikes_to_ann"], signed["operations_to_ann"]) == (2, 20, 200)
    # It was there at first, and fell behind.
    assert unsigned[["time_steps_to_ann", "spikes_to_ann", "operations_to_ann"]].isna().all()
    assert unsigned["accuracy_difference"] == pytest.approx(-0.4)
    # Better than the ANN is not behind it.
    assert table.loc[("k0", "integrate-and-fire"), "time_steps_to_ann"] == 2
    readable = out.with_suffix(".md").read_text()
    assert "the first 5 test images, 3 time steps" in readable
    assert readable.count("| k = ") == 6


def test_from_three_seeds_on_there_are_intervals(tmp_path):
    runs = [write_run(tmp_path, "k0", seed) for seed in (0, 1)]
    third = write_run(tmp_path / "third", "k0", 1, {"seed": 2}, {"seed": 2})
    assert "accuracy_low" not in tidy(compare(tmp_path, runs))
    path = third / "neurons.csv"
    path.write_text(path.read_text().replace("signed,3,0.8,", "signed,3,0.6,", 1))
    results = compare(tmp_path, [*runs, third])
    row = tidy(results).set_index("neuron").loc["signed"]
    # 0.8, 0.8, 0.6: s = 0.2 / sqrt(3), and t(0.975; 2) = 4.302653.
    reach = 4.302653 * 0.2 / 3
    assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((2.2 / 3 - reach, 2.2 / 3 + reach), abs=1e-6)
    write_comparison_table(results, tmp_path / "negative_spikes.csv")
    text = (tmp_path / "negative_spikes.md").read_text()
    assert "its 95 % interval (points)" in text
    assert "-35.35 to +22.02" in text


def test_several_seeds_of_which_one_does_not_catch_up(tmp_path):
    runs = [write_run(tmp_path, "k0", seed) for seed in (0, 1)]
    path = runs[1] / "neurons.csv"
    path.write_text(path.read_text().replace("signed,3,0.8,", "signed,3,0.6,", 1))
    table = tidy(compare(tmp_path, runs)).set_index("neuron")
    assert table.at["signed", "accuracy"] == pytest.approx(0.7)
    assert table.at["signed", "accuracy_std"] == pytest.approx(0.02**0.5)
    assert pd.isna(table.at["signed", "time_steps_to_ann"])
    assert table.at["integrate-and-fire", "time_steps_to_ann"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "make it by lossless-snn compare-neurons"),
        (lambda path: path.write_text(""), "not a CSV table"),
        (lambda path: path.write_text(path.read_text().replace("images", "pictures")), "no column images"),
        (lambda path: path.write_text(path.read_text().rpartition("integrate")[0]), "not one row for each neuron"),
        (lambda path: path.write_text(path.read_text().replace(",5,", ",4,")), "other images or steps"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    runs = [write_run(tmp_path, precision, 0) for precision in ("k0", "k1")]
    change(runs[1] / "neurons.csv")
    with pytest.raises(LosslessError, match=rf"k1/seed0/neurons\.csv: .*{message}"):
        load_comparison(compare(tmp_path, runs))


def test_command(project, trained, command_line, tmp_path):
    snn = tmp_path / "seed0.snn.safetensors"
    assert command_line("convert", trained, "--out", snn) == 0
    for folder in ("first", "second"):
        arguments = ["--steps", 8, "--limit", 70, "--out", tmp_path / folder]
        assert command_line("compare-neurons", snn, *arguments) == 0
    first, second = (tmp_path / folder / "neurons.csv" for folder in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    table = pd.read_csv(first)
    assert list(table.groupby("neuron", sort=False).size().items()) == [(neuron, 8) for neuron in NEURONS]
    assert table["images"].unique().tolist() == [70]
    assert command_line("simulate", snn, "--steps", 8, "--limit", 70, "--batch-size", 70, "--logs", tmp_path) == 0
    correct = [int(line) for line in (tmp_path / "accuracy.txt").read_text().split()]
    operations = [int(line) for line in (tmp_path / "sop_num.txt").read_text().split()]
    signed = table[table["neuron"] == "signed"]
    assert (70 * signed["accuracy"]).tolist() == pytest.approx(correct)
    assert (70 * signed["operations_per_image"]).tolist() == pytest.approx(operations)
