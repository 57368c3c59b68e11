"""Which digit is it: a saved model names handwritten digits in pictures.

    python -m apps.digit PICTURE.png ...              # any common format and size, dark on light or light on dark
    python -m apps.digit --show PICTURE.png           # draws what the network saw
    python -m apps.digit --model my.h5 PICTURE.png    # a model of your own, from another notebook

One digit a picture. It is cut out, scaled and centred the way MNIST was. The model is the CNN that
`python -m workshop.mnist` trains; one of your own takes 28x28 pixels from 0 to 1 and answers with ten probabilities.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workshop.kit import cli
from workshop.kit.data import published_images
from workshop.programs import gallery


def read(path: Path, input_shape: gallery.Shape) -> np.ndarray:
    """Returns a picture as MNIST would hold it, float32 (28, 28)."""
    from workshop.programs import mnist_preprocessing

    return mnist_preprocessing.read_digit(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Names the digit in each picture."""
    gallery.name_pictures(
        __doc__,
        argv,
        lessons=["mnist", "rnn"],
        model="mnist_cnn",
        pixels=gallery.GREY_28X28,
        check=lambda model: gallery.check_28x28(model, published_images.CLASSES["mnist"]),
        read=read,
    )


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
