"""Augmentation: whole batches against one image at a time, with the same random numbers."""

import numpy as np
import pytest
import torch

from lossless_snn.config.recipe import Augmentation
from lossless_snn.training.augmentation import Draws, augment, bordered, draw, standardise

PUBLISHED = Augmentation(crop=24, flip=True, brightness=63.0, contrast=(0.2, 1.8))
CPU = torch.device("cpu")


def one_image(pixels, top, left, flipped, shift, contrast, crop):
    """The method's augmentation of one image (C, H, W), in double precision, step by step."""
    image = pixels[:, top : top + crop, left : left + crop].astype(np.float64)
    if flipped:
        image = image[:, :, ::-1]
    image = image + shift
    for channel in range(len(image)):
        mean = image[channel].mean()
        image[channel] = (image[channel] - mean) * contrast + mean
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))


def draws_of(**changes):
    plain = {"top": [0], "left": [0], "flipped": [False], "shift": [0.0], "contrast": [1.0]} | changes
    kinds = {"top": torch.int64, "left": torch.int64, "flipped": torch.bool}
    return Draws(**{name: torch.tensor(value, dtype=kinds.get(name, torch.float32)) for name, value in plain.items()})


def varied(crop):
    """A recipe that uses all draws."""
    return Augmentation(crop=crop, contrast=(1.0, 2.0))


def test_a_batch_is_augmented_as_its_images_one_by_one():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
    chosen = torch.from_numpy(rng.permutation(30)[:20])
    draws = draw(PUBLISHED, chosen.numpy(), 30, (32, 32), seed=3, epoch=5)
    inputs = augment(torch.from_numpy(pixels), chosen, draws, PUBLISHED)
    assert inputs.shape == (20, 3, 24, 24)
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    for i, image in enumerate(chosen.tolist()):
        numbers = [getattr(draws, name)[i].item() for name in ("top", "left", "flipped", "shift", "contrast")]
        assert inputs[i].numpy() == pytest.approx(one_image(pixels[image], *numbers, 24), abs=2e-5)


def test_an_image_of_one_colour_is_zero_but_for_rounding():
    draws = draw(PUBLISHED, np.arange(1), 1, (32, 32), seed=0, epoch=0)
    inputs = augment(torch.full((1, 3, 32, 32), 91, dtype=torch.uint8), torch.tensor([0]), draws, PUBLISHED)
    assert inputs.abs().max() < 0.01


def test_crop_and_flip_by_hand():
    pixels = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3)  # 0 1 2 / 3 4 5 / 6 7 8
    image = torch.tensor([0])
    plain = augment(pixels, image, draws_of(top=[1], left=[1]), varied(2))[0, 0]  # 4 5 / 7 8: mean 6, std sqrt(2.5)
    assert plain.flatten().tolist() == pytest.approx([v / 2.5**0.5 for v in (-2, -1, 1, 2)])
    flipped = augment(pixels, image, draws_of(top=[1], left=[1], flipped=[True]), varied(2))[0, 0]
    assert flipped.tolist() == plain.flip(1).tolist()


def test_a_whole_image_moves_and_what_moves_in_is_zero():
    """Two columns of one row, 3 and 4, with a border of one pixel: moved right, left and down, and mirrored."""
    recipe = Augmentation(flip=True, shift=1)
    inputs = bordered(torch.tensor([[[[3.0, 4.0]]]]), recipe)
    assert inputs.shape == (1, 1, 3, 4)
    places = [((1, 1), False, [3, 4]), ((1, 0), False, [0, 3]), ((1, 2), False, [4, 0]), ((0, 1), False, [0, 0]),
              ((1, 1), True, [4, 3]), ((1, 0), True, [3, 0])]  # fmt: skip
    for (top, left), flipped, expected in places:
        found = augment(inputs, torch.tensor([0]), draws_of(top=[top], left=[left], flipped=[flipped]), recipe)
        assert found.shape == (1, 1, 1, 2)
        assert found.flatten().tolist() == expected


def test_a_whole_image_moves_by_at_most_the_shift():
    draws = draw(Augmentation(flip=False, shift=2), np.arange(5000), 5000, (28, 20), 0, 0)
    for place in (draws.top, draws.left):
        assert torch.bincount(place).tolist() == pytest.approx([1000] * 5, rel=0.15)
    still = draw(Augmentation(flip=True), np.arange(9), 9, (28, 20), 0, 0)
    assert not still.top.any()
    assert not still.left.any()


