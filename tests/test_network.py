"""The quantised network: quantiser, initialisation, batch norm, forward pass."""

import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from tiny_networks import random_checkpoint, random_pixels, reference_layers

from lossless_snn.evaluation.accuracy import accuracy, build, encode
from lossless_snn.networks import notation
from lossless_snn.networks.quantised import QuantisedNetwork, quantise

CPU = torch.device("cpu")
LENET = notation.parse("20C5-P2-50C5-P2-500", (1, 28, 28), 10)


def test_quantiser_rounds_half_up_at_even_and_odd_because_of_the_shift():
    # 0.5 + 1e-5 rounds to 1 and 2.5 + 1e-5 to 3, where half to even alone would give 0 and 2
    values = torch.tensor([0, 0.4999, 0.5, 1.4999, 1.5, 2.5, 3.5, 1000.4])
    assert quantise(values, 0).tolist() == [0, 0, 1, 1, 2, 3, 4, 1000]


def test_quantiser_shift_is_a_hundred_thousandth_of_a_level():
    for k in (0, 1, 2, 5):
        half_level = 2.0 ** -(k + 1)
        just_enough, too_little = half_level - 0.9e-5 / 2**k, half_level - 1.1e-5 / 2**k
        values = torch.tensor([just_enough, too_little], dtype=torch.float64)
        assert quantise(values, k).tolist() == [2.0**-k, 0]


def test_quantiser_goes_half_to_even():
    # the sum is exactly halfway between two levels, down to the last bit
    halves = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    below = halves - 1e-5
    exact = (below + 1e-5) == halves
    assert exact.any()
    assert quantise(below[exact], 0).tolist() == [2 * round(h / 2) for h in halves[exact].tolist()]


@pytest.mark.parametrize("k", [0, 1, 2, 3, 7, 12])
def test_quantiser_at_any_level_and_without_upper_clip(k):
    values = np.random.default_rng(k).exponential(3, 1000)
    expected = [round(2**k * v + 1e-5) / 2**k for v in values.tolist()]
    assert quantise(torch.from_numpy(values), k).tolist() == expected
    assert quantise(torch.tensor([1e6 + 0.75], dtype=torch.float64), k).item() >= 1e6


def test_rounding_is_the_identity_backwards_and_the_relu_keeps_its_gradient():
    # 0.1 rounds to 0, and lets the gradient through nevertheless
    values = torch.tensor([-2.0, -0.1, 0.1, 0.7, 5.2], requires_grad=True)
    (quantise(torch.relu(values), 0) * torch.tensor([1.0, 2, 3, 4, 5])).sum().backward()
    assert values.grad.tolist() == [0, 0, 3, 4, 5]


@pytest.mark.parametrize("k", [None, 0, 2])
@pytest.mark.parametrize("training", [True, False], ids=["batch statistics", "running statistics"])
def test_gradients_are_those_of_the_network_without_rounding(tiny_datasets, training, k):
    """Against PyTorch's own derivatives in 64 bits, layer by layer: the rounding counts as the identity."""
    rng = np.random.default_rng(0)
    checkpoint = random_checkpoint(rng, "5C3-P2-4", (2, 6, 6), k)
    network = build(checkpoint, CPU).train(training)
    x = rng.random((3, 2, 6, 6))
    upstream = [torch.from_numpy(rng.normal(size=(3, *layer.out_shape))) for layer in checkpoint.layers[:-1]]
    for index, layer in enumerate(checkpoint.layers[:-1]):
        inputs = torch.from_numpy(rng.random((3, *layer.in_shape))) if index else torch.from_numpy(x)
        p = {
            name: torch.from_numpy(checkpoint.parameters[f"{index}.{name}"].astype(float))
            for name in ("weight", "gamma", "beta", "mean", "variance")
        }
        plain = [p[name].requires_grad_() for name in ("weight", "gamma", "beta")]
        source = inputs.clone().requires_grad_()
        total = F.conv2d(source, p["weight"], stride=layer.stride)
        mean, variance = p["mean"], p["variance"]
        if training:
            mean, variance = total.mean((0, 2, 3)), total.var((0, 2, 3), unbiased=False)
        shape = (1, -1, 1, 1)
        normal = (total - mean.view(shape)) / torch.sqrt(variance.view(shape) + 1e-5)
        out = torch.relu(normal * p["gamma"].view(shape) + p["beta"].view(shape))
        expected = torch.autograd.grad((out * upstream[index]).sum(), [source, *plain])
        ours, module = inputs.float().requires_grad_(), network[index]
        (module(ours) * upstream[index].float()).sum().backward()
        for got, want in zip(
            [ours.grad, module.weight.grad, module.gamma.grad, module.beta.grad], expected, strict=True
        ):
            assert got.numpy() == pytest.approx(want.numpy(), rel=1e-3, abs=1e-4)


