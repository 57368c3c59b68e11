"""Random changes to photographs: that each does what its name says, and that the same run draws the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop.kit.photos.augmentation import Augmentation

NOTHING = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
ORDER = np.arange(40, dtype=np.int32)
SIZE = 21
PICTURES = np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3)).astype(np.uint8)
KEEP_PLACES = np.tile(np.eye(2, 3, dtype=np.float32), (40, 1, 1))
KEEP_COLOURS = np.tile(np.eye(3, 4, dtype=np.float32), (40, 1, 1))


def changed(augmentation: Augmentation, pictures: np.ndarray = PICTURES) -> np.ndarray:
    return augmentation.apply(pictures, *augmentation.draw(ORDER[: len(pictures)], SIZE))


def test_no_changes_leave_every_byte() -> None:
    assert (changed(NOTHING) == PICTURES).all()


def test_a_flip_mirrors_left_and_right_in_about_half_of_the_pictures() -> None:
    result = changed(Augmentation(0.5, 0, 0, 0, 0, 0, 0, 0))
    same = [(one == other).all() for one, other in zip(result, PICTURES, strict=True)]
    mirrored = [(one == other[:, ::-1]).all() for one, other in zip(result, PICTURES, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30


def test_a_map_of_places_says_where_each_colour_comes_from_and_the_border_continues() -> None:
    places = KEEP_PLACES.copy()
    places[:, :, 2] = [3, -2]
    result = NOTHING.apply(PICTURES, places, KEEP_COLOURS)
    assert (result[:, 2:, :-3] == PICTURES[:, :-2, 3:]).all()
    assert (result[:, 2:, -3:] == PICTURES[:, :-2, -1:]).all()
    assert (result[:, :2, :-3] == PICTURES[:, :1, 3:]).all()


def test_a_smaller_picture_shows_a_part_of_the_old_one_a_little_smaller_about_the_same_middle() -> None:
    side = 11
    order = ORDER[:5]
    places, _ = NOTHING.draw(order, SIZE, side)
    middle, new_middle = (SIZE - 1) / 2, (side - 1) / 2
    assert places @ [new_middle, new_middle, 1] == pytest.approx(np.full((5, 2), middle), abs=1e-4)
    # As much by looking at a part as by making it smaller: both together give the ratio of the sides.
    assert places[:, 0, 0] ** 2 == pytest.approx(np.full(5, SIZE / side))
    # A slope of brightness stays a straight slope, the same in every row, steeper by the scale.
    slope = np.broadcast_to((10 * np.arange(SIZE, dtype=np.uint8))[None, None, :, None], (5, SIZE, SIZE, 3))
    result = NOTHING.apply(np.ascontiguousarray(slope), *NOTHING.draw(order, SIZE, side), side).astype(float)
    assert result.shape == (5, side, side, 3)
    expected = 10 * (middle + (np.arange(side) - new_middle) * np.sqrt(SIZE / side))
    np.testing.assert_allclose(result, np.broadcast_to(expected[None, None, :, None], result.shape), atol=1)


@pytest.mark.parametrize("name", ["flip", "rotation", "shear", "zoom"])
def test_what_turns_or_stretches_keeps_the_middle(name: str) -> None:
    augmentation = Augmentation(**{**dict.fromkeys(Augmentation.__dataclass_fields__, 0), name: 0.5})
    places = augmentation.affine_matrices(40, SIZE, np.random.default_rng(1)).astype(float)
    middle = (SIZE - 1) / 2
    assert places @ [middle, middle, 1] == pytest.approx(np.full((40, 2), middle), abs=1e-4)
    assert np.ptp(places[:, 0, 0]) > 0 or np.ptp(places[:, 0, 1]) > 0


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_changes_stay_within_their_limits(seed: int) -> None:
    augmentation = Augmentation(0, 15, 0, 0.1, 0.2, 0, 0, 0)
    places = augmentation.affine_matrices(30, SIZE, np.random.default_rng(seed)).astype(float)
    scale = np.sqrt(np.linalg.det(places[:, :, :2]))
    assert (abs(scale - 1) <= 0.2 + 1e-6).all()
    angle = np.rad2deg(np.arctan2(places[:, 1, 0], places[:, 0, 0]))
    assert (abs(angle) <= 15 + 1e-4).all() and np.ptp(angle) > 5
    middle = (SIZE - 1) / 2
    assert (abs(places @ [middle, middle, 1] - middle) <= 0.1 * SIZE + 1e-4).all()


def test_colours_become_brighter_greyer_or_stronger() -> None:
    grey = np.repeat(PICTURES[..., :1], 3, axis=3)
    unsaturated = Augmentation(0, 0, 0, 0, 0, 0, 0, saturation=0.9)
    # What has no colour gets none.
    assert np.ptp(changed(unsaturated, grey).astype(int), axis=3).max() <= 1
    spread = np.ptp(changed(unsaturated).astype(int), axis=3).mean(axis=(1, 2))
    before = np.ptp(PICTURES.astype(int), axis=3).mean(axis=(1, 2))
    assert (spread < 0.7 * before).any() and (spread > before).any()

    brighter = Augmentation(0, 0, 0, 0, 0, brightness=0.2, contrast=0, saturation=0)
    medium = np.full_like(PICTURES, 128)
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
