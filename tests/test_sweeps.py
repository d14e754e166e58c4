"""Variants of experiments, and sweeps over them: names, points, tables, figures, and what Snakemake makes of them."""

import csv
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
import yaml
from projects import EXPERIMENT, PARTS, ROOT, copy, edit, planned, snakemake
from run_directories import write_config, write_run

from lossless_snn.analysis import sweep_figure
from lossless_snn.analysis.figures.style import settings
from lossless_snn.analysis.sweeps import axis_title
from lossless_snn.config.experiment import fewest_changes, load_experiment, stages
from lossless_snn.config.figure_style import FigureStyle
from lossless_snn.config.settings import read_settings
from lossless_snn.config.sweep import load_sweep
from lossless_snn.config.variants import split_name, variant_name
from lossless_snn.errors import LosslessError
from lossless_snn.networks.notation import scaled

FOLDER = ROOT / "config/experiments"


def variant(name: str):
    return load_experiment(name, FOLDER)


@pytest.mark.parametrize(
    ("network", "factor", "expected"),
    [
        ("20C5-P2-50C5-P2-500", 0.5, "10C5-P2-25C5-P2-250"),
        ("20C5-P2-50C5-P2-500", 1, "20C5-P2-50C5-P2-500"),
        ("3C5-400", 0.1, "1C5-40"),
        ("10-7", 1.5, "15-10"),  # half to even
    ],
)
def test_a_width_scales_filters_and_units(network, factor, expected):
    assert scaled(network, factor) == expected


def test_a_name_says_all_that_a_variant_changes():
    made = variant("digits-lenet@learning_rate=0.01,simulation.batch_size=25,steps=12,width=0.5")
    plain = variant("digits-lenet")
    assert made.network == "10C5-P2-25C5-P2-250"
    assert made.simulated_steps("quick") == made.simulated_steps("paper") == 12
    assert made.simulation.batch_size == 25
    assert [phase.learning_rate for phase in made.recipe("quick", "k1").phases] == [0.01]
    assert made.recipe("quick", "k1").phases[0].epochs == plain.recipe("quick", "k1").phases[0].epochs
    # All else is the experiment's.
    assert made.training.validation_images == plain.training.validation_images
    assert variant("digits-lenet@batch_size=7").recipe("quick", "k0").batch_size == 7
    assert variant("fashion-mlp@train_images=null").recipe("quick", "k0").train_images is None


def test_a_place_in_the_file_is_one_budgets():
    made = variant("digits-lenet@training.budgets.quick.phases.0.epochs=3")
    assert made.recipe("quick", "k0").phases[0].epochs == 3
    assert made.recipe("paper", "k0") == variant("digits-lenet").recipe("paper", "k0")


def test_published_values_are_not_those_of_a_variant():
    assert variant("cifar10-cnn1-jpeg").published == "cifar10-cnn1"
    assert variant("cifar10-cnn1-jpeg@width=0.5").published is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "mnist-lenet"),
        ({"width": 0.5, "steps": 20}, "mnist-lenet@steps=20,width=0.5"),
        ({"width": 1.0, "learning_rate": 1e-5}, "mnist-lenet@learning_rate=1e-05,width=1"),
        ({"train_images": None, "network": "400-400"}, "mnist-lenet@network=400-400,train_images=null"),
    ],
)
def test_the_same_changes_give_the_same_name(changes, name):
    assert variant_name("mnist-lenet", changes) == name
    base, read = split_name(name)
    assert base == "mnist-lenet"
    assert variant_name(base, read) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits-lenet@steps", "no name of an experiment"),
        ("digits-lenet@steps=1,steps=2", "changes a key twice"),
        ("digits-lenet@steps=../x", "no name of an experiment"),
        ("digits-lenet@step=3", "training.budgets.quick.step: unknown key"),
        ("digits-lenet@steps=many", "training.budgets.quick.steps: input should be a valid integer"),
        ("digits-lenet@width=0", "width: expected a factor above 0"),
        ("digits-lenet@width=wide", "width: expected a factor above 0"),
        ("digits-lenet@training.budgets.fast.epochs=3", "has no such place"),
        ("digits-lenet@training.budgets.quick.phases.7.epochs=3", "has no such place"),
        ("digits-lenet@network=20C5-Q2", "unknown token 'Q2'"),
        ("digit-lenet@steps=3", "no such experiment"),
    ],
)
def test_a_wrong_variant_is_refused_in_one_line(name, message):
    with pytest.raises(LosslessError, match=re.escape(message)) as error:
        variant(name)
    assert "\n" not in str(error.value)


