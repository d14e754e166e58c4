"""Run directories read, seeds summarised, published values joined."""

import json
import math
from pathlib import Path

import pytest
from run_directories import compare, write_config, write_run

from lossless_snn.analysis import captions
from lossless_snn.analysis.published import load_published, read_published
from lossless_snn.config.energy import read_energies
from lossless_snn.errors import LosslessError
from lossless_snn.runs.directory import RunDirectory

CONFIG = Path(__file__).parents[1] / "config"
ENERGIES = read_energies(CONFIG / "energy.yaml")


@pytest.fixture
def two_seeds(tmp_path):
    runs = [write_run(tmp_path, precision, seed) for precision in ("k0", "fp32") for seed in (1, 0)]
    return compare(tmp_path, runs)


def test_log_is_read_batch_after_batch(tmp_path):
    run = RunDirectory.read(write_run(tmp_path, "k0", 0))
    assert run.log("accuracy").tolist() == [[0, 1, 2], [1, 2, 2], [0, 0, 0]]
    assert run.accuracy_by_step() == pytest.approx([0.2, 0.6, 0.8])


def test_summary_over_two_seeds(two_seeds):
    row = two_seeds.by_precision.loc["k0"]
    assert row["seeds"] == 2
    assert row["snn_accuracy"] == pytest.approx(0.9)
    # 0.8 and 1.0: each 0.1 from the mean; sqrt((0.01 + 0.01) / (2 - 1))
    assert row["snn_accuracy_std"] == pytest.approx(math.sqrt(0.02))
    assert row["snn_accuracy_published"] == 0.85
    assert row["snn_accuracy_difference"] == pytest.approx(0.05)
    assert row["positive_spikes_per_image"] == 7020
    assert row["positive_spikes_per_image_difference"] == pytest.approx(19.75)
    assert row["operations_share"] == pytest.approx(0.305)
    assert row["operations_share_published"] == pytest.approx(0.25)
    assert row["settled_step_mean"] == 2.25
    assert row["settled_step_max"] == 3


def test_fp32_comes_first_and_has_the_ann_alone(two_seeds):
    assert list(two_seeds.by_precision.index) == ["fp32", "k0"]
    row = two_seeds.by_precision.loc["fp32"]
    assert row["ann_accuracy"] == pytest.approx(0.9)
    assert row["ann_accuracy_difference"] == pytest.approx(-0.05)
    assert row[["snn_accuracy", "time_steps", "operations_per_image"]].isna().all()


def test_precisions_are_ordered_by_level(tmp_path):
    runs = [write_run(tmp_path, precision, 0) for precision in ("k10", "k2", "fp32")]
    assert list(compare(tmp_path, runs).by_precision.index) == ["fp32", "k2", "k10"]


def test_one_seed_has_no_standard_deviation(tmp_path):
    results = compare(tmp_path, [write_run(tmp_path, "k0", 1)])
    assert math.isnan(results.by_precision.at["k0", "snn_accuracy_std"])
    assert not results.has_spread


def test_accuracy_curves_count_steps_from_one(two_seeds):
    curves = two_seeds.accuracy_curves
    assert curves.groupby("time_step")["accuracy"].mean().to_dict() == pytest.approx({1: 0.2, 2: 0.7, 3: 0.9})


def test_notes_name_what_has_not_settled(tmp_path):
    runs = [write_run(tmp_path, "k0", 0), write_run(tmp_path, "k0", 1, snn={"settled": False, "settled_images": 3})]
    results = compare(tmp_path, runs)
    assert results.unsettled == ["k0"]
    assert captions.notes(results) == {
        "k0": "not settled within 3 steps (8 of 10 images were); values at the last step"
    }


def test_notes_name_a_limited_test(tmp_path):
    results = compare(tmp_path, [write_run(tmp_path, "k0", 0, ann={"images": 500, "test_set": 500})])
    assert captions.notes(results) == {"k0": "spiking network tested on 5 of 500 images only"}


def test_experiment_that_was_not_published(tmp_path):
    run = write_run(tmp_path, "k0", 0, *[{"experiment": "digits-lenet", "dataset": "digits"}] * 2)
    results = compare(tmp_path, [run])
    assert results.published.empty
    assert math.isnan(results.by_precision.at["k0", "snn_accuracy_published"])


