"""An image file made into what the networks know: formats, sizes, dark and light, and every refusal."""

import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFile, ImageOps, features

from workshop.kit.data import images as image_data
from workshop.kit.errors import WorkshopError
from workshop.programs import digit_segmentation, mnist_preprocessing, segmentation
from workshop.programs.rules import without_rules
from workshop.programs.sheet import find_sheets, hull_share, is_sheet, take_out

# Pen strokes in a square of side 1, and how wide the pen is.
DIGITS = {
    1: [[(0.5, 0.0), (0.45, 1.0)]],
    2: [[(0.15, 0.2), (0.35, 0.0), (0.65, 0.02), (0.75, 0.25), (0.1, 1.0), (0.8, 0.95)]],
    4: [[(0.15, 0.0), (0.1, 0.5), (0.75, 0.5)], [(0.65, 0.05), (0.6, 1.0)]],
    5: [[(0.15, 0.0), (0.1, 0.45), (0.6, 0.45), (0.75, 0.7), (0.5, 1.0), (0.05, 0.95)], [(0.15, 0.0), (0.75, 0.02)]],
    7: [[(0.1, 0.02), (0.8, 0.0), (0.35, 1.0)]],
}
PEN = 0.12


def draw(
    digit: int = 5,
    *,
    tall: float = 160,
    size: tuple[int, int] = (240, 260),
    at: tuple[float, float] = (60, 50),
    paper: int = 255,
    ink: int = 0,
    pen: float = PEN,
) -> Image.Image:
    """Draws a digit with smooth edges: four times as large, then shrunk. `tall` and `at` (x, y) are in pixels."""
    scale = 4
    image = Image.new("L", (size[0] * scale, size[1] * scale), paper)
    canvas = ImageDraw.Draw(image)
    radius = pen * tall * scale / 2
    for stroke in DIGITS[digit]:
        points = [((at[0] + x * tall) * scale, (at[1] + y * tall) * scale) for x, y in stroke]
        canvas.line(points, fill=ink, width=round(2 * radius))
        for x, y in points:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return image.resize(size, Image.Resampling.BOX)


def reading_of(image: Image.Image, folder: Path, name: str = "picture.png", **options: Any) -> np.ndarray:
    path = folder / name
    image.save(path, **options)
    return mnist_preprocessing.read_digit(path)


def shifted(image: np.ndarray, by: float, axis: int) -> np.ndarray:
    """Returns the image moved by pixels and parts of them: between two pixels, their mean."""
    whole = math.floor(by)
    part = by - whole
    return (1 - part) * np.roll(image, whole, axis) + part * np.roll(image, whole + 1, axis)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the mean absolute difference as a share of the mean ink, the images laid on each other as well as can be.

    Digits are moved by whole pixels, so a centre of mass ends up to half a pixel beside the middle. Half a pixel is two
    fifths of the ink of a stroke that is two or three pixels wide.
    """
    by = (-1, -0.5, 0, 0.5, 1)
    return float(min(np.abs(shifted(shifted(a, y, 0), x, 1) - b).mean() for y in by for x in by) / b.mean())


class References(dict[int, np.ndarray]):
    """For each digit what a large and clean image of it is read as."""

    def __repr__(self) -> str:
        return "references"  # hypothesis prints a failing test's arguments


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[int, np.ndarray]:
    folder = tmp_path_factory.mktemp("references")
    return References(
        {digit: reading_of(draw(digit, tall=400, size=(600, 600), at=(100, 80)), folder) for digit in DIGITS}
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for images, for tests that run many times over."""
    return tmp_path_factory.mktemp("desk")


# --- The form of MNIST ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_is_20_pixels_long_with_its_centre_of_mass_in_the_middle(
    references: dict[int, np.ndarray], digit: int
) -> None:
    image = references[digit]
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1
    rows, columns = np.nonzero(image > 0.1)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    y, x = np.mgrid[:28, :28]
    # MNIST's own centres of mass lie within half a pixel of (14, 14).
    assert abs((image * y).sum() / image.sum() - 14) <= 0.5
    assert abs((image * x).sum() / image.sum() - 14) <= 0.5


def test_the_ratio_of_the_sides_is_kept(tmp_path: Path) -> None:
    image = Image.new("L", (300, 300), 255)
    ImageDraw.Draw(image).rectangle((50, 30, 109, 229), fill=0)  # 60 wide, 200 high
    rows, columns = np.nonzero(reading_of(image, tmp_path) > 0.5)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 6)


def test_different_digits_stay_different(references: dict[int, np.ndarray]) -> None:
    # What the property below takes for the same must not take two digits for the same.
    assert min(difference(references[a], references[b]) for a in DIGITS for b in DIGITS if a != b) > 0.6


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    digit=st.sampled_from(sorted(DIGITS)),
    tall=st.integers(30, 500),
    left=st.floats(0.12, 0.8),
    top=st.floats(0.12, 0.8),
    room=st.floats(1.3, 4),
    wide=st.floats(0.8, 1.6),
    paper=st.integers(0, 255),
    contrast=st.integers(40, 255),
)
def test_a_digit_of_any_size_place_and_polarity_gives_nearly_the_same(
    desk: Path,
    references: dict[int, np.ndarray],
    digit: int,
    tall: int,
    left: float,
    top: float,
    room: float,
    wide: float,
    paper: int,
    contrast: int,
) -> None:
    wanted = (paper - contrast, paper + contrast)
    ink = next((grey for grey in wanted if 0 <= grey <= 255), 0 if paper > 127 else 255)
    size = round(tall * room * wide), round(tall * room)
    margin = PEN * tall
    at = (
        min(max(left * (size[0] - tall), margin), size[0] - 0.85 * tall - margin),
        min(max(top * (size[1] - tall), margin), size[1] - tall - margin),
    )
    image = draw(digit, tall=tall, size=size, at=at, paper=paper, ink=ink)
    assert difference(reading_of(image, desk), references[digit]) < (0.2 if tall >= 60 else 0.4)