def test_a_variant_stands_in_configuration_where_an_experiment_does():
    chosen = read_settings({"experiments": ["digits-lenet@width=0.5"]}, ROOT / "config/config.yaml", FOLDER)
    assert chosen.experiments == ("digits-lenet@width=0.5",)
    with pytest.raises(LosslessError, match="'digit@width=2' has no file"):
        read_settings({"experiments": ["digit@width=2"]}, ROOT / "config/config.yaml", FOLDER)


def test_what_does_not_change_the_training_is_left_out():
    def trained_as(name: str) -> str:
        return fewest_changes(name, lambda other: stages(other, "quick", "k1"), FOLDER)

    assert trained_as("digits-lenet@simulation.batch_size=25,steps=12,test_images=100") == "digits-lenet"
    assert trained_as("digits-lenet@steps=12,width=0.5") == "digits-lenet@width=0.5"
    # The experiment's own values.
    assert trained_as("digits-lenet@learning_rate=0.001,width=1") == "digits-lenet"
    # Another budget's.
    assert trained_as("digits-lenet@training.budgets.paper.phases.0.epochs=3") == "digits-lenet"


def test_a_change_of_one_stage_leaves_the_stages_before_it_as_they_are():
    """k = 0 is the last that mnist-lenet is fine-tuned to, from k = 1."""
    name = "mnist-lenet@training.budgets.fast.fine_tuning.2.activation_penalty=0.5"
    found = {
        precision: fewest_changes(name, lambda other, p=precision: stages(other, "fast", p), FOLDER)
        for precision in ("fp32", "k2", "k1", "k0")
    }
    assert found == {"fp32": "mnist-lenet", "k2": "mnist-lenet", "k1": "mnist-lenet", "k0": name}
    assert [recipe.activation_penalty for recipe in stages(variant(name), "fast", "k0")] == [0, 0.05, 0.05, 0.5]


SWEEP = {"experiments": ["digits-lenet"], "budget": "quick", "precisions": ["fp32", "k1"], "seeds": [0, 1]}


def sweep(tmp_path: Path, **content):
    (tmp_path / "it.yaml").write_text(yaml.safe_dump({**SWEEP, **content}, sort_keys=False))
    return load_sweep("it", tmp_path, FOLDER)


def test_a_grid_has_every_combination_and_points_are_listed(tmp_path):
    found = sweep(tmp_path, grid={"width": [0.5, 1], "learning_rate": [0.01]}, points=[{}, {"steps": 12}])
    assert found.axes == ("experiment", "precision", "width", "learning_rate", "steps")
    points = list(found.expanded(FOLDER))
    assert len(points) == 2 * 2 * 2
    assert [point.experiment for point in points if point.precision == "k1"] == [
        "digits-lenet@learning_rate=0.01,width=0.5",
        "digits-lenet@learning_rate=0.01",
        "digits-lenet@learning_rate=0.01,steps=12,width=0.5",
        "digits-lenet@learning_rate=0.01,steps=12",
    ]
    assert points[0].settings == {
        "experiment": "digits-lenet",
        "precision": "fp32",
        "width": 0.5,
        "learning_rate": 0.01,
        "steps": None,
    }
    assert all(point.seeds == (0, 1) for point in points)


