"""The figures: what they print and draw, their style, and that their bytes are reproducible."""

import json
import re
from dataclasses import replace
from functools import partial
from importlib import import_module
from io import BytesIO
from itertools import pairwise

import matplotlib as mpl
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.colors import to_rgb
from PIL import Image
from pydantic import ValidationError
from run_directories import compare, write_config, write_run

from lossless_snn.analysis import figures
from lossless_snn.analysis.figures import (
    accuracy_speed,
    certified_peers,
    energy,
    energy_breakdown,
    energy_time,
    layer_rates,
    negative_spikes,
    noise,
    sops,
    sparsity,
    training_curves,
    widths,
)
from lossless_snn.analysis.figures.curves import mean_and_spread
from lossless_snn.analysis.figures.style import colours, line_styles, new_figure, render, settings
from lossless_snn.analysis.results import load_results
from lossless_snn.analysis.tables.activity import write_activity_tables
from lossless_snn.analysis.tables.certified_peers import write_certified_table
from lossless_snn.cli.commands.results.figure import command
from lossless_snn.config.figure_style import FIGURES, FigureStyle
from lossless_snn.errors import LosslessError

OF_THE_FIRST_SEED = ("certified_peers", "energy_breakdown", "energy_time", "layer_rates", "widths")

# A layout that does not fit is no more than a warning to Matplotlib.
pytestmark = pytest.mark.filterwarnings("error:constrained_layout")


@pytest.fixture
def results(tmp_path):
    runs = [write_run(tmp_path, precision, seed) for precision in ("fp32", "k0") for seed in (0, 1)]
    runs.append(write_run(tmp_path, "k1", 0, snn={"settled": False, "settled_images": 3}))
    return compare(tmp_path, runs)