def test_shipped_published_values():
    row = load_published(CONFIG / "published.csv", "mnist-lenet", ENERGIES).loc["k1"]
    assert (row["snn_accuracy"], row["time_steps"], row["time_steps_from_log"]) == (0.9932, 13, 14)
    assert row["operations_share"] == pytest.approx(3256197.161 / 7186200)
    assert row["snn_energy_joules"] == pytest.approx(3256197.161 * 0.9e-12)
    assert row["ann_energy_joules"] == pytest.approx(2395400 * 4.6e-12)


def test_missing_file(tmp_path):
    folder = write_run(tmp_path, "k0", 0)
    (folder / "snn.json").unlink()
    with pytest.raises(LosslessError, match=r"snn\.json: no such file"):
        RunDirectory.read(folder)


def test_truncated_json(tmp_path):
    folder = write_run(tmp_path, "fp32", 0)
    (folder / "ann.json").write_text('{"experiment": "mnist-')
    with pytest.raises(LosslessError, match=r"ann\.json: truncated or not JSON"):
        RunDirectory.read(folder)


def test_missing_key(tmp_path):
    folder = write_run(tmp_path, "k0", 0)
    content = json.loads((folder / "snn.json").read_text())
    del content["settled"]
    (folder / "snn.json").write_text(json.dumps(content))
    with pytest.raises(LosslessError, match=r"snn\.json: settled: .*required"):
        RunDirectory.read(folder)


def test_violated_certificate_has_no_results(tmp_path):
    folder = write_run(tmp_path, "k0", 0, certificate={"mismatches": 2, "mismatches_in_settled_images": 2})
    with pytest.raises(LosslessError, match=r"certificate\.json: violated: 2 neurons of settled images"):
        RunDirectory.read(folder)


@pytest.mark.bad_input("logs and records")
@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        ({"neurons_compared": 1}, "1 neurons compared, of 9,000 in each of 5 images"),
        ({"neurons_compared": 45_001}, "45,001 neurons compared, of 9,000 in each of 5 images"),
        ({"images_not_settled": 5}, "5 images not settled, but 0 by snn.json"),
        ({"first_offender": "image 0, layer 1"}, "a first offender .image 0, layer 1. where nothing differs"),
        ({"arithmetic": "faithful"}, "arithmetic"),
        ({"images": 4}, "images"),
    ],
)
def test_a_certificate_of_another_simulation_is_refused(tmp_path, certificate, message):
    folder = write_run(tmp_path, "k0", 0, certificate=certificate)
    with pytest.raises(LosslessError, match=rf"certificate\.json: .*{message}"):
        RunDirectory.read(folder)


def test_notes_name_the_published_arithmetic(tmp_path):
    certificate = {"mismatches": 2, "mismatches_in_settled_images": 2}
    run = write_run(tmp_path, "k0", 0, snn={"arithmetic": "faithful"}, certificate=certificate)
    results = compare(tmp_path, [run])
    assert captions.notes(results) == {"k0": "simulated in the published code's arithmetic, which is not exact"}


def test_certificate_of_another_simulation(tmp_path):
    folder = write_run(tmp_path, "k0", 0, certificate={"images": 4})
    with pytest.raises(LosslessError, match=r"certificate\.json: images 4, but .*snn\.json has 5"):
        RunDirectory.read(folder)


def test_what_certificates_compared_is_added_up(two_seeds):
    table = two_seeds.by_precision
    assert table.loc["k0", ["mismatches", "neurons_compared"]].tolist() == [0, 90_000]
    assert table.loc["fp32", ["mismatches", "neurons_compared", "grid_cost"]].isna().all()


def test_truncated_log(tmp_path):
    folder = write_run(tmp_path, "k0", 0)
    (folder / "accuracy.txt").write_text("1\n2\n")
    message = r"accuracy\.txt: 2 lines, expected 9 \(3 batches of 3 steps, by snn\.json\)"
    with pytest.raises(LosslessError, match=message):
        RunDirectory.read(folder).log("accuracy")


def test_log_line_that_is_no_integer(tmp_path):
    folder = write_run(tmp_path, "k0", 0)
    (folder / "accuracy.txt").write_text("1\n1.5\n" + "1\n" * 7)
    with pytest.raises(LosslessError, match=r"accuracy\.txt: line 2: '1\.5' is no integer"):
        RunDirectory.read(folder).log("accuracy")


