"""Published step logs, the four files alone, beside our runs; and logs that contradict their snn.json."""

import matplotlib as mpl
import pandas as pd
import pytest
from run_directories import compare, write_run

from lossless_snn.analysis.figures import accuracy_speed, energy, sops, sparsity
from lossless_snn.analysis.figures.style import settings
from lossless_snn.analysis.results import largest_deviations
from lossless_snn.analysis.tables.steps import write_step_tables
from lossless_snn.config.figure_style import FigureStyle
from lossless_snn.errors import LosslessError
from lossless_snn.runs.step_logs import read_lone_logs

# Two batches, of 3 and 2 images, and 20 steps: right in all are 1, 2, 5 and 5 again.
ACCURACY = [0, 1, *[3] * 18, 1, 1, *[2] * 18]
SPIKES = [10, 20, *[30] * 18, 0, 5, *[10] * 18]
# As the published code writes it.
NET = [f"{float(count):.1f}" for count in [10, 18, *[20] * 18, 0, 5, *[-4] * 18]]
OPERATIONS = [100, 200, *[300] * 18, 0, 50, *[100] * 18]


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "published/mnist-lenet/k0"
    folder.mkdir(parents=True)
    contents = {"accuracy": ACCURACY, "spike_num": SPIKES, "spike_collect": NET, "sop_num": OPERATIONS}
    for name, lines in contents.items():
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture
def runs(tmp_path):
    return [write_run(tmp_path, "k0", seed) for seed in (0, 1)]


def test_lines_that_are_whole_floats_are_integers(logs):
    read = read_lone_logs(logs, 20, 5)
    assert read.spike_collect[:, -1].tolist() == [20, -4]
    means = read.means(5)
    assert means["accuracy"][:3].tolist() == [0.2, 0.4, 1.0]
    # 40 spikes, net 16: 28 positive and 12 negative ones.
    last = [means[f"{name}_per_image"][-1] for name in ("positive_spikes", "negative_spikes", "operations")]
    assert last == pytest.approx([28 / 5, 12 / 5, 400 / 5])
    (logs / "spike_collect.txt").write_text("911647.5\n" * 40)
    with pytest.raises(LosslessError, match=r"spike_collect.txt: line 1: '911647.5' is no integer"):
        read_lone_logs(logs, 20, 5)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("accuracy", [1] * 39, "39 lines are no batches of 20 steps of 5 images"),
        ("accuracy", [4] * 40, "line 1: 4 is negative, or more than the batch has images"),
        ("accuracy", [1] * 20, "logs of other batches or steps"),
        ("spike_num", [2, 1] * 20, "line 2: 1 is less than before"),
        ("spike_collect", ["99.0"] * 40, "spike_collect has more spikes than spike_num"),
    ],
)
def test_logs_that_no_simulation_gives(logs, name, lines, message):
    (logs / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(LosslessError, match=message):
        read_lone_logs(logs, 20, 5)


@pytest.mark.usefixtures("logs")
def test_ours_beside_published_step_by_step(tmp_path, runs):
    results = compare(tmp_path, runs)
    table = results.steps_beside_published
    # Ours are the means of 1/5, 3/5, 4/5 and 1/5, 4/5, 5/5; we simulated three steps only.
    accuracy = table[table["quantity"] == "accuracy"]
    assert accuracy["time_step"].tolist() == [1, 2, 3]
    assert accuracy["ours"].tolist() == pytest.approx([0.2, 0.7, 0.9])
    assert accuracy["difference"].tolist() == pytest.approx([0.0, 0.3, -0.1])
    furthest = largest_deviations(table).set_index("quantity").loc["accuracy"]
    assert (furthest["time_step"], furthest["difference"]) == (2, pytest.approx(0.3))
    write_step_tables(results, tmp_path / "steps.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "steps.csv"), table, check_dtype=False)
    row = next(line for line in (tmp_path / "steps.md").read_text().splitlines() if "accuracy" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "k = 0", "accuracy (%)", "2", "70.00", "40.00", "+30.00",
    ]  # fmt: skip


@pytest.mark.usefixtures("logs")
def test_the_figure_has_the_published_curve_and_says_how_far_it_is(tmp_path, runs):
    with mpl.rc_context(settings(FigureStyle())):
        figure = accuracy_speed.draw(compare(tmp_path, runs), FigureStyle())
    curves = [line.get_ydata().tolist() for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 20]
    assert curves
    assert all(curve[:3] == pytest.approx([20, 40, 100]) for curve in curves)
    notes = " ".join(figure._supxlabel.get_text().split())
    assert "Largest deviation of ours from them: k = 0 +30.00 points at step 2." in notes


def test_without_published_logs_there_is_no_table(tmp_path, runs):
    with pytest.raises(LosslessError, match=r"put its four files into config/published/mnist-lenet/PRECISION/"):
        write_step_tables(compare(tmp_path, runs), tmp_path / "steps.csv")


def test_logs_of_a_network_without_published_values(tmp_path, runs, logs):
    logs.rename(logs.with_name("k7"))
    with pytest.raises(LosslessError, match="no simulated_steps of mnist-lenet, k7"):
        compare(tmp_path, runs)


@pytest.mark.parametrize("figure", [sparsity, sops, energy])
@pytest.mark.parametrize("log", ["spike_num", "spike_collect", "sop_num", "accuracy"])
def test_figures_are_drawn_from_logs_that_agree_with_snn_json(tmp_path, runs, figure, log):
    path = runs[0] / f"{log}.txt"
    lines = path.read_text().splitlines()
    lines[2] = str(int(lines[2]) - 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LosslessError, match=rf"{log}.txt: ends at .*, snn.json says"):
        figure.draw(compare(tmp_path, runs), FigureStyle())