def test_initial_distributions():
    network = QuantisedNetwork(LENET, 0)
    network.initialise(0)
    # the standard deviation of a normal distribution that is cut off at two of its own
    cut_off = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
    assert cut_off == pytest.approx(0.8796, abs=1e-4)
    for layer, std in [(network[2], 0.02), (network[4], 0.02), (network[5], 0.1)]:
        weight = layer.weight.detach().double()
        assert weight.abs().max().item() <= 2 * std
        assert weight.abs().max().item() > 1.9 * std
        assert weight.std().item() == pytest.approx(cut_off * std, rel=0.05)
        assert abs(weight.mean().item()) < 4 * std / math.sqrt(weight.numel())
    gamma = network[4].gamma.detach().double()
    assert gamma.mean().item() == pytest.approx(1, abs=4 * 0.002 / math.sqrt(500))
    assert gamma.std().item() == pytest.approx(0.002, rel=0.15)
    for layer in list(network)[:-1]:
        assert (layer.beta == 0).all()
        assert (layer.mean == 0).all()
        assert (layer.variance == 1).all()


def test_initialisation_is_a_function_of_the_seed():
    def state(seed):
        torch.manual_seed(np.random.default_rng().integers(1000).item())  # must not matter
        network = QuantisedNetwork(LENET, 0)
        network.initialise(seed)
        return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}

    assert state(3) == state(3)
    first, other = state(3), state(4)
    assert all(first[name] != other[name] for name in first if name.endswith(("weight", "gamma")))


def test_the_precisions_of_a_seed_start_from_the_same_parameters():
    networks = [QuantisedNetwork(LENET, k) for k in (None, 0, 2)]
    for network in networks:
        network.initialise(1)
    assert all(torch.equal(a, b) for a, b in zip(networks[0].parameters(), networks[2].parameters(), strict=True))


def test_the_last_layer_has_weights_alone():
    network = QuantisedNetwork(LENET, 0)
    assert [name for name in network.state_dict() if name.startswith("5.")] == ["5.weight"]
    assert {name for name in network.state_dict() if name.startswith("0.")} == {
        "0.weight",
        "0.gamma",
        "0.beta",
        "0.mean",
        "0.variance",
    }


def test_batch_norm_by_hand():
    """One input, one unit, weight 2, so that the layer sees 2 and 6: mean 4, variance 4 (8 where unbiased)."""
    network = QuantisedNetwork(notation.parse("1", (1, 1, 1), 10), None)
    network.initialise(0)
    layer = network[0].train()
    with torch.no_grad():
        layer.weight.fill_(2)
        layer.gamma.fill_(3)
        layer.beta.fill_(0.5)
        out = layer(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)).flatten().tolist()
        # 3 (2 - 4) / sqrt(4 + 1e-5) + 0.5 < 0, and 3.5 less what eps takes
        assert out[0] == 0
        assert out[1] == pytest.approx(3 * 2 / math.sqrt(4 + 1e-5) + 0.5, rel=1e-6)
        # the averages decay by 0.9 from mean 0 and variance 1
        assert layer.mean.item() == pytest.approx(0.4)
        assert layer.variance.item() == pytest.approx(0.9 + 0.8)
        layer(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1))  # 0 and 2: mean 1, unbiased variance 2
        assert layer.mean.item() == pytest.approx(0.9 * 0.4 + 0.1)
        assert layer.variance.item() == pytest.approx(0.9 * 1.7 + 0.2)
        layer.eval()
        out = layer(torch.tensor([[[[5.0]]]])).item()
    assert out == pytest.approx(3 * (10 - 0.46) / math.sqrt(1.73 + 1e-5) + 0.5, rel=1e-6)
    assert layer.mean.item() == pytest.approx(0.46)