def invoke(tmp_path, name, stem, *options):
    runs = sorted(str(path) for path in tmp_path.glob("*/seed*"))
    published, energy = write_config(tmp_path)
    arguments = [name, *runs, "--out", str(stem), "--published", str(published), "--energy", str(energy), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def laid_out(module, results, style):
    """The figure with everything in its place."""
    with mpl.rc_context(settings(style)):
        figure = module.draw(results, style)
        figure.draw_without_rendering()
    return figure


def texts(figure) -> list[str]:
    artists = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return [artist.get_text() for artist in artists if artist.get_text()]


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", FIGURES)
def test_same_results_same_bytes(tmp_path, name):
    for stem in ("first/figure", "second/figure"):
        assert invoke(tmp_path, name, tmp_path / stem).exit_code == 0
    for suffix in (".svg", ".pdf", ".png"):
        first, second = (tmp_path.joinpath(folder, f"figure{suffix}").read_bytes() for folder in ("first", "second"))
        assert first == second
    svg = (tmp_path / "first" / "figure.svg").read_text()
    assert "<dc:date>" not in svg
    assert "Matplotlib v" not in svg
    pdf = (tmp_path / "first" / "figure.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert not re.search(rb"CreationDate|ModDate|Matplotlib", pdf)
    assert "Software" not in Image.open(tmp_path / "first" / "figure.png").info


def test_positions_have_no_more_digits_than_layouts_agree_on():
    figure = new_figure(FigureStyle(), "Panels")
    grid = figure.add_gridspec(3, 2, height_ratios=(5, 18, 18))
    panels = [figure.add_subplot(grid[row, column]) for row in range(3) for column in range(2)]
    figure.draw_without_rendering()
    for position in (panel.get_position().bounds for panel in panels):
        assert list(position) == pytest.approx([round(length, 12) for length in position], abs=1e-15)
    assert panels[0].get_position().y0 > panels[2].get_position().y1


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", FIGURES)
def test_figure_says_what_it_is_of(tmp_path, name):
    invoke(tmp_path, name, tmp_path / "figure")
    svg = re.sub(r"\s+", " ", (tmp_path / "figure.svg").read_text())
    ranges = ("accuracy_speed", "negative_spikes", "training_curves")
    ranges = ("accuracy_speed", "negative_spikes", "training_curves")
    shown = "; mean and range" if name in ranges else "; mean ± standard deviation"
    shown = "; mean of 2 seeds" if name == "noise" else "; seed 0" if name in OF_THE_FIRST_SEED else shown
    subtitle = "mnist-lenet (MNIST), quick budget (4 epochs of 600 images, fewer than published)"
    # It may go on in another line, which is another element.
    assert f"{subtitle}{shown}" in re.sub(r"</text> <text[^>]*>", " ", svg)
    # What the simulations of the logs did is no matter of the figures that do not show it.
    note = "† k = 1: not settled within 3 steps (3 of 5 images were); values at the last step."
    assert (note in svg) == (name not in ("noise", "negative_spikes", "training_curves", *OF_THE_FIRST_SEED))


@pytest.mark.usefixtures("results")
def test_style_sets_the_size(tmp_path):
    invoke(tmp_path, "sops", tmp_path / "figure", "--style", json.dumps({"width": 6, "height": 3, "dpi": 100}))
    assert Image.open(tmp_path / "figure.png").size == (600, 300)


@pytest.mark.bad_input("configuration")
@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("style", "message"),
    [
        ('{"dpi": 100, "dpi": 200}', "--style: not JSON ('dpi' twice)"),
        ('{"dpi": 1e9}', "--style: dpi: "),
        ('{"width": 30, "height": 30, "dpi": 1200}', "--style: width, height, dpi: 1,296,000,000 pixels, more than"),
        ("[]", "--style: "),
        ("{", "--style: not JSON"),
    ],
)
def test_a_style_that_makes_no_sense_is_one_line(tmp_path, style, message):
    with pytest.raises(LosslessError) as caught:
        invoke(tmp_path, "sops", tmp_path / "figure", "--style", style)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


def test_words_that_files_bring_are_no_formulas(tmp_path):
    """What stands between two dollars would be read as one, and refused if it is none."""
    words = "$\\frac{$ and $\\nothing$"
    contents = render(lambda style: new_figure(style, words, words, [words]), FigureStyle(), "figure")
    assert contents["figure.svg"].count(b"\\nothing$") == 3


def test_sparsity_bars(results):
    figure = sparsity.draw(results, FigureStyle())
    widths = sorted(round(patch.get_width(), 2) for patch in figure.axes[0].patches)
    # k0: the mean of two seeds; k1: one; published: 7000.25, 1500.5, 12000, 2500
    assert widths == [-2500, -1510, -1500.5, -1500, 7000.25, 7010, 7020, 12000]
    printed = texts(figure)
    assert {"7,020", "1,500", "7,010", "1,510", "7,000", "12,000", "2,500", "neurons: 9,000"} <= set(printed)
    assert "k = 1 †" in printed


def test_sops_bars(results):
    printed = texts(sops.draw(results, FigureStyle()))
    assert {"1,220,000 (30%)", "1,200,000 (30%)", "1,000,000 (25%)", "3,000,000 (75%)"} <= set(printed)
    assert "the ANN's operations: 4,000,000" in printed


def test_energy_bars(results):
    printed = texts(energy.draw(results, FigureStyle()))
    # 1.5 pJ an operation: 1,220,000, 1,200,000, and 1,000,000 and 3,000,000 as published; of the ANN's
    # 4,000,000 / 3 multiply-accumulates at 6 pJ
    assert {"1.830 µJ (23%)", "1.500 µJ (19%)", "4.500 µJ (56%)", "the ANN: 8.000 µJ"} <= set(printed)
    assert "from published operations" in printed


def test_noise_lines_and_bands(results):
    figure = noise.draw(results, FigureStyle())
    lines = [[list(values) for values in line.get_data()] for line in figure.axes[0].lines]
    # FP32 and k0 of two seeds, k1 of one, all with the same tests
    assert lines == [[[0, 0.5, 1], pytest.approx([80, 70, 40])]] * 3
    # Both seeds have the same means over their draws: the interval of the mean over seeds has no width.
    band = figure.axes[0].collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((40, 80))
    assert "over 1 to 2 seeds, each the mean over 2 draws of the noise" in " ".join(" ".join(texts(figure)).split())


def test_noise_of_one_seed_has_intervals_over_the_draws(results):
    alone = replace(results, runs=tuple(run for run in results.runs if run.ann.precision == "k1"))
    figure = noise.draw(alone, FigureStyle())
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    # Draws of 60 and 80: 70 ± 12.7062 x 10, cut off at 0 and 100.
    assert (band.min(), band.max()) == pytest.approx((0, 100))
    assert "by Student's t, over 2 draws of the noise" in " ".join(" ".join(texts(figure)).split())


def test_noise_lines_are_named(results):
    figure = noise.draw(results, FigureStyle())
    assert {"FP32: 80.00% → 40.00%", "k = 1: 80.00% → 40.00%"} <= set(texts(figure))


def test_accuracy_lines(results):
    figure = accuracy_speed.draw(results, FigureStyle())
    # 75 to 100 % need no close view.
    (axes,) = figure.axes
    assert axes.get_ylim() == (0, 100)
    # k1 was published with more time steps than are simulated here.
    assert axes.get_xlim()[1] > 13
    k0, k1 = ([list(values) for values in line.get_data()] for line in axes.lines[:2])
    assert k0 == [[1, 2, 3], pytest.approx([20, 70, 90])]
    assert k1 == [[1, 2, 3], pytest.approx([20, 60, 80])]
    printed = texts(figure)
    assert {"FP32: 90.00%", "FP32, published: 95.00%"} <= set(printed)
    assert {"k = 0: 90.00%, 3 steps", "k = 0, published: 85.00%, 2"} <= set(printed)
    assert {"k = 1 †: 80.00%, 3 steps", "k = 1, published: 75.00%, 13 (log: 14)"} <= set(printed)
    # The band of k0, from its worse seed to its better one; k1 has one seed.
    bands = [path.vertices[:, 1] for collection in axes.collections for path in collection.get_paths()]
    assert [(band.min(), band.max()) for band in bands] == [pytest.approx((20, 100))]


def test_every_final_accuracy_is_in_the_close_view(tmp_path):
    published, energy_file = write_config(tmp_path)
    published.write_text(published.read_text().replace("0.95", "0.98").replace("0.85", "0.99"))
    runs = [write_run(tmp_path, precision, 1) for precision in ("fp32", "k0")]
    close, whole = accuracy_speed.draw(load_results(runs, published, energy_file), FigureStyle()).axes
    # 98, 99 and 100 % are the finals; no axis goes on where there are no accuracies.
    assert 90 < close.get_ylim()[0] < 98
    assert close.get_ylim()[1] == 100
    assert whole.get_ylim()[0] == 0


def test_bands_end_where_accuracies_do():
    tests = pd.DataFrame({"ratio": [0, 0, 1, 1, 2, 3, 3], "accuracy": [0.6, 1.0, 0.0, 0.2, 0.5, 0.6, 0.62]})
    intervals, ranges = (mean_and_spread(tests, "ratio", spread) for spread in ("interval", "range"))
    assert intervals["mean"].tolist() == pytest.approx([80, 10, 50, 61])
    # Student's t of two values: 12.706 standard errors, of 20, 10 and 1 points.
    assert intervals["most"].tolist()[:2] == pytest.approx([100, 100])
    assert intervals["least"].tolist()[:2] == pytest.approx([0, 0])
    assert intervals.loc[3, ["least", "most"]].tolist() == pytest.approx([61 - 12.7062, 61 + 12.7062], abs=1e-3)
    assert ranges["least"].tolist()[:2] == pytest.approx([60, 0])
    assert ranges["most"].tolist()[:2] == pytest.approx([100, 20])
    assert intervals.loc[2, ["least", "most"]].isna().all()
    assert ranges.loc[2, ["least", "most"]].isna().all()


@pytest.mark.parametrize("size", ["screen", "page", "column"])
@pytest.mark.parametrize("name", ["sparsity", "sops", "energy"])
def test_numbers_cross_nothing_and_axes_have_one_unit(results, name, size):
    figure = laid_out({"sparsity": sparsity, "sops": sops, "energy": energy}[name], results, FigureStyle(size=size))
    (axes,) = figure.axes
    inside, numbers = axes.get_window_extent(), [text for text in axes.texts if text.get_text()]
    assert len(numbers) == (8 if name == "sparsity" else 4)
    zero = axes.transData.transform((0, 0))[0]
    for number in numbers:
        box = number.get_window_extent()
        assert box.x0 >= inside.x1 or inside.x0 <= box.x0 < box.x1 <= zero
    for tick in axes.get_xticklabels():
        assert re.fullmatch(r"[\d,.]*", tick.get_text())
    unit = {"sparsity": "spikes an image (thousands)", "sops": "image (millions)", "energy": "image (µJ)"}[name]
    assert unit in axes.get_xlabel()


@pytest.mark.parametrize("size", ["screen", "page", "column"])
@pytest.mark.parametrize("name", FIGURES)
def test_all_lies_on_the_figure(results, name, size):
    module, style = import_module(f"{figures.__name__}.{name}"), FigureStyle(size=size)
    content = render(partial(module.draw, results), style, "x")["x.png"]
    figure = laid_out(module, results, style)
    box = figure.get_tightbbox()
    assert box.x0 > -0.02
    assert box.y0 > -0.02
    assert box.x1 < style.width + 0.02
    assert box.y1 < style.height + 0.02
    assert (figure.get_suptitle() == "") == (size != "screen")
    assert Image.open(BytesIO(content)).size == (round(200 * style.width), round(200 * style.height))


def test_sizes_are_what_is_not_given():
    assert FigureStyle(size="column").model_dump(exclude={"size", "dpi", "palette"}) == {
        "width": 3.4,
        "height": 2.8,
        "font_size": 7,
        "title": False,
    }
    style = FigureStyle(size="page", height=5, title=True)
    assert (style.width, style.height, style.font_size, style.title) == (7, 5, 8, True)


def test_lines_differ_without_colours():
    lines = line_styles(["fp32", "k0", "k1", "k2", "k3"], "viridis").values()
    assert len({line["marker"] for line in lines}) == 5
    assert len({str(line["linestyle"]) for line in list(lines)[1:]}) == 4


def test_nothing_published_one_bar_each(tmp_path):
    run = write_run(tmp_path, "k3", 0, *[{"experiment": "digits-lenet", "dataset": "digits"}] * 2)
    results = compare(tmp_path, [run])
    figures = [module.draw(results, FigureStyle()) for module in (accuracy_speed, sparsity, sops, energy)]
    assert [len(figure.axes[0].patches) for figure in figures[1:]] == [2, 1, 1]
    assert not any("published" in text for figure in figures for text in texts(figure))


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("noise", "training_curves")])
def test_fp32_alone_cannot_be_drawn(tmp_path, name):
    write_run(tmp_path, "fp32", 0)
    with pytest.raises(LosslessError, match="only FP32 runs"):
        invoke(tmp_path, name, tmp_path / "figure")


