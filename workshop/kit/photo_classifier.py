"""Tools of the lessons on photos: their options, their data, and recipes by the number of photos."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from workshop.kit import cli
from workshop.kit.photos import dataset
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.training.recipe import Recipe

if TYPE_CHECKING:
    from workshop.kit.report import Report

LARGE_DATASET = 1000  # photos, enough of them for larger batches, and for smaller images in the first epochs
MAX_TRAIN_SAMPLE = 2000  # photos, for the training accuracy
MAX_VALIDATION_SAMPLE = 200  # photos, to validate after each epoch; at the end all are evaluated

_PUBLISHED = 280  # training photos, of which `--help` names the epochs
_MIN_SIZE, _MAX_SIZE = 32, 512  # pixels; five halvings of the first leave one
_QUICK = 40  # photos of each class and part


@dataclass(frozen=True)
class PhotoRecipe(Recipe):
    """A recipe whose epochs, batches and image sizes depend on the number of photos.

    Attributes:
        epochs: counted by `with_options` from `images`, unless it is given.
        images: how many the network sees in all; a set of fewer photos is seen several times.
        augmentation: how the photos are changed at random, or None.
        large_batch_size: photos per step in a set of `LARGE_DATASET` or more (default: `batch_size`).
        steps_per_epoch: steps of an epoch, whatever the number of photos (0: as many as they make).
        validation_batch_size: photos per step of the validation after each epoch (0: `batch_size`).
        validation_steps: steps of this validation, whatever the number of photos (0: as many as they make).
    """

    epochs: int = 0
    quick_epochs: int | None = 4
    images: int = 0
    augmentation: Augmentation | None = None
    large_batch_size: int | None = None
    steps_per_epoch: int = 0
    validation_batch_size: int = 0
    validation_steps: int = 0

    def count_epochs(self, samples: int) -> int:
        """Returns how often so many photos are seen by default."""
        return self.epochs or min(60, max(3, round(self.images / samples)))

    def with_options(self, arguments: argparse.Namespace, samples: int) -> Self:
        """Returns the recipe for so many photos, by the options of the command line or else by this recipe.

        `no_augmentation` is an option of some of the lessons.
        """
        batch_size = self.large_batch_size if self.large_batch_size and samples >= LARGE_DATASET else self.batch_size
        augmentation = None if getattr(arguments, "no_augmentation", False) else self.augmentation
        recipe = replace(self, epochs=self.count_epochs(samples), batch_size=batch_size, augmentation=augmentation)
        return Recipe.with_options(recipe, arguments, samples)

    def sizes(self, size: int, samples: int) -> list[int] | None:
        """Returns the image size in each epoch, or None where it is always `size`.

        On many photos most epochs are on smaller images, which have half as many pixels: these show shapes and colors
        as well, and the last epochs add what only the whole size shows. Such progressive resizing is described by
        Howard (fast.ai, 2018) and by Tan and Le (EfficientNetV2, 2021).
        """
        if self.augmentation is None or samples < LARGE_DATASET:
            return None
        smaller = max(_MIN_SIZE, round(0.75 * size))
        return [smaller if epoch < int(0.7 * self.epochs) else size for epoch in range(self.epochs)]


def parser(module_docstring: str | None, recipes: Mapping[str, PhotoRecipe], size: str, batch_size: str) -> cli.Parser:
    """Returns a parser with the options of a lesson that trains networks on photos.

    Args:
        module_docstring: the lesson's own.
        recipes: of its networks, by their names.
        size, batch_size: the lesson's defaults in words, for `--help`.
    """
    epochs = ", ".join(f"{recipe.count_epochs(_PUBLISHED)} {kind}" for kind, recipe in recipes.items())
    made = cli.lesson_parser(
        module_docstring,
        recipes,
        epochs=f"{epochs} on {_PUBLISHED} photos",
        batch_size=batch_size,
        learning_rate=", ".join(f"{recipe.rate:g} {kind}" for kind, recipe in recipes.items()),
        data="PHOTOS",
    )
    cli.add_precision(made)
    made.add_argument(
        "--size",
        type=cli.whole_number(_MIN_SIZE, _MAX_SIZE),
        metavar="N",
        help=f"image size in pixels (default: {size})",
    )
    return made


def load(report: Report, size: int) -> dataset.PhotoSet:
    """Loads the lesson's photos, fewer for a quick run; says which they are and which were left out."""
    photos = dataset.load_photos(report.arguments.data, size, _QUICK if report.arguments.quick else None)
    report.data(photos.source, photos.place, photos.is_standin)
    counts = np.bincount(photos.y_train, minlength=len(photos.classes))
    print(f"Classes   {', '.join(f'{name} ({count})' for name, count in zip(photos.classes, counts, strict=True))}")
    dataset.print_left_out(photos.left_out)
    return photos


def report_sizes(sizes: Sequence[int] | None) -> None:
    """Says how many epochs are on smaller images, if any are."""
    if sizes and sizes[0] != sizes[-1]:
        print(f"The first {sizes.count(sizes[0])} epochs are on images of {sizes[0]}x{sizes[0]}")


def targets(y: np.ndarray, classes: int) -> np.ndarray:
    """Returns classes as a network is trained on them: of two, float32 (samples, 1), 0 or 1; else as they are."""
    return y.astype(np.float32)[:, None] if classes == 2 else y


def loss(classes: int) -> str:
    """Returns Keras' name of the loss for these targets."""
    return "binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy"


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Returns the probability of each class, (samples, classes), from a network's outputs, of which it may have one."""
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs


def sample_rows(samples: int, limit: int) -> np.ndarray | slice:
    """Returns the rows of at most `limit` of the samples, chosen at random, in their order."""
    if samples <= limit:
        return slice(None)
    return np.sort(np.random.default_rng(0).permutation(samples)[:limit])


def augmented_examples(
    photos: dataset.PhotoSet, augmentation: Augmentation
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns a training photo of each of the first three classes, five augmented versions of each, and the names.

    The shapes are (photos, size, size, 3) and (photos, 5, size, size, 3).
    """
    X, y = photos.X_train, photos.y_train
    labels = range(min(3, len(photos.classes)))
    chosen = np.array([np.flatnonzero(y == label)[0] for label in labels])
    rows = np.repeat(chosen, 5).astype(np.int32)
    augmented = augmentation.apply(X[rows], *augmentation.draw(rows, X.shape[1]))
    return X[chosen], augmented.reshape(len(chosen), 5, *X.shape[1:]), [photos.classes[i] for i in labels]


def generator_options(augmentation: Augmentation) -> dict[str, Any]:
    """Returns the same kinds of changes as the arguments of Keras' ImageDataGenerator."""
    return {
        "horizontal_flip": augmentation.flip > 0,
        "rotation_range": augmentation.rotation,
        "shear_range": augmentation.shear,
        "width_shift_range": augmentation.shift,
        "height_shift_range": augmentation.shift,
        "zoom_range": augmentation.zoom,
        "brightness_range": (1 - augmentation.contrast, 1 + augmentation.contrast),
        "channel_shift_range": 255 * augmentation.brightness,
    }