def test_a_sweep_shares_with_the_experiment_what_is_the_same(tmp_path):
    points = sweep(tmp_path, grid={"width": [1, 2], "learning_rate": [0.001]}).expanded(FOLDER)
    assert [point.experiment for point in points if point.precision == "k1"] == ["digits-lenet", "digits-lenet@width=2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"grid": {"width": []}}, "grid.width: empty"),
        ({"grid": {"width": [1, 1]}}, "listed twice"),
        ({"grid": {"precision": ["k0"]}}, "precision: has a list of its own"),
        ({"grid": {"width": [1]}, "points": [{"width": 2}]}, "width: in grid and points"),
        ({"figures": [{"y": "snn_accuracy", "x": "width"}]}, "no axis 'width' (there are experiment, precision)"),
        ({"experiments": ["digit"]}, "'digit' has no file"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"grids": {}}, "grids: unknown key"),
    ],
)
def test_a_wrong_sweep_is_refused_in_one_line(tmp_path, content, message):
    with pytest.raises(LosslessError, match=re.escape(message)) as error:
        sweep(tmp_path, **content)
    assert str(error.value).startswith(str(tmp_path / "it.yaml"))
    assert "\n" not in str(error.value)


def test_a_sweep_has_the_seeds_of_each_precision(tmp_path):
    experiment = yaml.safe_load((FOLDER / "digits-lenet.yaml").read_text())
    experiment["training"]["budgets"]["quick"]["seeds"] = {"fp32": [0, 5], "k1": [3]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(experiment))
    content = {**SWEEP, "experiments": ["mine"]}
    del content["seeds"]
    (tmp_path / "it.yaml").write_text(yaml.safe_dump(content))
    points = load_sweep("it", tmp_path, tmp_path).expanded(tmp_path)
    assert {point.precision: point.seeds for point in points} == {"fp32": (0, 5), "k1": (3,)}
    (tmp_path / "it.yaml").write_text(yaml.safe_dump({**content, "precisions": ["fp32", "k2"]}))
    with pytest.raises(LosslessError, match="seeds: mine: its quick budget has none at k2; give the sweep its own"):
        list(load_sweep("it", tmp_path, tmp_path).expanded(tmp_path))


def test_two_points_that_are_the_same_network_are_refused(tmp_path):
    with pytest.raises(LosslessError, match="is the same as"):
        list(sweep(tmp_path, points=[{"width": 1}, {"network": "20C5-P2-50C5-P2-500"}]).expanded(FOLDER))


def test_the_shipped_sweeps_are_well_formed():
    names = [path.stem for path in (ROOT / "config/sweeps").glob("*.yaml")]
    assert "digits-width" in names
    for name in names:
        assert list(load_sweep(name, ROOT / "config/sweeps", FOLDER).expanded(FOLDER))


