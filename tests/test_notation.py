"""Networks in the paper's notation: geometry, counts, errors."""

import math

import pytest
import reference

from lossless_snn.errors import LosslessError
from lossless_snn.networks import chain_graph, notation

CNN1 = "96C3-256C3-P2-384C3-P2-384C3-256C3-P2-1024-1024"
CNN2 = "128C3-256C3-P2-512C3-P2-1024C3-512C3-P2-1024-512"


@pytest.mark.parametrize(
    ("network", "shape", "padding", "operations", "neurons"),
    [
        ("20C5-P2-50C5-P2-500", (1, 28, 28), "valid", 7_186_200, 18_900),
        ("32C5-P2-64C5-P2-1024", (1, 28, 28), "valid", 15_562_752, 29_184),
        ("400-400", (1, 28, 28), "valid", 492_000, 800),
        (CNN1, (3, 24, 24), "same", 1_197_570_048, 336_128),
        (CNN2, (3, 24, 24), "same", 2_308_979_712, 411_648),
    ],
)
def test_published_counts(network, shape, padding, operations, neurons):
    graph = chain_graph(notation.parse(network, shape, 10, padding))
    assert graph.ann_operations == operations
    assert graph.neuron_count == neurons


def test_shapes_of_lenet():
    layers = notation.parse("20C5-P2-50C5-P2-500", (1, 28, 28), 10)
    assert [layer.out_shape for layer in layers] == [
        (20, 24, 24),
        (20, 12, 12),
        (50, 8, 8),
        (50, 4, 4),
        (500, 1, 1),
        (10, 1, 1),
    ]
    assert layers[1].weight_shape == (20, 20, 2, 2)
    assert layers[1].stride == (2, 2)
    assert layers[4].weight_shape == (500, 50, 4, 4)
    assert layers[5].weight_shape == (10, 500, 1, 1)


def test_same_padding_is_for_convolutions_alone():
    conv, pool, units, output = notation.parse("4C3-P2-5", (1, 8, 8), 10, "same")
    assert conv.padding == ((1, 1), (1, 1))
    assert pool.padding == units.padding == output.padding == ((0, 0), (0, 0))
    assert (conv.out_shape, pool.out_shape, units.out_shape) == ((4, 8, 8), (4, 4, 4), (5, 1, 1))


@pytest.mark.parametrize(("kernel", "padding"), [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 2)), (5, (2, 2))])
def test_same_padding_keeps_the_map_and_pads_more_after(kernel, padding):
    layer = notation.parse(f"2C{kernel}", (1, 6, 5), 10, "same")[0]
    assert layer.out_shape == (2, 6, 5)
    assert layer.padding == (padding, padding)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("network", ["2C3-P2-4", "3C2-2C4-5", "2C1-P3-2C2-3", "P2-3C3", "4-3"])
def test_geometry_and_fan_out_against_connections_counted_one_by_one(network, padding):
    shape = (2, 6, 6) if "P3" in network else (2, 8, 8)
    expected = reference.lay_out(network, shape, 10, padding)
    layers = notation.parse(network, shape, 10, padding)
    assert [layer.out_shape for layer in layers] == [layer.out_shape for layer in expected]
    for layer, plain in zip(layers, expected, strict=True):
        channels, height, width = layer.in_shape
        fan_out = plain.fan_out().reshape(channels, height, width)
        assert (fan_out == layer.fan_out).all()
        if padding == "valid":
            assert layer.macs == fan_out.sum()


def test_fan_out_of_an_input_that_is_not_square():
    layer = notation.parse("3C3", (1, 4, 6), 10, "same")[0]
    assert (layer.fan_out == reference.lay_out("3C3", (1, 4, 6), 10, "same")[0].fan_out().reshape(4, 6)).all()
    assert layer.fan_out[0].tolist() == [12, 18, 18, 18, 18, 12]


def test_macs_count_padding_as_published():
    layer = notation.parse("3C3", (2, 4, 6), 10, "same")[0]
    assert layer.macs == math.prod((3, 4, 6)) * 2 * 9


@pytest.mark.parametrize("token", ["Q2", "20c5", "C5", "20C", "P", "P0", "0", "20C0", "5.0", "20C5x", "", "\uff12"])
@pytest.mark.bad_input("notation")
def test_unknown_token_is_named(token):
    with pytest.raises(LosslessError) as error:
        notation.parse(f"4C3-{token}", (1, 28, 28), 10)
    assert f"unknown token '{token}'" in str(error.value)
    assert "nCk, Pk or n" in str(error.value)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.bad_input("notation")
def test_kernel_larger_than_its_map(padding):
    with pytest.raises(LosslessError) as error:
        notation.parse("2C3-P2-P2-4C9", (1, 28, 28) if padding == "same" else (1, 30, 30), 10, padding)
    assert "'4C9'" in str(error.value)
    assert "7 x 7" in str(error.value)


def test_kernel_larger_than_the_shorter_side():
    with pytest.raises(LosslessError, match=r"'2C4'.* 3 x 9 map"):
        notation.parse("2C4", (1, 3, 9), 10)


@pytest.mark.parametrize(("network", "shape", "size"), [("2C3-P4", (1, 28, 28), "26 x 26"), ("P3", (1, 6, 8), "6 x 8")])
@pytest.mark.bad_input("notation")
def test_pooling_that_does_not_divide_its_map(network, shape, size):
    with pytest.raises(LosslessError) as error:
        notation.parse(network, shape, 10)
    assert f"'{network.split('-')[-1]}'" in str(error.value)
    assert size in str(error.value)


def test_pooling_larger_than_its_map():
    with pytest.raises(LosslessError, match=r"'P2'.* 1 x 1 map"):
        notation.parse("5-P2", (1, 4, 4), 10)


def test_padding_of_one_layer_s_own():
    layers = notation.parse("16C5s-16C5-P2-32C5v-P2-256", (1, 28, 28), 10)
    assert [layer.out_shape for layer in layers] == [
        (16, 28, 28), (16, 24, 24), (16, 12, 12), (32, 8, 8), (32, 4, 4), (256, 1, 1), (10, 1, 1),
    ]  # fmt: skip
    same = notation.parse("16C5-16C5v-P2-32C5v-P2-256", (1, 28, 28), 10, "same")
    assert [layer.padding for layer in same] == [layer.padding for layer in layers]
