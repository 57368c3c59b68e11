"""Garments: a saved model classifies images of garments.

    python -m apps.garment IMAGE.png ...              # any common format and size, on a light or a dark background
    python -m apps.garment --show IMAGE.png           # draws the network's input
    python -m apps.garment --model my.h5 IMAGE.png    # a model of your own, from another notebook

An image shows one garment, on an even background. It is trimmed, scaled and centred as in Fashion-MNIST. The model is
the CNN that `python -m workshop.fashion_mnist` trains; one of your own takes 28x28 pixels from 0 to 1 and predicts ten
probabilities.
"""

from collections.abc import Sequence

import numpy as np

from workshop.kit import cli
from workshop.kit.data import published_images
from workshop.kit.files import FilePath
from workshop.programs import gallery


def read(path: FilePath, input_shape: gallery.Shape) -> np.ndarray:
    """Returns an image as in Fashion-MNIST, float32 (28, 28)."""
    from workshop.programs import mnist_preprocessing

    return mnist_preprocessing.read_garment(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Classifies the garment in each image."""
    gallery.classify_images(
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
