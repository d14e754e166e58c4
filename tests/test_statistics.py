"""Intervals and tests, against values worked out by hand, and the tables that are made of them."""

import csv
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from run_directories import compare, write_config, write_run

from lossless_snn.analysis.statistics import compare_pairs, interval, mcnemar
from lossless_snn.analysis.tables.significance import write_significance
from lossless_snn.errors import LosslessError


def test_an_interval_is_students():
    # s = sqrt(2.5); t(0.975; 4) = 2.776445, from a printed table of the distribution.
    low, high = interval([1, 2, 3, 4, 5])
    assert (low, high) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-5)
    assert all(map(math.isnan, interval([1.0])))
    assert all(map(math.isnan, interval([1.0, math.nan])))


def share_below(t: float) -> float:
    """Student's distribution of two degrees of freedom, which has a closed form."""
    return 0.5 + t / (2 * math.sqrt(2 + t * t))


def test_paired_differences_are_tested_against_none_and_against_the_margin():
    reference = [0.90, 0.95, 0.92]
    found = compare_pairs([0.901, 0.952, 0.923], reference)
    assert found.seeds == 3
    assert found.difference == pytest.approx(0.002)
    # Differences 1, 2 and 3 thousandths: s = 0.001.
    standard_error = 0.001 / math.sqrt(3)
    assert found.p_equal == pytest.approx(2 * (1 - share_below(0.002 / standard_error)))
    assert found.p_lower == pytest.approx(1 - share_below(0.003 / standard_error))
    assert (found.low, found.high) == pytest.approx(
        (0.002 - 4.302653 * standard_error, 0.002 + 4.302653 * standard_error)
    )


@pytest.mark.parametrize(
    ("differences", "conclusion"),
    [
        ([0.0001, 0.0002, 0.0], "not less accurate by 0.1 points"),
        ([-0.0003, -0.0003, -0.00031], "less accurate, by less than 0.1 points"),
        ([-0.005, -0.0051, -0.0052], "less accurate by more than 0.1 points"),
        ([-0.001, -0.0009, -0.0011], "less accurate"),
        ([-0.01, 0.01, 0.0], "undecided: a loss of 0.1 points is not excluded"),
        ([-0.01], "one seed: no test"),
    ],
)
def test_what_is_concluded_whichever_way_it_is(differences, conclusion):
    assert compare_pairs([0.9 + x for x in differences], [0.9] * len(differences)).conclusion == conclusion


@pytest.mark.parametrize(("difference", "p_equal", "p_lower"), [(0.0, 1, 0), (0.25, 0, 0), (-0.25, 0, 1)])
def test_differences_that_do_not_vary_have_the_limits_of_the_test(difference, p_equal, p_lower):
    found = compare_pairs([0.5 + difference] * 3, [0.5] * 3)
    assert (found.p_equal, found.p_lower) == (p_equal, p_lower)


def by_enumeration(first_only: int, second_only: int) -> float:
    """The share of all ways to deal so many images to two networks that are at least as uneven."""
    total = first_only + second_only
    uneven = abs(first_only - second_only)
    deals = [abs(2 * sum(deal) - total) >= uneven for deal in product((0, 1), repeat=total)]
    return sum(deals) / len(deals)


@pytest.mark.parametrize(("first_only", "second_only"), [(1, 5), (5, 1), (4, 4), (0, 3), (7, 2), (0, 0)])
def test_mcnemars_test_is_exact(first_only, second_only):
    first = np.array([True] * first_only + [False] * second_only + [True, False])
    second = np.array([False] * first_only + [True] * second_only + [True, False])
    found = mcnemar(first, second)
    assert (found.first_only, found.second_only) == (first_only, second_only)
    assert found.p == pytest.approx(by_enumeration(first_only, second_only))


LABELS = [3, 1, 4, 1, 5]
RIGHT = {("fp32", 0): [1, 1, 1, 1, 0], ("fp32", 1): [1] * 5, ("k0", 0): [0, 1, 1, 1, 1], ("k0", 1): [1, 1, 1, 0, 0]}


