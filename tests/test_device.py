"""What PyTorch is set up to do before it calculates."""

import pytest
import torch

from lossless_snn.errors import LosslessError
from lossless_snn.networks.device import prepare
from lossless_snn.networks.notation import parse
from lossless_snn.networks.quantised import QuantisedLayer

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


def test_in_mixed_precision_all_but_the_convolution_is_in_single_precision():
    """As on a GPU: the products are rounded to 16 bits, and batch norm, ReLU and quantiser see 32."""
    layer = QuantisedLayer(parse("4C3-2", (1, 8, 8), 10)[0], k=1)
    layer.initialise(torch.Generator().manual_seed(0))
    seen = []
    with torch.autocast("cpu", torch.bfloat16):
        activation = layer(torch.rand(3, 1, 8, 8))
        seen.append(torch.nn.functional.conv2d(torch.rand(1, 1, 8, 8), layer.weight).dtype)
    assert seen == [torch.bfloat16]
    assert activation.dtype == torch.float32
    assert (2 * activation == (2 * activation).round()).all()
    activation.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
