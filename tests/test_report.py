"""The report: every figure and table that there is, its certificate and lineage in words, in a real browser, too."""

import json
import re
import shutil
from pathlib import Path

import pytest
from browsers import open_page

from lossless_workflow.report import captions, origins, run_times, tables
from lossless_workflow.report.contents import ALL, result_sets
from lossless_workflow.report.page import rendered

ROOT = Path(__file__).parent.parent
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><circle cx="30" cy="30" r="20"/></svg>'
RESULTS = """\
**twin (MNIST), paper budget**

| precision | seeds | accuracy (%) | spikes an image (published) | neurons that differ from the ANN's | a | b | c | d |
|:----------|------:|-------------:|----------------------------:|-----------------------------------:|--:|--:|--:|--:|
| FP32      |     1 |        99.10 |                           – |                                  – | – | – | – | – |
| k = 0     |     1 |        90.20 |              7,010 (7,000)  |                        0 of 45,000 | 1 | 2 | 3 | 4 |
| k = 1 †   |     1 |        95.00 |            12,000 (12,100)  |                        7 of 45,000 | 1 | 2 | 3 | 4 |

† k = 1: not settled <within> 3 steps.
"""
LOGS = "results/paper/twin/logs"
DATA = "data/MNIST/raw/t10k-images-idx3-ubyte"


def job(rule, inputs, outputs, command="lossless-snn x", **wildcards):
    described = {path: {"sha256": "0" * 64, "size": 1} for path in inputs}
    made = {path: {"sha256": "1" * 64, "size": 1} for path in outputs}
    params = {"dataset": {"title": "MNIST"}, "runs": []}
    if rule == "train":
        phases = [{"epochs": 100, "learning_rate": 1e-3}, {"epochs": 1000, "learning_rate": 1e-4}]
        params["recipe"] = {"network": "20C5-P2", "batch_size": 200, "validation_images": 10000, "phases": phases}
    named = {"budget": "paper", "experiment": "twin", **wildcards}
    record = {"rule": rule, "wildcards": named, "params": params, "command": command, "code": 16 * "a"}
    return record | {"inputs": described, "outputs": made, "versions": {"python": "3.11"}}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with results of two experiments, one of them recorded; nothing of it ran here."""
    monkeypatch.chdir(tmp_path)
    for folder in ("workflow", "config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    jobs = {}
    for precision in ("k0", "k1"):
        of = {"precision": precision, "seed": "0"}
        run, checkpoint = f"{LOGS}/{precision}/seed0", f"results/paper/twin/checkpoints/{precision}/seed0"
        jobs[f"train-{precision}-seed0"] = job("train", [DATA], [f"{checkpoint}.safetensors"], **of)
        jobs[f"convert-{precision}-seed0"] = job(
            "convert", [f"{checkpoint}.safetensors"], [f"{checkpoint}.snn.safetensors"], **of
        )
        jobs[f"simulate-{precision}-seed0"] = job(
            "simulate",
            [f"{checkpoint}.snn.safetensors", DATA],
            [f"{run}/snn.json", f"{run}/certificate.json"],
            command="lossless-snn simulate x --steps 20",
            **of,
        )
    logs = [f"{LOGS}/{precision}/seed0/{name}.json" for precision in ("k0", "k1") for name in ("snn", "certificate")]
    folder = "results/paper/twin"
    jobs["table"] = job("table", logs, [f"{folder}/tables/results.csv", f"{folder}/tables/results.md"])
    jobs["figure_sops"] = job("figure_sops", logs, [f"{folder}/figures/sops.svg"], figure="sops")
    write(Path(folder, "provenance.json"), json.dumps({"format": 2, "jobs": jobs}))
    write(Path(folder, "tables/results.md"), RESULTS)
    write(Path(folder, "tables/results.csv"), 'precision,note\nk0,"one, ""two"""\nk1,\n')
    write(Path(folder, "figures/sops.svg"), SVG)
    write(Path(folder, "figures/viewer.html"), "<!doctype html><title>x</title><p id=inside>the page inside</p>")
    write(Path("results/quick/alone/figures/unheard_of.svg"), SVG)
    write(Path("results/sweeps/widths/sweep.md"), "| width | accuracy (%) |\n|---:|---:|\n| 9 | 90 |\n| 10 | 80 |\n")
    write(Path("results/bench/bench.svg"), SVG)
    write(Path("results/paper/twin/jobs/note.md"), "not shown")
    return tmp_path


