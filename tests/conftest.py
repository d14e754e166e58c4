"""Fixtures shared by the tests of the core."""

import os
import sys
from unittest.mock import patch

import pytest
import tiny_networks
from browsers import chromium

from lossless_snn.cli.main import main
from lossless_snn.datasets import load
from lossless_snn.datasets.catalogue import DATASETS

TINY = """\
dataset: digits
network: 3C5-P4-8
training:
  batch_size: 100
  validation_images: 97
  budgets:
    quick: {phases: [{epochs: 3, learning_rate: 1.0e-2}]}
    paper: {phases: [{epochs: 2, learning_rate: 1.0e-2}, {epochs: 2, learning_rate: 1.0e-3}]}
simulation: {steps: 60, batch_size: 32}
"""


@pytest.fixture(scope="module")
def tiny_datasets():
    """Entries in the catalogue for the inputs of the tests' random networks."""
    with patch.dict(DATASETS, tiny_networks.dataset_entries()):
        yield


@pytest.fixture(scope="module")
def browser():
    """Chromium, for pages; a test without it is skipped."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def digits_root(tmp_path_factory):
    """A project folder with one small experiment, `tiny`, on digits."""
    root = tmp_path_factory.mktemp("project")
    (root / "config" / "experiments").mkdir(parents=True)
    (root / "config" / "experiments" / "tiny.yaml").write_text(TINY)
    load("digits", "train", root=root / "data")
    return root


@pytest.fixture
def project(digits_root, monkeypatch):
    """The same folder, as the working directory."""
    monkeypatch.chdir(digits_root)
    monkeypatch.delenv("LOSSLESS_SNN_DATA", raising=False)
    return digits_root


@pytest.fixture
def command_line(monkeypatch):
    """Run the command line in this process; returns its exit status, 0 or the message of the error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lossless-snn", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code or 0

    return run


@pytest.fixture(scope="session")
def trained(digits_root, tmp_path_factory):
    """A checkpoint of `tiny`, trained for two epochs at k = 1."""
    out = tmp_path_factory.mktemp("trained") / "seed0.safetensors"
    with pytest.MonkeyPatch.context() as patcher:
        patcher.chdir(digits_root)
        patcher.delenv("LOSSLESS_SNN_DATA", raising=False)
        patcher.setattr(
            sys,
            "argv",
            ["lossless-snn", "train", "tiny", "--precision", "k1", "--epochs", "2", "--out", os.fspath(out)],
        )
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code
    return out
