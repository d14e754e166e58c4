"""Experiment files: what they give, and what is said about a wrong one."""

from pathlib import Path

import pytest
import yaml

from lossless_snn.config.experiment import lasting, load_experiment
from lossless_snn.config.recipe import Phase
from lossless_snn.errors import LosslessError
from lossless_snn.networks.quantiser import quantiser_level

SHIPPED = Path(__file__).parents[1] / "config" / "experiments"

PHASES = [{"epochs": 4, "learning_rate": 1e-3}]
GOOD = {
    "dataset": "mnist",
    "network": "20C5-P2-50C5-P2-500",
    "training": {
        "batch_size": 200,
        "validation_images": 10000,
        "budgets": {"quick": {"phases": PHASES}},
    },
    "simulation": {"steps": 20, "batch_size": 200},
}


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(GOOD | changes))
        return load_experiment("mine", tmp_path)

    return write


def test_mnist_lenet_is_the_published_one():
    experiment = load_experiment("mnist-lenet", SHIPPED)
    assert (experiment.dataset, experiment.network, experiment.padding) == ("mnist", "20C5-P2-50C5-P2-500", "valid")
    assert (experiment.training.batch_size, experiment.training.validation_images) == (200, 10_000)
    assert experiment.recipe("paper", "k1").recorded()["phases"] == [{"epochs": 150, "learning_rate": 1e-4}]
    assert (experiment.simulation.steps, experiment.simulation.batch_size) == (20, 200)


def test_every_shipped_experiment_loads():
    for path in SHIPPED.glob("*.yaml"):
        assert load_experiment(path.stem, SHIPPED).graph.nodes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "20C5-Q2"}, ["network", "'20C5-Q2'", "unknown token 'Q2'", "nCk, Pk or n"]),
        ({"network": "20C29"}, ["network", "'20C29'", "28 x 28"]),
        ({"network": "20C5-P5"}, ["network", "'P5'", "24 x 24"]),
        ({"dataset": "mnsit"}, ["dataset", "'mnsit'", "mnist"]),
        ({"padding": "full"}, ["padding", "'full'"]),
        ({"colour": "red"}, ["colour", "unknown key"]),
        ({"simulation": {"steps": 0, "batch_size": 5}}, ["simulation.steps", "found 0"]),
        ({"simulation": {"steps": "many", "batch_size": 5}}, ["simulation.steps", "'many'"]),
        ({"training": {"batch_size": 2, "budgets": {}}}, ["training.validation_images"]),
        (
            {"training": {"validation_images": 9, "budgets": {"quick": {"phases": PHASES, "seeds": [1, 1]}}}},
            ["training.budgets.quick.seeds", "listed twice: 1"],
        ),
    ],
)
@pytest.mark.bad_input("configuration")
def test_a_mistake_is_one_line_with_file_and_key(write, changes, said):
    with pytest.raises(LosslessError) as error:
        write(**changes)
    message = str(error.value)
    assert "\n" not in message
    for part in ["mine.yaml", *said]:
        assert part in message


def test_unknown_experiment_lists_those_that_there_are(tmp_path, write):
    write()
    with pytest.raises(LosslessError, match=r"other\.yaml.*mine"):
        load_experiment("other", tmp_path)


def test_unknown_budget(write):
    with pytest.raises(LosslessError, match=r"'paper'.*quick"):
        write().recipe("paper", "k1")


@pytest.mark.parametrize(("epochs", "expected"), [(None, [3, 2]), (1, [1]), (3, [3]), (4, [3, 1]), (9, [3, 6])])
def test_schedule_cut_off_or_prolonged(epochs, expected):
    phases = lasting((Phase(epochs=3, learning_rate=1e-3), Phase(epochs=2, learning_rate=1e-4)), epochs)
    assert [phase.epochs for phase in phases] == expected
    assert [phase.learning_rate for phase in phases] == [1e-3, 1e-4][: len(expected)]


def test_quantiser_levels():
    assert [quantiser_level(p) for p in ("fp32", "k0", "k1", "k12")] == [None, 0, 1, 12]


@pytest.mark.parametrize("wrong", ["k", "k-1", "k01", "K1", "1", "fp16", "k1.5", " k1", "k²", "k1\n"])
@pytest.mark.bad_input("configuration")
def test_what_is_no_precision(wrong):
    with pytest.raises(ValueError, match="is no precision"):
        quantiser_level(wrong)


def test_a_budget_may_simulate_other_steps():
    mnist = load_experiment("mnist-lenet", SHIPPED)
    assert mnist.simulated_steps("quick") == 30
    assert mnist.simulated_steps("paper") == 20
    assert mnist.simulated_steps("imported") == 20
    assert "steps" not in mnist.recipe("quick", "k1").recorded()


def test_cifar10_cnn1_is_the_published_one():
    experiment = load_experiment("cifar10-cnn1", SHIPPED)
    assert experiment.network == "96C3-256C3-P2-384C3-P2-384C3-256C3-P2-1024-1024"
    assert (experiment.data.shape, experiment.data.input_shape) == ((3, 32, 32), (3, 24, 24))
    recipe = experiment.recipe("paper", "fp32").recorded()
    assert recipe["phases"] == [{"epochs": 100, "learning_rate": 1e-3}, {"epochs": 100, "learning_rate": 1e-4}]
    assert (recipe["batch_size"], recipe["train_images"], recipe["validation_images"]) == (200, None, 0)
    assert recipe["augmentation"] == {"crop": 24, "flip": True, "brightness": 63.0, "contrast": [0.2, 1.8]}
    assert (experiment.simulated_steps("paper"), experiment.test_images("paper")) == (100, None)


