"""The README says what the files in results/ say, briefly."""

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lossless_workflow.pages import headline
from lossless_workflow.pages.badges import FOLDER, badges
from lossless_workflow.pages.blocks import PAGES, refreshed
from lossless_workflow.pages.gallery import gallery

ROOT = Path(__file__).parent.parent
CSV_HEADING = (
    "precision,settled,ann_accuracy,ann_accuracy_std,snn_accuracy,snn_accuracy_std,time_steps,time_steps_std,"
    "mismatches,neurons_compared\n"
)


@pytest.fixture
def in_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_what_the_files_say(page, in_repository):
    status = subprocess.run(["git", "status", "--porcelain", "--", "results/quick"], capture_output=True, text=True)
    if status.stdout:
        pytest.skip("results were made anew here, as `make demo` does on another kind of processor; `make readme`")
    text = Path(page).read_text(encoding="utf-8")
    assert refreshed(text) == text
    assert re.search(r"<!-- (results/\S+|published|gallery) -->", text)


def test_badges_say_what_the_files_say(in_repository):
    drawn = badges()
    assert {path: path.read_text(encoding="utf-8") for path in drawn} == drawn
    readme = Path("README.md").read_text(encoding="utf-8")
    assert all(str(path) in readme for path in drawn)


def test_a_badge_counts_the_neurons_of_networks_at_rest(tmp_path, monkeypatch):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for budget, rows in (("paper", "k0,True,2,7e6\nk1,False,9,7e6\nfp32,,,\n"), ("fast", "k0,True,1,3e6\n")):
        table = tmp_path / f"results/{budget}/twin/tables/results.csv"
        table.parent.mkdir(parents=True)
        table.write_text(f"precision,settled,mismatches,neurons_compared\n{rows}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert ">3 of 10 million<" in badges()[FOLDER / "differ.svg"]


def test_only_the_marked_part_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/a.md").write_text("| 2 |\n", encoding="utf-8")
    page = "Before.\n<!-- results/a.md -->\n| 1 |\n| old |\n<!-- /results/a.md -->\nAfter <!-- results/b.md -->\n"
    assert refreshed(page) == (
        "Before.\n<!-- results/a.md -->\n| 2 |\n<!-- /results/a.md -->\nAfter <!-- results/b.md -->\n"
    )


def test_the_gallery_has_every_figure_its_caption_and_how_to_read_it_once(tmp_path, monkeypatch):
    names = [path.stem for path in (ROOT / "workflow/report").glob("*.rst")]
    shutil.copytree(ROOT / "workflow/report", tmp_path / "workflow/report")
    for experiment in ("first", "second"):
        folder = tmp_path / "results/paper" / experiment / "figures"
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.svg").write_text("<svg/>", encoding="utf-8")
    sweep = tmp_path / "results/quick/sweeps/wide"
    sweep.mkdir(parents=True)
    (sweep / "snn_accuracy-width.svg").write_text("<svg/>", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    text = gallery()
    assert re.findall("^## (.+)$", text, re.MULTILINE) == [
        "first, paper budget",
        "second, paper budget",
        "sweep wide, quick budget",
    ]
    for experiment in ("first", "second"):
        for name in names:
            assert f"(../results/paper/{experiment}/figures/{name}.svg)" in text
        assert f"positive and negative spikes a neuron and step, by layer and time step, of {experiment}," in text
    assert (
        "![sweep wide, quick budget: snn accuracy-width](../results/quick/sweeps/wide/snn_accuracy-width.svg)" in text
    )
    assert text.count("An ANN's multiply-accumulate counts as three operations") == 1
    assert "{{" not in text


def test_the_readme_is_short(in_repository):
    text = Path("README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    # What the first screen must show comes before anything else.
    assert text.index("make demo") < text.index("make paper") < text.index("<!-- published -->") < text.index("\n## ")


def table_rows():
    lines = headline.headline_table().replace("\u00a0", " ").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("|")][2:]


def test_every_published_value_is_in_the_table(in_repository):
    rows = table_rows()
    with open("config/published.csv", encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    assert all(len(row) == 6 for row in rows)
    for name in dict.fromkeys(row["experiment"] for row in published):
        expected = [row for row in published if row["experiment"] == name]
        (found, *_) = [row for row in rows if row[0].startswith(name)]
        assert found[3].split("<br>") == [f"{100 * float(row['ann_accuracy']):.2f}" for row in expected]
        steps = [re.search(r"\((\d+)\)$|–$", cell)[1] or "" for cell in found[4].split("<br>")]
        assert steps == [row["time_steps"] for row in expected]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A project with two published precisions; the function adds a table of ours at one budget."""
    monkeypatch.chdir(tmp_path)
    Path("config/experiments").mkdir(parents=True)
    Path("config/published.csv").write_text(
        "experiment,precision,ann_accuracy,time_steps\nfirst,fp32,0.9012,\nfirst,k1,0.9100,13\n", encoding="utf-8"
    )

    def add(budget, name, *rows):
        folder = Path("results", budget, name, "tables")
        folder.mkdir(parents=True)
        Path("config/experiments", f"{name}.yaml").write_text(
            "published: first\ndataset: digits\nnetwork: '8'\nsimulation: {steps: 9, batch_size: 5}\n"
            "training: {validation_images: 0, budgets: {}}\n",
            encoding="utf-8",
        )
        (folder / "results.csv").write_text(CSV_HEADING + "\n".join(rows) + "\n")

    return add


def test_what_was_not_trained_is_said(made):
    made("quick", "first", "fp32,,0.34,,,,,,,", "k1,True,0.35,,0.35,,16,,0,67225600")
    assert table_rows() == [
        [
            "first",
            "FP32<br>k = 1",
            "–<br>–",
            "90.12<br>91.00",
            "–<br>– (13)",
            "not yet trained<br>at the published<br>budget",
        ]
    ]


def test_ours_stand_beside_published_with_spread_and_marks(made):
    made("paper", "first", "fp32,,0.9,0.001,,,,,,", "k1,False,0.9125,0.002,0.912,0.0021,12.6667,0.7,7,2000000")
    assert table_rows() == [
        [
            "first",
            "FP32<br>k = 1 †",
            "90.00 ± 0.10<br>91.25 ± 0.20 / 91.20 ± 0.21",
            "90.12<br>91.00",
            "–<br>12.7 ± 0.7 (13)",
            "–<br>7 of 2 M",
        ]
    ]
    assert "†" in headline.headline_table().splitlines()[-1]


def test_a_recipe_of_our_own_is_named_and_needs_no_published_budget(made):
    made("fast", "first-jpeg", "k1,True,0.92,,0.92,,20,,0,5000000")
    assert table_rows() == [
        [
            "first-jpeg, our<br>`fast` recipe",
            "FP32<br>k = 1",
            "–<br>92.00",
            "90.12<br>91.00",
            "–<br>20 (13)",
            "–<br>0 of 5 M",
        ]
    ]
