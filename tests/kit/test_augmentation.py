"""Random changes to photos: each does what its name says, and the same run draws the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.kit.photos.augmentation import Augmentation

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
ORDER = np.arange(40, dtype=np.int32)
SIZE = 21
PHOTOS = np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3)).astype(np.uint8)
SAME_COORDINATES = np.tile(np.eye(2, 3, dtype=np.float32), (40, 1, 1))
SAME_COLORS = np.tile(np.eye(3, 4, dtype=np.float32), (40, 1, 1))


def changed(augmentation: Augmentation, photos: np.ndarray = PHOTOS) -> np.ndarray:
    return augmentation.apply(photos, *augmentation.draw(ORDER[: len(photos)], SIZE))


def test_no_changes_leave_every_byte() -> None:
    assert (changed(NOTHING) == PHOTOS).all()


def test_a_flip_mirrors_left_and_right_in_about_half_of_the_photos() -> None:
    result = changed(Augmentation(0.5, 0, 0, 0, 0, 0, 0, 0))
    same = [(one == other).all() for one, other in zip(result, PHOTOS, strict=True)]
    mirrored = [(one == other[:, ::-1]).all() for one, other in zip(result, PHOTOS, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30


def test_an_affine_matrix_says_where_each_color_comes_from_and_the_border_continues() -> None:
    matrices = SAME_COORDINATES.copy()
    matrices[:, :, 2] = [3, -2]
    result = NOTHING.apply(PHOTOS, matrices, SAME_COLORS)
    assert (result[:, 2:, :-3] == PHOTOS[:, :-2, 3:]).all()
    assert (result[:, 2:, -3:] == PHOTOS[:, :-2, -1:]).all()
    assert (result[:, :2, :-3] == PHOTOS[:, :1, 3:]).all()


def test_a_smaller_image_shows_a_part_of_the_old_one_reduced_about_the_same_middle() -> None:
    new_size = 11
    order = ORDER[:5]
    matrices, _ = NOTHING.draw(order, SIZE, new_size)
    middle, new_middle = (SIZE - 1) / 2, (new_size - 1) / 2
    assert matrices @ [new_middle, new_middle, 1] == pytest.approx(np.full((5, 2), middle), abs=1e-4)
    # As much by looking at a part as by making it smaller: both together give the ratio of the sides.
    assert matrices[:, 0, 0] ** 2 == pytest.approx(np.full(5, SIZE / new_size))
    # A slope of brightness stays a straight slope, the same in every row, steeper by the scale.
    slope = np.broadcast_to((10 * np.arange(SIZE, dtype=np.uint8))[None, None, :, None], (5, SIZE, SIZE, 3))
    result = NOTHING.apply(np.ascontiguousarray(slope), *NOTHING.draw(order, SIZE, new_size), new_size).astype(float)
    assert result.shape == (5, new_size, new_size, 3)
    expected = 10 * (middle + (np.arange(new_size) - new_middle) * np.sqrt(SIZE / new_size))
    np.testing.assert_allclose(result, np.broadcast_to(expected[None, None, :, None], result.shape), atol=1)


@pytest.mark.parametrize("name", ["flip", "rotation", "shear", "zoom"])
def test_rotation_shear_and_zoom_keep_the_middle(name: str) -> None:
    augmentation = Augmentation(**{**dict.fromkeys(Augmentation.__dataclass_fields__, 0), name: 0.5})
    matrices = augmentation.affine_matrices(40, SIZE, np.random.default_rng(1)).astype(float)
    middle = (SIZE - 1) / 2
    assert matrices @ [middle, middle, 1] == pytest.approx(np.full((40, 2), middle), abs=1e-4)
    assert np.ptp(matrices[:, 0, 0]) > 0 or np.ptp(matrices[:, 0, 1]) > 0


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_changes_stay_within_their_limits(seed: int) -> None:
    augmentation = Augmentation(0, 15, 0, 0.1, 0.2, 0, 0, 0)
    matrices = augmentation.affine_matrices(30, SIZE, np.random.default_rng(seed)).astype(float)
    scale = np.sqrt(np.linalg.det(matrices[:, :, :2]))
    assert (abs(scale - 1) <= 0.2 + 1e-6).all()
    angle = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert (abs(angle) <= 15 + 1e-4).all() and np.ptp(angle) > 5
    middle = (SIZE - 1) / 2
    assert (abs(matrices @ [middle, middle, 1] - middle) <= 0.1 * SIZE + 1e-4).all()


def test_colors_become_brighter_greyer_or_stronger() -> None:
    grey = np.repeat(PHOTOS[..., :1], 3, axis=3)
    unsaturated = Augmentation(0, 0, 0, 0, 0, 0, 0, saturation=0.9)
    # What has no color gets none.
    assert np.ptp(changed(unsaturated, grey).astype(int), axis=3).max() <= 1
    spread = np.ptp(changed(unsaturated).astype(int), axis=3).mean(axis=(1, 2))
    before = np.ptp(PHOTOS.astype(int), axis=3).mean(axis=(1, 2))
    assert (spread < 0.7 * before).any() and (spread > before).any()

    brighter = Augmentation(0, 0, 0, 0, 0, brightness=0.2, contrast=0, saturation=0)
    medium = np.full_like(PHOTOS, 128)
    levels = changed(brighter, medium)
    assert (np.ptp(levels, axis=(1, 2, 3)) == 0).all()
    assert abs(levels[:, 0, 0, 0].astype(int) - 128).max() <= 0.2 * 255 + 1 and len(np.unique(levels)) > 10

    stronger = Augmentation(0, 0, 0, 0, 0, 0, contrast=0.5, saturation=0)
    assert (changed(stronger, medium) == 128).all() or abs(changed(stronger, medium).astype(int) - 128).max() <= 1
    assert np.std(changed(stronger).std(axis=(1, 2, 3))) > 5


def test_an_epoch_draws_the_same_changes_whenever_it_is_run_and_another_epoch_others() -> None:
    augmentation = Augmentation()
    order = np.random.default_rng(5).permutation(40).astype(np.int32)
    for one, again in zip(augmentation.draw(order, SIZE), augmentation.draw(order.copy(), SIZE), strict=True):
        assert (one == again).all() and len({tuple(part.ravel()) for part in one}) == 40
    other = augmentation.draw(order[::-1], SIZE)
    assert not (augmentation.draw(order, SIZE)[0] == other[0]).any(axis=(1, 2)).all()
