"""config/config.yaml: what is accepted, and the line that a mistake gets."""

import re
from pathlib import Path

import pytest
import yaml

from lossless_snn.config.experiment import load_experiment
from lossless_snn.config.settings import read_settings
from lossless_snn.errors import LosslessError
from lossless_snn.files.typed import read_yaml

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config" / "config.yaml"
EXPERIMENTS = ROOT / "config" / "experiments"


def settings(**changes):
    """The settings of config.yaml with some keys changed, as `snakemake --config` changes them."""
    return read_settings(changes, CONFIG, EXPERIMENTS)


@pytest.fixture
def written(tmp_path):
    """Writes content, as YAML, as a configuration file of its own."""

    def write(content) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_the_file_as_it_stands_runs_the_embedded_default():
    default = settings()
    assert (default.budget, default.experiments, default.seeds) == ("quick", ("digits-lenet",), None)
    assert default.precisions == ("fp32", "k0", "k1", "k2")


def test_results_do_not_depend_on_the_machine_by_default():
    default = settings()
    assert default.device == "cpu"
    assert set(default.threads.model_dump().values()) == {1}


def test_lists_from_snakemakes_command_line_hold_text():
    assert settings(seeds=["0", "12"]).seeds == (0, 12)


def test_seeds_are_those_of_the_budget_unless_others_are_asked_for(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    content["training"]["budgets"]["paper"]["seeds"] = [3, 5]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    mine = load_experiment("mine", tmp_path)
    assert settings().seeds_of(mine, "paper", "k1") == (3, 5)
    assert settings().seeds_of(mine, "quick", "k1") == (0,)
    assert settings(seeds=[7]).seeds_of(mine, "paper", "k1") == (7,)


def test_a_budget_has_all_precisions_that_are_asked_for_or_those_that_it_names_seeds_of(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    content["training"]["budgets"]["quick"]["seeds"] = {"k0": [0], "fp32": [0, 2]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    mine = load_experiment("mine", tmp_path)
    assert [settings().seeds_of(mine, "quick", precision) for precision in ("fp32", "k0", "k1")] == [(0, 2), (0,), ()]
    assert settings(seeds=[7]).seeds_of(mine, "quick", "fp32") == (7,)
    assert settings().precisions_of(mine, "paper") == ("fp32", "k0", "k1", "k2")
    assert settings().precisions_of(mine, "quick") == ("fp32", "k0")
    assert settings(precisions=["k0", "k2"]).precisions_of(mine, "quick") == ("k0",)
    with pytest.raises(LosslessError, match="precisions: k1, k2: none that there is at the quick budget"):
        settings(precisions=["k1", "k2"]).precisions_of(mine, "quick")


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"bugdet": "quick"}, "bugdet", "unknown key; did you mean 'budget'?"),
        ({"threads": {"trian": 2}}, "threads.trian", "unknown key; did you mean 'train'?"),
        ({"figures": {"sparsity": {"color": "red"}}}, "figures.sparsity.color", "unknown key"),
        ({"figures": {"speed": {}}}, "figures.speed", "unknown key"),
        ({"budget": "slow"}, "budget", "'quick', 'paper' or 'fast'"),
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
        ({"figures": {"sops": {"width": 30, "height": 30, "dpi": 1200}}}, "figures.sops", "1,296,000,000 pixels, more"),
    ],
)
@pytest.mark.bad_input("configuration")
def test_a_mistake_is_one_line_that_names_file_and_key(written, changes, key, reason):
    path = written({**read_yaml(CONFIG), **changes})
    with pytest.raises(LosslessError) as caught:
        read_settings({}, path, EXPERIMENTS)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: {key}: ")
    assert reason in message


NAMES = [
    "../x",
    "/etc/passwd",
    "a b",
    "a.b",
    "a{b}",
    "$(touch x)",
    "`id`",
    "a;b",
    "a/b",
    "",
    "a\nb",
    "é",
    "a" * 201,
    "@b=1",
]
NAMES += ["a@", "a@b", "a@b=", "a@b=1,", "a@b=../c", "a@b=$(id)", "a@../b=1"]


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["experiments", "summary", "report"])
def test_what_the_name_of_an_experiment_may_contain(name, place):
    """As `--config experiments=[...]` gives them."""
    changes = {"experiments": [name], "summary": {"quick": [name]}, "report": {"quick": {name: []}}}
    with pytest.raises(LosslessError) as caught:
        read_settings({place: changes[place]}, CONFIG, EXPERIMENTS)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"--config: {place}.")
    assert "no name of an experiment (letters a to z, digits, - and _; a variant's goes on with" in str(caught.value)
    with pytest.raises(LosslessError, match="no name of an experiment"):
        load_experiment(name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("budget: quick\nseeds: [0\n", "not valid YAML"),
        ("- 1", "dictionary"),
        ("", "dictionary"),
        ({"budget": "quick", "precisions": ["k0"], "seeds": [0]}, "experiments: field required"),
    ],
)
@pytest.mark.bad_input("configuration")
def test_a_file_that_is_no_configuration_is_one_line_too(written, content, reason):
    path = written(content)
    with pytest.raises(LosslessError) as caught:
        read_settings({}, path, EXPERIMENTS)
    assert re.fullmatch(rf"{re.escape(str(path))}: .*{reason}.*", str(caught.value), re.IGNORECASE)


def test_a_change_of_one_key_leaves_its_neighbours(written):
    path = written({**read_yaml(CONFIG), "threads": {"train": 2, "simulate": 3}})
    changed = read_settings({"threads": {"train": 4}}, path, EXPERIMENTS)
    assert changed.threads.model_dump() == {"train": 4, "evaluate": 1, "simulate": 3}


def test_a_mistake_in_a_requested_experiment_names_its_file(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    content["training"]["batch_size"] = 0
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(LosslessError, match=r"mine\.yaml: training\.batch_size: .*found 0"):
        read_settings({"experiments": ["mine"]}, CONFIG, tmp_path)


def test_an_experiment_without_the_requested_budget_is_refused(tmp_path):
    content = read_yaml(EXPERIMENTS / "digits-lenet.yaml")
    del content["training"]["budgets"]["quick"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(LosslessError, match=r"mine\.yaml: training\.budgets: no budget 'quick' \(it has paper\)"):
        read_settings({"experiments": ["mine"]}, CONFIG, tmp_path)
