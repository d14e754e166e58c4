"""Nothing is lost, and when: properties of all networks, tried on random ones.

Notation. For one image, A_l is the largest activation of layer l of the ANN on the grid (an integer;
layers are counted from 1), and layer l has settled at step count S if it emits no spike at the steps
S, S + 1, ... (steps are counted from 0, so that S is the number of steps that it took).

Proposition. Let T_1 = A_1, and for l > 1, with u = max(T_(l-1) - 1, 0),

    T_l = u + max(A_l, u).

Layer l has settled at step count T_l. So the network has at max(T_1, ..., T_L), and from then on every
net spike count is the ANN's activation.

Proof. On the grid, a neuron's spike is s = sign(m - n), where n is its net count and
m = max(V - offset, 0) // theta what it is due at the present membrane: d > theta says n + 1 <= m, and
d < 0 says n > m. So a count moves by one a step towards m, never below 0, and is at most t after t steps.
 (1) The image is injected once: m is constant in layer 1, n = min(t, m), and the last spike is at step m - 1.
 (2) Let layer l - 1 have settled at T >= 1. It emits its last spike at step T - 1 at the latest, and layer l
     receives that at the same step: from step u = T - 1 on, m is constant, and is the ANN's activation by
     induction, m <= A_l. At that moment 0 <= n <= u. |m - n| <= max(A_l, u) steps later n = m for good.
     (T = 0: nothing is ever received, m is constant from step 0 on, u = 0.)

The bound is reached (see the chain below): after a first layer that takes T steps, a chain of single
neurons whose activations are all 0 takes 2 (T - 1), 2 (2 (T - 1) - 1), ... steps. It doubles with each
layer, so neither the sum of the layers' activations nor any fixed number of steps bounds the settling of all networks.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_networks import SHAPES, checkpoint_of, integer_ann, random_checkpoint, random_pixels

from lossless_snn.conversion.convert import convert
from lossless_snn.errors import LosslessError
from lossless_snn.networks import notation
from lossless_snn.simulation import simulator
from lossless_snn.simulation.certificate import Certificate

pytestmark = pytest.mark.usefixtures("tiny_datasets")

IMAGES = 2
MOST_STEPS = 3000


def settling_bounds(largest_activations):
    """T_1, ..., T_L of the proposition."""
    bounds = []
    for layer, largest in enumerate(largest_activations):
        u = max(bounds[-1] - 1, 0) if layer else 0
        bounds.append(u + max(int(largest), u))
    return bounds


@st.composite
def networks(draw):
    """A network that fits its input: (notation, input shape, padding)."""
    shape, padding = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(["valid", "same"]))
    tokens = []
    for _ in range(draw(st.integers(1, 4))):
        token = draw(
            st.one_of(
                st.builds("{}C{}".format, st.integers(1, 4), st.integers(1, 4)),
                st.builds("P{}".format, st.integers(1, 3)),
                st.integers(1, 6).map(str),
            )
        )
        try:
            notation.parse("-".join([*tokens, token]), shape, 10, padding)
        except LosslessError:
            continue
        tokens.append(token)
    return "-".join(tokens) or "3", shape, padding


@st.composite
def cases(draw):
    """A converted network and images for it."""
    network, shape, padding = draw(networks())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    checkpoint = random_checkpoint(
        rng,
        network,
        shape,
        draw(st.integers(0, 4)),
        padding,
        gamma=(draw(st.sampled_from([-0.5, 0, 0.5, 1])), draw(st.sampled_from([0.002, 0.5, 1]))),
        zero_gammas=draw(st.sampled_from([0, 0.2, 1])),
        variance=draw(st.sampled_from([0, 1e-9, 1e-4, 0.1, 1, 100])),
    )
    pixels = random_pixels(rng, IMAGES, shape) // draw(st.sampled_from([1, 16, 255]))
    return checkpoint, convert(checkpoint), pixels.astype(np.uint8)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cases())
def test_no_mismatch_after_settling_and_settling_within_the_bound(case):
    _, snn, pixels = case
    exact = [integer_ann(snn, image) for image in pixels]
    bounds = [max(settling_bounds([a.max() for a in activations])) for activations, _ in exact]
    steps = int(np.clip(max(bounds), 1, MOST_STEPS))
    trace = simulator(snn, "event").run(pixels, steps)
    for image, (activations, logits) in enumerate(exact):
        if bounds[image] <= steps:
            assert 0 <= trace.settled_step[image] <= bounds[image]
        if trace.settled_step[image] >= 0:
            for count, activation in zip(trace.counts, activations, strict=True):
                assert count[image].ravel().tolist() == activation.tolist()
            assert trace.predictions[image, -1] == logits.index(max(logits))
    certificate = Certificate(snn)
    certificate.add(pixels, np.zeros(IMAGES, dtype=np.int64), trace)
    assert certificate.summary()["mismatches_in_settled_images"] == 0
    assert certificate.first_offender is None


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_both_engines_agree_on_any_network(case):
    _, snn, pixels = case
    event, dense = (simulator(snn, engine).run(pixels, 25) for engine in ("event", "dense"))
    for name in ("predictions", "positive", "negative", "operations", "settled_step"):
        assert getattr(event, name).tolist() == getattr(dense, name).tolist()
    assert all((a == b).all() for a, b in zip(event.counts, dense.counts, strict=True))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(), st.integers(1, 12))
def test_net_counts_follow_from_the_spikes(case, steps):
    """Never negative, at most one spike a step, and positive less negative spikes in all."""
    _, snn, pixels = case
    trace = simulator(snn, "event").run(pixels, steps)
    total = sum(count.reshape(IMAGES, -1).astype(int).sum(1) for count in trace.counts)
    assert total.tolist() == (trace.positive - trace.negative).sum(1).tolist()
    assert all(0 <= count.min() <= count.max() <= steps for count in trace.counts)


def chain(first, layers):
    """Single neurons, sigma = theta = 1, k = 0: the first one is due `first` spikes at pixel 255.

    The second has V = -first n_1 and is due round(V + first^2 - 1): enough to rise at each step, until the
    last spike of the first neuron leaves it nothing. The others are due more than they have time for as long
    as the count of the one before them is not 0.
    """
    parameters = {}
    for index in range(layers):
        weight, beta = {0: (first * 256 / 255, 0), 1: (-first, first**2 - 1)}.get(index, (first * 2 ** (index - 1), 0))
        values = {"weight": weight, "gamma": 1, "beta": beta, "mean": 0, "variance": 1 - 1e-5}
        for name, value in values.items():
            parameters[f"{index}.{name}"] = np.full((1,) * (4 if name == "weight" else 1), value)
    parameters[f"{layers}.weight"] = np.ones((10, 1, 1, 1))
    return convert(checkpoint_of(parameters, "-".join(["1"] * layers), (1, 1, 1), 0))


@pytest.mark.parametrize("engine", ["event", "dense"])
@pytest.mark.parametrize(("first", "layers"), [(3, 1), (3, 2), (3, 3), (3, 6), (5, 4), (12, 2), (40, 2)])
def test_the_bound_is_reached(engine, first, layers):
    snn, pixel = chain(first, layers), np.full((1, 1, 1, 1), 255, dtype=np.uint8)
    activations = [a.tolist() for a in integer_ann(snn, pixel[0])[0]]
    assert activations == [[first], *[[0]] * (layers - 1)]
    bounds = settling_bounds([a[0] for a in activations])
    assert bounds[1:2] in ([], [2 * (first - 1)])
    trace = simulator(snn, engine).run(pixel, bounds[-1])
    assert trace.settled_step.tolist() == [bounds[-1]]
    assert simulator(snn, engine).run(pixel, bounds[-1] - 1).settled_step.tolist() == [-1]


def test_twenty_steps_are_not_enough_for_every_network():
    """Counterexamples: two neurons at k = 0, and one that is simply due 21 spikes."""
    pixel = np.full((1, 1, 1, 1), 255, dtype=np.uint8)
    assert simulator(chain(12, 2)).run(pixel, 20).settled_step.tolist() == [-1]
    assert simulator(chain(21, 1)).run(pixel, 20).settled_step.tolist() == [-1]


def test_settling_is_not_bounded_by_the_activations_alone():
    """All activations but the first neuron's 3 are 0, their sum is 3, and the sixth neuron needs 34 steps."""
    snn, pixel = chain(3, 6), np.full((1, 1, 1, 1), 255, dtype=np.uint8)
    assert simulator(snn).run(pixel, 100).settled_step.tolist() == [34]