def write_predictions(folder: Path, right: list[int]) -> None:
    rows = [f"{label},{label if is_right else 9}" for label, is_right in zip(LABELS, right, strict=True)]
    (folder / "predictions.csv").write_text("\n".join(["label,prediction", *rows]) + "\n")


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    """FP32 and k = 0 with two seeds: 0.8 and 1.0, then 0.8 and 0.6 of five images right."""
    folders = []
    for (precision, seed), right in RIGHT.items():
        share = {"accuracy": sum(right) / 5}
        folder = write_run(tmp_path / "logs", precision, seed, share, share, {"grid_ann_accuracy": sum(right) / 5})
        write_predictions(folder, right)
        folders.append(folder)
    return folders


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_pair_seeds_and_images(tmp_path, runs):
    write_significance(compare(tmp_path, runs), tmp_path / "significance.csv")
    (over_seeds,) = rows(tmp_path / "significance.csv")
    assert over_seeds["precision"] == "k0"
    assert over_seeds["seeds"] == "2"
    assert float(over_seeds["fp32_accuracy"]) == pytest.approx(0.9)
    assert float(over_seeds["snn_accuracy"]) == pytest.approx(0.7)
    assert float(over_seeds["difference"]) == pytest.approx(-0.2)
    # Differences 0 and -0.4: s = 0.4 / sqrt(2), and t(0.975; 1) = 12.7062.
    assert float(over_seeds["low"]) == pytest.approx(-0.2 - 12.7062 * 0.2, abs=1e-4)
    assert over_seeds["conclusion"] == "undecided: a loss of 0.1 points is not excluded"
    per_image = rows(tmp_path / "mcnemar.csv")
    found = [(row["seed"], row["fp32_only"], row["quantised_only"], float(row["p"])) for row in per_image]
    assert found == [("0", "1", "1", 1.0), ("1", "2", "0", 0.5)]
    text = (tmp_path / "significance.md").read_text()
    assert "- k = 0: undecided: a loss of 0.1 points is not excluded." in text
    assert "seeds 0, 1" in text


def test_the_command_prints_what_it_found(tmp_path, runs, command_line, capsys):
    published, energy = write_config(tmp_path)
    options = ["--published", published, "--energy", energy]
    assert command_line("significance", *runs, "--out", tmp_path / "significance.csv", *options) == 0
    assert (tmp_path / "significance.md").read_text().strip() in capsys.readouterr().out


def test_seeds_that_do_not_pair_are_refused(tmp_path, runs):
    with pytest.raises(LosslessError, match=r"k0: other seeds than fp32's \(0\)"):
        write_significance(compare(tmp_path, [runs[0], *runs[2:]]), tmp_path / "significance.csv")
    with pytest.raises(LosslessError, match=r"other seeds than fp32's \(none\)"):
        write_significance(compare(tmp_path, runs[2:]), tmp_path / "significance.csv")


@pytest.mark.parametrize("right", [[0, 1, 1, 1, 0], [0, 1, 1, 1]])
def test_predictions_of_another_network_are_refused(tmp_path, runs, right):
    path = runs[2] / "predictions.csv"
    path.write_text("label,prediction\n" + "".join(f"1,{1 if is_right else 2}\n" for is_right in right))
    with pytest.raises(LosslessError, match=f"{path}: not the predictions of"):
        write_significance(compare(tmp_path, runs), tmp_path / "significance.csv")
    path.unlink()
    with pytest.raises(LosslessError, match="lossless-snn predict CHECKPOINT"):
        write_significance(compare(tmp_path, runs), tmp_path / "significance.csv")


@pytest.mark.usefixtures("project")
def test_predict_says_what_evaluate_counts(tmp_path, trained, command_line, capsys):
    assert command_line("predict", trained, "--device", "cpu", "--out", tmp_path / "predictions.csv") == 0
    found = rows(tmp_path / "predictions.csv")
    right = sum(row["label"] == row["prediction"] for row in found)
    capsys.readouterr()
    command_line("evaluate", trained, "--device", "cpu")
    assert f"{right / 500:.2%} of 500 test images" in capsys.readouterr().out
    assert len(found) == 500