def certificate_of(run, **changes):
    """Of 5 images and 9,000 neurons."""
    proof = {"arithmetic": "exact", "images": 5, "neurons_compared": 45000, "mismatches": 0, "first_offender": None}
    proof |= {"mismatches_by_layer": {"1:20C5": changes.get("mismatches", 0)}, "predictions_that_differ": 0}
    proof |= {"images_not_settled": 0, "mismatches_in_settled_images": 0, "grid_ann_accuracy": 0.8}
    write(run / "certificate.json", json.dumps(proof | {"bound_to_checkpoint": True} | changes))
    of = {"experiment": "twin", "budget": "paper", "precision": "k0", "seed": 0, "dataset": "mnist"}
    of |= {"arithmetic": "exact", "images": 5, "accuracy": 0.8, "time_steps": 3, "settled": True, "settled_images": 5}
    of |= {"settled_step_mean": 2.0, "settled_step_max": 3, "positive_spikes_per_image": 10.0, "batch_size": 5}
    of |= {"negative_spikes_per_image": 1.0, "operations_per_image": 1e6, "neurons": 9000, "ann_operations": 4000000}
    write(run / "snn.json", json.dumps(of | {"simulated_steps": 20}))


@pytest.mark.usefixtures("project")
def test_whatever_stands_in_results_is_taken_up_by_experiment_and_budget():
    found = {(each.experiment, each.budget): each for each in result_sets()}
    # mnist and the other published ones would come first; nothing is compared over all experiments here.
    assert list(found) == [("alone", "quick"), ("twin", "paper"), ("bench", ""), ("sweeps", "widths")]
    twin = found["twin", "paper"]
    names = [[path.name for path in paths] for paths in (twin.figures, twin.tables, twin.data, twin.pages)]
    assert names == [["sops.svg"], ["results.md"], ["results.csv"], ["viewer.html"]]
    write(Path("results/paper/summary.md"), "| a |\n|---|\n")
    first, *_ = result_sets()
    assert (first.experiment, first.budget) == (ALL, "paper")


def test_tables_are_taken_apart(project):
    before, table, after = tables.parts(project / "results/paper/twin/tables/results.md")
    assert before == "<p><strong>twin (MNIST), paper budget</strong></p>"
    assert table.heading[:2] == ("precision", "seeds")
    assert table.labels == 1
    assert [row.precision for row in table.rows] == ["fp32", "k0", "k1"]
    assert table.rows[1].cells[:4] == ("k = 0", "1", "90.20", "7,010 (7,000)")
    assert "<within>" not in after


def test_captions_are_filled_in(project):
    html = captions.as_html("sops", {"experiment": "twin", "budget": "paper"}, {})
    assert html.startswith("<p><strong>Computing operations</strong> of twin, budget paper.</p>")
    assert captions.title("sops") == "Computing operations"
    assert captions.title("unheard_of") == "Unheard of"


@pytest.mark.usefixtures("project")
def test_certificates_in_words():
    run = Path(LOGS, "k0/seed0")
    assert origins.certified(run) == "Seed 0: the certificate is not here; `make restore` gets what is shipped."
    certificate_of(run)
    assert origins.certified(run) == (
        "Seed 0: 45,000 spike counts (9,000 neurons, 5 test images) were compared with the activations of the "
        "quantised ANN: 0 differ. Every image came to rest. The two predict another class for 0 images. The checkpoint "
        "was converted again, and gave this spiking network bit for bit."
    )
    certificate_of(Path(LOGS, "k1/seed0"), mismatches=7, images_not_settled=1)
    assert (
        "0 differ in the 4 images that had come to rest after 20 time steps, 7 in the 1 that had not."
        in origins.certified(Path(LOGS, "k1/seed0"))
    )
    assert origins.certified_in_all() == (
        "2 spiking networks have a certificate here: of 90,000 spike counts that were compared with the activations of "
        "the ANN, 0 differ in images that had come to rest."
    )


