"""Freivalds' check: it proves what is right, whatever the network, and is not to be had by any membrane or count."""

from dataclasses import replace

import numpy as np
import pytest
import test_graphs
import test_lossless
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_networks import random_checkpoint, random_pixels

from lossless_snn.conversion.convert import convert
from lossless_snn.networks.builder import GraphBuilder
from lossless_snn.networks.graph import IMAGE
from lossless_snn.simulation import compile_ahead, product_check, simulator
from lossless_snn.simulation.certificate import Certificate, grid_activations
from lossless_snn.simulation.product_check import ProductCheck

pytestmark = pytest.mark.usefixtures("tiny_datasets")

IMAGES, STEPS, SHAPE = 4, 100, (2, 8, 6)
LABELS = np.arange(IMAGES) % 3
DRAWN = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def certified(snn, pixels, trace):
    certificate = Certificate(snn)
    certificate.add(pixels, LABELS[: len(pixels)], trace)
    return certificate.summary()


def assert_proven_is_right(snn, pixels, steps):
    trace = simulator(snn, "event").run(pixels, steps)
    proven, last = ProductCheck(snn, threads=2).run(pixels, trace)
    *activations, logits = grid_activations(snn, pixels)
    equal = np.all([(a == c).all(axis=(1, 2, 3)) for a, c in zip(activations, trace.counts, strict=True)], axis=0)
    assert proven.tolist() == equal.tolist()
    assert proven[trace.settled_step >= 0].all()
    readout = snn.grid_readout.reshape(len(snn.grid_readout), -1).astype(np.int64)
    offset = 0 if snn.readout_offset is None else snn.readout_offset
    assert (last.reshape(len(last), -1) @ readout.T + offset)[proven].tolist() == logits[proven].tolist()
    assert certified(snn, pixels, trace) == certified(snn, pixels, replace(trace, membranes=None))


@DRAWN
@given(test_lossless.cases(), st.integers(1, 60))
def test_proven_is_what_the_ann_has_and_all_at_rest_is_proven(case, steps):
    _, snn, pixels = case
    assert_proven_is_right(snn, pixels, steps)


@DRAWN
@given(test_graphs.cases(), st.integers(1, 60))
def test_of_graphs_likewise(case, steps):
    """Strides, groups, sums of inputs, poolings, upper stops."""
    snn, _, pixels = case
    assert_proven_is_right(snn, pixels, steps)


@pytest.fixture(scope="module")
def simulated(tiny_datasets):
    rng = np.random.default_rng(7)
    snn = convert(random_checkpoint(rng, "6C3-P2-5C2-7", SHAPE, 2))
    pixels = random_pixels(rng, IMAGES, SHAPE)
    trace = simulator(snn, "event").run(pixels, STEPS)
    assert (trace.settled_step > 0).all()
    return snn, pixels, trace


def altered(trace, change, layer):
    """The trace after `change` of the layer's counts and membranes of image 2, the channels last."""
    counts, membranes = ([array.copy() for array in arrays] for arrays in (trace.counts, trace.membranes))
    change(counts[layer][2].transpose(1, 2, 0), membranes[layer][2].transpose(1, 2, 0))
    return replace(trace, counts=tuple(counts), membranes=tuple(membranes))


def _exchange(*maps):
    """Two filters' whole maps."""
    for array in maps:
        array[..., [0, 1]] = array[..., [1, 0]]


def _reverse(*maps):
    for array in maps:
        array[:] = array[::-1, ::-1, ::-1].copy()


CHANGES = {
    "a count more": lambda n, m: n.__setitem__((0, 0, 1), n[0, 0, 1] + 1),
    "a count less": lambda n, m: n.__setitem__((0, 0, 1), n[0, 0, 1] - 1),
    "a count of a layer at once": lambda n, m: n.__iadd__(1),
    **{
        f"a membrane by {error}": lambda n, m, error=error: m.__setitem__((-1, -1, 0), m[-1, -1, 0] + error)
        for error in (1, -1, 2**16, -(2**40), 2**52, -(2**52), 2**62, -(2**62))
    },
    "errors that cancel out": lambda n, m: (
        m.__setitem__((0, 0, 0), m[0, 0, 0] + 8),
        m.__setitem__((0, 0, 1), m[0, 0, 1] - 8),
    ),
    "filters exchanged": _exchange,
    "a layer turned around": _reverse,
    "silence": lambda n, m: (n.fill(0), m.fill(0)),
    "silence below the thresholds": lambda n, m: (n.fill(0), m.fill(-5)),
}


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_altered_passes(simulated, change, layer):
    snn, pixels, trace = simulated
    lie = altered(trace, CHANGES[change], layer)
    assert any(
        (a != b).any() for a, b in zip((*lie.counts, *lie.membranes), (*trace.counts, *trace.membranes), strict=True)
    )
    assert ProductCheck(snn).run(pixels, lie)[0].tolist() == [True, True, False, True]
    # The ANN says then how many neurons differ, and which.
    assert certified(snn, pixels, lie) == certified(snn, pixels, replace(lie, membranes=None))


