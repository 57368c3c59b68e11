"""Stand-ins for data that cannot be had. A run that uses one says so, in its first lines, its card and its JSON."""

import numpy as np

_SIZE = 28


def image_set(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]:
    """Returns X_train, y_train, X_test, y_test and a title, in the form of the image set `name`.

    For "mnist" scikit-learn's handwritten digits, which come with the library; for "fashion_mnist" drawn garments.
    Images are uint8 (samples, 28, 28, 1), labels int32 (samples,).
    """
    if name == "mnist":
        X, y = _digits()
        title, test = "digits", 360
    else:
        # Each with its own proportions, shade, position and noise.
        random, y = np.random.default_rng(0), np.arange(2000) % 10
        X = np.stack([_garment(int(label), random) for label in y])
        title, test = "drawn garments", 500
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order][..., None], y[order].astype(np.int32)
    return X[:-test], y[:-test], X[-test:], y[-test:], title


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Returns scikit-learn's 1,797 real handwritten digits (8x8, 0 to 16) enlarged to fill 20x20 in 28x28."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    X = np.zeros((len(digits.images), _SIZE, _SIZE), np.uint8)
    for enlarged, small in zip(X, digits.images, strict=True):
        image = Image.fromarray((small * (255 / 16)).astype(np.uint8))
        enlarged[4:24, 4:24] = np.asarray(image.resize((20, 20), Image.Resampling.BICUBIC))
    return X, digits.target


def _garment(label: int, random: np.random.Generator) -> np.ndarray:
    """Draws one garment at four times the size and shrinks it, so that its edges are smooth."""
    from PIL import Image, ImageDraw

    scale = 4
    image = Image.new("L", (_SIZE * scale, _SIZE * scale))
    draw = ImageDraw.Draw(image)
    shade = int(random.integers(120, 256))
    middle = 14 + random.uniform(-1, 1)
    wide, high = random.uniform(0.8, 1.15), random.uniform(0.9, 1.08)
    dy = random.uniform(-1, 1)

    def polygon(*points: tuple[float, float], fill: int = shade) -> None:
        """Draws a polygon by its points, in units of the final pixels, x measured from the middle."""
        placed = [((middle + x * wide) * scale, (14 + (y - 14) * high + dy) * scale) for x, y in points]
        draw.polygon(placed, fill=fill)

    def mirrored(*right: tuple[float, float]) -> None:
        """Draws a symmetric polygon by the points of its right half."""
        polygon(*right, *[(-x, y) for x, y in reversed(right)])

    sleeve = random.uniform(-1, 1)
    if label == 0:  # T-shirt: short sleeves
        mirrored((3, 4), (8, 5), (12, 10 + sleeve), (9, 12 + sleeve), (7, 10), (7, 25))
    elif label == 1:  # Trouser: two legs
        mirrored((5, 2), (6, 26), (2, 26), (0.6, 9))
    elif label == 2:  # Pullover: long sleeves
        mirrored((3, 4), (8, 5), (12, 22 + sleeve), (9, 23 + sleeve), (7, 11), (7, 24))
    elif label == 3:  # Dress: narrow waist, wide hem
        mirrored((2.5, 2), (4, 3), (2.5, 11), (6 + sleeve, 26))
    elif label == 4:  # Coat: long sleeves, open down the middle, long
        mirrored((3, 3), (8, 4), (11, 24 + sleeve), (8.5, 25), (7.5, 12), (8, 26))
        polygon((-0.5, 5), (0.5, 5), (0.5, 26), (-0.5, 26), fill=shade // 4)
    elif label == 5:  # Sandal: a sole and straps
        polygon((-11, 19), (11, 17 + sleeve), (11, 20), (-11, 21))
        for x in (-8, -3, 3):
            polygon((x, 20), (x + 1.5, 20), (x + 4.5, 12 + sleeve), (x + 3, 12 + sleeve))
    elif label == 6:  # Shirt: half sleeves, collar, buttons
        mirrored((3, 4), (7, 5), (11, 15 + sleeve), (8.5, 17 + sleeve), (6.5, 11), (6.5, 26))
        polygon((-2.5, 3), (0, 8), (2.5, 3), fill=shade // 3)
        for y in (11, 15, 19, 23):
            polygon((-0.5, y), (0.5, y), (0.5, y + 1), (-0.5, y + 1), fill=shade // 4)
    elif label == 7:  # Sneaker: low
        polygon((-11, 13), (-6, 12), (2, 14 + sleeve), (11, 17), (12, 20), (-11, 20))
        polygon((-11, 20), (12, 20), (12, 21.5), (-11, 21.5), fill=255 - shade // 2)
    elif label == 8:  # Bag: a box with a handle
        polygon((-10, 11 + sleeve), (10, 11 + sleeve), (11, 24), (-11, 24))
        mirrored((6, 11), (4, 5), (0, 4), (0, 5.5), (3, 6.5), (4.5, 11))
    else:  # Ankle boot: high at the heel
        polygon((-9, 4 + sleeve), (-1, 4 + sleeve), (0, 13), (11, 17), (12, 22), (-9, 22))
        polygon((-9, 22), (12, 22), (12, 23), (-9, 24), fill=255 - shade // 2)
    small = np.asarray(image.resize((_SIZE, _SIZE), Image.Resampling.BOX), np.float32)
    # Cloth is not smooth: grain within the garment alone.
    grain = random.normal(0, 14, small.shape) * (small > 0)
    return np.clip(small + grain, 0, 255).astype(np.uint8)
