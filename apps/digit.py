"""Digits: a saved model classifies images of handwritten digits.

    python -m apps.digit IMAGE.png ...              # any common format and size, dark on light or light on dark
    python -m apps.digit --show IMAGE.png           # draws the network's input
    python -m apps.digit --model my.h5 IMAGE.png    # a model of your own: a lesson's, or from another notebook

An image shows one digit. It is cut out, scaled and centred as in MNIST; a table around the sheet, rules, a frame, the
edge of a scan, a shadow and specks are left out. No digit and several digits are refused. The model is digit_reader:
the CNN of `python -m workshop.mnist`, trained on augmented digits by `python -m workshop.programs.digit_training`; one
of your own takes 28x28 pixels from 0 to 1 and predicts ten probabilities.
"""

from collections.abc import Sequence

import numpy as np

from workshop.kit import cli
from workshop.kit.data import published_images
from workshop.kit.files import FilePath
from workshop.programs import gallery


def read(path: FilePath, input_shape: gallery.Shape) -> np.ndarray:
    """Returns an image as in MNIST, float32 (28, 28)."""
    from workshop.programs import mnist_preprocessing

    return mnist_preprocessing.read_digit(path)


def main(argv: Sequence[str] | None = None) -> None:
    """Classifies the digit in each image."""
    gallery.classify_images(
        __doc__,
        argv,
        lessons=["mnist", "rnn"],
        model="digit_reader",
        pixels=gallery.GREY_28X28,
        check=lambda model: gallery.check_28x28(model, published_images.CLASSES["mnist"]),
        read=read,
    )


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
