"""Recipes of our own: Muon by hand, schedules, initialisation, the objective, fine-tuning, half precision."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from interruptions import interrupted_after_an_epoch

from lossless_snn.checkpoints.checkpoint import Checkpoint
from lossless_snn.config.experiment import Experiment, load_experiment
from lossless_snn.config.recipe import Muon as Settings
from lossless_snn.config.recipe import Phase, Recipe
from lossless_snn.conversion.convert import convert
from lossless_snn.conversion.spiking_network import Widths
from lossless_snn.conversion.widths import narrow
from lossless_snn.errors import LosslessError
from lossless_snn.evaluation.accuracy import build
from lossless_snn.networks.notation import parse
from lossless_snn.networks.quantised import QuantisedNetwork
from lossless_snn.training.muon import Muon, orthogonal
from lossless_snn.training.objective import Objective, power_mean
from lossless_snn.training.training_set import TrainingSet

SHIPPED = Path(__file__).parents[1] / "config/experiments"
SETTINGS = Settings(momentum=0.5, newton_schulz_steps=5, gamma_rate=0.1, beta_rate=0.2, output_rate=0.3, beta2=0.9)
FAST = """\
dataset: digits
network: 3C5-P4-8
training:
  batch_size: 100
  validation_images: 97
  budgets:
    fast:
      arithmetic: bfloat16
      initialisation: identity
      label_smoothing: 0.1
      activation_penalty: 0.01
      penalty_power: 4
      optimiser:
        {momentum: 0.85, newton_schulz_steps: 3, gamma_rate: 0.1, beta_rate: 0.1, output_rate: 0.1, beta2: 0.99}
      phases: [{epochs: 3, learning_rate: 0.05, decay: linear, warm_up: 0.1}]
      fine_tuning:
        - {precision: k2, phases: [{epochs: 1, learning_rate: 0.01, decay: linear}]}
        - {precision: k0, phases: [{epochs: 2, learning_rate: 0.01, decay: linear}], activation_penalty: 0.0}
simulation: {steps: 60, batch_size: 32}
"""


@pytest.fixture
def fast(project):
    path = project / "config/experiments/swift.yaml"
    path.write_text(FAST)
    yield "swift"
    path.unlink()


@pytest.fixture
def train(fast, command_line, tmp_path):
    """Train at one precision; the checkpoint's path, or the message of the error."""

    def run(precision, *arguments, name=None):
        out = tmp_path / f"{name or precision}.safetensors"
        said = command_line(
            "train", fast, "--precision", precision, "--budget", "fast", "--device", "cpu", *arguments, "--out", out
        )
        return out if said == 0 else said

    return run


def test_a_stage_of_fine_tuning_may_vary_images_otherwise(project):
    content = yaml.safe_load(FAST)
    content["dataset"], content["network"] = "cifar10", "4C3-P2-10"
    budget = content["training"]["budgets"]["fast"]
    budget["augmentation"] = {"crop": 24, "flip": "alternating", "shift": 2}
    budget["fine_tuning"][1]["augmentation"] = {"crop": 24, "flip": True}
    experiment = Experiment.model_validate(content)
    shifts = {precision: experiment.recipe("fast", precision).augmentation.shift for precision in ("fp32", "k2", "k0")}
    assert shifts == {"fp32": 2, "k2": 2, "k0": None}
    budget["fine_tuning"][1]["augmentation"] = {"crop": 28}
    with pytest.raises(ValueError, match=r"training\.budgets\.fast\.fine_tuning\.k0\.augmentation: gives .*28"):
        Experiment.model_validate(content)


def network(k=1, text="4C3-P2-5", shape=(2, 6, 6)):
    return QuantisedNetwork(parse(text, shape, 3, "same"), k)


def recipe(**changes):
    return Recipe(
        dataset="mnist", network="4", padding="valid", batch_size=1, train_images=None, validation_images=0,
        augmentation=None, phases=({"epochs": 1, "learning_rate": 1.0},), **changes,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5)])
def test_orthogonal_is_nearly_the_polar_factor(shape):
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float()
    u, _, v = np.linalg.svd(matrix.numpy(), full_matrices=False)
    found = np.linalg.svd(orthogonal(matrix, 5).numpy())
    assert ((found.S > 0.6) & (found.S < 1.3)).all()
    # The same directions: U^T X V is diagonal.
    inner = u.T @ orthogonal(matrix, 5).numpy() @ v.T
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 0.1  # in bfloat16


