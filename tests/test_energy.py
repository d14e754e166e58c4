"""Energies of operations: config/energy.yaml and the estimates made with it."""

from pathlib import Path

import numpy as np
import pytest
import reference
import tiny_networks

from lossless_snn.analysis.costs import (
    break_even,
    dense_cost,
    quantised_cost,
    settled_percentiles,
    spiking_cost,
    step_of_most,
    total,
)
from lossless_snn.analysis.viewer.recording import Recorder
from lossless_snn.config.energy import read_energies
from lossless_snn.conversion.convert import convert
from lossless_snn.datasets import Images
from lossless_snn.errors import LosslessError
from lossless_snn.runs.activity import ActivityRecord, LayerActivity
from lossless_snn.simulation import simulator
from lossless_snn.simulation.activity import measure_activity

SHIPPED = Path(__file__).parents[1] / "config" / "energy.yaml"


def test_mnist_at_45_nm():
    energies = read_energies(SHIPPED)
    # mnist-lenet without its first layer: 12 x 12 x 20 outputs of 2 x 2 x 20 inputs, 8 x 8 x 50 of 5 x 5 x 20,
    # 4 x 4 x 50 of 2 x 2 x 50, 500 of 4 x 4 x 50, 10 of 500
    multiply_accumulates = 230_400 + 1_600_000 + 160_000 + 400_000 + 5_000
    assert energies.of_ann(3 * multiply_accumulates) == pytest.approx(multiply_accumulates * 4.6e-12)
    assert energies.of_ann(7_186_200) == pytest.approx(11.01884e-6)
    assert energies.of_snn(1_510_511) == pytest.approx(1.3594599e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("addition: 0.9", "addition: 0", r"addition: input should be greater than 0 \(found 0\)"),
        ("\naddition:", "\nadd:", "addition: field required; add: unknown key"),
        ("technology:", "technology: [", "not valid YAML"),
        ("technology:", 'technology: "a\\e[2J" #', "technology: .*has characters that cannot be printed"),
        ("technology:", 'technology: "" #', "technology: "),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(tmp_path, old, new, message):
    path = tmp_path / "energy.yaml"
    path.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(LosslessError, match=rf"^{path}: (?i:{message})") as caught:
        read_energies(path)
    assert "\n" not in str(caught.value)


PAGE = Path(__file__).parents[1] / "docs" / "energy.md"
PARTS = ("first layer", "hidden layers", "output layer", "neurons")


@pytest.fixture
def two_neurons(tiny_datasets):
    """The activity of the two neurons of docs/method.md, whose spikes that page works out: A +++, B ++-."""
    parameters = {"2.weight": np.ones((10, 1, 1, 1))}
    for index, (weight, beta) in enumerate([(4, 0), (-0.6, 3)]):
        values = {"weight": [[[weight]]], "gamma": 1, "beta": beta, "mean": 0, "variance": 1 - 1e-5}
        parameters |= {f"{index}.{name}": np.array([value], dtype=float) for name, value in values.items()}
    network = convert(tiny_networks.checkpoint_of(parameters, "1-1", (1, 1, 1), 0))
    return measure_activity(network, Images(np.full((1, 1, 1, 1), 192, np.uint8), np.zeros(1, int)), 6, 1)


def test_activity_of_the_worked_example(two_neurons):
    a, b, output = two_neurons.layers
    assert two_neurons.settled == [0, 0, 0, 1, 0, 0, 0]
    assert (a.positive, a.negative) == ([1, 1, 1, 0, 0, 0], [0] * 6)
    assert (b.positive, b.negative) == ([1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0])
    assert a.operations == [1, 0, 0, 0, 0, 0]
    assert b.operations == [1, 1, 1, 0, 0, 0]
    assert output.operations == [10, 10, 10, 0, 0, 0]
    # Looked at in the first step, then while spikes arrive, and once more after the last spike of their own.
    assert a.updates == b.updates == [1, 1, 1, 1, 0, 0]
    assert output.updates == output.positive == output.negative == [0] * 6
    assert [layer.largest_input for layer in two_neurons.layers] == [192, 3, 1]
    assert [layer.active_macs for layer in two_neurons.layers] == [1, 1, 10]


def rows_of_page(heading):
    lines = PAGE.read_text(encoding="utf-8").split(heading, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {first: others for first, *others in rows}


@pytest.mark.parametrize(("network", "column"), [("dense", 0), ("quantised", 2), ("spiking", 4)])
def test_costs_of_the_worked_example_are_those_of_the_page(two_neurons, network, column):
    energies = read_energies(SHIPPED)
    costs = {
        "dense": lambda: dense_cost(two_neurons, energies),
        "quantised": lambda: quantised_cost(two_neurons, energies.hardware),
        "spiking": lambda: spiking_cost(two_neurons, energies.hardware),
    }[network]()
    rows = rows_of_page("| part | dense: accesses |")
    assert tuple(rows)[:4] == PARTS
    for part, cost in {**costs, "all": total(costs)}.items():
        accesses, picojoules = rows[part][column : column + 2]
        assert cost.accesses == float(accesses)
        assert cost.arithmetic == pytest.approx(float(picojoules))


def test_the_two_break_even_where_the_page_says(two_neurons):
    hardware = read_energies(SHIPPED).hardware
    spiking, quantised = total(spiking_cost(two_neurons, hardware)), total(quantised_cost(two_neurons, hardware))
    # By hand: (9.5375 - 6.175) pJ of arithmetic for 143 - 43 accesses.
    assert break_even(spiking, quantised) == pytest.approx(0.033625)
    assert "0.033625 pJ" in PAGE.read_text(encoding="utf-8")
    assert spiking.joules(0.033625) == pytest.approx(quantised.joules(0.033625))
    assert break_even(quantised, quantised) is None
    # Half way: what was spent until then.
    assert total(spiking_cost(two_neurons, hardware, 1)).accesses == 4 + 3 + 30 + 2 * 2 + 4 * 2


def test_settled_percentiles():
    layer = {"token": "1", "neurons": 1, "inputs": 1, "macs": 1, "active_inputs": 0, "active_macs": 0}
    layer |= {"largest_input": 0} | dict.fromkeys(("operations", "positive", "negative", "updates"), [0] * 4)
    layers = [LayerActivity(**layer)] * 2

    def of(settled):
        return ActivityRecord(images=200, correct=[0] * 4, settled=settled, layers=layers)

    assert settled_percentiles(of([0, 0, 198, 1, 1])) == ((2 * 198 + 3 + 4) / 200, 2, 4)
    assert settled_percentiles(of([0, 0, 197, 2, 1])) == ((2 * 197 + 6 + 4) / 200, 3, 4)
    # Of the 99 images that settle, 99 % do within 3 steps; of all 200, 99 % never do.
    assert (settled_percentiles(of([0, 0, 97, 2, 0]))[1], step_of_most(of([0, 0, 97, 2, 0]))) == (3, None)
    assert [step_of_most(of(settled)) for settled in ([0, 0, 197, 1, 2], [0, 0, 196, 1, 1])] == [3, 4]
    with pytest.raises(LosslessError, match="no image settled"):
        settled_percentiles(of([0] * 5))


@pytest.mark.parametrize(("network", "shape", "k"), [("3C3-P2-4", (1, 8, 8), 1), ("4C3-6", (2, 6, 6), 0)])
def test_activity_adds_up_to_the_trace_and_updates_to_loops_over_neurons(tiny_datasets, network, shape, k):
    rng = np.random.default_rng(5)
    padding = "same" if shape[0] == 2 else "valid"
    snn = convert(tiny_networks.random_checkpoint(rng, network, shape, k, padding))
    images = Images(tiny_networks.random_pixels(rng, 3, shape) * (rng.random((3, *shape)) < 0.1), np.arange(3))
    record = measure_activity(snn, images, 30, 2)
    trace = simulator(snn).run(images.pixels.astype(np.int32), 30)
    for sign in ("positive", "negative"):
        spikes = np.sum([getattr(layer, sign) for layer in record.layers], axis=0)
        assert spikes.tolist() == getattr(trace, sign).sum(axis=0).tolist()
    operations = np.sum([layer.operations for layer in record.layers[1:]], axis=0)
    assert operations.tolist() == trace.operations.sum(axis=0).tolist()
    assert record.correct == (trace.predictions == images.labels[:, None]).sum(axis=0).tolist()
    expected = np.zeros((len(snn.hidden), 30), int)
    layers = reference.lay_out(network, snn.data.input_shape, 10, padding)
    for pixels in images.pixels:
        spikes = Recorder(snn).record(pixels.astype(np.int64), 30).spikes
        for index, layer in enumerate(layers[:-1]):
            reaches = layer.matrix(np.ones(snn.layers[index].weight_shape)) != 0
            silence = np.zeros(reaches.shape[1])
            for t in range(min(len(spikes[0]) + 1, 30)):
                arriving = (
                    silence if t >= (len(spikes[0]) if index else 1) else spikes[index - 1][t] if index else pixels
                )
                reached = reaches[:, arriving.ravel() != 0].any(axis=1)
                fired = spikes[index][t - 1].ravel() != 0 if t else True
                expected[index, t] += (reached | fired).sum()
    assert [layer.updates for layer in record.layers[:-1]] == expected.tolist()
