"""Cat or dog: a saved model classifies photos.

    python -m apps.cat_or_dog PHOTO.jpg ...               # any common format and size
    python -m apps.cat_or_dog --show PHOTO.jpg            # draws the part of it that decided
    python -m apps.cat_or_dog --model my.h5 PHOTO.jpg     # a model of your own, of any classes

The model is the small network that `python -m workshop.cats_vs_dogs` trains. One of your own takes square RGB images
of up to 512 pixels a side, from 0 to 1, and predicts the probability of its second class or those of all.
"""

from collections.abc import Sequence

import numpy as np

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.photos import image_file
from workshop.kit.saving.loaded import Bundle
from workshop.programs import gallery

MAX_SIZE = 512  # pixels a side


def check(model: Bundle) -> Sequence[str]:
    """Returns the names of the classes for a model without a card; raises WorkshopError unless it takes photos."""
    shape, outputs = model.input_shape, model.model.output_shape
    if shape not in [(size, size, 3) for size in range(1, MAX_SIZE + 1)]:
        takes = f"shape {shape}" if shape else "several shapes"
        raise WorkshopError(
            f"{model.path} takes inputs of {takes}, this program gives (size, size, 3) with a size up to {MAX_SIZE}"
        )
    if not outputs or len(outputs) != 1:
        given = f"shape {outputs}" if outputs else "several shapes"
        raise WorkshopError(f"{model.path} has outputs of {given}, this program takes one row of probabilities")
    return ["cats", "dogs"] if outputs == (1,) else [f"class {i}" for i in range(outputs[0])]


def read(path: FilePath, input_shape: gallery.Shape) -> np.ndarray:
    """Returns a photo as the lessons read theirs: upright, RGB, resized; float32 (size, size, 3)."""
    from workshop.kit.data import images as image_data
    from workshop.kit.photos import decoding

    with image_file.refusing(path):
        return image_data.scale_pixels(decoding.decode(image_file.read_bytes(path), input_shape[0]))


def main(argv: Sequence[str] | None = None) -> None:
    """Classifies each photo."""
    gallery.classify_images(
        __doc__,
        argv,
        lessons=["cats_vs_dogs", "transfer_learning"],
        model="cats_vs_dogs_small",
        pixels="RGB pixels from 0 to 1",
        check=check,
        read=read,
        is_explained=True,
    )


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
