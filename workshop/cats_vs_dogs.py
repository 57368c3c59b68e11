"""Cats and dogs: photos of any size from folders, and two networks that classify them.

A folder has `train/cats`, `train/dogs`, `validation/cats` and `validation/dogs`, or other names of two or more classes.
The network of the workshop has three convolutions and three dense layers of 512: ten million weights, enough to
memorise a few hundred photos. The small one beside it has batch normalisation, averages each channel over the image
instead of weighting each place, and sees every photo augmented, a little changed each time. Compare how far they
overfit: how much better each is on the photos that it was trained on than on new ones.

    python -m workshop.cats_vs_dogs                             # both; then look into the folder plots
    python -m workshop.cats_vs_dogs --data PHOTOS               # your own: a folder, a .zip or a .tar
    python -m workshop.cats_vs_dogs --model small               # one of them
    python -m workshop.cats_vs_dogs --model workshop --pipeline generator    # with Keras' ImageDataGenerator
    python -m workshop.cats_vs_dogs --preset workshop           # the workshop's whole recipe: minutes on a CPU
    python -m workshop.cats_vs_dogs --quick                     # a first look, in seconds

Expected on 280 photos of three breeds: the small network classifies at least 85 % of 120 new ones correctly, within a
minute on two CPU cores. Without photos it is trained on drawn cats and dogs, and says so.

The preset, saved as cats_vs_dogs_workshop-preset, is what the workshop types: its network at 150x150 pixels (10,019,873
weights), Adam at a rate of 0.001, 30 epochs of 8 steps of 125 photos, 8 steps of 63 to validate, and an
ImageDataGenerator that divides the pixels by 255. That is laid out for 1,000 and 500 photos. Of fewer the generator
makes fewer batches, and begins again until the steps are done: an epoch then sees a photo several times, and the run
says how many batches the photos make. Run once on those 280 and 120 photos: a training accuracy of 100 % and a
validation accuracy of 81.7 %, in two and a half minutes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.figures import cats_vs_dogs as figures
from workshop.kit import cli, device, photo_classifier, training
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.photo_classifier import LARGE_DATASET, PhotoRecipe
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.photos.dataset import as_folder
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input

if TYPE_CHECKING:
    import keras
    from tensorflow.keras.preprocessing.image import DirectoryIterator

# `images`: photos seen in the whole training; the fewer there are, the more epochs.
RECIPES = {
    # The taught network without augmentation, in a minute. With ten million weights a higher rate fails.
    "workshop": PhotoRecipe(images=1700, learning_rate=0.001, optimizer="adam", schedule=False),
    "small": PhotoRecipe(
        images=5000, learning_rate=0.003, batch_size=16, large_batch_size=32, augmentation=Augmentation()
    ),
}
# The recipe of `--preset workshop`, as it is taught.
TAUGHT = PhotoRecipe(
    epochs=30,
    learning_rate=0.001,
    batch_size=125,
    optimizer="adam",
    schedule=False,
    steps_per_epoch=8,
    validation_batch_size=63,
    validation_steps=8,
)


def build_workshop(size: int, classes: int) -> keras.Sequential:
    """Returns the network of the workshop: 16-32-64 convolutions, then 512-512-512 and the output."""
    model = keras.Sequential([keras.Input((size, size, 3))])
    for filters in (16, 32, 64):
        model.add(keras.layers.Conv2D(filters, 3, activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for _ in range(3):
        model.add(keras.layers.Dense(512, activation="relu"))
    model.add(output_layer(classes))
    return model


def build_small(size: int, classes: int) -> keras.Sequential:
    """Returns a network for few photos: 16-32-64-96-176 convolutions, the average of each channel, and the output.

    The first convolution has a stride of two pixels, where the image is largest and each filter costs most. With four
    poolings in all, a unit of the last convolution sees nearly all of an image of 150x150.
    """
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            *convolution(16, 5, strides=2),
            *convolution(32, 3),
            *convolution(64, 3),
            *convolution(96, 3),
            *convolution(176, 3, pooling=False),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            output_layer(classes),
        ]
    )


def convolution(filters: int, kernel_size: int, strides: int = 1, pooling: bool = True) -> list[keras.Layer]:
    """Returns a convolution, a pooling, batch normalisation (which has a bias of its own) and the activation.

    The pooling comes first: what it leaves out need not be normalised.
    """
    return [
        keras.layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False),
        *([keras.layers.MaxPooling2D()] if pooling else []),
        # A memory of ten batches: a run on few photos has few batches.
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.Activation("relu"),
    ]


def output_layer(classes: int) -> keras.Layer:
    """Returns the last layer: the probability of the second of two classes, or those of all classes.

    It computes in single precision whatever the others do: a probability of nearly 0 has few digits in 16 bits.
    """
    if classes == 2:
        return keras.layers.Dense(1, activation="sigmoid", dtype="float32")
    return keras.layers.Dense(classes, activation="softmax", dtype="float32")


def build(kind: str, size: int, classes: int) -> keras.Sequential:
    """Returns one of the two networks."""
    return build_workshop(size, classes) if kind == "workshop" else build_small(size, classes)


def make_generators(
    folder: FilePath, recipe: PhotoRecipe, size: int, classes: int, seed: int
) -> tuple[DirectoryIterator, DirectoryIterator]:
    """Returns batches of the training and of the validation photos, by Keras' ImageDataGenerator as it is taught.

    Every photo is read and decoded anew in each epoch, and Keras makes one change after another.

    Args:
        folder: with train/<class>/* and validation/<class>/*.
        recipe: of the training.
        size: of the images.
        classes: how many there are.
        seed: of the order, and of the changes.
    """
    # Keras 3 has it in this place only.
    ImageDataGenerator = tensorflow.keras.preprocessing.image.ImageDataGenerator
    changes = photo_classifier.generator_options(recipe.augmentation) if recipe.augmentation else {}
    options = {
        "target_size": (size, size),
        "class_mode": "binary" if classes == 2 else "sparse",
        "seed": seed,
    }
    train_generator = ImageDataGenerator(rescale=1 / 255, **changes).flow_from_directory(
        Path(folder) / "train", batch_size=recipe.batch_size, **options
    )
    validation_generator = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        Path(folder) / "validation", batch_size=recipe.validation_batch_size or recipe.batch_size, **options
    )
    print(f"Class indices   {train_generator.class_indices}")
    report_steps(recipe, train_generator.samples)
    if recipe.validation_steps:
        print(f"                {recipe.validation_steps} of {recipe.validation_batch_size} to validate")
    return train_generator, validation_generator


def take_batches(generator: Iterable[Any], count: int, classes: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields `count` batches of an ImageDataGenerator, which starts over, reshuffled, when its photos end.

    Given the ImageDataGenerator itself, `model.fit` would end the epoch there and warn.
    """
    for images, y in itertools.islice(generator, count):
        yield images, photo_classifier.targets(y, classes)


def report_steps(recipe: PhotoRecipe, samples: int) -> None:
    """Prints the steps of an epoch, and whether photos repeat within it."""
    batches = math.ceil(samples / recipe.batch_size)
    steps = recipe.steps_per_epoch or batches
    print(f"Steps per epoch {steps} batches of {recipe.batch_size}")
    if steps > batches:
        made = f"{batches} batches" if batches > 1 else "1 batch"
        print(f"                {samples:,} photos make {made}: they come again, in another order")


def parse(docstring: str | None, argv: Sequence[str] | None, has_generator: bool = True) -> argparse.Namespace:
    """Reads the options of the command line; `recipes` are those of the networks to train, by their names.

    Args:
        docstring: the lesson's own, or its mirror's.
        argv: the options, or None for those that were typed.
        has_generator: whether this is the lesson, whose preset takes Keras' ImageDataGenerator; a mirror has none.
    """
    parser = photo_classifier.parser(
        docstring, RECIPES, "150, quick 64", f"32 workshop, 16 small; 32 from {LARGE_DATASET:,} photos on"
    )
    add = parser.add_argument
    add("--model", choices=[*RECIPES, "both"], help="(default: both, compared)")
    add("--no-augmentation", action="store_true", help="leave the photos of the small network unchanged")
    help_text = "how photos come to the network: decoded once, or Keras' ImageDataGenerator (default: fast)"
    add("--pipeline", choices=["fast", "generator"], help=help_text)
    help_text = (
        f"the workshop's network, optimizer and generator: {TAUGHT.epochs} epochs of {TAUGHT.steps_per_epoch} steps "
        f"of {TAUGHT.batch_size} photos"
    )
    add("--preset", choices=["workshop"], help=help_text)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.preset:
        if arguments.model not in {None, "workshop"}:
            parser.error(f"--preset workshop: got --model {arguments.model}, takes workshop")
        if arguments.pipeline == "fast" and has_generator:
            parser.error("--preset workshop: got --pipeline fast, takes generator, as it is taught")
        arguments.recipes = {"workshop": TAUGHT}
        arguments.pipeline = arguments.pipeline or ("generator" if has_generator else "fast")
    else:
        arguments.recipes = {
            kind: recipe for kind, recipe in RECIPES.items() if arguments.model in {None, "both", kind}
        }
        arguments.pipeline = arguments.pipeline or "fast"
    arguments.size = arguments.size or (64 if arguments.quick else 150)
    if arguments.pipeline == "generator" and arguments.resume:
        given = "--preset workshop" if arguments.preset else "--pipeline generator"
        parser.error(f"--resume: got {given} too, whose ImageDataGenerator keeps no state to go on from")
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("cats_vs_dogs", arguments)
    photos = photo_classifier.load(report, arguments.size)
    report.engine(device.prepare(arguments.seed, arguments.precision))  # seeds, determinism, dtype policy

    X_train, X_validation, classes = photos.X_train, photos.X_validation, photos.classes
    y_train = photo_classifier.targets(photos.y_train, len(classes))  # for two classes float32 (n, 1), 0 or 1
    y_validation = photo_classifier.targets(photos.y_validation, len(classes))
    # Of a large set a random sample: to validate after each epoch, and for the training accuracy at the end.
    validation_sample = photo_classifier.sample_rows(len(X_validation), photo_classifier.MAX_VALIDATION_SAMPLE)
    train_sample = photo_classifier.sample_rows(len(X_train), photo_classifier.MAX_TRAIN_SAMPLE)
    suffix = "-preset" if arguments.preset else ""  # what the default run saved stays
    results, histories = {}, {}
    for kind in arguments.recipes:
        name = f"cats_vs_dogs_{kind}{suffix}"
        # Epochs, batch size, optimizer: of the recipe or of the command line; `samples` gives the schedule its length.
        recipe = arguments.recipes[kind].with_options(arguments, samples=len(X_train))
        with device.scope(arguments.seed):  # keras.utils.set_random_seed: the initial weights
            model = build(kind, arguments.size, len(classes))
        weights = model.count_params()
        report.section(f"{kind}: {weights:,} weights, {recipe.epochs} epochs of {len(X_train):,} photos")
        model.summary()
        model.compile(
            optimizer=recipe.make_optimizer(),  # workshop: Adam at a constant rate; small: AdamW on a schedule
            loss=photo_classifier.loss(len(classes)),  # for two classes "binary_crossentropy"
            metrics=["accuracy"],
        )
        callbacks = training.tensorboard(arguments.tensorboard, kind)
        started = time.perf_counter()
        if arguments.pipeline == "generator":
            with as_folder(photos) as folder:  # train/<class>/* and validation/<class>/*, for flow_from_directory
                train_generator, validation_generator = make_generators(
                    folder, recipe, arguments.size, len(classes), arguments.seed
                )
                steps = recipe.steps_per_epoch or len(train_generator)
                validation_steps = recipe.validation_steps or len(validation_generator)
                history = model.fit(
                    take_batches(train_generator, recipe.epochs * steps, len(classes)),
                    steps_per_epoch=steps,
                    epochs=recipe.epochs,
                    shuffle=False,  # the generator shuffles
                    validation_data=take_batches(validation_generator, recipe.epochs * validation_steps, len(classes)),
                    validation_steps=validation_steps,
                    callbacks=callbacks,
                    verbose=report.verbose,
                )
        else:
            sizes = recipe.sizes(arguments.size, len(X_train))  # of a large set: smaller images in the first epochs
            photo_classifier.report_sizes(sizes)
            # A tf.data.Dataset, its order and its augmentation drawn from the seed and the epoch.
            batches = training.photo_batches(
                X_train, y_train, recipe.batch_size, arguments.seed, recipe.augmentation, sizes
            )
            history = model.fit(
                batches,
                epochs=recipe.epochs,
                shuffle=False,  # the batches come shuffled, each epoch anew
                validation_data=training.photo_batches(
                    X_validation[validation_sample], y_validation[validation_sample], recipe.batch_size, seed=None
                ),
                # For --resume, as keras.callbacks.BackupAndRestore; also restores the order of `batches`.
                callbacks=[*callbacks, training.Resume(report.checkpoint(name), batches)],
                verbose=report.verbose,
            )
        seconds = (time.perf_counter() - started) / recipe.epochs
        histories[kind] = history.history

        train_photos = training.photo_batches(
            X_train[train_sample], y_train[train_sample], recipe.batch_size, seed=None
        )
        validation_photos = training.photo_batches(X_validation, y_validation, recipe.batch_size, seed=None)
        _, train_accuracy = model.evaluate(train_photos, verbose=0)
        _, validation_accuracy = model.evaluate(validation_photos, verbose=0)
        # Of each class, (n, classes); for two classes the network has the second's alone.
        probabilities = photo_classifier.probabilities(model.predict(validation_photos, verbose=0))
        print(f"{validation_accuracy:.1%} of {len(X_validation):,} validation photos classified correctly")
        metrics = {"train_accuracy": train_accuracy, "validation_accuracy": validation_accuracy}
        results[kind] = (weights, seconds, train_accuracy, validation_accuracy)
        report.result(metrics, model=kind, is_only=len(arguments.recipes) == 1)
        report.save(  # model.save, and beside the .h5 a card (.json): inputs, classes, metrics, digests
            name,
            model,
            inputs=[Input("image", shape=X_train.shape[1:])],
            classes=classes,
            metrics=metrics,
        )
        report.plots(
            name,
            figures.evaluation(kind, X_validation, photos.y_validation, probabilities, classes),
        )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot(f"cats_vs_dogs{suffix}-accuracy", figures.accuracies, histories)
    report.plot(
        "cats_vs_dogs-augmentation",
        figures.augmentation,
        *photo_classifier.augmented_examples(photos, Augmentation()),
    )
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        not_comparable="the photos are your own" if arguments.data else "",
    )


if __name__ == "__main__":
    cli.run(main)
