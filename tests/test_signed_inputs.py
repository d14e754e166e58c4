"""Standardised images: signed integers, many bits; nothing is lost on them either."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from tiny_networks import (
    assert_same_bytes,
    assert_same_record,
    integer_ann,
    random_checkpoint,
    random_pixels,
    simulate_in_integers,
)

from lossless_snn.conversion.convert import convert
from lossless_snn.datasets.catalogue import DATASETS
from lossless_snn.datasets.encoding import Standardised
from lossless_snn.evaluation.accuracy import build, encode
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certificate import Certificate

STORED, INPUT = (3, 7, 8), (3, 5, 5)
NAME = "tiny-standardised"


@pytest.fixture(scope="module", autouse=True)
def standardised():
    entry = replace(DATASETS["mnist"], title="tiny", shape=STORED, files={}, encoding=Standardised(crop=5))
    with patch.dict(DATASETS, {NAME: entry, "tiny-3x5x5": replace(entry, shape=INPUT)}):
        yield


def case(seed, k, network="6C3-4C3-8", padding="same"):
    """A converted network, its checkpoint, pixels as stored, and the integers that it receives."""
    rng = np.random.default_rng(seed)
    checkpoint = random_checkpoint(rng, network, INPUT, k, padding)
    recipe = checkpoint.metadata.recipe.model_copy(update={"dataset": NAME})
    checkpoint = replace(checkpoint, metadata=checkpoint.metadata.model_copy(update={"recipe": recipe}))
    pixels = random_pixels(rng, 4, STORED)
    return convert(checkpoint), checkpoint, pixels, checkpoint.data.encoding.integers(pixels)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_both_engines_are_the_reference_in_integers(k):
    snn, _, _, integers = case(k, k)
    assert integers.min() < 0 < integers.max()
    traces = [simulator(snn, engine).run(integers, 25) for engine in ("event", "dense")]
    assert_same_bytes(*traces)
    for image in range(len(integers)):
        assert_same_record(traces[0], image, simulate_in_integers(snn, integers[image], 25))


@pytest.mark.parametrize("k", [0, 1, 3])
def test_at_rest_the_counts_are_the_anns(k):
    snn, _, _, integers = case(10 + k, k)
    trace = simulator(snn).run(integers, 2000)
    assert (trace.settled_step >= 0).all()
    for image in range(len(integers)):
        activations, logits = integer_ann(snn, integers[image])
        for count, activation in zip(trace.counts, activations, strict=True):
            assert count[image].ravel().tolist() == activation.tolist()
        assert trace.predictions[image, -1] == np.argmax(logits)
    certificate = Certificate(snn)
    certificate.add(integers, np.zeros(len(integers), dtype=int), trace)
    assert certificate.summary()["mismatches"] == 0


@pytest.mark.parametrize("k", [0, 1, 2])
def test_the_grid_is_the_trained_network(k):
    """No neuron differs from the ANN in 64-bit floats, and next to none from the ANN in single precision."""
    snn, checkpoint, pixels, integers = case(20 + k, k)
    trace = simulator(snn).run(integers, 2000)
    activation = encode(pixels, checkpoint.data, torch.device("cpu"))
    assert activation.numpy() == pytest.approx(integers / 2**16, abs=0)
    exact, network = (build(checkpoint, torch.device("cpu"), dtype) for dtype in (torch.float64, torch.float32))
    with torch.inference_mode():
        values = activation.double()
        for layer, count in zip(list(exact)[:-1], trace.counts, strict=True):
            values = layer(values)
            assert (values.numpy() * 2**k == count).all()
        assert (exact[-1](values).argmax(1).numpy() == trace.predictions[:, -1]).all()
        for layer, count in zip(list(network)[:-1], trace.counts, strict=True):
            activation = layer(activation)
            assert (np.rint(activation.numpy() * 2**k) != count).mean() < 0.005


def test_counts_stay_below_what_conversion_allows_for():
    """An extreme image: one value against all others, at the encoding's peak."""
    snn, _, _, _ = case(3, 2)
    encoding = snn.data.encoding
    pixels = np.zeros((2, *STORED), dtype=np.uint8)
    pixels[0, 0, 3, 3], pixels[1] = 255, 255
    pixels[1, 1, 3, 4] = 0
    integers = encoding.integers(pixels)
    assert abs(integers).max() > 0.99 * (encoding.peak(STORED) - 2**16)
    trace = simulator(snn).run(integers, 60)
    for image in range(2):
        assert_same_record(trace, image, simulate_in_integers(snn, integers[image], 60))