def test_log_of_another_simulation(tmp_path):
    folder = write_run(tmp_path, "k0", 0, snn={"accuracy": 0.6})
    with pytest.raises(LosslessError, match=r"accuracy\.txt: ends at 80\.00%, snn\.json says 60\.00%"):
        RunDirectory.read(folder).accuracy_by_step()


@pytest.mark.parametrize(
    ("key", "value"), [("budget", "paper"), ("experiment", "fashion-mlp"), ("dataset", "digits"), ("neurons", 800)]
)
def test_runs_that_do_not_belong_together(tmp_path, key, value):
    runs = [write_run(tmp_path, "fp32", 0), write_run(tmp_path, "k0", 0, *[{key: value}] * 2)]
    with pytest.raises(LosslessError, match=rf"k0/seed0/ann\.json: {key} {value}, but .*fp32/seed0/ann\.json has"):
        compare(tmp_path, runs)


def test_seeds_simulated_for_different_steps(tmp_path):
    runs = [write_run(tmp_path, "k0", 0), write_run(tmp_path, "k0", 1, snn={"simulated_steps": 4})]
    with pytest.raises(LosslessError, match="simulated_steps 4, but"):
        compare(tmp_path, runs)


def test_same_run_twice(tmp_path):
    run = write_run(tmp_path, "k0", 0)
    with pytest.raises(LosslessError, match="k0, seed 0 again"):
        compare(tmp_path, [run, run])


def test_no_runs(tmp_path):
    with pytest.raises(LosslessError, match="no run directories"):
        compare(tmp_path, [])


def test_published_file_is_missing(tmp_path):
    with pytest.raises(LosslessError, match=r"nowhere\.csv: no such file"):
        load_published(tmp_path / "nowhere.csv", "mnist-lenet", ENERGIES)


def test_shipped_published_values_are_in_bounds():
    assert len(read_published(CONFIG / "published.csv")) == 20


def test_published_file_lacks_a_column(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("experiment,precision\nmnist-lenet,k0\n")
    with pytest.raises(LosslessError, match="no column ann_accuracy, snn_accuracy"):
        load_published(path, "mnist-lenet", ENERGIES)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.95,", "99.29,", r"line 2: ann_accuracy: input should be less than .*99\.29"),
        ("0.85,2,", "-0.85,2,", r"line 3: snn_accuracy: input should be greater than .*-0\.85"),
        ("7000.25", "nan", r"line 3: positive_spikes_per_image: input should be a valid number .*'nan'"),
        ("1500.5", "many", r"line 3: negative_spikes_per_image: input should be a valid number .*'many'"),
        (",13,", ",0,", r"line 4: time_steps: input should be greater than or equal to 1"),
        ("lenet,k1", "lenet,1", r"line 4: precision: "),
        ("lenet,k1", "lenet,k0", r"mnist-lenet, k0 twice"),
        (",2500,4000000,9000", ",2500", r"line 4: 10 cells, expected 12"),
        (",2500,", ",2,500,", r"line 4: 13 cells, expected 12"),
    ],
)
def test_published_value_out_of_bounds(tmp_path, old, new, message):
    path, _ = write_config(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(LosslessError, match=rf"^{path}: (?i:{message})") as caught:
        read_published(path)
    assert "\n" not in str(caught.value)


def test_published_file_of_another_encoding(tmp_path):
    path, _ = write_config(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"mnist", b"mn\xefst"))
    with pytest.raises(LosslessError, match=r"published\.csv: no text in UTF-8"):
        read_published(path)


def test_experiment_to_be_compared_with_what_was_not_published(tmp_path, monkeypatch):
    run = write_run(tmp_path, "k0", 0, *[{"experiment": "mine"}] * 2)
    folder = tmp_path / "config" / "experiments"
    folder.mkdir(parents=True)
    shipped = (CONFIG / "experiments" / "mnist-lenet.yaml").read_text()
    (folder / "mine.yaml").write_text(f"published: mnist-lennet\n{shipped}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LosslessError, match=r"mine\.yaml: published: .*published\.csv has no 'mnist-lennet'"):
        compare(tmp_path, [run])