@pytest.mark.parametrize("palette", FigureStyle.model_fields["palette"].annotation.__args__)
def test_colours_stay_apart_in_grey(palette):
    def luminance(colour):
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), map(_linear, to_rgb(colour)), strict=True))

    lightness = [116 * luminance(c) ** (1 / 3) - 16 for c in colours(["k0", "k1", "k2"], palette).values()]
    assert all(b - a > 15 for a, b in pairwise(lightness))
    assert lightness[-1] < 85


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"widht": 5}', "--style: widht: unknown key"),
        ('{"width": 0}', "--style: width: input should be greater"),
        ('{"palette": "jet"}', "--style: palette: input should be 'viridis'"),
        ("{", "--style: not JSON"),
    ],
)
def test_wrong_style(tmp_path, text, message):
    with pytest.raises(LosslessError, match=message):
        invoke(tmp_path, "sops", tmp_path / "figure", "--style", text)


def test_style_cannot_be_changed_by_chance():
    with pytest.raises(ValidationError):
        FigureStyle().width = 3


def test_training_curves_of_held_out_and_training_images(results):
    other = results.runs[1].path / "history.csv"
    other.write_text(other.read_text().replace("0.05,0.99,0.1,0.96", "0.15,0.98,0.3,0.92"))
    loss, error = training_curves.draw(results, FigureStyle()).axes
    # FP32, two seeds: means by hand; then k = 0 and k = 1.
    curves = [[list(values) for values in line.get_data()] for line in loss.lines]
    assert curves[0] == [[1, 2], pytest.approx([0.5, 0.1])]
    assert curves[1] == [[1, 2], pytest.approx([0.4, 0.2])]
    assert curves[2:] == [[[1, 2], pytest.approx(values)] for values in ([0.5, 0.05], [0.4, 0.1])] * 2
    band = loss.collections[1].get_paths()[0].vertices[:, 1]
    assert {round(value, 6) for value in band} == {0.4, 0.1, 0.3}
    assert [list(line.get_ydata()) for line in error.lines] == [
        pytest.approx([20, 6]),
        pytest.approx([20, 4]),
        pytest.approx([20, 4]),
    ]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "FP32",
        "k = 0",
        "k = 1",
        "held-out images",
        "training images",
    ]
    other.unlink()
    with pytest.raises(LosslessError, match=r"history\.csv: missing, or without an epoch; train again"):
        training_curves.draw(results, FigureStyle())