@pytest.mark.usefixtures("project")
def test_steps_in_words_from_the_raw_data_on():
    found = origins.Origins().of_file(Path("results/paper/twin/figures/sops.svg"), "Computing operations")
    assert [step.title for step in found.steps] == [
        "Raw data",
        "Train",
        "Convert to a spiking network",
        "Simulate and certify",
        "Draw the figure",
    ]
    train, simulate = found.steps[1], found.steps[3]
    assert train.of == "k = 0, k = 1; seed 0"
    assert train.sentence == (
        "The network 20C5-P2 on MNIST: 100 epochs at a learning rate of 0.001, then 1,000 epochs at a learning rate of "
        "0.0001, in batches of 200; 10,000 training images held out."
    )
    assert "for 20 time steps" in simulate.sentence
    assert train.files == "2 files: 2 not here; the others as recorded."
    assert not any(re.search("[0-9a-f]{12}", f"{step.sentence}{step.files}{step.when}") for step in found.steps)
    # The figure is here, and not what the record says.
    assert "1 altered since they were recorded" in found.steps[4].files


@pytest.mark.usefixtures("project")
def test_run_times_after_a_restore_and_after_a_run():
    before = {times.step: times for times in run_times.run_times()}
    assert {step: (times.jobs, times.seconds) for step, times in before.items()} == {
        "train": (2, ()),
        "convert": (2, ()),
        "simulate": (2, ()),
        "table": (1, ()),
        "figures": (1, ()),
    }
    assert "None of the 8 recorded jobs ran here" in rendered()
    attempt = {"started": "2026-01-02T03:04:05Z", "seconds": 75.25, "succeeded": True, "processor": "AMD EPYC"}
    failed = attempt | {"seconds": 999.0, "succeeded": False}
    attempt |= {"processor_seconds": 70.5, "memory": 812.0}
    lines = "".join(json.dumps(each) + "\n" for each in (attempt, failed))
    write(Path("results/paper/twin/jobs/train-k1-seed0.circumstances.jsonl"), lines)
    (train,) = (times for times in run_times.run_times() if times.step == "train")
    assert (train.jobs, train.seconds, train.processors) == (2, (75.25,), ("AMD EPYC",))
    assert (train.processor_seconds, train.memory) == ((70.5,), (812.0,))
    page = rendered()
    assert "recorded jobs ran here" not in page
    assert '<td data-heading="processor (s)"><span>70.5</span></td>' in page
    assert '<td data-heading="memory (MB)"><span>812</span></td>' in page
    assert "2026-01-02, 1 min 15 s in all, AMD EPYC" in page


@pytest.mark.usefixtures("project")
def test_an_empty_project_has_a_report_that_says_so():
    shutil.rmtree("results")
    assert "There is nothing in" in rendered()


# ---- In a browser ----


@pytest.fixture
def opened(project, browser):
    """A function that opens the page; in the end nothing was complained of, and nothing asked of anyone."""
    certificate_of(Path(LOGS, "k0/seed0"))
    path, complaints, requests = project / "report.html", [], []
    path.write_text(rendered(), encoding="utf-8")

    def opened_page(**options):
        page = open_page(browser, path, complaints, requests, **options)
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened_page
    assert complaints == []
    assert [url for url in requests if not url.startswith(("data:", "blob:", "about:"))] == [path.as_uri()]


def follow(page, link):
    """Click a link within the page, and wait until the page has gone there: browsers say so after the click."""
    place = link.get_attribute("href")
    link.click()
    page.wait_for_selector(f'nav a[href="{place}"][aria-current]', state="attached")


