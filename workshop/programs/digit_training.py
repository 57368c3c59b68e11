"""The model of `apps.digit`: the CNN of the lesson `mnist`, trained on augmented digits.

    python -m workshop.programs.digit_training        # saves models/digit_reader.h5, which ships; about 3 minutes

People's own digits differ from MNIST's: a thin pen, a felt pen, a sheet held askew. So every epoch sees each image
moved, turned, sheared and resized a little, with thicker or thinner strokes. The ones of MNIST are bare strokes, as in
America: some get the upstroke and the foot that other people write. The network and the loss are the lesson's, the
name is its own: a run of the lesson saves mnist_cnn and leaves it as it is.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from workshop import mnist
from workshop.kit import cli, device, files, training
from workshop.kit.data.images import load_image_set, scale_pixels
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.saving import bundle
from workshop.kit.training import Recipe

RECIPE = Recipe(epochs=9, learning_rate=0.005, batch_size=64)
CHANGES = Augmentation(flip=0, rotation=13, shear=10, shift=0.06, zoom=0.12)

_PARTS = 10_000  # images that are changed together: as numbers in 32 bits they take four times their memory


def augment(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns the images changed at random, each in its own way.

    Args:
        images: uint8 (samples, 28, 28, 1), 0 the background, 255 the ink.
        labels: the digits.
        random: the random generator.
    """
    images = _add_strokes_to_ones(images[..., 0], labels, random)
    parts = [images[start : start + _PARTS] for start in range(0, len(images), _PARTS)]
    return np.concatenate([_change_strokes(_move(part, random), random) for part in parts])[..., None]


def _add_strokes_to_ones(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns the images with an upstroke on half of the ones, and a foot under a fifth of them."""
    images = images.copy()
    for i in np.flatnonzero(labels == 1):
        ink = images[i] > 127
        rows = np.flatnonzero(ink.any(axis=1))
        if len(rows) < 10:  # written askew: it has no top and no bottom
            continue
        top, bottom = rows[0], rows[-1]
        has_upstroke, has_foot = random.random(2) < (0.5, 0.2)
        length, foot = random.uniform((0.25, 0.2), (0.55, 0.4)) * len(rows)
        angle = np.deg2rad(random.uniform(30, 65))
        # Drawn four times as large and shrunk, so that the edges are soft.
        drawing = Image.new("L", (112, 112))
        canvas = ImageDraw.Draw(drawing)
        width = int(random.integers(6, 11))
        if has_upstroke:
            x, y = 4 * np.flatnonzero(ink[top]).mean() + 2, 4 * top + width / 2
            end = x - 4 * length * np.cos(angle), y + 4 * length * np.sin(angle)
            canvas.line([(x, y), end], fill=255, width=width)
        if has_foot:
            x, y = 4 * np.flatnonzero(ink[bottom]).mean() + 2, 4 * bottom
            canvas.line([(x - 4 * foot, y), (x + 4 * foot, y)], fill=255, width=width)
        images[i] = np.maximum(images[i], np.asarray(drawing.resize((28, 28), Image.Resampling.BOX)))
    return images


def _move(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Moves, turns, shears and resizes images at random."""
    size = images.shape[1]
    matrices = CHANGES.affine_matrices(len(images), size, random).astype(float)
    matrices[:, :, 2] += 0.5 - matrices[:, :, :2].sum(axis=2) / 2  # Pillow counts from a pixel's corner
    moved = np.empty_like(images)
    for i, matrix in enumerate(matrices.reshape(-1, 6).tolist()):
        moved[i] = Image.fromarray(images[i]).transform(
            (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
        )
    return moved


def _change_strokes(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Makes strokes up to a pixel thicker or thinner at random, and the strongest ink as strong as before."""
    amount = random.uniform(-1, 1, (len(images), 1, 1)).astype(np.float32)
    before = images.astype(np.float32)
    # The greatest of 2x2 pixels makes a stroke one pixel thicker, the smallest one pixel thinner.
    thicker, thinner = (change(images, size=(1, 2, 2)) for change in (ndimage.maximum_filter, ndimage.minimum_filter))
    after = before + np.abs(amount) * (np.where(amount > 0, thicker, thinner) - before)
    strongest = after.max(axis=(1, 2), keepdims=True)
    # A stroke of one pixel would be gone: it stays as it is.
    after = np.where(strongest < 100, before, after * (255 / np.maximum(strongest, 1)))
    return np.rint(after).astype(np.uint8)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--epochs", type=cli.whole_number(1), metavar="N", help=f"(default: {RECIPE.epochs})")
    add("--seed", type=cli.whole_number(0), default=1, metavar="N", help="(default: 1)")
    add("--data", type=Path, metavar="DIR", help="the folder of MNIST (default: found as in the lessons)")
    add("--models", type=Path, default=Path("models"), metavar="DIR", help="(default: models)")
    arguments = parser.parse_args(argv)
    files.check_writable(arguments.models, "--models")
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates and saves the model; returns its metrics."""
    arguments = parse(argv)
    images = load_image_set("mnist", arguments.data)
    print(f"Data      {images.source}, {images.place}\nEngine    {device.prepare(arguments.seed)}")
    recipe = replace(RECIPE, epochs=arguments.epochs or RECIPE.epochs).for_samples(len(images.X_train))
    with device.scope(arguments.seed):
        model = mnist.build_cnn()
    model.summary()
    model.compile(
        optimizer=recipe.make_optimizer(),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=device.steps_per_execution(),
    )
    for epoch in range(recipe.epochs):
        random = np.random.default_rng((arguments.seed, epoch))  # each epoch sees other changes
        X_train = augment(images.X_train, images.y_train, random)
        batches = training.shuffled_batches(X_train, images.y_train, recipe.batch_size, arguments.seed, scale_pixels)
        batches.epoch.assign(epoch)
        model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=2)
    metrics = {
        f"{part}_accuracy": model.evaluate(scale_pixels(X), y, batch_size=1000, verbose=0)[1]
        for part, X, y in (("train", images.X_train, images.y_train), ("test", images.X_test, images.y_test))
    }
    print(f"{metrics['test_accuracy']:.2%} of {len(images.X_test):,} test images classified correctly")
    saved = bundle.save(
        arguments.models,
        bundle.name_for("digit_reader", standin=images.is_standin),
        model,
        lesson="mnist",
        data=f"{images.source}, augmented",
        seed=arguments.seed,
        inputs=[bundle.Input("image", shape=(28, 28, 1))],
        metrics=metrics,
        classes=images.classes,
    )
    print(f"Model     {', '.join(map(str, saved))}")
    return metrics


if __name__ == "__main__":
    cli.run(main, stopped="stopped; the model saved before is as it was")