def test_contrast_is_around_the_mean_of_each_channel():
    """Channels 0, 2 and 10, 14: contrast 2 gives -1, 3 and 8, 16, of mean 6.5 and variance 40.25."""
    pixels = torch.tensor([0, 2, 10, 14], dtype=torch.uint8).reshape(1, 2, 1, 2).expand(1, 2, 2, 2).contiguous()
    found = augment(pixels, torch.tensor([0]), draws_of(contrast=[2.0]), varied(2))[0]
    expected = [(v - 6.5) / 40.25**0.5 for v in (-1, 3, 8, 16)]
    assert found[:, 0].flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_brightness_shifts_all_pixels_and_standardisation_takes_it_back():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 4, 4), dtype=np.uint8))
    shifted, plain = (augment(pixels, torch.tensor([0]), draws_of(shift=[s]), varied(4)) for s in (63.0, 0.0))
    assert shifted.numpy() == pytest.approx(plain.numpy(), abs=1e-5)


def test_standardisation_by_hand():
    values = torch.tensor([[10.0, 10.0, 30.0, 30.0], [5.0, 5.0, 5.0, 5.0], [0.0, 0.0, 0.0, 0.4]])
    # std 10; one colour; std 0.1732 below 1/sqrt(4) = 0.5, deviations -0.1 and 0.3
    expected = [[-1, -1, 1, 1], [0, 0, 0, 0], [-0.2, -0.2, -0.2, 0.6]]
    assert standardise(values).numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_draws_have_the_published_ranges():
    draws = draw(PUBLISHED, np.arange(20000), 20000, (32, 32), seed=0, epoch=0)
    for place in (draws.top, draws.left):
        assert torch.bincount(place).tolist() == pytest.approx([20000 / 9] * 9, rel=0.1)
    assert draws.flipped.float().mean().item() == pytest.approx(0.5, abs=0.02)
    for numbers, low, high in [(draws.shift, -63, 63), (draws.contrast, 0.2, 1.8)]:
        assert low <= numbers.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < numbers.max() <= high
        assert numbers.mean().item() == pytest.approx((low + high) / 2, abs=0.01 * (high - low))
    numbers = torch.stack([draws.top, draws.left, draws.flipped, draws.shift, draws.contrast]).double()
    assert (torch.corrcoef(numbers) - torch.eye(5)).abs().max() < 0.05  # independent of each other


def test_draws_depend_on_seed_and_epoch_alone():
    first, again, *others = (
        draw(PUBLISHED, np.arange(50), 50, (32, 32), *place) for place in [(3, 5), (3, 5), (3, 6), (4, 5), (5, 3)]
    )
    assert torch.equal(first.shift, again.shift)
    assert not any(torch.equal(first.shift, other.shift) for other in others)


def test_no_flips_where_none_are_asked_for():
    assert not draw(Augmentation(crop=24, flip=False), np.arange(1000), 1000, (32, 32), 0, 0).flipped.any()


def test_alternating_flips_show_each_image_both_ways_in_two_epochs():
    recipe, rng = Augmentation(crop=24, flip="alternating"), np.random.default_rng(0)
    flipped = np.zeros((4, 1000), dtype=bool)
    for epoch in range(4):
        chosen = rng.permutation(1000)[:900]  # in whatever order, and some sit out
        flipped[epoch, chosen] = draw(recipe, chosen, 1000, (32, 32), 7, epoch).flipped.numpy()
        seen = np.isin(np.arange(1000), chosen)
        first = draw(recipe, np.arange(1000), 1000, (32, 32), 7, 0).flipped.numpy()
        assert (flipped[epoch, seen] == (first ^ (epoch % 2 == 1))[seen]).all()
    assert first.mean() == pytest.approx(0.5, abs=0.05)
    assert (draw(recipe, np.arange(1000), 1000, (32, 32), 8, 0).flipped.numpy() != first).any()


def test_shifts_stay_near_the_centre():
    draws = draw(Augmentation(crop=24, shift=2), np.arange(5000), 5000, (32, 30), 0, 0)
    assert torch.bincount(draws.top).tolist() == pytest.approx([0, 0, *[1000] * 5], rel=0.15)  # 32 - 24 = 8: 4 +- 2
    assert set(draws.left.tolist()) == {1, 2, 3, 4, 5}  # 30 - 24 = 6: 3 +- 2
