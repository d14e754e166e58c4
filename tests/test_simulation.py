"""Both engines against the plain loop, neuron by neuron and step by step, and against each other."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_networks import (
    assert_same_bytes,
    assert_same_record,
    checkpoint_of,
    random_checkpoint,
    random_pixels,
    reference_layers,
    simulate_as_published,
    simulate_in_integers,
)

from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LosslessError
from lossless_snn.simulation import simulator

pytestmark = pytest.mark.usefixtures("tiny_datasets")

ENGINES = ("event", "dense")
NETWORKS = [
    ("3C3-P2-4", (1, 8, 8), "valid"),
    ("3C3-4C2-P2-5", (2, 6, 6), "same"),
    ("2C4-P3-3C2-6", (1, 6, 6), "same"),
    ("6-5-4", (1, 4, 4), "valid"),
    ("2C5-3", (3, 5, 5), "valid"),
    ("3C2-P2-2C3-4", (2, 8, 6), "same"),
]


@pytest.mark.parametrize("k", [0, 1, 2, 3])
@pytest.mark.parametrize(("network", "shape", "padding"), NETWORKS)
def test_engines_against_the_plain_loop(network, shape, padding, k):
    """The method in floats from the checkpoint alone: spikes, operations, counts, predictions, settling."""
    rng = np.random.default_rng(10 + k)
    checkpoint = random_checkpoint(rng, network, shape, k, padding, zero_gammas=0.1)
    snn, pixels = convert(checkpoint), random_pixels(rng, 2, shape)
    traces = [simulator(snn, engine).run(pixels, 40) for engine in ENGINES]
    for image in range(2):
        record = simulate_as_published(checkpoint, pixels[image], 40)
        for trace in traces:
            assert_same_record(trace, image, record)
    assert_same_bytes(*traces)
    assert traces[0].positive.sum() > 0


def test_the_cases_above_have_spikes_of_both_signs():
    rng = np.random.default_rng(11)
    checkpoint = random_checkpoint(rng, *NETWORKS[1][:2], 1, "same")
    trace = simulator(convert(checkpoint)).run(random_pixels(rng, 2, (2, 6, 6)), 40)
    assert (trace.positive.sum(1) > 0).all()
    assert (trace.negative.sum(1) > 0).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_few_steps(engine, steps):
    """Stopped before the end: the same first steps, and not settled."""
    rng = np.random.default_rng(1)
    checkpoint = random_checkpoint(rng, "3C3-P2-4", (1, 8, 8), 3)
    snn, pixels = convert(checkpoint), random_pixels(rng, 3, (1, 8, 8))
    trace = simulator(snn, engine).run(pixels, steps)
    for image in range(3):
        assert_same_record(trace, image, simulate_as_published(checkpoint, pixels[image], steps))
    assert trace.settled_step.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("engine", ENGINES)
def test_settled_step_by_hand(engine):
    """One unit due 3 spikes, at the steps 0, 1 and 2: it has settled after 3, and needs 3 to be seen to."""
    # sigma / gamma = 64 / 256 of an input of 255 / 256: round(3.98) at weight 1, less 1 by beta
    parameters = {"0.weight": 1, "0.gamma": 4, "0.beta": -1, "0.mean": 0, "0.variance": 1 - 1e-5}
    shaped = {name: np.full((1,) * (4 if "weight" in name else 1), value) for name, value in parameters.items()}
    shaped["1.weight"] = np.arange(10.0).reshape(10, 1, 1, 1) - 20
    snn = convert(checkpoint_of(shaped, "1", (1, 1, 1), 0))
    for steps, settled in [(2, -1), (3, 3), (7, 3)]:
        trace = simulator(snn, engine).run(np.full((1, 1, 1, 1), 255, dtype=np.uint8), steps)
        assert trace.settled_step.tolist() == [settled]
        assert trace.positive.tolist() == [[1, 1, 1, 0, 0, 0, 0][:steps]]
        assert trace.operations.tolist() == [[10, 10, 10, 0, 0, 0, 0][:steps]]
        assert trace.counts[0].ravel().tolist() == [min(steps, 3)]
        assert trace.predictions[0, 0] == 9


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_of_zeros(engine):
    rng = np.random.default_rng(4)
    checkpoint = random_checkpoint(rng, "3C3-P2-4", (1, 8, 8), 1)
    for name in ("0.beta", "1.beta", "2.beta"):
        checkpoint.parameters[name][:] = np.abs(checkpoint.parameters[name]) + 1  # it fires nevertheless
    pixels = np.zeros((2, 1, 8, 8), dtype=np.uint8)
    trace = simulator(convert(checkpoint), engine).run(pixels, 40)
    record = simulate_as_published(checkpoint, pixels[0], 40)
    assert sum(record.positive) > 0
    for image in range(2):
        assert_same_record(trace, image, record)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_never_spikes(engine):
    checkpoint = random_checkpoint(np.random.default_rng(4), "3-2", (1, 4, 4), 0)
    for name in ("0.beta", "1.beta"):
        checkpoint.parameters[name][:] = -1000
    trace = simulator(convert(checkpoint), engine).run(np.full((2, 1, 4, 4), 255, dtype=np.uint8), 3)
    assert trace.settled_step.tolist() == [0, 0]
    assert trace.positive.sum() + trace.negative.sum() + trace.operations.sum() == 0
    # the first of equal logits
    assert trace.predictions.tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_logits_give_the_first_class(engine):
    rng = np.random.default_rng(8)
    checkpoint = random_checkpoint(rng, "5", (1, 4, 4), 1)
    readout = checkpoint.parameters["1.weight"]
    readout[7] = readout[2] = np.abs(readout).max(axis=0) + 1
    trace = simulator(convert(checkpoint), engine).run(random_pixels(rng, 4, (1, 4, 4)), 20)
    assert trace.counts[0].any()
    assert set(trace.predictions[trace.positive.cumsum(1) > 0].tolist()) == {2}


@pytest.mark.parametrize("k", [9, 11])
def test_sums_beyond_32_bits(k):
    """Thousands of spikes a neuron: membranes of more than 2^11 thresholds, checked in Python's integers."""
    rng = np.random.default_rng(k)
    checkpoint = random_checkpoint(rng, "4-3-2", (1, 4, 4), k, gamma=(0.5, 0.1))
    for name in ("0.beta", "1.beta", "2.beta"):
        checkpoint.parameters[name][:] = 1
    checkpoint.parameters["1.weight"][:] += 1.5
    snn, pixels = convert(checkpoint), random_pixels(rng, 1, (1, 4, 4))
    steps = 1000
    trace = simulator(snn, "event").run(pixels, steps)
    received = trace.counts[0][0].ravel().astype(float)
    assert (snn.hidden[1].grid_weight.reshape(3, 4) @ received).max() > 2**31
    assert_same_record(trace, 0, simulate_in_integers(snn, pixels[0], steps))
    assert_same_bytes(trace, simulator(snn, "dense").run(pixels, steps))