def test_batch_norm_eps_where_the_variance_is_nothing(tiny_datasets):
    checkpoint = random_checkpoint(np.random.default_rng(1), "1", (1, 1, 1), None)
    for name, value in {"weight": 1, "gamma": 1, "beta": 0, "mean": 0, "variance": 0}.items():
        checkpoint.parameters[f"0.{name}"][:] = value
    out = build(checkpoint, CPU)[0](torch.ones(1, 1, 1, 1)).item()
    assert out == pytest.approx(1 / math.sqrt(1e-5), rel=1e-6)


@pytest.mark.parametrize("k", [None, 0, 1, 2, 4])
@pytest.mark.parametrize(
    ("network", "shape", "padding"),
    [
        ("3C3-P2-4", (1, 8, 8), "valid"),
        ("3C3-4C2-P2-5", (2, 6, 6), "same"),
        ("2C4-3C3-6-5", (2, 8, 6), "same"),
        ("6-5", (3, 5, 5), "valid"),
        ("2C5-4", (3, 5, 5), "valid"),
    ],
)
def test_forward_pass_against_the_plain_loop(tiny_datasets, network, shape, padding, k):
    rng = np.random.default_rng(7)
    checkpoint = random_checkpoint(rng, network, shape, k, padding, gamma=(0.2, 0.5), zero_gammas=0.2)
    pixels = random_pixels(rng, 3, shape)
    built, inputs = build(checkpoint, CPU), encode(pixels, checkpoint.data, CPU)
    with torch.inference_mode():
        x, hidden = inputs, []
        for layer in list(built)[:-1]:
            x = layer(x)
            hidden.append(x)
        logits = built(inputs)
    for image in range(3):
        activations, expected = reference.ann(
            reference_layers(checkpoint), checkpoint.parameters, k, pixels[image] / 256
        )
        scale = 1 if k is None else 2**k
        for got, want in zip(hidden, activations, strict=True):
            got = got[image].flatten().double().numpy() * scale
            assert got == pytest.approx(want, rel=2e-4, abs=2e-4) if k is None else got.tolist() == want.tolist()
        assert logits[image].tolist() == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-3)


def test_pixels_are_divided_by_256(tiny_datasets):
    checkpoint = random_checkpoint(np.random.default_rng(0), "2", (1, 1, 1), 0)
    assert encode(np.array([[[[255]]]], dtype=np.uint8), checkpoint.data, CPU).item() == 255 / 256


def test_accuracy_and_loss_over_uneven_batches(tiny_datasets):
    """501 images: more than are evaluated at a time, so that the last batch is a single one."""
    rng = np.random.default_rng(2)
    checkpoint = random_checkpoint(rng, "6", (1, 4, 4), 1)
    pixels, labels = random_pixels(rng, 501, (1, 4, 4)), rng.integers(0, 10, 501)
    loss, share = accuracy(build(checkpoint, CPU), encode(pixels, checkpoint.data, CPU), torch.from_numpy(labels))
    layers = reference_layers(checkpoint)
    logits = np.array([reference.ann(layers, checkpoint.parameters, 1, image / 256)[1] for image in pixels])
    assert share == (logits.argmax(1) == labels).mean()
    log_sum = np.log(np.exp(logits).sum(1))
    assert loss == pytest.approx((log_sum - logits[np.arange(501), labels]).mean(), rel=1e-4)