def test_training_curves_of_several_seeds_without_held_out_images(results):
    for run in results.runs:
        path = run.path / "history.csv"
        path.write_text(path.read_text().replace(",0.4,0.8", ",,").replace(",0.1,0.96", ",,"))
    other = results.runs[1].path / "history.csv"
    other.write_text(other.read_text().replace("0.05,0.99,,", "0.15,0.97,,"))
    loss, error = training_curves.draw(results, FigureStyle()).axes
    # FP32, two seeds: means and ranges by hand.
    assert list(loss.lines[0].get_ydata()) == pytest.approx([0.5, 0.1])
    assert list(error.lines[0].get_ydata())[1] == pytest.approx(2)
    band = error.collections[0].get_paths()[0].vertices[:, 1]
    assert {round(value, 6) for value in band} == {1, 3, 25}
    assert "training" not in "".join(text.get_text() for text in loss.get_legend().get_texts())


def test_negative_spikes_lines(results):
    figure = negative_spikes.draw(results, FigureStyle())
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["k = 0", "k = 1"]
    for axes in panels:
        ann, *lines = [[list(values) for values in line.get_data()] for line in axes.lines]
        assert ann[1] == pytest.approx([80, 80])
        assert lines == [[[1, 2, 3], pytest.approx(shares)] for shares in ([20, 80, 80], [80, 60, 40], [0, 80, 100])]
        # 100 % of 5 images is drawn where half an image would be wrong
        assert axes.get_ylim() == pytest.approx((0, 90))
    assert {"with negative spikes", "without", "integrate-and-fire", "the ANN"} <= set(texts(figure))
    assert any("The same 5 test images" in text for text in texts(figure))


