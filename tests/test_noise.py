"""Robustness to input noise: the noise, the command, and what is read back of it."""

import csv

import numpy as np
import pytest
import torch
from run_directories import write_run

from lossless_snn.errors import LosslessError
from lossless_snn.evaluation.noise import RATIOS, disturb
from lossless_snn.runs.directory import RunDirectory

INPUTS = np.arange(256, dtype=np.uint8).repeat(400).reshape(-1, 1, 16, 16) / np.float32(256)


def noisy(index, seed):
    return disturb(torch.from_numpy(INPUTS), index, seed).numpy()


@pytest.mark.parametrize(("index", "ratio"), enumerate([0, 0.2, 0.4, 0.6, 0.8, 1]))
def test_noise_is_uniform_in_half_the_ratio_either_way(index, ratio):
    assert RATIOS[index] == ratio
    disturbed = noisy(index, seed=3)
    assert disturbed.dtype == np.float32
    lit = INPUTS > 0
    assert (disturbed[~lit] == 0).all()
    u = disturbed[lit] / INPUTS[lit] - 1
    assert np.abs(u).max() <= ratio / 2 + 1e-6
    # of a uniform distribution as wide as r: mean 0, standard deviation r / sqrt(12)
    assert u.mean() == pytest.approx(0, abs=0.01)
    assert u.std() == pytest.approx(ratio / 12**0.5, abs=0.01)
    neighbours = u.reshape(-1, 2)
    assert (neighbours[:, 0] * neighbours[:, 1]).mean() == pytest.approx(0, abs=0.005)


def test_noise_is_the_same_again_and_another_for_each_seed_and_ratio():
    noises = [noisy(index, seed) / INPUTS.clip(1 / 256) - 1 for index in (1, 5) for seed in (0, 1)]
    assert (noisy(5, 1) == noisy(5, 1)).all()
    lit = INPUTS.ravel() > 0
    assert np.abs(np.corrcoef([noise.ravel()[lit] for noise in noises]) - np.eye(4)).max() < 0.02


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("project")
def test_command(tmp_path, trained, command_line, capsys):
    arguments = ["noise", trained, "--seeds", "2", "--device", "cpu", "--out"]
    assert command_line(*arguments, tmp_path / "a" / "noise.csv") == 0
    assert command_line(*arguments, tmp_path / "b" / "noise.csv") == 0
    assert (tmp_path / "a" / "noise.csv").read_bytes() == (tmp_path / "b" / "noise.csv").read_bytes()
    tests = rows(tmp_path / "a" / "noise.csv")
    assert list(tests[0]) == ["ratio", "noise_seed", "images", "accuracy"]
    assert [(float(row["ratio"]), int(row["noise_seed"])) for row in tests] == [(r, s) for r in RATIOS for s in (0, 1)]
    assert {row["images"] for row in tests} == {"500"}
    capsys.readouterr()
    command_line("evaluate", trained, "--device", "cpu", "--out", tmp_path / "ann.json")
    # Without noise, what the ANN's evaluation says.
    assert f"{float(tests[0]['accuracy']):.2%} of 500" in capsys.readouterr().out
    assert tests[0]["accuracy"] == tests[1]["accuracy"]
    assert len({row["accuracy"] for row in tests}) > 1


def test_noise_is_read_back(tmp_path):
    table = RunDirectory.read(write_run(tmp_path, "fp32", 0)).noise()
    assert list(table.columns) == ["ratio", "noise_seed", "images", "accuracy"]
    assert table["ratio"].tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert table["accuracy"].tolist() == [0.8, 0.8, 0.6, 0.8, 0.2, 0.6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ratio,noise_seed,images,accuracy\n0.0,0,5,1.5\n", r"line 2: accuracy: .*found 1\.5"),
        ("ratio,noise_seed,images,accuracy\n0.0,0,5,0.8\n0.0,1\n", r"line 3: 2 cells, expected 4"),
        ("ratio,noise_seed,images,accuracy\n", "no rows"),
        ("ratio,noise_seed,images,accuracy\n0.0,0,4,0.75\n", r"images 4, but .*ann\.json has 5"),
    ],
)
def test_damaged_file_is_refused(tmp_path, text, message):
    folder = write_run(tmp_path, "k0", 0)
    (folder / "noise.csv").write_text(text)
    with pytest.raises(LosslessError, match=rf"noise\.csv: {message}"):
        RunDirectory.read(folder).noise()


def test_missing_file_tells_how_to_make_it(tmp_path):
    folder = write_run(tmp_path, "k0", 0)
    (folder / "noise.csv").unlink()
    with pytest.raises(LosslessError, match=r"noise\.csv: no such file; make it with `lossless-snn noise"):
        RunDirectory.read(folder).noise()