@pytest.mark.parametrize("layer", range(4))
def test_a_count_and_the_membrane_that_it_would_follow_from(simulated, layer):
    """Only the product tells that they are not the layer's."""
    snn, pixels, trace = simulated

    def one_more(n, m):
        n[0, 0, 0] += 1
        m[0, 0, 0] += snn.layer(layer).grid_threshold[0] if n[0, 0, 0] > 1 else 0
        m[0, 0, 0] = max(m[0, 0, 0], snn.layer(layer).grid_threshold[0])

    assert not ProductCheck(snn).run(pixels, altered(trace, one_more, layer))[0][2]


def test_the_simulation_of_another_image_or_another_network(simulated):
    snn, pixels, trace = simulated
    assert not ProductCheck(snn).run(pixels[::-1], trace)[0].any()
    pixel = pixels.copy()
    pixel[1, 1, 4, 3] ^= 1
    assert ProductCheck(snn).run(pixel, trace)[0].tolist() == [True, False, True, True]
    others = simulator(convert(random_checkpoint(np.random.default_rng(8), "6C3-P2-5C2-7", SHAPE, 2)), "event")
    assert not ProductCheck(snn).run(pixels, others.run(pixels, STEPS))[0].any()


def test_a_unit_of_max_pooling_that_is_not_the_largest():
    """Two neurons due 1 and 3 spikes, and a unit of them."""
    build = GraphBuilder((1, 1, 2))
    pool = build.pooling("max", build.neurons(test_graphs.plain(build, IMAGE)), (1, 2))
    graph = build.graph(build.linear(pool, 2))
    readout = {"2.weight": np.array([1, -1], np.float32).reshape(2, 1, 1, 1)}
    snn = test_graphs.spiking_network(graph, test_graphs.unit(3, 0) | readout, 0)
    pixels = np.array([85, 255] * 2, np.int32).reshape(2, 1, 1, 2)
    trace = simulator(snn, "event").run(pixels, 5)
    check = ProductCheck(snn)
    assert check.run(pixels, trace)[0].tolist() == [True, True]
    for wrong in (2, 4):
        trace.counts[1][0] = wrong
        assert check.run(pixels, trace)[0].tolist() == [False, True]


def test_sums_that_are_too_large_for_the_check_are_left_to_the_ann(simulated, monkeypatch):
    snn, pixels, trace = simulated
    expected = certified(snn, pixels, trace)
    monkeypatch.setattr(product_check, "_MOST", 1)
    assert not ProductCheck(snn).run(pixels, trace)[0].any()
    assert certified(snn, pixels, trace) == expected


def test_what_is_right_costs_no_pass_of_the_ann(simulated, monkeypatch):
    snn, pixels, trace = simulated
    expected = certified(snn, pixels, replace(trace, membranes=None))
    monkeypatch.setattr("lossless_snn.simulation.certificate.grid_activations", None)
    assert certified(snn, pixels, trace) == expected


def test_multipliers_are_drawn_anew(simulated):
    """Nobody can know them when membranes are made."""
    first, second = (ProductCheck(simulated[0])._products[0] for _ in range(2))
    assert not (first.multipliers == second.multipliers).any()
    assert np.unique(first.multipliers).size == first.multipliers.size == product_check.MULTIPLIERS * 6


def test_what_is_compiled_ahead_is_what_a_check_runs(simulated):
    compile_ahead()
    snn, pixels, trace = simulated
    ProductCheck(snn).run(pixels[:1], simulator(snn).run(pixels[:1], 5))
    ProductCheck(snn).run(pixels, trace)
    for loop in (product_check._add_products, product_check._agree):
        assert len(product_check._compiled(loop).signatures) == 1
