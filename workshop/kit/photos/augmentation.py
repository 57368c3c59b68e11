"""Random augmentation of photos: one affine matrix of coordinates and one of colors for each photo.

A cat that is mirrored, turned a little, nearer or in other light is still a cat. Flip, rotation, shear, zoom and shift
are all affine maps of the plane, so any sequence of them is one map: a photo is resampled once, not five times, which
is quicker and keeps it sharp. Brightness, contrast and saturation are affine maps of the colors in the same way.
No engine is used here: Keras and PyTorch train on the same augmented photos.
"""

import zlib
from dataclasses import dataclass

import numpy as np

# The weights of red, green and blue in the perceived brightness of a color (ITU-R BT.601).
_LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Augmentation:
    """The largest changes; each change is drawn uniformly between minus and plus this value.

    Attributes:
        flip: the share of photos that are mirrored left to right.
        rotation, shear: angles in degrees.
        shift: a share of the image size.
        zoom: the share by which the content is enlarged or reduced.
        brightness: added to all colors, which go from 0 to 1.
        contrast, saturation: the share by which colors move away from medium grey, and from grey of their brightness.
    """

    flip: float = 0.5
    rotation: float = 15
    shear: float = 8
    shift: float = 0.08
    zoom: float = 0.2
    brightness: float = 0.1
    contrast: float = 0.25
    saturation: float = 0.3

    def draw(self, order: np.ndarray, size: int, new_size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws the affine and the color matrices of an epoch that visits the samples in this order.

        The order follows from the seed and the epoch, so the matrices do too: a resumed run draws the same ones.
        `new_size` is that of the augmented photos, as in `affine_matrices`.
        """
        random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(order).tobytes()))
        return self.affine_matrices(len(order), size, random, new_size), self.color_matrices(len(order), random)

    def affine_matrices(
        self, count: int, size: int, random: np.random.Generator, new_size: int | None = None
    ) -> np.ndarray:
        """Draws affine matrices of coordinates, float32 (count, 2, 3).

        A matrix maps a point (x, y, 1) of the augmented photo, in pixels, to the point of the original whose color it
        gets. It rotates about the middle of the photo.

        Args:
            count: the number of matrices.
            size: the size of the original photos.
            random: the random generator.
            new_size: the size of the augmented photos (default: the same). A smaller photo shows a part of the
                original, reduced, each by the root of the ratio: so animals look not much smaller than in the whole.
        """
        new_size = new_size or size
        angle, shear = np.deg2rad(random.uniform(-1, 1, (2, count)) * [[self.rotation], [self.shear]])
        scale = (1 + self.zoom * random.uniform(-1, 1, count)) * np.sqrt(size / new_size)
        mirror = np.where(random.random(count) < self.flip, -1.0, 1.0)
        linear = np.empty((count, 2, 2))
        linear[:, :, 0] = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (scale * mirror)[:, None]
        linear[:, :, 1] = np.stack([-np.sin(angle + shear), np.cos(angle + shear)], axis=1) * scale[:, None]
        middle, new_middle = np.full(2, (size - 1) / 2), np.full(2, (new_size - 1) / 2)
        shift = random.uniform(-1, 1, (count, 2)) * self.shift * size
        return np.concatenate([linear, (middle - linear @ new_middle + shift)[..., None]], axis=2).astype(np.float32)

    def color_matrices(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draws affine matrices of colors, float32 (count, 3, 4): of (red, green, blue, 1), each from 0 to 1."""
        largest = np.reshape([self.saturation, self.contrast], (2, 1, 1, 1))
        saturation, contrast = 1 + random.uniform(-1, 1, (2, count, 1, 1)) * largest
        brightness = random.uniform(-1, 1, (count, 1, 1)) * self.brightness
        linear = saturation * np.eye(3) + (1 - saturation) * np.broadcast_to(_LUMINANCE, (3, 3))
        offset = (1 - contrast) / 2 + np.broadcast_to(brightness, (count, 3, 1))
        return np.concatenate([contrast * linear, offset], axis=2).astype(np.float32)

    def apply(
        self, photos: np.ndarray, affine_matrices: np.ndarray, color_matrices: np.ndarray, new_size: int | None = None
    ) -> np.ndarray:
        """Returns augmented photos, uint8 (count, new_size, new_size, 3).

        Args:
            photos: uint8 (count, size, size, 3).
            affine_matrices, color_matrices: a matrix of each kind for each photo, from `draw`.
            new_size: the size of the augmented photos, for which the matrices were drawn (default: the same).
        """
        from PIL import Image

        size = photos.shape[1]
        new_size = new_size or size
        augmented = np.empty((len(photos), new_size, new_size, 3), np.uint8)
        # Points outside of the photo get the color of its border; no further out than this in the largest changes.
        margin = size // 4
        bordered = np.pad(photos, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
        # Pillow counts from a pixel's corner, not from its middle.
        affine = affine_matrices.astype(float)
        affine[:, :, 2] += margin + 0.5 - affine[:, :, :2].sum(axis=2) / 2
        color = color_matrices * [1, 1, 1, 255]
        for i, (coordinates, colors) in enumerate(zip(affine.reshape(-1, 6), color.reshape(-1, 12), strict=True)):
            photo = Image.fromarray(bordered[i]).transform(
                (new_size, new_size), Image.Transform.AFFINE, tuple(coordinates), Image.Resampling.BILINEAR
            )
            augmented[i] = np.asarray(photo.convert("RGB", tuple(colors)))
        return augmented