def test_a_quick_budget_may_be_smaller():
    experiment = load_experiment("cifar10-cnn1", SHIPPED)
    recipe = experiment.recipe("quick", "fp32").recorded()
    assert recipe["train_images"] < 50_000
    assert experiment.test_images("quick") < 10_000
    assert recipe["augmentation"] == experiment.recipe("paper", "fp32").recorded()["augmentation"]


def test_an_experiment_that_extends_another_has_only_what_differs():
    base, wider = (load_experiment(f"cifar10-cnn{n}", SHIPPED) for n in (1, 2))
    assert wider.network == "128C3-256C3-P2-512C3-P2-1024C3-512C3-P2-1024-512"
    assert wider.recipe("paper", "k1").recorded() == base.recipe("paper", "k1").recorded() | {"network": wider.network}
    assert wider.simulation == base.simulation


def test_extending(tmp_path, write):
    base = write()
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"extends": "mine", "simulation": {"steps": 9}}))
    other = load_experiment("other", tmp_path)
    assert (other.simulation.steps, other.simulation.batch_size) == (9, 200)
    assert other.training == base.training


def test_extending_in_a_circle_or_nothing(tmp_path):
    for name, extended in [("a", "b"), ("b", "a"), ("c", "nothing")]:
        (tmp_path / f"{name}.yaml").write_text(f"extends: {extended}\n")
    with pytest.raises(LosslessError, match=r"a\.yaml: extends: in a circle \(a -> b -> a\)"):
        load_experiment("a", tmp_path)
    with pytest.raises(LosslessError, match=r"nothing\.yaml: no such experiment"):
        load_experiment("c", tmp_path)


def test_augmentation_must_give_what_the_network_is_tested_on(write):
    training = GOOD["training"] | {"augmentation": {"crop": 24}}
    with pytest.raises(LosslessError, match=r"training\.augmentation: gives standardised crops of 24 x 24, but mnist"):
        write(training=training)
    training["augmentation"] = {"shift": 2, "brightness": 5}
    with pytest.raises(LosslessError, match=r"training\.augmentation: gives other brightness or contrast, but mnist"):
        write(training=training)
    training["augmentation"] = {"shift": 2}
    with pytest.raises(LosslessError, match=r"augmentation: gives whole images \(name its crop\), but cifar10"):
        write(dataset="cifar10", training=training)
    write(training=training)
    training["augmentation"] = {"crop": 24, "contrast": [1.8, 0.2]}
    with pytest.raises(LosslessError, match=r"training\.augmentation\.contrast: the smallest comes first"):
        write(training=training)


TEXT = """\
dataset: digits
network: 3C5-P4-8
training:
  batch_size: 100
  validation_images: 97
  budgets:
    quick: {phases: [{epochs: 3, learning_rate: 1.0e-2}]}
simulation: {steps: 60, batch_size: 32}
"""
RATES = ["true", "[true]", ".inf", "-.inf", ".nan", "1e400", "1.0e+10", "-1", "0", "'x'", "[1]", "{}", "null", "&a 1"]
WHOLE = ["true", "10000000000", "0", "-1", "2.5", ".inf", ".nan", "1e3", "'x'", "null", "9" * 50, "2026-13-45"]
EDGES = [("learning_rate: 1.0e-2", f"learning_rate: {value}") for value in RATES[:-1]]
EDGES += [("epochs: 3", f"epochs: {value}") for value in WHOLE]
EDGES += [("batch_size: 100", f"batch_size: {value}") for value in WHOLE]
EDGES += [("steps: 60", f"steps: {value}") for value in WHOLE]
SEEDS = ["[18446744073709551616]", "[true]", "[-1]", "[0.5]", "[.inf]", "[]", "[0, 0]", "0", "[[0]]"]
EDGES += [("quick: {", f"quick: {{seeds: {value}, ") for value in SEEDS]
EDGES += [("quick: {", f"quick: {{label_smoothing: {value}, ") for value in ("true", ".inf", ".nan", "1.5", "-0.1")]
EDGES += [("quick: {", f"quick: {{activation_penalty: {value}, ") for value in ("true", ".inf", ".nan", "-0.1")]
EDGES += [("dataset: digits", "dataset: digits\ndataset: mnist"), ("simulation:", "a: &a [1]\nb: *a\nsimulation:")]
EDGES += [("dataset: digits", "? [a]\n: 1"), ("dataset: digits", "dataset: !!python/name:os.system")]


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize(("old", "new"), EDGES)
def test_numbers_and_yaml_at_the_edge(tmp_path, old, new):
    assert TEXT.count(old) == 1
    (tmp_path / "mine.yaml").write_text(TEXT, encoding="utf-8")
    load_experiment("mine", tmp_path)
    (tmp_path / "mine.yaml").write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(LosslessError, match=rf"^{tmp_path}/mine\.yaml: ") as error:
        load_experiment("mine", tmp_path)
    assert str(error.value).isprintable()


@pytest.mark.bad_input("configuration")
def test_yaml_that_grows_is_refused_before_it_does(tmp_path):
    """Ten aliases of ten aliases, nine times over; and brackets in brackets, which are scanned by their square."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    for text in ["\n".join(lines), "[" * 100_000, "- " * 5_000, "{a: " * 60]:
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(LosslessError, match=r"mine\.yaml: not valid YAML: ") as error:
            load_experiment("mine", tmp_path)
        assert len(str(error.value)) < 1000