def test_thin_strokes_give_full_ink(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    image = reading_of(draw(5, tall=400, size=(600, 600), pen=0.015), tmp_path)
    assert image.max() == 1
    assert difference(image, references[5]) < 0.8


@pytest.mark.parametrize("is_inverted", [False, True])
def test_an_image_that_is_as_in_the_set_already_goes_through_unchanged(
    references: dict[int, np.ndarray], tmp_path: Path, is_inverted: bool
) -> None:
    for image in references.values():
        saved = Image.fromarray(np.rint(image * 255).astype(np.uint8))
        again = reading_of(ImageOps.invert(saved) if is_inverted else saved, tmp_path)
        assert np.abs(again - image).max() <= 1 / 255


def test_28x28_pixels_with_the_digit_elsewhere_are_put_right(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    shifted = np.roll(references[2], (-3, 3), axis=(0, 1))
    again = reading_of(Image.fromarray(np.rint(shifted * 255).astype(np.uint8)), tmp_path)
    assert difference(again, references[2]) < 0.15


@pytest.mark.real
def test_images_of_mnist_and_fashion_mnist_go_through_unchanged(real_data: Path, tmp_path: Path) -> None:
    for name, read in (("mnist", mnist_preprocessing.read_digit), ("fashion_mnist", mnist_preprocessing.read_garment)):
        for image in image_data.load_image_set(name, real_data).X_test[:300, ..., 0]:
            for polarity in (image, 255 - image):
                Image.fromarray(polarity).save(tmp_path / "one.png")
                # 0.005 is a little more than one level of 256; a few of the darkest images have 250 for their maximum.
                assert np.abs(read(tmp_path / "one.png") - image / max(1, image.max())).max() < 0.01


# --- Photographs ------------------------------------------------------------------------------------------------------


def photograph(digit: int, *, dim: float = 0.5, noise: float = 4, ink: float = 0.25, seed: int = 0) -> Image.Image:
    """A digit on paper that is lit from the upper left, with the grain of a camera. `ink` is what it gives back."""
    random = np.random.default_rng(seed)
    covered = np.asarray(draw(digit, tall=180, size=(480, 640), at=(250, 300), paper=0, ink=255), float) / 255
    y, x = np.mgrid[0:1:640j, 0:1:480j]
    light = 0.9 - dim * (0.6 * x + 0.4 * y) - 0.15 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    values = 255 * light * (1 - (1 - ink) * covered) + random.normal(0, noise, light.shape)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("is_inverted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("options", [{}, {"noise": 12.0}, {"dim": 0.6}, {"ink": 0.6}])
def test_a_photograph_in_uneven_light(
    references: dict[int, np.ndarray], tmp_path: Path, digit: int, is_inverted: bool, options: dict[str, float]
) -> None:
    image = photograph(digit, **options)  # type: ignore[arg-type]
    # In the dim corner the paper is darker than ink would be in the bright one.
    grey = np.asarray(image, float)
    assert options or grey[-20:, -20:].mean() < 0.6 * grey[:20, :20].mean()
    image = ImageOps.invert(image) if is_inverted else image
    found = reading_of(image, tmp_path, "photo.jpg", quality=85)
    assert difference(found, references[digit]) < 0.35


LIGHTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "from the right": lambda x, y: x,
    "from below": lambda x, y: y,
    "into two corners": lambda x, y: x * y,
    "on both sides": lambda x, y: x**2,
    "above and below": lambda x, y: y**2,
    "on the middle": lambda x, y: -(x**2) - y**2,
}


@pytest.mark.parametrize("light", LIGHTS)
def test_the_paper_in_uneven_light_is_known_in_every_pixel(light: str) -> None:
    y, x = np.ogrid[-1:1:90j, -1:1:120j]
    paper = 0.65 + 0.06 * x + 0.09 * y + 0.12 * LIGHTS[light](x, y)
    drawn = paper.copy()
    drawn[30:60, 40:80] *= 0.3
    drawn[40:50, :60] *= 0.3  # it touches the border
    np.testing.assert_allclose(segmentation.estimate_paper(drawn), paper, atol=1 / 255)


def test_even_paper_is_of_one_grey_where_ink_covers_most_of_the_border() -> None:
    random = np.random.default_rng(1)
    grey = 0.8 + random.uniform(-1 / 255, 1 / 255, (60, 60))
    grey[:, :35] = random.uniform(0.1, 0.6, (60, 35))
    border = segmentation.border_mask(grey.shape)
    assert 0.4 < (grey[border] > 0.7).mean() < 0.46
    paper = segmentation.estimate_paper(grey)
    assert np.ptp(paper) == 0 and paper[0, 0] == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("is_dark", [True, False])
def test_ink_is_as_strong_as_the_share_of_the_light_that_it_takes(is_dark: bool) -> None:
    random = np.random.default_rng(1)
    light = 0.8 + random.normal(0, 0.01, (60, 80))
    light[20:40, 30:34] = 0.2
    light[20:40, 50:54] = 0.6
    ink = segmentation.find_ink(light if is_dark else 1 - light, "a.png")
    assert ink.strength.dtype == np.float32
    for columns, strength in ((slice(30, 34), 0.75), (slice(50, 54), 0.25)):
        np.testing.assert_allclose(ink.strength[20:40, columns], strength, atol=0.01)
    assert ink.strength[:, :20].max() < 0.06
    assert ink.noise == pytest.approx(0.01 / 0.8, rel=0.15)


def test_the_border_is_a_twentieth_of_the_shorter_side_and_a_pixel_at_least() -> None:
    border = segmentation.border_mask((40, 100))
    assert border.sum() == 40 * 100 - 36 * 96 and not border[2:-2, 2:-2].any()
    assert segmentation.border_mask((8, 8)).sum() == 64 - 36


def test_the_spread_of_paper_is_its_standard_deviation() -> None:
    assert segmentation.spread(np.random.default_rng(1).normal(0, 0.3, 20_000)) == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_threshold_between_paper_and_ink_parts_them_best(share: float) -> None:
    random = np.random.default_rng(2)
    values = np.where(random.random(3000) < share, random.normal(0.3, 0.1, 3000), random.normal(0.7, 0.08, 3000))
    values = values.clip(0, 1)

    def within(threshold: float) -> float:
        return sum(part.var() * len(part) for part in (values[values < threshold], values[values >= threshold]))

    found = segmentation.otsu_threshold(values)
    thresholds = np.arange(30, 220) / 256
    best = min(map(within, thresholds))
    assert found * 256 == round(found * 256) and within(found) == pytest.approx(best, rel=1e-3)


def test_the_lowest_of_equally_good_thresholds_is_taken() -> None:
    assert segmentation.otsu_threshold(np.array([40.5 / 256] * 5 + [100.5 / 256] * 3)) == 41 / 256


def test_specks_are_left_out_by_their_weight_and_what_touches_at_a_corner_belongs_together() -> None:
    strength = np.zeros((30, 30), np.float32)
    strength[5:15, 5:15] = 1  # weighs 100
    strength[15, 15] = strength[16, 16] = 0.9  # at a corner of it
    strength[20, 20] = strength[0, 29] = 1  # two specks
    strength[25, 5:8] = 1  # 3 % of it
    strength[28, 20:28] = 0.4  # below the threshold
    ink = segmentation.Ink(strength, 0.0)
    drawn = segmentation.drawn_pixels(ink, 0.5)
    expected = strength >= 0.5
    expected[20, 20] = expected[0, 29] = False
    np.testing.assert_array_equal(drawn, expected)
    assert segmentation.drawn_pixels(ink, 0.5, smallest=0.15).sum() == 102
    assert segmentation.drawn_pixels(ink, 0.3).sum() == 105 + 8
    assert segmentation.drawn_pixels(ink, 0.5, smallest=0.009).sum() == 107


Box = tuple[int, int, int, int]  # a filled one: its first row and column, how high and how wide
STROKE = 30, 120, 200, 10  # free of the border; weighs 2000


def strength_of(*boxes: Box, side: int = 260, pale: float = 1.0) -> np.ndarray:
    """The ink of an image with these boxes, the last of them pale."""
    strength = np.zeros((side, side), np.float32)
    for i, (row, column, high, wide) in enumerate(boxes, 1):
        strength[row : row + high, column : column + wide] = pale if i == len(boxes) else 1
    return strength


def chosen(strength: np.ndarray, grey: np.ndarray | None = None) -> digit_segmentation.Digit:
    """What is taken for the digit of an image with this ink."""
    return digit_segmentation.choose_parts(
        segmentation.Ink(strength, 0.0), 1 - 0.9 * strength if grey is None else grey
    )


def belonging(*boxes: Box, pale: float = 1.0) -> list[bool]:
    """Which boxes of ink belong to the digit."""
    drawn = chosen(strength_of(*boxes, pale=pale)).drawn
    return [bool(drawn[row, column]) for row, column, *_ in boxes]


@pytest.mark.parametrize(
    ("part", "belongs"),
    [
        ((60, 141, 1, 5), True),  # 12 cells away, 0.06 of the stroke's length: a piece of a broken stroke
        ((60, 142, 1, 5), False),
        ((60, 141, 2, 2), False),  # dirt, no more than two thousandths of the stroke
        ((60, 150, 5, 8), False),  # dirt, no more than a fiftieth of it
        ((60, 150, 6, 7), True),
        ((60, 170, 6, 7), True),  # 40 cells away, a fifth of the stroke's length
        ((60, 171, 6, 7), False),
        ((10, 80, 6, 7), True),
        ((60, 200, 10, 20), False),  # no more than a tenth of the stroke
        ((60, 200, 10, 21), True),
        ((60, 0, 10, 21), False),  # comes in from the border
    ],
)
def test_what_belongs_to_a_stroke_by_its_weight_and_distance(part: Box, belongs: bool) -> None:
    assert belonging(STROKE, part) == [True, belongs]
    digit = chosen(strength_of(STROKE, part))
    assert digit.is_free and digit.is_stroke and digit.how_many == 1 and digit.along_border == 0


def test_a_pale_part_weighs_less() -> None:
    assert belonging(STROKE, (60, 200, 10, 21), pale=0.9) == [True, False]
    assert belonging(STROKE, (60, 200, 10, 23), pale=0.9) == [True, True]


def test_small_pieces_continue_a_stroke_one_after_another() -> None:
    pieces: list[Box] = [(60, 141, 5, 5), (60, 157, 5, 5), (60, 174, 5, 5)]
    assert belonging(STROKE, *pieces) == [True, True, True, False]


def test_a_digit_that_is_cut_off_at_the_border_is_taken_with_all_but_specks() -> None:
    boxes: list[Box] = [(0, 120, 200, 10), (60, 200, 10, 10), (160, 20, 5, 8)]
    assert belonging(*boxes) == [True, True, False]
    digit = chosen(strength_of(*boxes))
    assert not digit.is_free and digit.is_stroke
    assert digit.along_border == pytest.approx(10 / (2 * 200 + 2 * 10 - 4 + 36))  # of both outlines


def test_a_free_part_is_preferred_to_a_heavier_one_along_the_border_unless_that_is_a_digit_cut_off() -> None:
    along: Box = (0, 0, 260, 20)
    assert belonging(along, (60, 160, 39, 5)) == [False, True]  # 0.15 of the image's side
    assert belonging(along, (60, 160, 38, 5)) == [True, True]
    assert belonging((0, 60, 20, 124), (60, 160, 39, 20)) == [True, True]  # touches 0.12 of the border
    assert belonging((0, 60, 20, 125), (60, 160, 39, 20)) == [False, True]


@pytest.mark.parametrize("turns", range(4))
def test_the_soft_edge_of_what_is_left_out_is_no_ink(turns: int) -> None:
    strength = strength_of(STROKE, (0, 0, 260, 20))
    strength[:, 20:24] = 0.3
    found = np.rot90(chosen(np.rot90(strength, turns)).strength, -turns)
    assert not found[:, :22].any() and (found[:, 22:24] == np.float32(0.3)).all()
    assert (found[30:230, 120:130] == 1).all()


@pytest.mark.parametrize(
    ("other", "count"),
    [
        ((30, 160, 200, 10), 1),  # side by side, 30 cells apart
        ((30, 161, 200, 10), 2),
        ((30, 79, 200, 10), 2),
        ((229, 161, 105, 10), 2),  # at the same height in one row
        ((230, 161, 105, 10), 1),
        ((100, 170, 100, 10), 1),  # half as long
        ((100, 170, 101, 10), 2),
        ((80, 131, 20, 189), 1),  # together no wider than the stroke is long
        ((80, 131, 20, 190), 2),
    ],
)
def test_large_parts_side_by_side_are_several_digits(other: Box, count: int) -> None:
    assert chosen(strength_of(STROKE, other, side=340)).how_many == count


@pytest.mark.parametrize(("gap", "count"), [(80, 1), (81, 2)])
def test_parts_one_above_the_other_are_one_digit_unless_they_lie_far_apart(gap: int, count: int) -> None:
    below = 230 + gap, 120, 150, 10
    assert chosen(strength_of(STROKE, below, side=500)).how_many == count


def ring(high: int, wide: int, hole: int = 0) -> np.ndarray:
    """An ellipse with a round hole in its middle."""
    y, x = np.mgrid[:160, :160] - 80.0
    outer, inner = (2 * y / high) ** 2 + (2 * x / wide) ** 2 <= 1, 4 * (x**2 + y**2) < hole**2
    return (outer & ~inner).astype(np.float32)


@pytest.mark.parametrize(
    ("strength", "is_stroke"),
    [
        (ring(101, 43), True),
        (ring(101, 47), False),  # thicker than 0.44 of its length
        (ring(61, 29, hole=9), True),
        (ring(61, 33, hole=9), False),  # fills much of a box that is more than half as wide as high
        (ring(61, 33, hole=21), True),  # a zero
        (strength_of((30, 40, 100, 50), (80, 40, 50, 100)), True),  # a curved one may be thicker
        (strength_of((30, 40, 100, 54), (76, 40, 54, 100)), False),
        (strength_of((20, 30, 60, 26)), False),  # a sheet
    ],
)
def test_how_thick_a_stroke_may_be(strength: np.ndarray, is_stroke: bool) -> None:
    assert chosen(strength).is_stroke == is_stroke


@pytest.mark.parametrize(
    ("rows", "columns", "grey", "is_stroke"),
    [
        (slice(30, 166), slice(130, 260), 0.1, True),  # less than three tenths of what lies around it
        (slice(30, 186), slice(130, 260), 0.1, False),
        (slice(30, 230), slice(130, 260), 0.48, True),  # nearer to the paper than to the ink
        (slice(30, 230), slice(130, 260), 0.44, False),
        (slice(30, 230), slice(145, 260), 0.1, True),  # far from it
        (slice(30, 230), slice(130, 136), 0.1, True),  # its edge
        (slice(30, 230), slice(136, 145), 0.1, False),
    ],
)
def test_there_is_paper_around_a_stroke(rows: slice, columns: slice, grey: float, is_stroke: bool) -> None:
    strength = strength_of(STROKE)
    image = 1 - 0.9 * strength
    image[rows, columns] = grey
    assert chosen(strength, image).is_stroke == is_stroke


@pytest.mark.parametrize(
    ("thickness", "gap", "length", "is_frame"),
    [
        (10, 0, 45, True),
        (32, 0, 45, True),  # less than half of it is ink
        (33, 0, 45, False),
        (10, 43, 45, True),  # along four fifths of each side
        (10, 45, 45, False),
        (10, 45, 66, False),
        (10, 45, 67, True),  # or what stands within is longer than three tenths of it
        (10, 0, 38, False),  # what stands within is short
    ],
)
def test_what_runs_around_a_stroke_is_a_frame(thickness: int, gap: int, length: int, is_frame: bool) -> None:
    for turns in range(4):
        strength = strength_of((20, 20, 220, 220))
        strength[20 + thickness : 240 - thickness, 20 + thickness : 240 - thickness] = 0
        strength[20 : 20 + thickness, 130 : 130 + gap] = 0
        strength[90 : 90 + length, 125:135] = 1
        drawn = np.rot90(chosen(np.rot90(strength, turns)).drawn, -turns)
        assert drawn[230, 100] != is_frame
        assert drawn[100, 130] or not is_frame


def two_strokes(wide: int = 8, share: float = 0.6, shadow: float = 0.5, is_dark: bool = True) -> np.ndarray:
    """Two strokes that take this share of the light, one of them in a shadow with a sharp edge."""
    light = np.full((256, 256), 0.8)
    light[:, 128:] *= shadow
    for column in (30, 160):
        light[80:180, column : column + wide] *= 1 - share
    light *= 1 + np.random.default_rng(1).normal(0, 0.004, light.shape)
    return light if is_dark else 1 - light


@pytest.mark.parametrize("is_dark", [True, False])
def test_ink_is_found_by_the_paper_nearby_in_the_light_and_in_a_shadow(is_dark: bool) -> None:
    ink = digit_segmentation.find_ink_nearby(two_strokes(is_dark=is_dark))
    assert ink is not None and ink.strength.dtype == np.float32
    assert ink.noise == pytest.approx(0.0039, rel=0.05)  # how far the brightest paper nearby is above its mean
    for column in (34, 164):
        np.testing.assert_allclose(ink.strength[100:160, column], 0.6, atol=0.015)
        assert ink.strength[60:200, column + 20 : column + 50].max() < 0.015
    assert ink.strength[:, 120:136].max() < 0.15  # the edge of the shadow


@pytest.mark.parametrize(("wide", "strength"), [(60, 0.6), (70, 0)])
def test_what_is_wider_than_a_quarter_of_the_image_is_paper(wide: int, strength: float) -> None:
    ink = digit_segmentation.find_ink_nearby(two_strokes(wide))
    assert ink is not None and ink.strength[130, 30 + wide // 2] == pytest.approx(strength, abs=0.015)


@pytest.mark.parametrize(("share", "is_ink"), [(0.06, True), (0.04, False)])
def test_what_takes_less_than_a_twentieth_of_the_light_is_no_ink(share: float, is_ink: bool) -> None:
    assert (digit_segmentation.find_ink_nearby(two_strokes(share=share, shadow=1)) is not None) == is_ink


def test_what_is_left_out_does_not_count_where_ink_begins() -> None:
    strength = strength_of(STROKE)
    strength[130:230, 120:130] = 0.45
    assert chosen(strength).drawn[[100, 200], 125].all()
    strength[:, :60] = 1  # a dark table
    drawn = chosen(strength).drawn
    assert drawn[[100, 200], 125].all() and not drawn[:, :60].any()


@pytest.mark.parametrize(
    ("rows", "columns", "is_one"),
    [
        ((50, 57), (2, 197), True),  # from side to side
        ((50, 57), (3, 196), False),
        ((50, 58), (0, 200), False),  # too thick
        ((11, 15), (20, 181), True),  # near a side
        ((11, 15), (20, 180), False),
        ((12, 16), (20, 181), False),
        ((86, 89), (20, 181), True),
        ((85, 88), (20, 181), False),
        ((2, 100), (100, 107), True),
        ((3, 100), (100, 107), False),
    ],
)
def test_a_bar_goes_from_side_to_side_or_lies_near_a_side(
    rows: tuple[int, int], columns: tuple[int, int], is_one: bool
) -> None:
    part = digit_segmentation.Part(1, 1.0, (slice(*rows), slice(*columns)), 0)
    assert part.is_bar((100, 200)) == is_one


def test_ink_is_as_strong_in_the_dim_corner_as_in_the_bright_one(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 400)
    values = np.tile(230 - 150 * x, (300, 1))  # the paper: 230 on the left, 80 on the right
    values[140:160, 40:360] *= 0.4  # one stroke across it
    image = reading_of(Image.fromarray(values.astype(np.uint8)), tmp_path)
    assert image.max(axis=0)[6:22].min() > 0.9


def test_specks_of_dirt_are_left_out(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    image = draw(4, size=(300, 300))
    canvas = ImageDraw.Draw(image)
    for x, y in ((10, 10), (290, 20), (15, 280), (280, 285)):
        canvas.ellipse((x - 2, y - 2, x + 2, y + 2), fill=0)
    assert difference(reading_of(image, tmp_path), references[4]) < 0.1


def test_both_parts_of_a_digit_in_two_parts_stay(tmp_path: Path) -> None:
    image = Image.new("L", (300, 300), 255)
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((50, 50, 70, 250), fill=0)
    canvas.rectangle((200, 100, 210, 140), fill=0)
    rows, columns = np.nonzero(reading_of(image, tmp_path) > 0.5)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 16)  # 201 by 161 pixels


def test_ink_that_touches_the_border_is_no_paper(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    image = draw(7, tall=200, size=(300, 300), at=(40, 40))
    box = ImageOps.invert(image).getbbox()
    for tight in (image.crop(box), ImageOps.invert(image.crop(box))):
        assert difference(reading_of(tight, tmp_path), references[7]) < 0.25


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in (10, 40, 70))])
def test_scikit_learns_digits_of_8x8_pixels_are_read(first: int, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    for small in load_digits().images[first : first + 10]:
        values = (small * (255 / 16)).astype(np.uint8)
        dark, light = (reading_of(Image.fromarray(image), tmp_path) for image in (255 - values, values))
        assert np.abs(dark - light).max() < 0.01
        enlarged = Image.fromarray(values).resize((160, 160), Image.Resampling.BICUBIC)
        assert difference(light, reading_of(enlarged, tmp_path)) < 0.3


# --- Sheets that hold more than the digit -----------------------------------------------------------------------------


def pixels(digit: int) -> np.ndarray:
    """A digit on a white sheet of 400x480 pixels, float (480, 400)."""
    return np.asarray(draw(digit, tall=260, size=(400, 480), at=(95, 110), ink=40, paper=235), float)


def framed(sheet: np.ndarray) -> np.ndarray:
    sheet[6:10, 6:-6] = sheet[-10:-6, 6:-6] = sheet[6:-6, 6:10] = sheet[6:-6, -10:-6] = 30
    return sheet


def with_dark_border(sheet: np.ndarray) -> np.ndarray:
    sheet[:12] = sheet[-12:] = sheet[:, :12] = sheet[:, -12:] = 30
    return sheet


def with_scanner_edges(sheet: np.ndarray) -> np.ndarray:
    sheet[:25] = sheet[:, -18:] = 10
    return sheet


def lined(sheet: np.ndarray, strength: float = 0.3, askew: float = 0.02) -> np.ndarray:
    y, x = np.mgrid[: sheet.shape[0], : sheet.shape[1]]
    distance = np.abs((y + askew * x) % 45 - 22)
    return sheet * (1 - strength * np.clip(1.5 - distance, 0, 1))


def squared(sheet: np.ndarray) -> np.ndarray:
    return lined(lined(sheet).T).T


def in_a_shadow(sheet: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: sheet.shape[0], : sheet.shape[1]]
    return sheet * np.where(x + 0.3 * y > 280, 0.55, 1)


def on_a_desk(sheet: np.ndarray) -> np.ndarray:
    return np.pad(sheet, ((0, 90), (70, 30)), constant_values=90)


def with_the_end_of_a_neighbour(sheet: np.ndarray) -> np.ndarray:
    sheet[200:212, :30] = 40
    return sheet


def with_specks(sheet: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    for y, x in zip(random.integers(5, 475, 20), random.integers(5, 395, 20), strict=True):
        sheet[y - 2 : y + 2, x - 2 : x + 2] = 40
    return sheet


SHEETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a drawn frame": framed,
    "a dark border": with_dark_border,
    "the edges of a scan": with_scanner_edges,
    "faint rules": lined,
    "strong rules": lambda sheet: lined(sheet, 0.7, 0.01),
    "strong rules askew": lambda sheet: lined(sheet, 0.7, 0.1),
    "strong rules askew, the other way": lambda sheet: lined(sheet, 0.7, -0.1),
    "squared paper": squared,
    "a shadow with a sharp edge": in_a_shadow,
    "a sheet on a desk": on_a_desk,
    "the end of a neighbour": with_the_end_of_a_neighbour,
    "specks": with_specks,
}


@pytest.mark.parametrize("is_inverted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", SHEETS)
def test_of_a_sheet_that_holds_more_only_the_digit_is_read(
    references: dict[int, np.ndarray], tmp_path: Path, kind: str, is_inverted: bool
) -> None:
    for digit in DIGITS:
        sheet = SHEETS[kind](pixels(digit).copy()).astype(np.uint8)
        found = reading_of(Image.fromarray(255 - sheet if is_inverted else sheet), tmp_path)
        assert difference(found, references[digit]) < 0.25, digit


def test_a_frame_around_28x28_pixels_is_left_out(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    for digit in DIGITS:
        values = np.array(draw(digit, tall=18, size=(28, 28), at=(6, 5)))
        values[[0, -1]] = values[:, [0, -1]] = 60
        assert difference(reading_of(Image.fromarray(values), tmp_path), references[digit]) < 0.4


def test_the_paper_within_a_loop_is_no_digit(tmp_path: Path) -> None:
    for width in (28, 400):
        image = Image.new("L", (width, width), 255)
        canvas = ImageDraw.Draw(image)
        box = (width * 0.38, width * 0.18, width * 0.64, width * 0.82)
        canvas.ellipse(box, outline=0, width=width // 14)
        canvas.rectangle((0, 0, width - 1, width - 1), outline=60, width=width // 28)
        found = reading_of(image, tmp_path)
        assert found[11:17, 13:15].max() < 0.5
        assert found[5:23].max(axis=1).min() > 0.4


def ruled(
    size: tuple[int, int] = (100, 120),
    rows: Sequence[int] = (30, 60),
    slope: float = 0.0,
    gap: float = 0.0,
    thickness: int = 1,
    ink: float = 0.8,
    stroke: float = 1.0,
) -> np.ndarray:
    """The strength of the ink of rules, with a gap of this share of their width, and of a stroke across them."""
    height, width = size
    strength = np.zeros(size, np.float32)
    strength[height // 5 : -height // 5, width // 2 : width // 2 + 6] = stroke
    x = np.arange(width)
    x = x[(x < 10) | (x >= 10 + gap * width)]
    for row in rows:
        path = np.rint(row + slope * (x - width / 2)).astype(int)
        for y in range(thickness):
            strength[path + y, x] = np.maximum(strength[path + y, x], ink)
    return strength


@pytest.mark.parametrize(
    ("is_rule", "rules"),
    [
        *((True, {"size": (150, 400), "rows": (65, 95), "slope": slope}) for slope in (0.12, -0.12)),
        *((False, {"size": (150, 400), "rows": (65, 95), "slope": slope}) for slope in (0.13, -0.13)),
        *((gap < 0.16, {"gap": gap}) for gap in (0.155, 0.17)),
        *((thickness < 3, {"thickness": thickness}) for thickness in (2, 3)),
        (True, {"size": (120, 170), "thickness": 3}),
        (False, {"size": (150, 240), "thickness": 4}),
        *((ink > 0.05, {"ink": ink}) for ink in (0.049, 0.051)),
        *((ink < 0.6, {"rows": (30,), "ink": ink}) for ink in (0.59, 0.61)),  # alone, a strong one may be a bar
        *((height >= 64, {"size": (height, 100)}) for height in (63, 64)),
        *((width >= 64, {"size": (100, width)}) for width in (63, 64)),
        *((stroke > 0.4, {"stroke": stroke}) for stroke in (0.39, 0.41)),  # or else too little would be left
    ],
)
def test_a_thin_straight_line_from_side_to_side_is_a_rule(is_rule: bool, rules: dict[str, Any]) -> None:
    strength, stroke = ruled(**rules), ruled(**rules | {"rows": ()})
    for before, across in ((strength, stroke), (strength.T, stroke.T)):
        after = without_rules(segmentation.Ink(before, 0.0)).strength
        if is_rule:
            assert after[across == 0].sum() < 0.02 * before[across == 0].sum()
            np.testing.assert_array_equal(after[across > 0], before[across > 0])
        else:
            np.testing.assert_array_equal(after, before)


def test_rules_stand_out_from_the_noise_of_the_paper_and_are_sixty_at_most() -> None:
    strength = ruled(ink=0.3)
    for noise, is_seen in ((0.099, True), (0.101, False)):
        after = without_rules(segmentation.Ink(strength, noise)).strength
        assert (after[30, :50].mean() < 0.02) == is_seen
    for count in (60, 61):
        strength = ruled((800, 100), range(6, 6 + 12 * count, 12))
        after = without_rules(segmentation.Ink(strength, 0.0)).strength
        assert np.count_nonzero(after[:, :45].max(axis=1)) == count - 60


def filling() -> Image.Image:
    """A 2 with three bars, drawn up to the border of the image."""
    image = Image.new("L", (200, 300), 255)
    canvas = ImageDraw.Draw(image)
    canvas.line([(0, 10), (190, 10), (190, 150), (10, 150), (10, 290), (200, 290)], fill=0, width=20)
    return image


def test_the_bars_of_a_digit_that_fills_the_image_are_no_rules(tmp_path: Path) -> None:
    rows, columns = np.nonzero(reading_of(filling(), tmp_path) > 0.5)
    assert np.ptp(rows) + 1 >= 19  # all three bars
    assert np.ptp(columns) + 1 >= 13


def test_a_short_mark_beside_a_digit_that_fills_the_image_is_not_read_in_its_place(tmp_path: Path) -> None:
    image = filling()
    ImageDraw.Draw(image).line([(100, 215), (120, 225)], fill=0, width=4)  # it alone lies free of the border
    assert difference(reading_of(image, tmp_path), reading_of(filling(), tmp_path)) < 0.1


SHEET = ((70, 90), (60, 350), (330, 380), (310, 70))  # its corners on the table, against the clock


def on_table(drawn: Image.Image, table: int, grain: float = 8) -> Image.Image:
    """A sheet that lies askew on a table with a grain."""
    width, height = drawn.size
    rows, values = [], []
    for (x, y), (u, v) in zip(SHEET, ((0, 0), (0, height), (width, height), (width, 0)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    seen = np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist()
    warped, covered = (
        np.asarray(image.transform((420, 450), Image.Transform.PERSPECTIVE, seen, Image.Resampling.BILINEAR), float)
        for image in (drawn, Image.new("L", drawn.size, 255))
    )
    noise = np.random.default_rng(1).normal(0, 3, warped.shape) + grain * np.sin(np.arange(450) / 3)[:, None]
    return Image.fromarray((warped + (255 - covered) / 255 * table + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(("paper", "ink", "table"), [(235, 30, 90), (25, 225, 180), (150, 20, 235)])
def test_a_sheet_that_lies_askew_on_a_table_is_found(
    references: dict[int, np.ndarray], tmp_path: Path, paper: int, ink: int, table: int
) -> None:
    for digit in DIGITS:
        sheet = draw(digit, tall=130, size=(260, 280), at=(80, 70), paper=paper, ink=ink)
        assert difference(reading_of(on_table(sheet, table), tmp_path), references[digit]) < 0.7


Corners = list[tuple[float, float]]


def upright(left: float, top: float, width: float, height: float) -> Corners:
    """The corners of a sheet that lies straight, from the upper left one against the clock."""
    return [(left, top), (left, top + height), (left + width, top + height), (left + width, top)]


def blank_sheet(
    corners: Corners, paper: float = 0.85, table: float = 0.3, size: tuple[int, int] = (300, 260)
) -> np.ndarray:
    """A sheet with nothing on it on a table, with smooth edges, from 0 black to 1 white."""
    image = Image.new("F", (4 * size[0], 4 * size[1]), table)
    ImageDraw.Draw(image).polygon([(4 * x, 4 * y) for x, y in corners], fill=paper)
    return np.asarray(image.resize(size, Image.Resampling.BOX))


@pytest.mark.parametrize(("paper", "table"), [(0.85, 0.3), (0.2, 0.75)])
@pytest.mark.parametrize(
    "corners",
    [
        upright(50, 50, 200, 150),
        upright(190, 20, 90, 80),
        [(60, 40), (40, 220), (250, 230), (240, 30)],
        [(90, 30), (30, 190), (210, 240), (260, 80)],
        [(40, 90), (80, 230), (270, 170), (220, 20)],
    ],
)
def test_the_corners_of_a_sheet_are_found_wherever_it_lies(corners: Corners, paper: float, table: float) -> None:
    (found,) = find_sheets(blank_sheet(corners, paper, table))
    np.testing.assert_allclose(found.corners * (300, 260), corners, atol=4.5)  # the image is looked at half as large
    x, y = np.transpose(corners)
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert found.area == pytest.approx(area / (300 * 260), abs=0.01)
    assert found.contrast == pytest.approx(0.55, abs=0.05)


@pytest.mark.parametrize(
    ("corners", "paper", "is_one"),
    [
        (upright(15, 15, 270, 100), 0.85, True),
        (upright(15, 15, 270, 80), 0.85, False),  # more than three times as wide as high
        (upright(15, 15, 60, 170), 0.85, True),
        (upright(15, 15, 60, 200), 0.85, False),
        (upright(60, 60, 150, 120), 0.343, True),
        (upright(60, 60, 150, 120), 0.34, False),  # hardly lighter than the table
        (upright(100, 100, 39, 39), 0.85, True),
        (upright(100, 100, 36, 36), 0.85, False),  # less than two hundredths of the image
        ([(60, 40), (60, 200), (240, 200), (240, 60), (220, 40)], 0.85, True),  # a corner is folded
        ([(60, 40), (60, 200), (240, 200), (240, 100), (180, 40)], 0.85, False),
        ([(60, 40), (60, 200), (240, 200)], 0.85, False),  # a triangle, of which four corners can be made
    ],
)
def test_a_sheet_has_four_straight_sides_none_of_them_long_and_stands_out(
    corners: Corners, paper: float, is_one: bool
) -> None:
    assert bool(find_sheets(blank_sheet(corners, paper))) == is_one


def test_of_two_sheets_the_one_that_stands_out_most_is_looked_at_first() -> None:
    small, large = upright(20, 20, 100, 100), upright(150, 100, 130, 140)
    both = np.maximum(blank_sheet(small), blank_sheet(large, paper=0.7))
    areas = [found.area for found in find_sheets(both)]
    assert areas == pytest.approx([130 * 140 / (300 * 260), 100 * 100 / (300 * 260)], abs=0.01)
    both = np.maximum(blank_sheet(small), blank_sheet(large, paper=0.4))
    areas = [found.area for found in find_sheets(both)]
    assert areas == pytest.approx([100 * 100 / (300 * 260), 130 * 140 / (300 * 260)], abs=0.01)


def test_two_sheets_are_found_where_they_were_when_the_results_were_measured() -> None:
    askew = blank_sheet([(60, 40), (40, 220), (150, 230), (140, 30)])
    grain = np.random.default_rng(5).normal(0, 0.03, askew.shape)
    grey = np.clip(np.maximum(askew, blank_sheet(upright(180, 60, 90, 120), 0.6)) + grain, 0, 1).astype(np.float32)
    found = find_sheets(grey)
    corners = [
        [(0.203125, 0.16187), (0.140625, 0.84532), (0.496875, 0.88129), (0.465625, 0.1259)],
        [(0.603125, 0.23381), (0.603125, 0.68705), (0.896875, 0.68705), (0.896875, 0.23381)],
    ]
    np.testing.assert_allclose([sheet.corners for sheet in found], corners, atol=1e-4)
    assert [sheet.area for sheet in found] == pytest.approx([0.232014, 0.138129], abs=1e-5)
    assert [sheet.contrast for sheet in found] == pytest.approx([0.538134, 0.283228], rel=1e-4)
    taken = [take_out(grey, sheet) for sheet in found]
    assert [image.shape for image in taken] == [(178, 89), (112, 84)]
    pixels = [image[50, [20, 40, 60]] for image in taken]
    np.testing.assert_allclose(pixels, [[0.8739, 0.8573, 0.8077], [0.5645, 0.5554, 0.6225]], atol=2e-3)


def test_a_small_image_is_looked_at_as_large_as_it_is() -> None:
    (found,) = find_sheets(blank_sheet(upright(20, 15, 60, 50), size=(100, 90)))
    inside = [(20.5, 15.5), (20.5, 64.5), (79.5, 64.5), (79.5, 15.5)]  # the middles of the pixels at the corners
    np.testing.assert_allclose(found.corners * (100, 90), inside, atol=0.01)
    assert found.area == pytest.approx(60 * 50 / (100 * 90))


@pytest.mark.parametrize(("width", "count"), [(100, 2), (160, 2), (174, 1)])
def test_a_sheet_on_a_sheet_is_another_one_unless_it_covers_nearly_all_of_it(width: int, count: int) -> None:
    both = np.maximum(blank_sheet(upright(60, 40, 180, 180), 0.6), blank_sheet(upright(60, 40, width, 180)))
    areas = [180 * 180, width * 180][:count]
    found = sorted((sheet.area * 300 * 260 for sheet in find_sheets(both)), reverse=True)
    assert found == pytest.approx(areas, rel=0.04)


@pytest.mark.parametrize("side", [63, 64])
def test_an_image_of_less_than_64_pixels_shows_no_sheet(side: int) -> None:
    for size in ((side, 80), (80, side)):
        assert len(find_sheets(blank_sheet(upright(12, 12, 35, 35), size=size))) == (side == 64)


def test_a_sheet_is_taken_out_as_large_as_it_is_and_the_right_way_up() -> None:
    grey = blank_sheet(upright(90, 20, 200, 120))
    (found,) = find_sheets(grey)
    quarters = grey.copy()
    quarters[20:80, 90:190], quarters[80:140, 90:190], quarters[80:140, 190:290] = 0.7, 0.75, 0.8
    taken = take_out(quarters, found)
    assert taken.shape == pytest.approx((0.95 * 120, 0.95 * 200), abs=3)  # without its edge
    assert taken.min() > 0.65
    middle = [[float(np.median(half)) for half in np.array_split(rows, 2, axis=1)] for rows in np.array_split(taken, 2)]
    np.testing.assert_allclose(middle, [[0.7, 0.85], [0.75, 0.8]], atol=0.01)


@pytest.mark.parametrize(
    ("corners", "share", "is_one"),
    [
        (upright(10, 12, 30, 38), 1, True),
        (upright(10, 12, 23, 38), 1, True),
        (upright(10, 12, 22, 38), 1, False),  # a stroke is as narrow
        (upright(10, 12, 38, 22), 1, False),
        ([(30, 5), (5, 30), (30, 55), (55, 30)], 1, True),
        ([(5, 50), (30, 5), (55, 40)], 1, False),
        ([(10, 10), (10, 50), (50, 50), (50, 40), (20, 40), (20, 10)], 0.642, False),
    ],
)
def test_how_much_of_its_convex_hull_a_region_fills(corners: Corners, share: float, is_one: bool) -> None:
    image = Image.new("1", (60, 60))
    ImageDraw.Draw(image).polygon(corners, fill=1)
    left, upper, right, lower = image.getbbox() or (0, 0, 0, 0)
    region = np.asarray(image)[upper:lower, left:right]
    assert hull_share(region) == pytest.approx(share, abs=0.001)
    assert is_sheet(region) == is_one


def several(*digits: int) -> Image.Image:
    drawn = [draw(digit, tall=110, size=(130, 280), at=(20, 80), paper=235, ink=30) for digit in digits]
    sheet = Image.new("L", (130 * len(drawn), 280))
    for i, image in enumerate(drawn):
        sheet.paste(image, (130 * i, 0))
    return sheet


@pytest.mark.parametrize("digits", [(1, 1), (2, 5), (7, 4, 1)])
def test_several_digits_are_counted_and_refused(tmp_path: Path, digits: tuple[int, ...]) -> None:
    for image in (several(*digits), on_table(several(*digits).resize((300, 200)), 90)):
        image.save(tmp_path / "p.png")
        assert f"shows {len(digits)} digits, takes one" in refusal_of(tmp_path / "p.png")


def test_a_sheet_a_frame_bars_and_rules_without_a_digit_are_refused(tmp_path: Path) -> None:
    blank = np.full((280, 260), 235.0)
    bars, ruled = blank.copy(), blank.copy()
    bars[:30] = bars[-30:] = 0
    ruled[20::40] = ruled[21::40] = 150
    table = np.asarray(on_table(Image.fromarray(blank.astype(np.uint8)), 90, grain=0), float)
    for values in (table, framed(blank.copy()), bars, ruled):
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / "p.png")
        refusal_of(tmp_path / "p.png")


@pytest.mark.parametrize("pen", [0.004, 0.01, 0.03])
def test_a_thin_pen_gives_strokes_as_wide_as_a_networks_thinnest(
    references: dict[int, np.ndarray], tmp_path: Path, pen: float
) -> None:
    for digit in DIGITS:
        image = reading_of(draw(digit, tall=400, size=(600, 600), at=(100, 80), pen=pen), tmp_path)
        # Without a minimum the thinnest would have a twentieth of the ink.
        assert 0.4 < image.sum() / references[digit].sum() < 1


# --- Formats ----------------------------------------------------------------------------------------------------------


def coloured(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image, black="#102080", white="#FFF8E0")


def sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


FORMATS: dict[str, tuple[str, Callable[[Image.Image], Image.Image], dict[str, Any]]] = {
    "black and white PNG": ("p.png", lambda image: image.convert("1"), {}),
    "grey PNG": ("p.png", lambda image: image, {}),
    "grey PNG with transparency": ("p.png", lambda image: image.convert("LA"), {}),
    "palette PNG": ("p.png", lambda image: coloured(image).convert("P"), {}),
    "colour PNG": ("p.png", coloured, {}),
    "PNG with an alpha channel, all opaque": ("p.png", lambda image: coloured(image).convert("RGBA"), {}),
    "16-bit PNG": ("p.png", sixteen_bits, {}),
    "JPEG": ("p.jpg", coloured, {"quality": 80}),
    "grey JPEG": ("p.jpeg", lambda image: image, {}),
    "CMYK JPEG": ("p.jpg", lambda image: coloured(image).convert("CMYK"), {}),
    "progressive JPEG, ending in capitals": ("P.JPG", coloured, {"progressive": True}),
    "GIF": ("p.gif", lambda image: image, {}),
    "BMP": ("p.bmp", coloured, {}),
    "TIFF": ("p.tif", coloured, {}),
    "compressed TIFF": ("p.tiff", coloured, {"compression": "tiff_lzw"}),
    "16-bit TIFF": ("p.tif", sixteen_bits, {}),
    "32-bit TIFF": ("p.tif", lambda image: Image.fromarray(np.asarray(image, np.int32) * 257), {}),
    "TIFF of fractions": ("p.tif", lambda image: Image.fromarray(np.asarray(image, np.float32) / 255), {}),
    "CMYK TIFF": ("p.tif", lambda image: coloured(image).convert("CMYK"), {}),
    "WebP": ("p.webp", coloured, {}),
    "lossless WebP": ("p.webp", coloured, {"lossless": True}),
    "PGM": ("p.pgm", lambda image: image, {}),
    "PPM": ("p.ppm", coloured, {}),
    "TGA": ("p.tga", coloured, {}),
    "PCX": ("p.pcx", coloured, {}),
    "JPEG 2000": ("p.jp2", coloured, {}),
    "AVIF": ("p.avif", coloured, {}),
    "a PNG that is called .jpg": ("p.jpg", lambda image: image, {"format": "PNG"}),
    "a JPEG without an ending": ("photo", lambda image: image, {"format": "JPEG"}),
}


@pytest.mark.parametrize("is_inverted", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_common_format_is_read(
    references: dict[int, np.ndarray], tmp_path: Path, kind: str, is_inverted: bool
) -> None:
    if (kind == "AVIF" and not features.check("avif")) or (kind == "JPEG 2000" and not features.check("jpg_2000")):
        pytest.skip("this Pillow cannot write it")
    name, convert, options = FORMATS[kind]
    image = draw(2)
    image = ImageOps.invert(image) if is_inverted else image
    found = reading_of(convert(image), tmp_path, name, **options)
    assert difference(found, references[2]) < 0.15


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_camera_was_held(
    references: dict[int, np.ndarray], tmp_path: Path, orientation: int
) -> None:
    undo: dict[int, Any] = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = draw(2)
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(reading_of(stored, tmp_path, "p.jpg", exif=exif, quality=95), references[2]) < 0.15


def test_a_broken_note_of_the_orientation_is_passed_over(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    found = reading_of(draw(2), tmp_path, "p.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(40)))
    assert difference(found, references[2]) < 0.15


@pytest.mark.parametrize("under", [0, 128, 255])
@pytest.mark.parametrize("ink", [0, 60, 200, 255])
def test_ink_on_nothing_is_read_whatever_colour_hides_under_the_nothing(
    references: dict[int, np.ndarray], tmp_path: Path, ink: int, under: int
) -> None:
    opacity = ImageOps.invert(draw(2))
    grey = Image.composite(Image.new("L", opacity.size, ink), Image.new("L", opacity.size, under), opacity)
    for mode in ("LA", "RGBA"):
        image = grey.convert(mode)
        image.putalpha(opacity)
        # Half-transparent pixels at the edge mix the hidden colour in; a program that writes such a file does the same.
        assert difference(reading_of(image, tmp_path), references[2]) < 0.3


def test_a_palette_with_a_transparent_colour(references: dict[int, np.ndarray], tmp_path: Path) -> None:
    image = draw(2).convert("1").convert("P")  # black is the first colour, white the last
    white = image.getpixel((0, 0))
    assert isinstance(white, int)
    assert difference(reading_of(image, tmp_path, "p.gif", transparency=white), references[2]) < 0.2


@pytest.mark.parametrize("name", ["p.gif", "p.webp", "p.png", "p.tif"])
def test_of_several_images_in_a_file_the_first_is_read_and_that_is_said(
    references: dict[int, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    found = reading_of(draw(2), tmp_path, name, save_all=True, append_images=[draw(4), draw(7)])
    assert difference(found, references[2]) < 0.15
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"note: {tmp_path / name} holds several images, the first is used\n"


def test_a_phones_photograph_with_a_second_image_in_it_is_one_image(
    references: dict[int, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reading_of(draw(2), tmp_path, "p.jpg", format="MPO", save_all=True, append_images=[draw(4)])
    assert difference(found, references[2]) < 0.15
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("size", [(8, 3000), (3000, 8), (8, 8)])
def test_an_image_of_a_strange_shape_is_read(tmp_path: Path, size: tuple[int, int]) -> None:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).rectangle((size[0] // 3, size[1] // 3, size[0] // 2, size[1] // 2), fill=0)
    assert reading_of(image, tmp_path).max() == 1


# --- Garments ---------------------------------------------------------------------------------------------------------


def garment(size: tuple[int, int] = (400, 500), paper: int = 255, body: int = 51, sleeve: int = 153) -> Image.Image:
    """A long pullover: a body of 100 by 200 pixels with a lighter sleeve of 25 pixels on each side."""
    image = Image.new("L", size, paper)
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((150, 100, 249, 299), fill=body)
    canvas.rectangle((125, 100, 149, 249), fill=sleeve)
    canvas.rectangle((250, 100, 274, 249), fill=sleeve)
    return image


def test_a_garment_is_28_pixels_long_in_the_middle_and_keeps_its_shades(tmp_path: Path) -> None:
    garment().save(tmp_path / "g.png")
    image = mnist_preprocessing.read_garment(tmp_path / "g.png")
    assert image.shape == (28, 28)
    rows, columns = np.nonzero(image > 0.2)
    assert (rows.min(), rows.max()) == (0, 27)
    assert np.ptp(columns) + 1 == 21  # 150 of 200 pixels
    assert abs((columns.min() + columns.max()) / 2 - 13.5) <= 0.5
    # White paper gives back 255, the body 51, the sleeve 153: they take away 204 and 102, negated and stretched 1 and
    # one half.
    assert image[5:20, 12:16] == pytest.approx(1, abs=0.02)
    assert image[8, 4] == pytest.approx(0.5, abs=0.03)
    assert image[:, :3].max() == 0


def test_a_light_garment_on_a_dark_ground_is_turned_round(tmp_path: Path) -> None:
    garment().save(tmp_path / "dark.png")
    ImageOps.invert(garment()).save(tmp_path / "light.png")
    first, second = (mnist_preprocessing.read_garment(tmp_path / name) for name in ("dark.png", "light.png"))
    assert np.abs(first - second).max() < 0.02


def test_a_garment_that_leaves_the_image_keeps_its_shades_in_uneven_light(tmp_path: Path) -> None:
    y, x = np.mgrid[0:1:300j, 0:1:240j]
    dim = 1 - 0.5 * (0.6 * x + 0.4 * y) - 0.15 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    even, uneven = tmp_path / "even.png", tmp_path / "uneven.png"
    values = np.asarray(garment().crop((105, 60, 295, 240)).resize((240, 300)), float)  # cut off above the hem
    for light, path in ((1, even), (dim, uneven)):
        Image.fromarray((0.9 * light * values).astype(np.uint8)).save(path)
    # Most of the lower side is garment, no paper.
    assert np.mean(values[-1] < 200) > 0.75
    expected = mnist_preprocessing.read_garment(even)
    assert np.abs(mnist_preprocessing.read_garment(uneven) - expected).max() < 0.03


@pytest.mark.parametrize("is_inverted", [False, True])
def test_a_garment_keeps_its_shades_where_more_light_falls_on_a_corner_than_an_image_can_tell(
    tmp_path: Path, is_inverted: bool
) -> None:
    y, x = np.mgrid[0:1:300j, 0:1:240j]
    light = 1.16 * (1 - 0.7 * (0.6 * x + 0.4 * y))
    values = np.asarray(garment().resize((240, 300)), float)
    assert (light * values > 255).sum() > 0.05 * values.size
    even, bright = tmp_path / "even.png", tmp_path / "bright.png"
    for strength, path in ((0.9, even), (light, bright)):
        image = Image.fromarray((strength * values).clip(0, 255).astype(np.uint8))
        (ImageOps.invert(image) if is_inverted else image).save(path)
    expected = mnist_preprocessing.read_garment(even)
    assert np.abs(mnist_preprocessing.read_garment(bright) - expected).max() < 0.03


@pytest.mark.parametrize("paper", [255, 200])
def test_a_garment_in_any_place_and_size_gives_nearly_the_same(tmp_path: Path, paper: int) -> None:
    body, sleeve = round(paper * 0.2), round(paper * 0.6)
    garment().save(tmp_path / "g.png")
    reference = mnist_preprocessing.read_garment(tmp_path / "g.png")
    image = garment((700, 450), paper, body, sleeve)
    for changed in (image, image.resize((1400, 900)), image.resize((350, 225)), image.crop((118, 93, 280, 305))):
        changed.save(tmp_path / "other.png")
        assert difference(mnist_preprocessing.read_garment(tmp_path / "other.png"), reference) < 0.12


def test_a_garment_of_28x28_goes_through_unchanged(tmp_path: Path) -> None:
    garment().save(tmp_path / "g.png")
    reference = mnist_preprocessing.read_garment(tmp_path / "g.png")
    values = np.rint(reference * 255).astype(np.uint8)
    for polarity in (values, 255 - values):
        Image.fromarray(polarity).save(tmp_path / "small.png")
        assert np.abs(mnist_preprocessing.read_garment(tmp_path / "small.png") - reference).max() <= 1 / 255


# --- What is as in the set, and what is not ---------------------------------------------------------------------------


def bar(rows: int, top: int, columns: slice) -> np.ndarray:
    """28x28 pixels of ink: a bar of so many rows, the first of them `top`."""
    ink = np.zeros((28, 28), np.float32)
    ink[top : top + rows, columns] = 1
    return ink


@pytest.mark.parametrize(
    ("rows", "top", "is_unchanged"),
    [
        *((17, 5, False), (18, 5, True), (20, 4, True), (21, 4, False)),  # rows of a digit: 18 to 20
        *((18, 4, False), (18, 6, True), (18, 7, False)),  # its centre of mass lies in row 12.5, 14.5, 15.5
        *((19, 4, False), (19, 5, True), (19, 6, False)),  # 13, 14, 15: less than 1 from the middle
    ],
)
def test_a_digit_of_28x28_is_as_in_the_set_where_its_length_and_its_centre_are(
    rows: int, top: int, is_unchanged: bool
) -> None:
    ink = bar(rows, top, slice(11, 17))
    made = mnist_preprocessing.digit(1 - ink, "bar")
    assert np.allclose(made, ink, atol=1e-5) == is_unchanged
    if not is_unchanged:
        assert np.ptp(np.flatnonzero(made.max(axis=1) > 0.5)) + 1 == 20


@pytest.mark.parametrize(("rows", "top", "is_unchanged"), [(25, 1, False), (26, 0, True), (26, 2, True), (28, 0, True)])
def test_a_garment_of_28x28_is_as_in_the_set_where_it_is_26_pixels_long(
    rows: int, top: int, is_unchanged: bool
) -> None:
    ink = bar(rows, top, slice(8, 20))
    made = mnist_preprocessing.garment(1 - ink, "bar")
    assert np.allclose(made, ink, atol=1e-5) == is_unchanged
    assert np.ptp(np.flatnonzero(made.max(axis=1) > 0.5)) + 1 == (rows if is_unchanged else 28)


@pytest.mark.parametrize(
    ("rows", "top", "is_unchanged"),
    [(13, 8, False), (14, 7, True), (16, 2, False), (16, 3, True), (16, 10, True), (16, 11, False)],
)
def test_a_noisy_digit_of_28x28_is_as_in_the_set_where_it_is_half_as_long_and_near_the_middle(
    rows: int, top: int, is_unchanged: bool, tmp_path: Path
) -> None:
    ink = bar(rows, top, slice(12, 16))
    Image.fromarray((255 * (1 - ink)).astype(np.uint8)).save(tmp_path / "p.png")
    made = mnist_preprocessing.read_noisy_digit(tmp_path / "p.png")
    assert np.allclose(made, ink, atol=1e-5) == is_unchanged
    assert np.ptp(np.flatnonzero(made.max(axis=1) > 0.5)) + 1 == (rows if is_unchanged else 20)


@pytest.mark.parametrize(
    ("place", "size", "kept"),
    [
        (mnist_preprocessing.place_digit, 40, 2),  # pixels beside a stroke that are its edge: a 20th of the digit
        (mnist_preprocessing.place_digit, 60, 3),
        (mnist_preprocessing.place_digit, 15, 1),  # and one at least
        (mnist_preprocessing.place_garment, 40, 1),  # a 28th
        (mnist_preprocessing.place_garment, 60, 2),
    ],
)
def test_the_soft_edge_of_a_stroke_is_kept_and_a_shadow_further_away_is_not(
    place: Callable[[np.ndarray, np.ndarray], np.ndarray], size: int, kept: int
) -> None:
    drawn = np.zeros((size + 8, size + 8), bool)
    drawn[4:-4, 4:8] = drawn[-7:-4, 4:-4] = True  # an L
    alone = place(drawn.astype(np.float32), drawn)
    for away in range(1, 6):
        strength = drawn.astype(np.float32)
        strength[6:-13, 7 + away] = 0.8
        assert np.array_equal(place(strength, drawn), alone) == (away > kept), away


def seven(height: int, width: int, pen: float, box: tuple[float, float, float, float]) -> np.ndarray:
    """The ink of a 7 in an image, 0 to 1; its box (top, left, bottom, right) is in shares of the sides."""
    top, left, bottom, right = np.array(box) * (height, width, height, width)
    y, x = np.mgrid[:height, :width]
    far = np.full((height, width), np.inf)
    for (y0, x0), (y1, x1) in (((top, left), (top, right)), ((top, right), (bottom, 0.7 * left + 0.3 * right))):
        along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2)
        along = np.clip(along, 0, 1)
        far = np.minimum(far, np.hypot(y - y0 - along * (y1 - y0), x - x0 - along * (x1 - x0)))
    return np.clip(pen / 2 + 0.5 - far, 0, 1)


# Sums of the pixels, as they are and with random signs, of what the networks that ship were measured with.
SUMS: dict[str, tuple[np.ndarray, bool, float, float]] = {
    "thin": (seven(120, 90, 1.5, (0.15, 0.2, 0.85, 0.8)), True, 42.153, -2.203),
    "thick": (seven(150, 200, 12, (0.2, 0.2, 0.8, 0.6)), False, 87.789, 19.712),
    "small": (seven(28, 28, 2.5, (0.1, 0.1, 0.6, 0.5)), True, 97.107, 13.796),
    "noisy and dark": (seven(140, 120, 9, (0.2, 0.25, 0.8, 0.7)), True, 95.841, -3.031),
    "noisy and light": (seven(90, 130, 7, (0.2, 0.3, 0.75, 0.6)), False, 118.069, 3.705),
    "noisy and small": (seven(28, 28, 2.5, (0.05, 0.05, 0.5, 0.4)), False, 116.289, 8.719),
    "garment": (np.pad(np.tile(np.linspace(0.3, 0.9, 45), (65, 1)), ((20, 15), (15, 20))), True, 357.65, 26.431),
}


@pytest.mark.parametrize("what", SUMS)
def test_an_image_is_made_into_the_same_numbers_as_ever(what: str, tmp_path: Path) -> None:
    ink, is_dark, whole, signed = SUMS[what]
    if "noisy" in what:
        ink = ink + np.random.default_rng(len(what)).normal(0, 0.2, ink.shape)
    grey = np.clip(0.2 + 0.6 * (1 - ink if is_dark else ink), 0, 1)
    Image.fromarray(np.rint(255 * grey).astype(np.uint8)).save(tmp_path / "p.png")
    read = mnist_preprocessing.read_noisy_digit if "noisy" in what else mnist_preprocessing.read_digit
    made = (mnist_preprocessing.read_garment if what == "garment" else read)(tmp_path / "p.png")
    signs = np.random.default_rng(0).choice([-1.0, 1.0], made.shape)
    assert [made.sum(), (made * signs).sum()] == pytest.approx([whole, signed], abs=0.03)


# --- Refusals ---------------------------------------------------------------------------------------------------------


def refusal_of(path: Path, read: Callable[[Path], np.ndarray] = mnist_preprocessing.read_digit) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(WorkshopError) as refusal:
            read(path)
    message = str(refusal.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    return message


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG's beginning: its size, and no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize("read", [mnist_preprocessing.read_digit, mnist_preprocessing.read_garment])
def test_what_is_no_image_is_refused(tmp_path: Path, read: Callable[[Path], np.ndarray]) -> None:
    assert "is not there" in refusal_of(tmp_path / "missing.png", read)
    assert "is a folder" in refusal_of(tmp_path, read)
    (tmp_path / "notes.png").write_text("This is no picture.\n")
    assert "is not an image that can be read: save it as PNG or JPEG" in refusal_of(tmp_path / "notes.png", read)
    (tmp_path / "empty.jpg").touch()
    assert "is not an image that can be read" in refusal_of(tmp_path / "empty.jpg", read)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    for name in ("x" * 5000 + ".png", "nul\0byte.png"):
        with pytest.raises(WorkshopError, match="cannot be read"):
            mnist_preprocessing.read_digit(Path(name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is not a regular file" in refusal_of(tmp_path / "pipe.png")


def test_a_program_in_an_images_clothes_is_not_started(tmp_path: Path) -> None:
    # Pillow gives PostScript to Ghostscript, which runs it.
    (tmp_path / "p.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n")
    assert "is not an image that can be read" in refusal_of(tmp_path / "p.png")


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.gif", "p.bmp", "p.tif", "p.webp", "p.pgm"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    coloured(draw(5)).save(path, lossless=True) if name == "p.webp" else draw(5).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "damaged" in refusal_of(path) or "not an image" in refusal_of(path)


@pytest.mark.parametrize("name", ["p.png", "p.gif", "p.tif", "p.jp2", "p.webp"])
def test_damaged_bytes_end_in_an_image_or_in_one_line(tmp_path: Path, name: str) -> None:
    if name == "p.jp2" and not features.check("jpg_2000"):
        pytest.skip("this Pillow cannot write it")
    path = tmp_path / name
    draw(5, tall=40, size=(60, 60), at=(10, 10)).save(path)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 3):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert mnist_preprocessing.read_digit(path).shape == (28, 28)
        except WorkshopError as error:
            assert str(error).startswith(f"{path} ")


def test_the_libraries_below_write_nothing_to_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.tif"
    draw(5).save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    content[20:200] = bytes(range(180))
    path.write_bytes(content)
    assert "is truncated or damaged" in refusal_of(path)
    assert capfd.readouterr() == ("", "")


def test_an_image_of_one_pixel_is_refused(tmp_path: Path) -> None:
    for size in ((1, 1), (7, 100), (100, 7)):
        Image.new("L", size).save(tmp_path / "p.png")
        assert f"has {size[0]}x{size[1]} pixels, takes 8x8 or more" in refusal_of(tmp_path / "p.png")


@pytest.mark.parametrize("read", [mnist_preprocessing.read_digit, mnist_preprocessing.read_garment])
@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("noise", [0, 3, 20])
def test_a_blank_image_is_refused(tmp_path: Path, read: Callable[[Path], np.ndarray], grey: int, noise: int) -> None:
    values = grey + np.random.default_rng(0).normal(0, noise, (400, 300))
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(tmp_path / "p.png")
    assert "is blank: nothing on it differs from its border" in refusal_of(tmp_path / "p.png", read)


def test_blank_paper_in_uneven_light_and_paper_of_nothing_are_refused(tmp_path: Path) -> None:
    photograph(5, ink=1.0).save(tmp_path / "p.png")
    assert "is blank" in refusal_of(tmp_path / "p.png")
    Image.new("RGBA", (100, 100)).save(tmp_path / "p.png")
    assert "is blank" in refusal_of(tmp_path / "p.png")


@pytest.mark.parametrize("side", [7_100, 10_000, 20_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_declared_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    def decode(image: ImageFile.ImageFile) -> None:
        raise AssertionError("the picture was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    (tmp_path / "bomb.png").write_bytes(png_that_declares(side, side))
    assert "has more than 50 million pixels: make it smaller" in refusal_of(tmp_path / "bomb.png")


def test_a_large_image_within_the_limit_is_decoded(tmp_path: Path) -> None:
    # Of these pixels there are none, so it is refused, but for what it is: truncated.
    (tmp_path / "large.png").write_bytes(png_that_declares(1_000, 1_000))
    assert "truncated or damaged" in refusal_of(tmp_path / "large.png")


def test_too_many_bytes_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.png"
    with path.open("wb") as file:
        file.truncate(100 * 2**20 + 1)  # a hole: it takes no room on the disk
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("the file was read"))
    assert "is larger than 100 MB" in refusal_of(path)


def test_a_name_that_would_steer_the_terminal_is_shown_harmless(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError) as refusal:
        mnist_preprocessing.read_digit(tmp_path / "a\x1b[2J\nb.png")
    assert str(refusal.value).isprintable()
