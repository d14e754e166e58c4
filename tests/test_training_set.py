"""Which images a training sees: what is held out, in which order, all of them once."""

from itertools import chain

import numpy as np
import pytest
import torch

from lossless_snn.config.experiment import load_experiment
from lossless_snn.config.recipe import Augmentation, Recipe
from lossless_snn.datasets import Images, load
from lossless_snn.errors import LosslessError
from lossless_snn.training.augmentation import augment, draw
from lossless_snn.training.training_set import TrainingSet, split

CPU = torch.device("cpu")


def recipe(batch_size, validation_images=0, train_images=None):
    return Recipe(
        dataset="mnist",
        network="4",
        padding="valid",
        validation_images=validation_images,
        batch_size=batch_size,
        train_images=train_images,
        augmentation=None,
        phases=({"epochs": 1, "learning_rate": 1.0},),
    )


def numbered(count):
    """Images of one pixel, whose value and label is their place."""
    return Images(np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1), np.arange(count))


def batches(count, batch_size, seed, epoch):
    training_set = TrainingSet(numbered(count), recipe(batch_size), CPU)
    found = list(training_set.epoch(seed, epoch))
    assert len(found) == training_set.batches
    for inputs, labels in found:
        assert (inputs.flatten() * 256).tolist() == labels.tolist()
    return [labels.tolist() for _, labels in found]


def test_the_last_images_are_held_out():
    training, validation = split(numbered(10), recipe(4, validation_images=3))
    assert training.labels.tolist() == training.pixels.flatten().tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert validation.labels.tolist() == validation.pixels.flatten().tolist() == [7, 8, 9]


def test_a_quick_budget_takes_the_first_images():
    training, validation = split(numbered(10), recipe(4, validation_images=3, train_images=5))
    assert (training.labels.tolist(), validation.labels.tolist()) == ([0, 1, 2, 3, 4], [7, 8, 9])


def test_nothing_may_be_held_out():
    training, validation = split(numbered(10), recipe(4))
    assert (len(training), len(validation)) == (10, 0)


def test_the_split_of_an_experiment(project):
    images = load("digits", "train")
    training, validation = split(images, load_experiment("tiny").recipe("quick", "k1"))
    assert (len(training), len(validation)) == (1200, 97)
    assert validation.labels.tolist() == images.labels[-97:].tolist()


def test_too_few_images():
    with pytest.raises(LosslessError, match=r"mnist: 3 images to train on, of 10 with 7 held out.*batch of 4"):
        split(numbered(10), recipe(4, validation_images=7))
    with pytest.raises(LosslessError, match=r"mnist: 10 training images, 3 of them held out.*the 8 to train on"):
        split(numbered(10), recipe(4, validation_images=3, train_images=8))
    with pytest.raises(LosslessError, match=r"mnist: 2 images to train on, of 10 with 3 held out.*batch of 4"):
        split(numbered(10), recipe(4, validation_images=3, train_images=2))


def test_batches_have_each_image_once():
    found = batches(120, 10, seed=0, epoch=0)
    assert [len(batch) for batch in found] == [10] * 12
    assert sorted(chain(*found)) == list(range(120))


def test_what_does_not_fill_a_batch_changes_from_epoch_to_epoch():
    left_out = [set(range(11)) - set(chain(*batches(11, 4, 0, epoch))) for epoch in range(20)]
    assert all(len(images) == 3 for images in left_out)
    assert set().union(*left_out) == set(range(11))


def test_order_depends_on_seed_and_epoch_alone():
    order = batches(120, 10, 3, 5)
    assert order == batches(120, 10, 3, 5)
    assert order not in [batches(120, 10, *other) for other in [(3, 6), (4, 5), (5, 3)]]
    assert order != sorted(order)


def test_every_image_of_an_epoch_is_varied_by_draws_of_its_own():
    augmentation = Augmentation(crop=4, flip=True, brightness=63, contrast=(0.2, 1.8))
    pixels = np.random.default_rng(0).integers(0, 256, (11, 3, 6, 6), dtype=np.uint8)
    varied = recipe(4).model_copy(update={"augmentation": augmentation})
    draws = draw(augmentation, np.arange(8), 11, (6, 6), seed=2, epoch=5)
    training_set = TrainingSet(Images(pixels, np.arange(11)), varied, CPU)
    found = list(training_set.epoch(2, 5))
    assert len(found) == 2
    for start, (inputs, labels) in zip((0, 4), found, strict=True):
        assert torch.equal(inputs, augment(torch.from_numpy(pixels), labels, draws[start : start + 4], augmentation))
    for (again, _), (inputs, _) in zip(list(training_set.epoch(2, 5)), found, strict=True):
        assert torch.equal(again, inputs)
    assert not torch.equal(next(training_set.epoch(2, 6))[0], found[0][0])


def test_whole_images_are_encoded_as_for_tests_and_moved():
    """At places that draws tell, with pixels p as p / 256."""
    augmentation = Augmentation(flip=False, shift=1)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 1, 28, 28), dtype=np.uint8)
    draws = draw(augmentation, np.arange(8), 8, (28, 28), seed=2, epoch=5)
    training_set = TrainingSet(
        Images(pixels, np.arange(8)), recipe(8).model_copy(update={"augmentation": augmentation}), CPU
    )
    ((inputs, labels),) = training_set.epoch(2, 5)
    around = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1))) / 256
    for place, image in enumerate(labels.tolist()):
        top, left = draws.top[place], draws.left[place]
        assert inputs[place].tolist() == around[image, :, top : top + 28, left : left + 28].tolist()