@pytest.mark.parametrize(("network", "shape", "padding"), NETWORKS[:4])
def test_the_width_of_the_integers_changes_nothing(network, shape, padding):
    """The same network in units so fine that sums need 64 bits gives the same bytes."""
    rng = np.random.default_rng(21)
    snn, pixels = convert(random_checkpoint(rng, network, shape, 3, padding)), random_pixels(rng, 4, shape)
    fine = []
    for layer in snn.hidden[1:]:
        weight = layer.grid_weight.astype(np.int64)
        assert np.abs(weight).max() < 2**24  # float32 holds them exactly
        shift = 30 - int(np.abs(weight).max()).bit_length()
        finer = replace(
            layer,
            weight=np.ldexp(weight, layer.exponent[:, None, None, None]).astype(np.float32),
            exponent=layer.exponent - shift,
            grid_threshold=layer.grid_threshold << shift,
            grid_offset=layer.grid_offset << shift,
        )
        assert (finer.grid_weight == weight << shift).all()
        # the largest membrane, threshold and offset together
        reach = (np.abs(weight).sum((1, 2, 3)) + layer.grid_threshold + np.abs(layer.grid_offset)) << shift
        assert reach.max() > 2**31
        fine.append(finer)
    finer = replace(snn, hidden=(snn.hidden[0], *fine))
    assert_same_bytes(simulator(snn, "event").run(pixels, 50), simulator(finer, "event").run(pixels, 50))


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_and_company_change_nothing(engine):
    """One thread or two, an image alone or in a batch: the same bytes."""
    rng = np.random.default_rng(5)
    snn = convert(random_checkpoint(rng, "3C3-P2-4", (1, 8, 8), 2))
    pixels = random_pixels(rng, 7, (1, 8, 8))
    whole = simulator(snn, engine, threads=1).run(pixels, 30)
    assert_same_bytes(whole, simulator(snn, engine, threads=2).run(pixels, 30))
    alone = simulator(snn, engine).run(pixels[3:4], 30)
    assert (alone.predictions[0] == whole.predictions[3]).all()
    assert (alone.operations[0] == whole.operations[3]).all()
    assert (alone.settled_step[0], whole.settled_step[3]) == (whole.settled_step[3], alone.settled_step[0])
    # a simulator may be used again, and remembers nothing
    engine_again = simulator(snn, engine)
    engine_again.run(pixels[::-1], 5)
    assert_same_bytes(whole, engine_again.run(pixels, 30))


