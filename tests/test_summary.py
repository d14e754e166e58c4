"""The summary over several experiments."""

import pandas as pd
import pytest
from click.testing import CliRunner
from markdown_tables import cells
from run_directories import write_config, write_run

from lossless_snn.analysis.figures.summary import draw_summary
from lossless_snn.analysis.tables.summary import load_all, readable
from lossless_snn.cli.commands.results.summary import command
from lossless_snn.config.figure_style import FigureStyle
from lossless_snn.errors import LosslessError

OTHER = {"experiment": "my-network", "dataset": "fashion-mnist", "training_images": 900, "test_set": 7}


@pytest.fixture
def runs(tmp_path):
    """Two experiments, of which one has published values and all of its test images."""
    paths = [write_run(tmp_path / "mnist-lenet" / "logs", precision, 0) for precision in ("fp32", "k0")]
    paths.append(write_run(tmp_path / "my-network" / "logs", "fp32", 0, ann=OTHER))
    mine = {key: OTHER[key] for key in ("experiment", "dataset")}
    paths.append(write_run(tmp_path / "my-network" / "logs", "k1", 0, ann=OTHER, snn=mine))
    return paths


def test_command(tmp_path, runs):
    out = tmp_path / "summary.csv"
    published, energy = write_config(tmp_path)
    arguments = [*map(str, runs), "--out", str(out), "--published", str(published), "--energy", str(energy)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    table = pd.read_csv(out)
    assert table[["experiment", "precision"]].values.tolist() == [
        ["mnist-lenet", "fp32"],
        ["mnist-lenet", "k0"],
        ["my-network", "fp32"],
        ["my-network", "k1"],
    ]
    assert table["snn_accuracy_published"].fillna(-1).tolist() == [-1, 0.85, -1, -1]
    assert sorted(path.name for path in tmp_path.glob("summary.*")) == [
        f"summary.{suffix}" for suffix in ("csv", "md", "pdf", "png", "svg")
    ]


def test_table_for_people(tmp_path, runs):
    text = readable(load_all(runs, *write_config(tmp_path)))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    table = cells("\n".join(lines[:4]))["mnist-lenet"]
    assert (table["precision"], table["ANN accuracy (%)"], table["published (%)"]) == ("k = 0", "80.00", "85.00")
    # a quick budget is named as such, and so are fewer images
    assert (
        "- mnist-lenet (MNIST), quick budget (4 epochs of 600 images, fewer than published); seed 0; 5 test images\n"
        in text
    )
    assert (
        "- my-network (FashionMNIST), quick budget (4 epochs of 900 images); seed 0; the first 5 of 7 test images"
        in text
    )


def test_what_the_spread_is_of(tmp_path, runs):
    runs.insert(1, write_run(tmp_path / "mnist-lenet" / "logs", "fp32", 1))
    text = readable(load_all(runs, *write_config(tmp_path)))
    assert "seeds 0, 1 (mean ± standard deviation); 5 test images\n" in text
    assert "seed 0; the first 5 of 7 test images\n" in text


def test_a_panel_an_experiment(tmp_path, runs):
    figure = draw_summary(load_all(runs, *write_config(tmp_path)), FigureStyle())
    assert len(figure.axes) == 4
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == [
        "mnist-lenet (MNIST), 1 seed",
        "my-network (FashionMNIST), 1 seed",
    ]
    drawn = sorted(line.get_xdata()[0] for line in figure.axes[0].lines)
    assert drawn == pytest.approx([80, 80, 85, 95])  # FP32 and k = 0: ours, ours, published, published
    assert "quick budget (trained for less than published)" in figure.get_suptitle()


def test_spread_seeds_and_what_has_not_settled(tmp_path):
    folder = tmp_path / "mnist-lenet" / "logs"
    paths = [write_run(folder, "fp32", seed) for seed in (0, 1)]
    paths.append(write_run(folder, "k1", 0, snn={"settled": False, "settled_images": 3}))
    style = FigureStyle(size="column")
    figure = draw_summary(load_all(paths, *write_config(tmp_path)), style)
    accuracy = figure.axes[0]
    assert accuracy.get_title(loc="left") == "mnist-lenet, 1 to 2 seeds"  # a column has no room for more
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["FP32", "k = 1 †"]
    # FP32: 80 and 100 %, each 10 from their mean; k1 has one seed and no bar
    ((left, _), (right, _)) = accuracy.collections[0].get_segments()[0]
    assert (left, right) == pytest.approx((90 - 200**0.5, 90 + 200**0.5))
    assert len(accuracy.collections) == 1
    assert accuracy.get_xlim()[1] <= 100
    assert "† mnist-lenet, k = 1: not settled within 3 steps" in " ".join(figure.get_supxlabel().split())
    assert figure.legends[0].get_texts()[0].get_text() == "ours (mean ± standard deviation)"


def test_our_recipe_is_named_as_ours(tmp_path):
    path = write_run(tmp_path / "mnist-lenet" / "logs", "k0", 0, *[{"budget": "fast"}] * 2)
    experiments = load_all([path], *write_config(tmp_path))
    assert "fast budget (4 epochs of 600 images; our recipe (fast), not the published one)" in readable(experiments)
    figure = draw_summary(experiments, FigureStyle())
    assert figure.get_suptitle() == "All experiments\nfast budget (our recipe, not the published one)"
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(figure._suptitle.get_window_extent())


def test_budgets_are_not_mixed(tmp_path, runs):
    paper = write_run(tmp_path / "other" / "logs", "fp32", 0, ann={"budget": "paper"})
    with pytest.raises(LosslessError, match="runs of several budgets"):
        load_all([*runs, paper], *write_config(tmp_path))


def test_nothing_to_summarise(tmp_path):
    with pytest.raises(LosslessError, match="no run directories"):
        load_all([], *write_config(tmp_path))