def test_every_figure_and_table_is_reached_by_clicking_and_shown(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    anchors = page.locator("#overview a").evaluate_all("all => all.map(it => it.hash)")
    names = ["results-md", "sops-svg", "viewer-html", "unheard_of-svg", "sweep-md", "bench-svg"]
    assert all(any(anchor.endswith(f"--{name}") for anchor in anchors) for name in names)
    for anchor in dict.fromkeys(anchors):
        follow(page, page.locator(f'#overview a[href="{anchor}"]').first)
        item = page.locator(anchor)
        assert item.is_visible(), anchor
        assert page.locator(".view:visible").count() == 1
        for picture in item.locator("img").all():
            assert picture.evaluate("it => it.decode().then(() => it.naturalWidth)") == 90
            assert picture.get_attribute("alt")
        follow(page, page.locator('nav a[href="#overview"]'))
    follow(page, page.locator('nav a[href="#twin--paper"]'))
    links = page.locator("nav li.open ul a")
    assert links.all_inner_texts() == [
        "Results (table)",
        "Computing operations (figure)",
        "Images step by step (interactive)",
        "results.csv",
    ]
    follow(page, links.nth(3))
    assert page.locator("#twin--paper--results-csv td").all_inner_texts() == ["k0", 'one, "two"', "k1", ""]


def column(page, place):
    return page.locator(f"#twin--paper--results-md tbody tr > *:nth-child({place})").all_inner_texts()


def test_headings_sort_by_numbers_and_what_is_absent_comes_last(opened):
    page = opened(viewport={"width": 1900, "height": 900})
    follow(page, page.locator('nav a[href="#twin--paper"]'))
    assert column(page, 1) == ["FP32", "k = 0", "k = 1 †"]
    heading = page.locator("#twin--paper--results-md thead button").nth(3)
    heading.click()
    assert column(page, 4) == ["7,010 (7,000)", "12,000 (12,100)", "–"]
    heading.focus()
    page.keyboard.press("Enter")
    assert column(page, 4) == ["12,000 (12,100)", "7,010 (7,000)", "–"]
    assert page.locator("#twin--paper--results-md thead th").nth(3).get_attribute("aria-sort") == "descending"
    follow(page, page.locator('nav a[href="#sweeps--widths"]'))
    page.locator("#sweeps--widths thead button").first.click()
    assert page.locator("#sweeps--widths tbody tr > *:first-child").all_inner_texts() == ["9", "10"]


def test_certificate_and_lineage_are_one_click_away_from_each_number(opened):
    page = opened(viewport={"width": 1900, "height": 900})
    follow(page, page.locator('nav a[href="#twin--paper"]'))
    dialog = page.locator("dialog")
    for number in page.locator("#twin--paper--results-md tbody tr:nth-child(2) > *").all():
        number.click()
        assert dialog.get_by_role("heading").first.inner_text() == "twin, paper budget, k = 0"
        assert "45,000 spike counts (9,000 neurons, 5 test images) were compared" in dialog.inner_text()
        assert "Raw data" in dialog.inner_text()
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
    page.locator("#twin--paper--sops-svg button").click()
    assert "Draw the figure" in dialog.inner_text()
    page.locator("dialog .close").click()
    follow(page, page.locator('nav a[href="#bench"]'))
    page.locator("#bench button").first.click()
    assert "No record tells how this was made." in dialog.inner_text()


def test_a_page_inside_opens_in_its_place_and_is_saved(opened):
    page = opened()
    follow(page, page.locator('nav a[href="#twin--paper"]'))
    page.locator(".page .open").click()
    assert page.frame_locator("iframe").locator("#inside").inner_text() == "the page inside"
    with page.expect_download() as download:
        page.locator("#twin--paper--viewer-html .save").click()
    assert Path(download.value.path()).read_text(encoding="utf-8") == Path(
        "results/paper/twin/figures/viewer.html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [320, 390, 900, 1280])
def test_it_fits_phones_and_wide_screens(opened, width):
    page = opened(viewport={"width": width, "height": 740})
    for anchor in ("overview", "twin--paper", "bench", "run-times"):
        page.goto(f"{page.url.partition('#')[0]}#{anchor}")
        page.wait_for_selector(f"#{anchor}:visible")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, anchor
    page.goto(f"{page.url.partition('#')[0]}#twin--paper")
    # No column is cut off, the last one least of all.
    cells = page.locator("#twin--paper--results-md").get_by_text("0 of 45,000").locator("visible=true")
    box = cells.first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