def test_certified_peers_draws_accuracy_and_the_share_of_neurons_that_differ(results):
    figure = laid_out(certified_peers, results, FigureStyle(height=6))
    above, below = figure.axes[0], figure.axes[1]
    assert [line.get_ydata().tolist() for line in above.lines[1:]] == [[40, 80, 80], [40, 40, 40]]
    assert [line.get_ydata().tolist() for line in below.lines] == [[25, 0, 0], [50, 20, 10]]
    assert {"exact", "sinabs", "the quantised network", "k = 0", "k = 1"} <= set(texts(figure))


def test_certified_peers_says_100_percent_where_half_an_image_wrong_stands_for_none(results, monkeypatch):
    table = certified_peers.load_certified(results).assign(accuracy=1.0)
    monkeypatch.setattr(certified_peers, "load_certified", lambda _: table)
    above = laid_out(certified_peers, results, FigureStyle(height=6)).axes[0]
    labels = {label.get_text(): label.get_position()[1] for label in above.get_yticklabels()}
    assert labels["100"] == above.get_ylim()[1] == pytest.approx(90)
    assert list(labels)[-2:] == ["80", "100"]


def test_certified_table(results, tmp_path):
    write_certified_table(results, tmp_path / "certified_peers.csv")
    table = pd.read_csv(tmp_path / "certified_peers.csv").set_index(["precision", "implementation"])
    assert table.loc[("k0", "exact"), "agrees_from_step"] == 2
    assert pd.isna(table.loc[("k0", "sinabs"), "agrees_from_step"])
    assert table.loc[("k1", "sinabs"), ["neurons_share", "images_active", "operations_per_image"]].tolist() == [
        0.1,
        5,
        300,
    ]
    assert "the first 5 test images, 3 time steps" in (tmp_path / "certified_peers.md").read_text()


