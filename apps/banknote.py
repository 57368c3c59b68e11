"""Banknote: a saved model names the value of the note in a photograph.

    python -m apps.banknote PHOTO.jpg ...               # any common format and size
    python -m apps.banknote --show PHOTO.jpg            # draws the network's input, and the part of it that decided
    python -m apps.banknote --model my.h5 PHOTO.jpg     # a model of your own

The model is the one that `python -m workshop.banknotes` saves: `banknotes` of your photographs, else
`banknotes-standin` of drawn notes. One of your own takes square RGB images of up to 512 pixels a side, from 0 to 1,
and predicts a probability for each class.
"""

import contextlib
from collections.abc import Sequence

from apps import cat_or_dog
from workshop.kit import cli
from workshop.kit.data.synthetic_banknotes import VALUES
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle
from workshop.programs import gallery

MODELS = ("banknotes", "banknotes-standin")


def check(model: Bundle) -> Sequence[str]:
    """Returns the names of the classes for a model without a card; raises WorkshopError unless it takes photos."""
    names = cat_or_dog.check(model)
    return [str(value) for value in VALUES] if len(names) == len(VALUES) else names


def choose_model() -> str:
    """Returns the name of the model that is there: of photographs, else of drawn notes."""
    for name in MODELS:
        with contextlib.suppress(WorkshopError):
            bundle.find(name)
            return name
    return MODELS[0]


def main(argv: Sequence[str] | None = None) -> None:
    """Names the value of each note."""
    gallery.classify_images(
        __doc__,
        argv,
        lessons=["banknotes", "transfer_learning"],
        model=choose_model(),
        pixels="RGB pixels from 0 to 1",
        check=check,
        read=cat_or_dog.read,
        is_explained=True,
    )


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
