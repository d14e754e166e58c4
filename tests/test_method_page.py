"""The worked example of docs/method.md, as the page prints it, against the project's engines."""

from pathlib import Path

import numpy as np
import pytest
from tiny_networks import checkpoint_of, thresholds_of

from lossless_snn.conversion import convert
from lossless_snn.simulation import simulator

PAGE = Path(__file__).parent.parent / "docs/method.md"
# So that the variance and the 1e-5 beside it make 1.
VARIANCE = 1 - 1e-5
PIXEL = 192  # 0.75


def table(heading):
    """The rows below the line of the page that starts with `heading`, cells as text."""
    lines = PAGE.read_text(encoding="utf-8").replace("−", "-").split(heading, 1)[1].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


NETWORK = [(float(weight), float(beta)) for _, weight, beta, *_ in table("| | weight | beta |")]
STEPS = table("| step | neuron | V |")


@pytest.fixture
def checkpoint(tiny_datasets):
    parameters = {"2.weight": np.ones((10, 1, 1, 1))}
    for index, (weight, beta) in enumerate(NETWORK):
        parameters |= {
            f"{index}.weight": np.full((1, 1, 1, 1), weight),
            f"{index}.gamma": np.ones(1),
            f"{index}.beta": np.array([beta]),
            f"{index}.mean": np.zeros(1),
            f"{index}.variance": np.array([VARIANCE]),
        }
    return checkpoint_of(parameters, "1-1", (1, 1, 1), 0)


def test_thresholds_and_bases_are_those_of_the_page(checkpoint):
    rows = table("| | weight | beta |")
    assert len(rows) == 2
    for index, (*_, threshold, base) in enumerate(rows):
        _, found, found_base = thresholds_of(checkpoint, index)
        assert found[0] == pytest.approx(float(threshold), abs=1e-6)
        assert found_base[0] == pytest.approx(float(base), abs=1e-6)


@pytest.mark.parametrize(("engine", "arithmetic"), [("event", "exact"), ("dense", "exact"), ("dense", "faithful")])
def test_engines_fire_as_the_page_says(checkpoint, engine, arithmetic):
    snn = convert(checkpoint)
    pixels = np.full((1, 1, 1, 1), PIXEL, dtype=np.uint8)
    run = simulator(snn, engine=engine, arithmetic=arithmetic)
    assert [int(row[0]) for row in STEPS] == [0, 0, 1, 1, 2, 2, 3, 3]
    for step in range(4):
        expected = {row[1]: int(row[6]) for row in STEPS if int(row[0]) == step}
        counts = run.run(pixels, step + 1).counts
        assert {"A": counts[0].item(), "B": counts[1].item()} == expected
    trace = run.run(pixels, 4)
    spikes = [[int(row[5]) for row in STEPS if int(row[0]) == step] for step in range(4)]
    assert trace.positive[0].tolist() == [sum(s > 0 for s in pair) for pair in spikes]
    assert trace.negative[0].tolist() == [sum(s < 0 for s in pair) for pair in spikes]
    assert trace.negative.sum() == 1
    assert trace.settled_step[0] == 3


def test_the_arithmetic_of_the_page_is_right():
    """Each row from the one before it, by the equations alone."""
    bases = [float(row[4]) for row in table("| | weight | beta |")]
    membrane, count, received = [0.0, 0.0], [0, 0], 0.75
    for place, row in enumerate(STEPS):
        neuron = place % 2
        membrane[neuron] += NETWORK[neuron][0] * received
        shadow = bases[neuron] + count[neuron]
        d = max(membrane[neuron], bases[neuron]) - shadow
        spike = 1 if d > 1 else -1 if d < 0 else 0
        count[neuron] += spike
        assert [float(cell) for cell in row[2:]] == pytest.approx([membrane[neuron], shadow, d, spike, count[neuron]])
        # B receives A's spike of this step; after step 0, A receives nothing.
        received = spike if neuron == 0 else 0
