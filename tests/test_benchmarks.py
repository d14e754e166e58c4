"""What `make bench` measures of ours does what its name says; how fast is no matter here."""

import importlib.util
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from lossless_snn.datasets import load
from lossless_snn.training.adam import Adam

PATH = Path(__file__).parent.parent / "benchmarks/contender.py"


@pytest.fixture
def predicted(project, trained):
    """A function that runs a contender over images, once, on the trained network."""
    spec = importlib.util.spec_from_file_location("contender", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda name, pixels: module.CONTENDERS[name](Namespace(checkpoint=trained, threads=1, steps=60))(pixels)


def test_the_network_and_both_engines_predict_the_same(predicted):
    test = load("digits", "test")
    names = ("ann", "ann_kept", "event", "dense")
    ann, kept, event, dense = (predicted(name, test.pixels[:100]) for name in names)
    assert (ann == kept).all()
    assert (event == dense).all()
    assert (ann == event).mean() > 0.95
    assert (event == test.labels[:100]).mean() > 0.5


def test_training_is_measured_on_steps_that_train(predicted, monkeypatch):
    step, moved = Adam.step, []

    def watched(optimiser, *rate):
        before = [parameter.detach().clone() for parameter in optimiser._parameters]
        step(optimiser, *rate)
        moved.extend(not torch.equal(*pair) for pair in zip(before, optimiser._parameters, strict=True))

    monkeypatch.setattr(Adam, "step", watched)
    assert predicted("training", load("digits", "train").pixels[:50]).shape == (50,)
    assert moved
    assert all(moved)
