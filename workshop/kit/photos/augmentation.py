"""Random changes to photographs, drawn as numbers: one affine map of the places and one of the colours for each.

A cat that is mirrored, turned a little, nearer or in other light is still a cat. Flip, rotation, shear, zoom and shift
are all affine maps of the plane, so any number of them is one map: a picture is resampled once, not five times, which
is quicker and keeps it sharp. Brightness, contrast and saturation are affine maps of the colours in the same way.
Nothing here knows an engine: Keras and PyTorch learn from the same changed pictures.
"""

import zlib
from dataclasses import dataclass

import numpy as np

# How much each of red, green and blue counts for how bright a colour looks (ITU-R BT.601).
_LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Augmentation:
    """The largest changes; each is drawn evenly from nothing to that much, either way.

    Attributes:
        flip: the share of pictures that are mirrored left to right.
        rotation, shear: angles in degrees.
        shift: share of the side.
        zoom: share by which things become larger or smaller.
        brightness: added to all colours, which go from 0 to 1.
        contrast, saturation: share by which colours move away from medium grey, and from grey of their own brightness.
    """

    flip: float = 0.5
    rotation: float = 15
    shear: float = 8
    shift: float = 0.08
    zoom: float = 0.2
    brightness: float = 0.1
    contrast: float = 0.25
    saturation: float = 0.3

    def draw(self, order: np.ndarray, size: int, side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws the changes of an epoch that visits the samples in this order; returns places and colours.

        The order itself is drawn from the seed and the epoch, so the changes are too: a run that is resumed draws what
        it would have drawn. `side` is that of the changed pictures, as in `places`.
        """
        random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(order).tobytes()))
        return self.places(len(order), size, random, side), self.colours(len(order), random)

    def places(self, count: int, size: int, random: np.random.Generator, side: int | None = None) -> np.ndarray:
        """Draws affine maps of the places, float32 (count, 2, 3).

        A map M takes a place in the new picture, (x, y, 1) in pixels, to the place in the old one where its colour is
        found. It turns about the middle of a picture of size x size.

        Args:
            count: how many.
            size: the side of the old pictures.
            random: what draws.
            side: of the new pictures (default: the same). A smaller one shows a part of the old one, and that smaller
                than it was, each by the root of the ratio: so things look not much smaller than in whole pictures.
        """
        side = side or size
        angle, shear = np.deg2rad(random.uniform(-1, 1, (2, count)) * [[self.rotation], [self.shear]])
        scale = (1 + self.zoom * random.uniform(-1, 1, count)) * np.sqrt(size / side)
        mirror = np.where(random.random(count) < self.flip, -1.0, 1.0)
        linear = np.empty((count, 2, 2))
        linear[:, :, 0] = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (scale * mirror)[:, None]
        linear[:, :, 1] = np.stack([-np.sin(angle + shear), np.cos(angle + shear)], axis=1) * scale[:, None]
        middle, new_middle = np.full(2, (size - 1) / 2), np.full(2, (side - 1) / 2)
        shift = random.uniform(-1, 1, (count, 2)) * self.shift * size
        return np.concatenate([linear, (middle - linear @ new_middle + shift)[..., None]], axis=2).astype(np.float32)

    def colours(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draws affine maps of the colours, float32 (count, 3, 4): of (red, green, blue, 1), each from 0 to 1."""
        saturation, contrast = 1 + random.uniform(-1, 1, (2, count, 1, 1)) * [
            [[[self.saturation]]],
            [[[self.contrast]]],
        ]
        brightness = random.uniform(-1, 1, (count, 1, 1)) * self.brightness
        linear = saturation * np.eye(3) + (1 - saturation) * np.broadcast_to(_LUMINANCE, (3, 3))
        offset = (1 - contrast) / 2 + np.broadcast_to(brightness, (count, 3, 1))
        return np.concatenate([contrast * linear, offset], axis=2).astype(np.float32)

    def apply(
        self, pictures: np.ndarray, places: np.ndarray, colours: np.ndarray, side: int | None = None
    ) -> np.ndarray:
        """Returns changed pictures, uint8 (count, side, side, 3).

        Args:
            pictures: uint8 (count, size, size, 3).
            places, colours: a map for each, drawn by the methods of these names.
            side: of the changed pictures, for which the places were drawn (default: that of the old ones).
        """
        from PIL import Image

        size = pictures.shape[1]
        side = side or size
        changed = np.empty((len(pictures), side, side, 3), np.uint8)
        # What comes in from outside continues the border's colours. So far out, a corner is met by the largest changes.
        margin = size // 4
        bordered = np.pad(pictures, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
        # Pillow counts from a pixel's corner, not from its middle.
        places = places.astype(float)
        places[:, :, 2] += margin + 0.5 - places[:, :, :2].sum(axis=2) / 2
        colours = colours * [1, 1, 1, 255]
        for i, (place, colour) in enumerate(zip(places.reshape(-1, 6), colours.reshape(-1, 12), strict=True)):
            picture = Image.fromarray(bordered[i])
            picture = picture.transform((side, side), Image.Transform.AFFINE, tuple(place), Image.Resampling.BILINEAR)
            changed[i] = np.asarray(picture.convert("RGB", tuple(colour)))
        return changed