def test_energy_breakdown_prints_what_the_counts_come_to(results):
    figure = laid_out(energy_breakdown, results, FigureStyle(width=9, height=6))
    # By hand, in pJ of arithmetic. The quantised ANN: 24 (0.5 + 8) for pixels of 8 bits, 4.8 (0.5 + 2) for activations
    # of 2 bits, 12 (0.5 + 1) of 1 bit, 6 neurons of 32.5. The spiking network: the same for pixels, (30 + 120) / 5
    # additions of 0.5, and as many for 57 / 5 updates and two for each of 27 / 5 spikes.
    assert {"429", "230", "pJ an image"} <= set(texts(figure))
    widths_of = [patch.get_width() for patch in figure.axes[0].patches]
    assert sum(widths_of[::4]) == pytest.approx(429)
    assert "Estimate, not measured on a chip." in " ".join(texts(figure))


def test_energy_in_time_ends_at_the_sum(results):
    figure = laid_out(energy_time, results, FigureStyle())
    above, below = figure.axes
    assert above.lines[0].get_ydata().tolist() == [20, 60, 80]
    energy_so_far = below.lines[0].get_ydata()
    # 230.1 pJ of arithmetic, and accesses: 3 (24 + 6 + 24) + 6 pixels, 2 57/5 of updates, 4 27/5 of spikes.
    assert energy_so_far[-1] == pytest.approx(1e-6 * (230.1 + 10 * (162 + 6 + 22.8 + 21.6)))
    assert (pd.Series(energy_so_far).diff().dropna() > 0).all()


def test_layer_rates_maps_spikes_a_neuron_and_step(results):
    figure = laid_out(layer_rates, results, FigureStyle())
    positive, negative = (figure.axes[place].images[0].get_array() for place in (0, 2))
    assert positive[0].tolist() == [0.5, 0.25, None]
    assert negative[1].tolist() == [None, 0.2, 0.1]


def test_widths_draw_accuracy_by_bits(results):
    figure = laid_out(widths, results, FigureStyle())
    weights, membranes, _ = figure.axes
    assert [line.get_xydata().tolist() for line in weights.lines[:1]] == [[[4, 40], [16, 80]]]
    assert [line.get_xydata().tolist() for line in membranes.lines[:1]] == [[[4, 20], [16, 80]]]


def test_activity_tables(results, tmp_path):
    write_activity_tables(results, tmp_path)
    energy_table = pd.read_csv(tmp_path / "energy_breakdown.csv").set_index(["precision", "network", "part"])
    row = energy_table.loc[("k0", "spiking network", "all")]
    assert row["arithmetic_joules"] == pytest.approx(230.1e-12)
    assert row["joules_1 MB"] == pytest.approx((230.1 + 100 * 212.4) * 1e-12)
    dense = energy_table.loc[("k0", "dense FP32 ANN", "all")]
    assert dense["arithmetic_joules"] == pytest.approx((36 + 8 + 20) * 6e-12)
    assert dense["accesses"] == 3 * 64 + 9 + 4 + 2 + 2 * 6
    readable = (tmp_path / "energy_breakdown.md").read_text()
    assert readable.startswith("**Estimate, not measured on a chip.**")
    assert "settled after 2.0 steps (mean), 3 (99th percentile), 3 (maximum)" in readable
    rates = pd.read_csv(tmp_path / "layer_rates.csv").set_index(["precision", "layer", "time_step"])
    assert rates.loc[("k1", "2:2", 2), ["positive_rate", "negative_rate"]].tolist() == [0.4, 0.2]
    assert "| k = 0       | 3:output |" in (tmp_path / "layer_rates.md").read_text()
