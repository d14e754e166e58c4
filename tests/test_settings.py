"""config/config.yaml: what is accepted, and the line that a mistake gets."""

import re
from pathlib import Path

import pytest
import yaml

from lossless_snn.errors import LosslessError
from lossless_snn.experiments import read_yaml
from lossless_snn.settings import read_settings

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config" / "config.yaml"
EXPERIMENTS = ROOT / "config" / "experiments"


def settings(**changes):
    return read_settings({**read_yaml(CONFIG), **changes}, "config/config.yaml", EXPERIMENTS)


def test_the_file_as_it_stands_runs_the_embedded_default():
    default, experiments = settings()
    assert (default.budget, default.experiments, default.seeds) == ("quick", ("digits-lenet",), (0,))
    assert default.precisions == ("fp32", "k0", "k1", "k2")
    assert experiments["digits-lenet"].dataset == "digits"


def test_results_do_not_depend_on_the_machine_by_default():
    default, _ = settings()
    assert default.device == "cpu"
    assert set(default.threads.model_dump().values()) == {1}


def test_lists_from_snakemakes_command_line_hold_text():
    assert settings(seeds=["0", "12"])[0].seeds == (0, 12)


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"bugdet": "quick"}, "bugdet", "unknown key"),
        ({"threads": {"trian": 2}}, "threads.trian", "unknown key"),
        ({"figures": {"sparsity": {"color": "red"}}}, "figures.sparsity.color", "unknown key"),
        ({"figures": {"speed": {}}}, "figures.speed", "unknown key"),
        ({"budget": "fast"}, "budget", "'quick' or 'paper'"),
        ({"budget": None}, "budget", "found None"),
        ({"experiments": ["nope"]}, "experiments", "'nope' has no file"),
        ({"experiments": []}, "experiments", "empty"),
        ({"experiments": "digits-lenet"}, "experiments", "found 'digits-lenet'"),
        ({"experiments": ["digits-lenet", "digits-lenet"]}, "experiments", "listed twice: digits-lenet"),
        ({"precisions": ["k1", "q3"]}, "precisions.1", "'q3' is no precision"),
        ({"precisions": ["k1", "k1"]}, "precisions", "listed twice: k1"),
        ({"precisions": [1]}, "precisions.0", "found 1"),
        ({"seeds": [0, 1, 0]}, "seeds", "listed twice: 0"),
        ({"seeds": [-1]}, "seeds.0", "found -1"),
        ({"seeds": ["one"]}, "seeds.0", "found 'one'"),
        ({"data": {"root": "/no/such/folder"}}, "data.root", "no folder"),
        ({"device": "tpu"}, "device", "found 'tpu'"),
        ({"threads": {"train": 0}}, "threads.train", "found 0"),
        ({"threads": {"train": "many"}}, "threads.train", "found 'many'"),
        ({"figures": {"sops": {"dpi": "high"}}}, "figures.sops.dpi", "found 'high'"),
        ({"figures": {"sops": {"width": -1}}}, "figures.sops.width", "found -1"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(changes, key, reason):
    with pytest.raises(LosslessError) as caught:
        settings(**changes)
    message = str(caught.value)
    assert "\n" not in message
    assert re.match(rf"config/config\.yaml: {re.escape(key)}: ", message)
    assert reason in message


def test_a_missing_key_is_named():
    content = read_yaml(CONFIG)
    del content["budget"]
    with pytest.raises(LosslessError, match=r"^config/config\.yaml: budget: .*required"):
        read_settings(content, "config/config.yaml", EXPERIMENTS)


def test_a_mistake_in_a_requested_experiment_names_its_file(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    content["training"]["batch_size"] = 0
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(LosslessError, match=r"mine\.yaml: training\.batch_size: .*found 0"):
        read_settings({**read_yaml(CONFIG), "experiments": ["mine"]}, "config/config.yaml", tmp_path)


def test_an_experiment_without_the_requested_budget_is_refused(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    del content["training"]["budgets"]["quick"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(LosslessError, match=r"mine\.yaml: training\.budgets: no budget 'quick' \(it has paper\)"):
        read_settings({**read_yaml(CONFIG), "experiments": ["mine"]}, "config/config.yaml", tmp_path)