def test_a_quintic_step_by_hand():
    """diag(3, 4) has norm 5: 0.6 and 0.8 become a x + b x^3 + c x^5."""
    a, b, c = 3.4445, -4.7750, 2.0315
    expected = [a * x + b * x**3 + c * x**5 for x in (0.6, 0.8)]
    found = orthogonal(torch.diag(torch.tensor([3.0, 4.0])), 1)
    assert found.diagonal().tolist() == pytest.approx(expected, rel=0.02)  # bfloat16 has 8 bits
    assert found[0, 1] == found[1, 0] == 0


def test_two_steps_of_muon_by_hand():
    net = network()
    net.initialise(0)
    optimiser = Muon(net, SETTINGS)
    first, output = net[0], net[-1]
    rng = np.random.default_rng(1)
    weight, momentum = first.weight.detach().numpy().astype(float), np.zeros(first.weight.shape)
    gamma, moment, square = first.gamma.detach().numpy().astype(float), 0.0, 0.0
    for step in (1, 2):
        for parameter in net.parameters():
            parameter.grad = torch.from_numpy(rng.normal(size=parameter.shape)).float()
        gradient, of_gamma = first.weight.grad.numpy().astype(float), first.gamma.grad.numpy().astype(float)
        before = output.weight.detach().clone()
        optimiser.step(0.25)
        momentum = 0.5 * momentum + gradient
        ahead = torch.from_numpy((gradient + 0.5 * momentum).reshape(4, -1)).float()
        turn = orthogonal(ahead, 5).numpy().reshape(weight.shape)
        weight = weight * 2.0 / np.linalg.norm(weight) - 0.25 * turn  # the root of four filters
        moment, square = 0.9 * moment + 0.1 * of_gamma, 0.9 * square + 0.1 * of_gamma**2
        unbiased = moment / (1 - 0.9**step), square / (1 - 0.9**step)
        gamma = gamma - 0.25 * 0.1 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        assert first.weight.detach().numpy() == pytest.approx(weight, abs=2e-3)
        assert first.gamma.detach().numpy() == pytest.approx(gamma, abs=1e-6)
        if step == 1:  # Adam's first step is the rate, whatever the gradient
            assert (output.weight - before).abs().max().item() == pytest.approx(0.25 * 0.3, rel=1e-4)
        assert all(parameter.grad is None for parameter in net.parameters())


def test_schedules_by_hand():
    constant = Phase(epochs=1, learning_rate=2.0)
    assert [constant.rate(step, 5) for step in range(5)] == [2.0] * 5
    falling = Phase(epochs=1, learning_rate=2.0, decay="linear")
    assert [falling.rate(step, 4) for step in range(4)] == [2.0, 1.5, 1.0, 0.5]
    warm = Phase(epochs=1, learning_rate=2.0, decay="linear", warm_up=0.5)
    assert [warm.rate(step, 4) for step in range(4)] == [1.0, 2.0, 2.0, 1.0]


def test_identity_initialisation_passes_channels_on():
    net = network(k=None)
    net.initialise(3, identity=True)
    x = torch.rand(1, 4, 6, 6)
    pooling = net[1]
    passed = F.conv2d(x, pooling.weight, stride=2)
    assert torch.allclose(passed, 0.5 * F.avg_pool2d(x, 2) * 4, atol=1e-6)
    deeper = QuantisedNetwork(parse("4C3-6C3-5", (2, 6, 6), 3, "same"), None)
    deeper.initialise(3, identity=True)
    kept = F.conv2d(x, deeper[1].weight, padding=1)
    assert torch.allclose(kept[:, :4], x, atol=1e-6)
    assert not torch.allclose(kept[:, 4], x[:, 0], atol=1e-2)
    drawn = deeper[0].weight.std().item()
    assert drawn == pytest.approx((3 * 18) ** -0.5, rel=0.3)


