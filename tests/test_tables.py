"""results.csv and results.md, and the tables that revisions are compared by."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner
from markdown_tables import cells
from run_directories import compare, write_config, write_run

from lossless_snn.analysis.tables.column import PERCENT, POINTS, Column, hundredths, signed_hundredths
from lossless_snn.analysis.tables.curves import accuracy_by_step, training_curves
from lossless_snn.analysis.tables.results import readable, write_tables
from lossless_snn.cli.commands.results.table import command
from lossless_snn.errors import LosslessError


@pytest.fixture
def two_seeds(tmp_path):
    return [write_run(tmp_path, precision, seed) for precision in ("fp32", "k0") for seed in (0, 1)]


def test_command_writes_both_tables(tmp_path, two_seeds):
    out = tmp_path / "tables" / "results.csv"
    published, energy = write_config(tmp_path)
    arguments = [*map(str, two_seeds), "--out", str(out), "--published", str(published), "--energy", str(energy)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0

    table = pd.read_csv(out, index_col="precision")
    assert list(table.index) == ["fp32", "k0"]
    assert table.at["k0", "seeds"] == 2
    assert table.at["k0", "budget"] == "quick"
    assert table.at["k0", "operations_per_image"] == 1_220_000
    assert table.at["k0", "operations_per_image_published"] == 1_000_000
    assert table.at["k0", "operations_per_image_difference"] == 220_000
    assert table.at["k0", "operations_per_image_std"] == pytest.approx(20_000 * 2**0.5, rel=1e-12)
    assert table.at["k0", "neurons"] == 9000
    # 1.5 pJ an operation; 6 pJ for each of the ANN's 4,000,000 / 3 multiply-accumulates
    assert table.at["k0", "snn_energy_joules"] == pytest.approx(1.83e-6)
    assert table.at["k0", "snn_energy_joules_published"] == pytest.approx(1.5e-6)
    assert table.at["k0", "ann_energy_joules"] == pytest.approx(8e-6)
    assert table.at["k0", "mismatches"] == 0
    assert table.at["k0", "neurons_compared"] == 90_000
    assert pd.isna(table.at["fp32", "neurons_compared"])
    assert pd.isna(table.at["fp32", "mismatches"])
    assert pd.isna(table.at["fp32", "snn_accuracy"])
    assert pd.isna(table.at["fp32", "settled"])
    assert "| k = 0" in out.with_suffix(".md").read_text()

    # Means over the seeds, and nothing of what a precision has not got.
    metrics = json.loads(out.with_name("metrics.json").read_text())
    assert list(metrics) == ["fp32", "k0"]
    assert metrics["fp32"] == {"ann_accuracy": pytest.approx(0.9)}
    assert metrics["k0"] == {
        "ann_accuracy": pytest.approx(0.9),
        "snn_accuracy": pytest.approx(0.9),
        "time_steps": 3,
        "operations_per_image": 1_220_000,
        "mismatches": 0,
    }
    # 1, 3, 4 and 1, 4, 5 of 5 images right
    assert out.with_name("accuracy_by_step.csv").read_text().splitlines() == [
        "precision,seed,time_step,accuracy",
        *("k0,0,1,0.2", "k0,0,2,0.6", "k0,0,3,0.8"),
        *("k0,1,1,0.2", "k0,1,2,0.8", "k0,1,3,1.0"),
    ]
    training = out.with_name("training.csv").read_text().splitlines()
    assert training[:2] == ["precision,seed,epoch,images,loss,accuracy", "fp32,0,1,training,0.5,0.75"]
    # Two precisions, two seeds, two epochs; training and held-out images.
    assert len(training) == 1 + 2 * 2 * 2 * 2


HISTORY = """\
epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds
1,0.001,0.5,0.75,0.625,0.5,6.9
2,0.001,0.25,0.875,0.375,0.8125,6.6
"""


def test_training_curves(tmp_path):
    runs = [write_run(tmp_path, precision, 0) for precision in ("fp32", "k0")]
    (runs[0] / "history.csv").write_text(HISTORY)
    # Nothing held out.
    (runs[1] / "history.csv").write_text("\n".join([HISTORY.splitlines()[0], "1,0.001,2.5,0.125,,,6.9"]) + "\n")
    curves = training_curves(compare(tmp_path, runs))
    assert list(curves.itertuples(index=False, name=None)) == [
        ("fp32", 0, 1, "training", 0.5, 0.75),
        ("fp32", 0, 2, "training", 0.25, 0.875),
        ("fp32", 0, 1, "validation", 0.625, 0.5),
        ("fp32", 0, 2, "validation", 0.375, 0.8125),
        ("k0", 0, 1, "training", 2.5, 0.125),
    ]


@pytest.mark.parametrize("content", ["", "epoch,loss\n1,0.5\n"])
def test_history_that_is_none(tmp_path, content):
    run = write_run(tmp_path, "fp32", 0)
    (run / "history.csv").write_text(content)
    with pytest.raises(LosslessError, match=r"history\.csv: (not a CSV table|no column)"):
        training_curves(compare(tmp_path, [run]))


def test_no_curves_of_unquantised_networks(tmp_path):
    curves = accuracy_by_step(compare(tmp_path, [write_run(tmp_path, "fp32", 0)]))
    assert list(curves.columns) == ["precision", "seed", "time_step", "accuracy"]
    assert curves.empty


def test_readable_over_two_seeds(tmp_path, two_seeds):
    text = readable(compare(tmp_path, two_seeds))
    table = cells(text)
    assert table["k = 0"] == {
        "precision": "k = 0",
        "seeds": "2",
        "ANN accuracy (%)": "90.00 ± 14.14",
        "SNN accuracy (%)": "90.00 ± 14.14",
        "published (%)": "85.00",
        "difference (points)": "+5.00",
        "time steps (published)": "3 (2)",
        "settled step, mean / max": "2.2 ± 0.4 / 3",
        "positive / negative spikes an image (published)": "7,020 ± 14 / 1,500 ± 14 (7,000 / 1,500)",
        "operations an image (published)": "1,220,000 ± 28,284 (1,000,000)",
        "of the ANN's (%) (published)": "30.5 ± 0.7 (25.0)",
        "energy an image (µJ) (from the published operations)": "1.830 ± 0.042 (1.500)",
        "neurons that differ from the ANN's": "0 of 90,000",
        "cost of the grid (points)": "0.00",
        "neurons": "9,000",
        "simulated steps": "3",
    }
    assert table["FP32"]["ANN accuracy (%)"] == "90.00 ± 14.14"
    assert table["FP32"]["published (%)"] == "95.00"
    assert table["FP32"]["difference (points)"] == "-5.00"
    assert table["FP32"]["SNN accuracy (%)"] == table["FP32"]["time steps (published)"] == "–"
    assert "mnist-lenet (MNIST), quick budget (4 epochs of 600 images, fewer than published)" in text
    assert "seeds 0, 1 (mean ± standard deviation); 5 test images" in text
    assert "the ANN takes 4,000,000 operations an image, 8.000 µJ" in text
    assert "6 pJ a multiply-accumulate (ANN), 1.5 pJ a synaptic operation" in text
    assert "†" not in text


def test_published_steps_that_their_log_contradicts(tmp_path):
    table = cells(readable(compare(tmp_path, [write_run(tmp_path, "k1", 0)])))
    assert table["k = 1"]["time steps (published)"] == "3 (13; 14 by the log)"
    assert "seeds" not in table["k = 1"]


def test_unsettled_precision_has_a_footnote(tmp_path):
    runs = [write_run(tmp_path, "k0", 0), write_run(tmp_path, "k1", 0, snn={"settled": False, "settled_images": 0})]
    text = readable(compare(tmp_path, runs))
    assert list(cells(text)) == ["k = 0", "k = 1 †"]
    assert text.endswith("\n\n† k = 1: not settled within 3 steps (0 of 5 images were); values at the last step.\n")


def test_no_image_settled(tmp_path):
    snn = {"settled": False, "settled_images": 0, "settled_step_mean": None, "settled_step_max": None}
    runs = [write_run(tmp_path, "k0", 0), write_run(tmp_path, "k1", 0, snn=snn)]
    table = cells(readable(compare(tmp_path, runs)))
    assert table["k = 1 †"]["settled step, mean / max"] == "–"


def test_nothing_published_nothing_beside(tmp_path):
    run = write_run(tmp_path, "k3", 0, *[{"experiment": "digits-lenet", "dataset": "digits"}] * 2)
    text = readable(compare(tmp_path, [run]))
    assert "published" not in text
    assert "difference" not in text


def test_equal_accuracies_differ_by_plus_zero(tmp_path):
    run = write_run(tmp_path, "k0", 0, *[{"accuracy": 0.849999}] * 2)
    table = cells(readable(compare(tmp_path, [run])))
    assert table["k = 0"]["difference (points)"] == "+0.00"


def test_accuracy_that_the_grid_costs(tmp_path):
    others = {"images": 6, "test_set": 6}
    runs = [write_run(tmp_path, "k0", 0, ann={"accuracy": 0.8012}), write_run(tmp_path, "k1", 0, ann=others)]
    table = cells(readable(compare(tmp_path, runs)))
    assert table["k = 0"]["cost of the grid (points)"] == "0.12"
    # Not tested on the same images.
    assert table["k = 1 †"]["cost of the grid (points)"] == "–"


def test_neurons_that_had_not_settled(tmp_path):
    snn = {"settled": False, "settled_images": 3}
    text = readable(compare(tmp_path, [write_run(tmp_path, "k1", 0, snn=snn, certificate={"mismatches": 1234})]))
    assert cells(text)["k = 1 †"]["neurons that differ from the ANN's"] == "1,234 of 45,000"
    assert "values at the last step; neurons differ from the ANN's in the other images alone." in text


def test_a_wrong_log_leaves_all_tables_as_they_were(tmp_path, two_seeds):
    out = tmp_path / "tables" / "results.csv"
    published, energy = write_config(tmp_path)
    options = [*map(str, two_seeds), "--out", str(out), "--published", str(published), "--energy", str(energy)]
    (two_seeds[0] / "history.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(LosslessError, match=r"history\.csv"):
        CliRunner().invoke(command, options, catch_exceptions=False)
    assert not out.parent.exists()
    (two_seeds[0] / "history.csv").unlink()
    CliRunner().invoke(command, options, catch_exceptions=False)
    before = {path: path.read_bytes() for path in out.parent.iterdir()}
    assert len(before) == 5
    (two_seeds[2] / "accuracy.txt").write_text("1\n")
    with pytest.raises(LosslessError, match=r"accuracy\.txt"):
        CliRunner().invoke(command, options, catch_exceptions=False)
    assert {path: path.read_bytes() for path in out.parent.iterdir()} == before


def column(**fields):
    return Column("x", "heading", **fields)


@pytest.mark.parametrize(
    ("fields", "row", "text"),
    [
        ({"format": hundredths, "unit": PERCENT}, {"x": 0.98765, "x_std": 0.001}, "98.77 ± 0.10"),
        ({"format": signed_hundredths, "unit": POINTS}, {"x": -0.00001, "x_std": 0.0123}, "+0.00 ± 1.23"),
        ({}, {"x": 1234567.0, "x_std": 0.0}, "1,234,567"),
        ({"zero_spread": True}, {"x": 2.0, "x_std": 0.0}, "2 ± 0"),
        ({"zero_spread": True}, {"x": 2.0, "x_std": float("nan")}, "2"),
        ({}, {"x": float("nan")}, "–"),
        ({"instead": ("y",)}, {"x": float("nan"), "y": 3.0}, "3"),
        ({"quantities": ("y", "z"), "between": " of "}, {"y": 3.0, "z": 1000.0}, "3 of 1,000"),
        ({"published": "published"}, {"x": 3.0, "x_published": 4.0}, "3 (4)"),
        ({"published": "published"}, {"x": 3.0, "x_published": float("nan")}, "3"),
        (
            {"published": "p", "otherwise_published": ("y", "by z")},
            {"x": 3.0, "x_published": 4.0, "y": 5.0},
            "3 (4; 5 by z)",
        ),
        ({"published": "p", "otherwise_published": ("y", "by z")}, {"x": 3.0, "x_published": 4.0, "y": 4.0}, "3 (4)"),
    ],
)
def test_cell(fields, row, text):
    assert column(**fields).cell(pd.Series(row)) == text


def test_heading_has_the_unit_and_what_stands_beside():
    assert column().title(compared=True) == "heading"
    assert column(unit=PERCENT, published="published").title(compared=True) == "heading (%) (published)"
    assert column(unit=PERCENT, published="published").title(compared=False) == "heading (%)"


@pytest.mark.bad_input("outputs")
@pytest.mark.parametrize("name", ["results.md", "metrics.json", "training.csv", "accuracy_by_step.csv"])
def test_a_table_that_is_to_have_the_name_of_another_of_its_files(tmp_path, name):
    runs = [write_run(tmp_path, "k0", 0)]
    with pytest.raises(LosslessError, match=f"{name}: the name of two files of this table; choose another"):
        write_tables(compare(tmp_path, runs), tmp_path / "tables" / name)
    assert not (tmp_path / "tables").exists()
