"""Images as integers: standardisation worked out by hand, and against exact arithmetic."""

from fractions import Fraction
from math import sqrt

import numpy as np

from lossless_snn.datasets.encoding import Scaled, Standardised


def test_scaled_pixels_are_their_own_integers():
    pixels = np.array([[[[0, 255], [7, 128]]]], dtype=np.uint8)
    integers = Scaled().integers(pixels)
    assert integers.dtype == np.int32
    assert integers.tolist() == pixels.tolist()
    assert (Scaled().input_shape((1, 2, 2)), Scaled().peak((1, 2, 2)), Scaled().bits) == ((1, 2, 2), 255, 8)


def test_standardised_by_hand():
    """Mean 20, deviations -10, -10, 10, 10: std 10, so -1 and 1."""
    pixels = np.array([[[[10, 10], [30, 30]]]], dtype=np.uint8)
    assert Standardised(crop=2, bits=16).integers(pixels).ravel().tolist() == [-65536, -65536, 65536, 65536]


def test_mean_and_std_are_of_all_channels():
    """Values 0, 0, 0, 8 in four channels: mean 2, std sqrt(12)."""
    pixels = np.array([0, 0, 0, 8], dtype=np.uint8).reshape(1, 4, 1, 1)
    expected = [round(-2 / sqrt(12) * 65536)] * 3 + [round(6 / sqrt(12) * 65536)]
    assert Standardised(crop=1).integers(pixels).ravel().tolist() == expected


def test_an_image_of_one_colour_is_zero():
    assert not Standardised(crop=3).integers(np.full((2, 3, 3, 3), 77, dtype=np.uint8)).any()


def test_a_std_below_one_over_sqrt_n_counts_as_that():
    """One of 100 values differs by 1: std sqrt(0.0099) = 0.0995 < 0.1, so 0.99 becomes 9.9."""
    pixels = np.zeros((1, 1, 10, 10), dtype=np.uint8)
    pixels[0, 0, 4, 4] = 1
    integers = Standardised(crop=10).integers(pixels)[0, 0]
    assert integers[4, 4] == round(9.9 * 65536)
    assert integers[0, 0] == round(-0.1 * 65536)


def test_the_crop_is_the_central_one():
    pixels = np.zeros((1, 1, 6, 8), dtype=np.uint8)
    pixels[0, 0, 1:5, 2:6] = np.arange(16).reshape(4, 4)
    expected = Standardised(crop=4).integers(np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4))
    assert Standardised(crop=4).integers(pixels).tolist() == expected.tolist()


def test_against_exact_arithmetic():
    """The nearest integer to the exact value, within the rounding of a double."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 5, 5), dtype=np.uint8)
    integers = Standardised(crop=5).integers(pixels)
    for image, found in zip(pixels, integers, strict=True):
        values = [Fraction(int(p)) for p in image.ravel()]
        mean = sum(values) / 75
        variance = max(sum((v - mean) ** 2 for v in values) / 75, Fraction(1, 75))
        for value, integer in zip(values, found.ravel().tolist(), strict=True):
            exact = float(value - mean) * 65536 / sqrt(variance)
            assert abs(exact - integer) < 0.5 + 1e-6


def test_the_peak_is_reached_and_never_exceeded():
    """One value against all others: |x - mean| / std = sqrt(n - 1)."""
    encoding = Standardised(crop=4)
    pixels = np.zeros((1, 3, 4, 4), dtype=np.uint8)
    pixels[0, 0, 0, 0] = 255
    largest = encoding.integers(pixels).max()
    assert largest == round(sqrt(47) * 65536)
    assert largest <= encoding.peak((3, 9, 9)) < largest + 65536


def test_no_images_give_no_inputs():
    assert Standardised(crop=4).integers(np.zeros((0, 3, 6, 6), dtype=np.uint8)).shape == (0, 3, 4, 4)


def test_inputs_are_exact_in_single_precision():
    peak = Standardised(crop=24).peak((3, 32, 32))
    assert np.float32(peak) == peak < 2**24