def test_the_objective_by_hand():
    net = network(k=1)
    net.initialise(0)
    net.eval()
    with torch.no_grad():
        for layer in [*net][:-1]:
            layer.gamma.mul_(40)  # counts of some tens
    inputs, labels = torch.rand(7, 2, 6, 6), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    activations, x = [], inputs
    for layer in net:
        x = layer(x)
        activations.append(x.detach().numpy())
    logits = activations.pop().astype(float)
    assert all(a.max() > 1 for a in activations)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    smoothed = np.full((7, 3), 0.3 / 3)
    smoothed[np.arange(7), labels.numpy()] += 0.7
    expected = -(smoothed * logs).sum(1).mean() + 0.5 * np.mean([2 * a.mean() for a in activations])
    loss, found = Objective(recipe(label_smoothing=0.3, activation_penalty=0.5))(net, inputs, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert torch.equal(found, x)
    peaks = [np.mean((2 * a.astype(float)) ** 8) ** (1 / 8) for a in activations]
    above, _ = Objective(recipe(label_smoothing=0.3, activation_penalty=0.5, penalty_power=8))(net, inputs, labels)
    assert above.item() - loss.item() == pytest.approx(
        0.5 * np.mean([peak - 2 * a.mean() for peak, a in zip(peaks, activations, strict=True)]), rel=1e-4
    )
    plain, _ = Objective(recipe())(net, inputs, labels)
    assert plain.item() == pytest.approx(-logs[np.arange(7), labels.numpy()].mean(), rel=1e-5)


@pytest.mark.parametrize("power", [2, 3, 8])
def test_the_gradient_of_a_power_of_the_penalty_by_hand(power):
    """d/da mean(a^p)^(1/p) = a^(p-1) mean(a^p)^(1/p - 1) / n."""
    a = np.random.default_rng(0).uniform(0, 3, (4, 5, 6))
    given = torch.from_numpy(a).requires_grad_()
    power_mean(given, power).backward()
    expected = a ** (power - 1) * np.mean(a**power) ** (1 / power - 1) / a.size
    np.testing.assert_allclose(given.grad.numpy(), expected, rtol=1e-12)


def test_a_power_of_the_penalty_where_no_neuron_is_active_has_no_gradient():
    net = network(k=1)
    net.initialise(0)
    net.eval()
    *hidden, _ = net
    with torch.no_grad():
        for layer in hidden:
            layer.beta.fill_(-100.0)
    settings = recipe(activation_penalty=0.5, penalty_power=8)
    loss, _ = Objective(settings)(net, torch.rand(3, 2, 6, 6), torch.tensor([0, 1, 2]))
    loss.backward()
    assert loss.isfinite()
    assert all(layer.beta.grad.abs().max() == 0 for layer in hidden)


def test_the_published_recipe_is_recorded_as_ever():
    """Records of results that ship know no other keys."""
    recorded = load_experiment("mnist-lenet", SHIPPED).recipe("paper", "k1").recorded()
    assert recorded == {
        "augmentation": None, "batch_size": 200, "dataset": "mnist", "network": "20C5-P2-50C5-P2-500",
        "padding": "valid", "phases": [{"epochs": 150, "learning_rate": 0.0001}], "train_images": None,
        "validation_images": 10000,
    }  # fmt: skip


def test_each_precision_starts_from_the_one_before(fast):
    experiment = load_experiment(fast)
    starts = {p: experiment.recipe("fast", p).initial for p in ("fp32", "k2", "k0", "k5")}
    assert starts == {"fp32": None, "k2": "fp32", "k0": "k2", "k5": "fp32"}
    assert experiment.recipe("fast", "k5").phases == experiment.recipe("fast", "k2").phases
    assert [experiment.recipe("fast", p).activation_penalty for p in ("fp32", "k2", "k0")] == [0, 0.01, 0]
    # Where there is no penalty its power decides nothing.
    assert [experiment.recipe("fast", p).penalty_power for p in ("fp32", "k2", "k0")] == [1, 4, 1]
    recorded = experiment.recipe("fast", "k2").recorded()
    assert recorded["initial"] == "fp32"
    assert Recipe.model_validate(recorded) == experiment.recipe("fast", "k2")


def test_fine_tuning_starts_from_the_network_it_is_given_and_says_which(train):
    first, other = train("fp32"), train("fp32", "--seed", "1", name="other")
    tuned, again, apart = (
        train("k2", "--initial", start, name=name) for start, name in ((first, "a"), (first, "b"), (other, "c"))
    )
    assert tuned.read_bytes() == again.read_bytes()
    networks = [Checkpoint.load(path) for path in (tuned, apart)]
    assert networks[0].metadata.initial != networks[1].metadata.initial
    assert (networks[0].parameters["0.weight"] != networks[1].parameters["0.weight"]).any()
    history = tuned.with_suffix(".history.csv").read_text().splitlines()
    untrained = train("fp32", "--epochs", "1", name="short").with_suffix(".history.csv").read_text().splitlines()
    assert float(history[1].split(",")[3]) > float(untrained[1].split(",")[3])  # it begins where the other ended


def test_fine_tuning_goes_on_from_a_rescaled_network(train, command_line, tmp_path):
    first, larger = train("fp32"), tmp_path / "larger.safetensors"
    assert command_line("rescale", first, "--by", "1.5", "--out", larger) == 0
    start, tuned = Checkpoint.load(first), Checkpoint.load(train("k2", "--initial", larger))
    assert tuned.metadata.model_extra["epochs_before"] == 3
    assert (tuned.parameters["0.gamma"] / start.parameters["0.gamma"]).mean() == pytest.approx(1.5, rel=0.2)


def test_a_stage_of_fine_tuning_rescales_the_network_that_it_starts_from(train, fast, command_line, tmp_path):
    first, larger = train("fp32"), tmp_path / "larger.safetensors"
    assert command_line("rescale", first, "--by", "1.5", "--out", larger) == 0
    by_hand = Checkpoint.load(train("k2", "--initial", larger, name="by-hand"))
    name = f"{fast}@training.budgets.fast.fine_tuning.0.activation_scale=1.5"
    arguments = ["--precision", "k2", "--budget", "fast", "--device", "cpu", "--initial", first]
    assert command_line("train", name, *arguments, "--out", tmp_path / "k2.safetensors") == 0
    found = Checkpoint.load(tmp_path / "k2.safetensors")
    assert found.metadata.recipe.activation_scale == 1.5
    for key, array in by_hand.parameters.items():
        assert array.tobytes() == found.parameters[key].tobytes()


def test_a_penalty_on_fp32_is_its_own(fast, train, command_line, tmp_path):
    content = yaml.safe_load(FAST)
    content["training"]["budgets"]["fast"]["fp32_penalty"] = 0.3
    recipes = {p: Experiment.model_validate(content).recipe("fast", p) for p in ("fp32", "k2", "k0")}
    assert [recipes[p].activation_penalty for p in recipes] == [0.3, 0.01, 0.0]
    assert [recipes[p].penalty_power for p in recipes] == [4, 4, 1]
    penalised = tmp_path / "penalised.safetensors"
    arguments = ["--precision", "fp32", "--budget", "fast", "--device", "cpu", "--out", penalised]
    assert command_line("train", f"{fast}@fp32_penalty=0.3", *arguments) == 0
    small, free = (largest_activation(Checkpoint.load(path)) for path in (penalised, train("fp32")))
    assert small < 0.9 * free


def largest_activation(checkpoint):
    """Of an FP32 network, for random images."""
    images = torch.rand(200, *checkpoint.graph.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        *activations, _ = build(checkpoint, torch.device("cpu")).run(images)
    return max(values.max().item() for _, values in activations)


def test_what_cannot_be_rescaled_is_refused_before_anything_is_trained():
    content = yaml.safe_load(FAST)
    content["training"]["budgets"]["fast"]["fine_tuning"][1]["activation_scale"] = 1.5
    assert Experiment.model_validate(content).recipe("fast", "k0").activation_scale == 1.5
    bounded = Experiment.model_validate(content | {"upper_bound": 2})
    place = r"training\.budgets\.fast\.fine_tuning\.k0\.activation_scale"
    refused = f"^{place}: activations have the upper bound 2, and cannot be rescaled; set it to 1$"
    with pytest.raises(LosslessError, match=refused):
        bounded.recipe("fast", "k0")
    assert bounded.recipe("fast", "k2").upper_bound == 2  # what comes before it scales nothing


@pytest.mark.parametrize("change", ["network=resnet20", "upper_bound=8", "network=vgg16,upper_bound=8"])
def test_scales_of_one_budget_refuse_no_variant_at_another(change):
    variant = load_experiment(f"cifar10-cnn1@{change}", SHIPPED)
    scales = [variant.recipe("paper", precision).activation_scale for precision in ("fp32", "k0", "k1", "k2")]
    assert scales == [1, 1, 1, 1]


def test_fine_tuning_counts_its_epochs_on(train):
    """FP32 has 3 epochs, k = 2 has 1 and k = 0 has 2: each sees images in another order than the one before."""
    first = train("fp32")
    second = train("k2", "--initial", first)
    third = train("k0", "--initial", second)
    extras = [Checkpoint.load(path).metadata.model_extra for path in (first, second, third)]
    assert [extra.get("epochs_before") for extra in extras] == [None, 3, 4]
    seen = []

    def epoch(images, seed, number):
        seen.append(number)
        raise KeyboardInterrupt

    with patch.object(TrainingSet, "epoch", epoch):
        train("k0", "--initial", second, name="again")
    assert seen == [4]


def test_fine_tuning_at_few_bits_gives_a_network_that_is_narrow_already(train, fast, command_line, tmp_path):
    name, start = f"{fast}@weight_bits=3", train("fp32")
    recipe = load_experiment(name).recipe
    assert [recipe("fast", precision).weight_bits for precision in ("fp32", "k2", "k0")] == [None, 3, 3]
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    arguments = ["train", name, "--precision", "k0", "--budget", "fast", "--device", "cpu", "--initial"]
    assert command_line(*arguments[:2], "--precision", "k2", *arguments[4:], start, "--out", tmp_path / "k2") == 0
    assert command_line(*arguments, tmp_path / "k2", "--out", whole) == 0
    with interrupted_after_an_epoch():
        assert command_line(*arguments, tmp_path / "k2", "--out", cut) != 0
    assert command_line(*arguments, tmp_path / "k2", "--out", cut, "--resume") == 0
    assert cut.read_bytes() == whole.read_bytes()
    # As integers of three bits its weights are -3 to 3, and no weight is rounded any more.
    trained = Checkpoint.load(whole)
    few = narrow(convert(trained), Widths(weight_bits=3, membrane_bits=62, overflow="refuse"))
    for index, layer in enumerate(few.hidden):
        weight = trained.parameters[f"{index}.weight"]
        unit = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 3
        assert set(np.unique(layer.grid_weight)) <= set(range(-3, 4))
        np.testing.assert_allclose(layer.grid_weight * unit, weight, rtol=1e-6)


def test_what_is_trained_at_few_bits_is_what_the_network_gave():
    net = network(k=3)
    net.initialise(0, identity=True)
    net.train_at_width(4)
    images = torch.rand(5, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    net.eval()
    full, given = net[0].weight.clone(), net(images)
    net.round_to_width()
    assert torch.equal(net(images), given)
    unit = full.abs().amax(dim=(1, 2, 3), keepdim=True) / 7
    assert torch.equal(net[0].weight, torch.round(full / unit) * unit)
    # The gradient goes past the rounding: it is that of the rounded weights.
    gradients = []
    for bits in (None, 4):
        net.train_at_width(bits)
        net.zero_grad()
        net(images).square().sum().backward()
        gradients.append(net[0].weight.grad)
    assert gradients[0].abs().sum() > 0
    torch.testing.assert_close(gradients[1], gradients[0])


def test_what_fine_tuning_refuses(train):
    first = train("fp32")
    assert "name its checkpoint: --initial" in train("k2")
    assert "leave --initial out" in train("fp32", "--initial", first, name="again")
    assert "at fp32; swift, fast budget, k0 needs k2" in train("k0", "--initial", first)


def test_an_interrupted_training_in_half_precision_ends_with_the_same_bytes(train, fast, command_line, tmp_path):
    whole = train("fp32", name="whole")
    cut = tmp_path / "cut.safetensors"
    arguments = ["train", fast, "--precision", "fp32", "--budget", "fast", "--device", "cpu", "--out", cut]
    with interrupted_after_an_epoch():
        assert command_line(*arguments) != 0
    assert cut.with_suffix(".training").exists()
    assert command_line(*arguments, "--resume") == 0
    assert cut.read_bytes() == whole.read_bytes()


def test_other_threads_start_anew(train, fast, command_line, tmp_path, capsys):
    cut = tmp_path / "cut.safetensors"
    arguments = ["train", fast, "--precision", "fp32", "--budget", "fast", "--device", "cpu", "--out", cut]
    with interrupted_after_an_epoch():
        command_line(*arguments)
    capsys.readouterr()
    assert command_line(*arguments, "--resume", "--threads", "2") == 0
    assert "made with other threads; starting from the first epoch" in capsys.readouterr().out