def test_the_command_tabulates_and_draws_runs_that_are_there(tmp_path, monkeypatch, command_line):
    monkeypatch.chdir(tmp_path)
    copy(ROOT / "config/experiments", tmp_path / "config/experiments")
    (tmp_path / "config/sweeps").mkdir()
    content = {**SWEEP, "experiments": ["mnist-lenet"], "precisions": ["fp32", "k0"]}
    (tmp_path / "config/sweeps/it.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    _, energy = write_config(tmp_path)
    for precision in ("fp32", "k0"):
        for seed in (0, 1):
            write_run(tmp_path / "results/quick/mnist-lenet/logs", precision, seed)
    figure = ["--figure", "out/a", "--y", "ann_accuracy", "--x", "precision", "--format", "svg"]
    assert command_line("sweep", "it", "--out", "out/results.csv", *figure, "--energy", energy) == 0
    table = pd.read_csv("out/results.csv").set_index("precision")
    assert list(table.columns[:4]) == ["experiment", "made_as", "seeds", "settled"]
    # Accuracies 0.8 and 1: s = 0.2 / sqrt(2), and t(0.975; 1) = 12.7062.
    row = table.loc["k0"]
    assert (row["snn_accuracy"], row["snn_accuracy_std"]) == pytest.approx((0.9, 0.02**0.5))
    assert (row["snn_accuracy_low"], row["snn_accuracy_high"]) == pytest.approx(
        (0.9 - 1.27062, 0.9 + 1.27062), abs=1e-4
    )
    # 1,200,000 and 1,240,000 operations; the settled steps 3 and 2.
    assert (row["operations_per_image"], row["settled_step_max"], row["seeds"]) == (1_220_000, 3, 2)
    assert math.isnan(table.loc["fp32", "snn_accuracy"])
    pd.testing.assert_frame_equal(
        pd.read_parquet("out/results.parquet").set_index("precision"), table, check_dtype=False
    )
    assert "90.00 ± 14.14" in Path("out/results.md").read_text(encoding="utf-8")
    drawn = Path("out/a.svg").read_text(encoding="utf-8")
    assert "95 % interval of the mean over the seeds, by Student" in drawn
    assert "k = 0" in drawn
    assert command_line("sweep", "it", "--figure", "out/a", "--y", "accuracy", "--x", "precision", "--energy", energy)
    assert command_line("sweep", "it", "--figure", "out/a", "--y", "ann_accuracy", "--x", "width", "--energy", energy)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A repository in which a sweep of a tiny network is made: another width, more steps, two seeds each."""
    folder = tmp_path_factory.mktemp("sweep")
    for part in PARTS:
        source = ROOT / part
        if source.is_symlink():
            (folder / part).symlink_to(source.readlink())
        elif source.is_dir():
            copy(source, folder / part)
        else:
            (folder / part).write_bytes(source.read_bytes())
    (folder / "config/experiments/tiny.yaml").write_text(EXPERIMENT)
    for path in (folder / "config/sweeps").glob("*.yaml"):
        path.unlink()
    content = {
        "experiments": ["tiny"],
        "budget": "quick",
        "precisions": ["k0"],
        "seeds": [0, 1],
        "points": [{"width": 0.5}, {"steps": 6}],
        "figures": [{"y": "snn_accuracy", "x": "width"}],
    }
    (folder / "config/sweeps/tiny-sweep.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    run = snakemake(folder, "sweep_tiny_sweep")
    assert run.returncode == 0, run.stderr
    return folder


RESULTS = Path("results/quick/sweeps/tiny-sweep")


@pytest.mark.slow
def test_one_command_makes_table_and_figures(made):
    assert {path.name for path in (made / RESULTS).iterdir()} == {
        "results.csv",
        "results.parquet",
        "results.md",
        "snn_accuracy-width.svg",
        "snn_accuracy-width.png",
    }
    table = pd.read_csv(made / RESULTS / "results.csv")
    assert list(table.columns[:6]) == ["experiment", "precision", "width", "steps", "made_as", "seeds"]
    assert list(table["made_as"]) == ["tiny@width=0.5", "tiny@steps=6"]
    pd.testing.assert_frame_equal(pd.read_parquet(made / RESULTS / "results.parquet"), table, check_dtype=False)


@pytest.mark.slow
def test_a_row_has_what_its_runs_have(made):
    with open(made / RESULTS / "results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        logs = made / "results/quick" / row["made_as"] / "logs" / row["precision"]
        first, second = (json.loads((logs / f"seed{seed}/ann.json").read_text())["accuracy"] for seed in (0, 1))
        assert float(row["ann_accuracy"]) == pytest.approx((first + second) / 2)
        # Of two values, the deviation is their distance over the root of 2; t(0.975; 1) = 12.7062.
        assert float(row["ann_accuracy_std"]) == pytest.approx(abs(first - second) / math.sqrt(2))
        assert float(row["ann_accuracy_high"]) == pytest.approx(
            (first + second) / 2 + 12.7062 * abs(first - second) / 2, abs=1e-6
        )
        assert row["seeds"] == "2"


@pytest.mark.slow
def test_variants_that_are_trained_alike_are_trained_once(made):
    trained = sorted(path.relative_to(made / "results/quick") for path in made.glob("results/quick/*/checkpoints/k0/*"))
    assert [str(path) for path in trained if ".snn." not in path.name] == [
        f"{name}/checkpoints/k0/seed{seed}.safetensors" for name in ("tiny", "tiny@width=0.5") for seed in (0, 1)
    ]
    lines = (made / "results/quick/tiny@steps=6/logs/k0/seed0/accuracy.txt").read_text().splitlines()
    assert len(lines) == 6 * 2  # two batches of 250 of the 500 test images


@pytest.mark.slow
def test_nothing_is_left_to_do_and_a_new_value_makes_its_points_alone(made, tmp_path):
    assert planned(made, "sweep_tiny_sweep") == set()
    folder = copy(made, tmp_path / "edited")
    edit(folder / "config/sweeps/tiny-sweep.yaml", "- width: 0.5", "- width: 0.5\n- width: 2")
    jobs = planned(folder, "sweep_tiny_sweep")
    assert {job for job in jobs if job.startswith("Train")} == {"Train k0, seed 0", "Train k0, seed 1"}
    run = snakemake(folder, "--dry-run", "sweep_tiny_sweep")
    assert "(tiny@width=2, quick)" in run.stdout + run.stderr
    assert "(tiny, quick)" not in run.stdout + run.stderr
    assert "(tiny@steps=6, quick)" not in run.stdout + run.stderr
    assert {"Tabulate the sweep", "Draw snn_accuracy by width"} <= jobs


@pytest.mark.slow
def test_any_quantity_is_drawn_against_any_axis_on_request(made):
    for target in ("operations_per_image-precision.svg", "ann_accuracy-steps.svg"):
        path = RESULTS / target
        run = snakemake(made, "--", str(path))
        assert run.returncode == 0, run.stderr
        assert (made / path).read_text().startswith("<?xml")
    run = snakemake(made, "--", str(RESULTS / "ann_accuracy-depth.svg"))
    assert run.returncode
    assert "'depth': no axis of this sweep (expected experiment, precision, width, steps)" in run.stdout + run.stderr
    run = snakemake(made, "--dry-run", "--", "results/paper/sweeps/tiny-sweep/results.csv")
    assert "snakemake: config/sweeps/tiny-sweep.yaml: budget: quick, not paper" in run.stderr


@pytest.mark.slow
def test_a_figure_of_a_column_that_there_is_not_is_one_line(made):
    content = yaml.safe_load((made / "config/sweeps/tiny-sweep.yaml").read_text())
    content["figures"] = [{"y": "snn_acuracy", "x": "precision"}]
    (made / "config/sweeps/wrong.yaml").write_text(yaml.safe_dump(content))
    run = snakemake(made, "--dry-run", "sweep_wrong")
    (made / "config/sweeps/wrong.yaml").unlink()
    assert run.returncode == 1
    assert "snakemake: config/sweeps/wrong.yaml: figures: no column 'snn_acuracy' to draw (there are " in run.stderr
    assert "did you mean 'snn_accuracy'?" in run.stderr


def test_a_key_with_dots_is_called_by_its_last_part():
    titles = [axis_title(axis) for axis in ("width", "training.budgets.fast.fine_tuning.2.activation_penalty")]
    assert titles == ["width", "activation penalty"]


@pytest.mark.parametrize("size", ["screen", "column"])
def test_ticks_far_apart_stand_beside_one_another_0_among_them(size):
    sweep = load_sweep("mnist-penalty", ROOT / "config/sweeps", FOLDER)
    (chosen, *_), style = sweep.figures, FigureStyle(size=size)
    table = pd.DataFrame(sweep.points).assign(precision="k0", experiment="mnist-lenet", seeds=1, snn_accuracy=0.99)
    with mpl.rc_context(settings(style)):
        figure = sweep_figure.draw(table, sweep, chosen, style)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.0", "0.05", "0.1", "0.2", "0.4", "1.6"]
    places = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))


@pytest.mark.slow
def test_the_intervals_of_a_figure_are_those_of_the_table(made):
    figure = (made / RESULTS / "snn_accuracy-width.svg").read_text()
    assert "95 % interval of the mean over the seeds, by Student" in figure
    assert "2 seeds" in figure
