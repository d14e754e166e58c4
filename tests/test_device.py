"""What PyTorch is set up to do before it calculates."""

import pytest
import torch

from lossless_snn.errors import LosslessError
from lossless_snn.networks.device import prepare
from lossless_snn.networks.notation import parse
from lossless_snn.networks.quantised import QuantisedNetwork

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@without_gpu
def test_auto_is_the_processor_where_there_is_no_gpu():
    assert prepare("auto", 1).type == prepare("cpu", 1).type == "cpu"


@without_gpu
def test_a_gpu_that_is_not_there_is_one_line():
    with pytest.raises(LosslessError, match="device: no CUDA device here; use --device cpu or auto"):
        prepare("cuda", 1)


def test_threads_and_determinism():
    threads = torch.get_num_threads()
    try:
        prepare("cpu", 1)
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)


def test_in_half_precision_all_but_the_convolution_is_in_single_precision():
    """The products are rounded to 16 bits, and batch norm, ReLU and quantiser see 32."""
    layer = QuantisedNetwork(parse("4C3-2", (1, 8, 8), 10), 1, torch.bfloat16)[0]
    layer.initialise(torch.Generator().manual_seed(0), identity=False)
    inputs = torch.rand(3, 1, 8, 8)
    activation = layer(inputs)
    # By hand: a convolution of 16 bits, then the rest in 32.
    sums = torch.nn.functional.conv2d(inputs.bfloat16(), layer.weight.detach().bfloat16()).float()
    mean, variance = sums.mean((0, 2, 3)), sums.var((0, 2, 3), correction=0)
    normal = (sums - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    expected = (2 * (normal * layer.gamma.detach()[:, None, None]).relu() + 1e-5).round() / 2
    assert activation.dtype == torch.float32
    # A sum within rounding of a half may fall on either side.
    assert (activation.detach() != expected).float().mean() < 0.01
    activation.sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.bad_input("configuration")
@pytest.mark.parametrize("command", ["train tiny --precision k1 --out x", "evaluate x", "simulate x --logs y"])
def test_more_threads_than_a_machine_can_run(command, command_line, capsys):
    """A million threads take every process of the machine."""
    assert command_line(*command.split(), "--threads", 1_000_000) == 2
    assert "1000000 is not in the range 1<=x<=" in capsys.readouterr().err
