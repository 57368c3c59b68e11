"""The training of the model that `apps.digit` uses: augmented digits, and the bundle that is saved."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import without_published_data

from workshop.kit import files
from workshop.kit.data import synthetic_images
from workshop.kit.saving import bundle, card
from workshop.programs import digit_training


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y, *_ = synthetic_images.image_set("mnist")
    return X[:300], y[:300]


def test_every_image_is_changed_a_little_and_the_seed_decides_how(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    changed = digit_training.augment(images, labels, np.random.default_rng(1))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert (changed != images).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(changed, digit_training.augment(images, labels, np.random.default_rng(1)))
    assert not np.array_equal(changed, digit_training.augment(images, labels, np.random.default_rng(2)))
    # It still looks like an image of the same digit.
    flat, original = (array.reshape(len(array), -1).astype(float) for array in (changed, images))
    nearest = np.argmin([np.abs(original - image).sum(axis=1) for image in flat], axis=1)
    assert (labels[nearest] == labels).mean() > 0.7


def test_strokes_become_thinner_and_thicker_and_none_is_lost(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    ink, before = (
        array.astype(float).sum(axis=(1, 2, 3))
        for array in (digit_training.augment(images, labels, np.random.default_rng(1)), images)
    )
    ratio = np.sort(ink / before)
    assert ratio[30] < 0.8
    assert ratio[-30] > 1.2
    assert ratio[0] > 0.2


def test_images_are_moved_turned_sheared_and_resized_by_as_much_as_the_model_that_ships_learned_from() -> None:
    bar = np.zeros((28, 28, 1), np.uint8)
    bar[5:23, 11:17] = 255
    flag = bar.copy()
    flag[5:9, 17:23] = 255
    ink, with_flag = (
        digit_training.augment(np.repeat(one[None], 1000, axis=0), np.full(1000, 7), np.random.default_rng(1))[..., 0]
        for one in (bar, flag)
    )
    # None is mirrored.
    assert (with_flag[..., 18:].sum(axis=(1, 2)) > with_flag[..., :10].sum(axis=(1, 2))).mean() > 0.9
    weight, (y, x) = ink.sum(axis=(1, 2)), np.mgrid[:28, :28]
    row, column = ((ink * at).sum(axis=(1, 2)) / weight for at in (y, x))
    y, x = y - row[:, None, None], x - column[:, None, None]
    xx, yy, xy = ((ink * product).sum(axis=(1, 2)) / weight for product in (x * x, y * y, x * y))
    # A number drawn evenly from -a to a deviates by a / sqrt(3); the bar's angle is that of turning and shearing.
    assert np.degrees(np.arctan2(2 * xy, yy - xx) / 2).std() == pytest.approx(np.hypot(13, 10) / 3**0.5, rel=0.03)
    assert (row.std(), column.std()) == pytest.approx((0.06 * 28 / 3**0.5,) * 2, rel=0.05)
    assert (np.sqrt(yy) / np.sqrt(yy).mean()).std() == pytest.approx(0.077, rel=0.05)


def test_some_ones_get_the_upstroke_and_the_foot_of_other_hands() -> None:
    stroke = np.zeros((28, 28, 1), np.uint8)
    stroke[4:24, 13:15] = 255
    ones, sevens = (
        digit_training.augment(np.repeat(stroke[None], 1000, axis=0), np.full(1000, digit), np.random.default_rng(1))
        for digit in (1, 7)
    )
    added = ones.mean(axis=(0, 3)) - sevens.mean(axis=(0, 3))
    # The upstroke comes from below, on the left, and ends at the top; the foot lies to both sides of the bottom.
    assert added[4:14, 5:12].mean() > 10 and abs(added[4:14, 16:]).max() < 10 and abs(added[:4]).max() < 10
    assert min(added[22:25, 7:12].mean(), added[22:25, 16:21].mean()) > 8
    assert abs(added[15:19, :11]).max() < 5 and abs(added[15:19, 17:]).max() < 5
    # Half of the ones get the first, which is not always broad; a fifth get the second.
    above, below = (
        ((ones[:, rows] > 127).any(axis=(1, 3)).sum(axis=1) > 6).mean() for rows in (slice(14), slice(20, 28))
    )
    assert 0.22 < above < 0.32 and 0.15 < below < 0.24
    # Measured: the middle of the ink that they add, and how much it is in the mean, in whole pixels. One of the three
    # changes where they begin beside the stroke's middle, with their lengths, their widths and their angle.
    for lines, column, row, ink in ((slice(18), 9.41, 8.01, 4.59), (slice(20, 28), 14.29, 23.16, 3.6)):
        weight = added[lines]
        rows, columns = np.mgrid[lines, :28]
        assert (weight * columns).sum() / weight.sum() == pytest.approx(column, abs=0.06)
        assert (weight * rows).sum() / weight.sum() == pytest.approx(row, abs=0.06)
        assert weight.sum() / 255 == pytest.approx(ink, rel=0.03)


def test_a_stand_in_is_trained_on_and_saved_beside_the_model(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with without_published_data(room):
        metrics = digit_training.main(["--epochs", "2"])
    loaded = bundle.load(room / "models" / "digit_reader-standin.h5", ["mnist"])
    assert loaded.card["metrics"] == metrics
    assert loaded.card["data"].endswith(", augmented")
    assert loaded.inputs == [bundle.Input("image", shape=(28, 28, 1))] and loaded.card["seed"] == 1
    assert metrics["test_accuracy"] > 0.3
    output = capsys.readouterr().out
    # As many epochs as were asked for; Keras prints no 1/1.
    assert re.findall("^Epoch (.*)", output, re.MULTILINE) == ["2/2"]
    assert "test images classified correctly" in output


def test_the_model_that_ships_was_trained_here_and_is_not_the_lessons() -> None:
    reader, lessons_own = (card.read_card(files.shipped("models"), name) for name in ("digit_reader", "mnist_cnn"))
    assert reader["data"] == "MNIST, augmented"
    assert reader["metrics"]["test_accuracy"] >= 0.994
    assert reader["sha256"]["model"] != lessons_own["sha256"]["model"]
