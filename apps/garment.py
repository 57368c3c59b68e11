"""Which garment is it: a saved model names garments in pictures.

    python -m apps.garment PICTURE.png ...              # any common format and size, on a light or a dark ground
    python -m apps.garment --show PICTURE.png           # draws what the network saw
    python -m apps.garment --model my.h5 PICTURE.png    # a model of your own, from another notebook

One garment a picture, on an even ground. It is trimmed, scaled and centred the way Fashion-MNIST was. The model is the
CNN that `python -m workshop.fashion_mnist` trains; one of your own takes 28x28 pixels from 0 to 1 and answers with ten
probabilities.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workshop.kit import cli
from workshop.kit.data import published_images
from workshop.programs import gallery


def read(path: Path, input_shape: gallery.Shape) -> np.ndarray:
    """Returns a picture as Fashion-MNIST would hold it, float32 (28, 28)."""
    from workshop.programs import mnist_preprocessing

    return mnist_preprocessing.read_garment(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Names the garment in each picture."""
    gallery.name_pictures(
        __doc__,
        argv,
        lessons=["fashion_mnist"],
        model="fashion_mnist_cnn",
        pixels=gallery.GREY_28X28,
        check=lambda model: gallery.check_28x28(model, published_images.CLASSES["fashion_mnist"]),
        read=read,
    )


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