def test_operations_count_every_connection_crossed():
    """Each spike, multiplied by the connections of its neuron that a brute-force list has."""
    rng = np.random.default_rng(6)
    checkpoint = random_checkpoint(rng, "2C3-3C2-P2-4", (1, 6, 6), 1, "same")
    pixels = random_pixels(rng, 1, (1, 6, 6))
    trace = simulator(convert(checkpoint)).run(pixels, 30)
    record = simulate_as_published(checkpoint, pixels[0], 30)
    leaving = []
    for layer in reference_layers(checkpoint)[1:]:
        table = {}
        for _, source, _ in layer.connections():
            table[source] = table.get(source, 0) + 1
        leaving.append(table)
    before = [np.zeros_like(count) for count in record.net_by_step[0]]
    for t, now in enumerate(record.net_by_step):
        crossed = 0
        for table, old, new in zip(leaving, before, now, strict=True):
            crossed += sum(table[neuron] for neuron in np.flatnonzero(old != new).tolist())
        assert trace.operations[0, t] == crossed
        before = now
    # ten for each spike of the last spiking layer
    assert set(leaving[-1].values()) == {10}


def test_the_dense_engine_refuses_what_floats_cannot_hold():
    rng = np.random.default_rng(0)
    snn = convert(random_checkpoint(rng, "4-3", (1, 4, 4), 1))
    shift = 40
    last = snn.hidden[1]
    huge = replace(last, grid_threshold=last.grid_threshold << shift, grid_offset=last.grid_offset << shift)
    with pytest.raises(LosslessError, match=r"2\^52.*--engine event"):
        simulator(replace(snn, hidden=(snn.hidden[0], huge)), "dense").run(random_pixels(rng, 1, (1, 4, 4)), 3)


def test_a_gpu_that_is_not_there_and_an_engine_that_has_none(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    snn = convert(random_checkpoint(np.random.default_rng(0), "2C3-3", (1, 6, 6), 1))
    with pytest.raises(LosslessError, match="no CUDA device here"):
        simulator(snn, device="cuda")
    with pytest.raises(LosslessError, match="event engine runs on a CPU"):
        simulator(snn, "event", device="cuda")
