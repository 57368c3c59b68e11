"""Cats and dogs: photographs of any size from folders, and two networks that learn to name them.

A folder has `train/cats`, `train/dogs`, `validation/cats` and `validation/dogs`, or other names of two or more classes.
The network of the workshop has three convolutions and three dense layers of 512: ten million weights, which learn a few
hundred photographs by heart. The small one beside it normalises its batches, averages over all places of the picture
instead of weighting each, and sees every picture a little changed each time. Compare their gaps: how much better each
is on the pictures that it learned from than on new ones.

    python -m workshop.cats_vs_dogs                             # both; then look into the folder plots
    python -m workshop.cats_vs_dogs --data PHOTOS               # your own: a folder, a .zip or a .tar
    python -m workshop.cats_vs_dogs --model small               # one of them
    python -m workshop.cats_vs_dogs --model workshop --pipeline generator    # with Keras' ImageDataGenerator
    python -m workshop.cats_vs_dogs --quick                     # a first look, in seconds

Expected on 280 photographs of three breeds: the small network names at least 85 % of 120 new ones, within a minute on
two CPU cores. Without photographs it learns from drawn cats and dogs, and says so.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import cli, device, photo_classifier, training
from workshop.kit import report as reporting
from workshop.kit.engine import Engine, Plan
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.photo_classifier import MANY, Settings
from workshop.kit.photos import dataset as photos
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.training import photo_pipeline

SETTINGS = {
    # As it is taught: nothing is changed at random. Ten million weights forgive no higher rate.
    "workshop": Settings(pictures=1700, learning_rate=0.001, optimizer="rmsprop"),
    "small": Settings(pictures=5000, learning_rate=0.003, augmentation=Augmentation(), expected=0.85),
}
BATCH_SIZES = {"workshop": 32, "small": 16}


def batch_size(kind: str, photographs: int) -> int:
    """Returns the pictures a step by default."""
    return 32 if photographs >= MANY else BATCH_SIZES[kind]


def build_workshop(size: int, classes: int) -> Any:
    """Returns the network of the workshop: at 150x150 pixels 16-32-64 convolutions, then 512-512-512 and the answer."""
    layers = [keras.layers.Input((size, size, 3))]
    for filters in (16, 32, 64):
        layers += [keras.layers.Conv2D(filters, 3, activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten()]
    layers += [keras.layers.Dense(512, activation="relu") for _ in range(3)]
    return keras.Sequential([*layers, answer(classes)])


def build_small(size: int, classes: int) -> Any:
    """Returns a network for few pictures: 16-32-64-96-176 convolutions, the average over all places, and the answer.

    The first convolution takes steps of two pixels, where the picture is largest and each filter costs most. With four
    poolings in all, a place of the last one sees nearly all of a picture of 150x150.
    """
    layers = [keras.layers.Input((size, size, 3)), *convolution(16, 5, strides=2)]
    for filters in (32, 64, 96):
        layers += convolution(filters, 3)
    layers += convolution(176, 3, pools=False)
    return keras.Sequential(
        [*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2), answer(classes)]
    )


def convolution(filters: int, kernel_size: int, strides: int = 1, pools: bool = True) -> list[Any]:
    """Returns a convolution, a pooling, the normalisation of the batch (which has a bias of its own), the activation.

    The pooling comes first: what it leaves out need not be normalised.
    """
    return [
        keras.layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False),
        *([keras.layers.MaxPooling2D()] if pools else []),
        # A memory of ten batches: a run on few pictures has few batches.
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.Activation("relu"),
    ]


def answer(classes: int) -> Any:
    """Returns the last layer: the probability of the second of two classes, or those of all classes."""
    return keras.layers.Dense(1, "sigmoid") if classes == 2 else keras.layers.Dense(classes, "softmax")


def build(kind: str, size: int, classes: int) -> Any:
    """Returns one of the two networks."""
    return {"workshop": build_workshop, "small": build_small}[kind](size, classes)


def compile_model(model: Any, plan: Plan, targets: int) -> None:
    """Compiles a network for targets of so many axes: (samples, 1), 0 or 1, or (samples,), numbers of classes."""
    loss = "binary_crossentropy" if targets == 2 else "sparse_categorical_crossentropy"
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a network on X, pictures as bytes, and y; `options` are those of `photo_training.fit`."""
    compile_model(model, plan, y.ndim)
    return photo_pipeline.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def train_with_generator(
    model: Any, folder: Path, size: int, plan: Plan, seed: int, augmentation: Augmentation | None
) -> training.History:
    """Fits a network as the workshop teaches it: every picture is read and decoded anew in each epoch.

    Args:
        model: built.
        folder: with train/<class>/* and validation/<class>/*.
        size: the side of the pictures.
        plan: how it is trained.
        seed: of the order, and of the changes.
        augmentation: how the pictures are changed; Keras makes one change after another.
    """
    changes = photo_classifier.for_generator(augmentation) if augmentation else {}
    class_mode = "binary" if model.output_shape[-1] == 1 else "sparse"
    # ImageDataGenerator is in no other place any more.
    make = tensorflow.keras.preprocessing.image.ImageDataGenerator
    train_generator, validation_generator = (
        make(rescale=1 / 255, **options).flow_from_directory(
            folder / part, target_size=(size, size), batch_size=plan.batch_size, class_mode=class_mode, seed=seed
        )
        for part, options in (("train", changes), ("validation", {}))
    )
    print(f"Class indices   {train_generator.class_indices}")
    steps_per_epoch = -(-train_generator.samples // plan.batch_size)
    print(f"Steps an epoch  {steps_per_epoch} batches of {plan.batch_size}")
    compile_model(model, plan, 2 if class_mode == "binary" else 1)
    history = model.fit(
        train_generator,
        steps_per_epoch=steps_per_epoch,
        epochs=plan.epochs,
        validation_data=validation_generator,
        verbose=photo_classifier.verbosity(),
    ).history
    return training.History(history, history, list(range(1, plan.epochs + 1)), best_epoch=plan.epochs)


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    sizes = ", ".join(f"{size} {kind}" for kind, size in BATCH_SIZES.items())
    parser = photo_classifier.parser(docstring, SETTINGS, f"{sizes}; 32 from {MANY:,} photographs on")
    add = parser.add_argument
    add("--model", choices=[*SETTINGS, "both"], default="both", help="(default: both, compared)")
    add("--size", type=cli.whole_number(32), metavar="N", help="the pictures' side in pixels (default: 150, quick 64)")
    add("--no-augmentation", action="store_true", help="leave the pictures of the small network unchanged")
    help_text = "how pictures come to the network: decoded once, or Keras' ImageDataGenerator (default: fast)"
    add("--pipeline", choices=["fast", "generator"], default="fast", help=help_text)
    arguments = cli.parse_lesson(parser, argv)
    arguments.size = arguments.size or (64 if arguments.quick else 150)
    if arguments.size > 512:
        parser.error(f"--size: got {arguments.size}, takes 32 to 512")
    if arguments.pipeline == "generator" and arguments.resume:
        parser.error("--resume: got --pipeline generator too, which keeps no state to go on from")
    return arguments


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("cats_vs_dogs", arguments, engine)
    if arguments.pipeline == "generator" and engine.name != "keras":
        raise WorkshopError("--pipeline generator is Keras' own: python -m workshop.cats_vs_dogs has it")
    found = photo_classifier.load(report, arguments.size)
    print(f"Engine    {engine.prepare(arguments.seed, arguments.precision)}")
    comparison = photo_classifier.Comparison(found, report)
    for kind in SETTINGS if arguments.model == "both" else [arguments.model]:
        settings = SETTINGS[kind].without_augmentation() if arguments.no_augmentation else SETTINGS[kind]
        plan = settings.plan(len(found.X_train), batch_size(kind, len(found.X_train)), arguments)
        model = engine.build(kind, arguments.size, len(found.classes), arguments.seed)
        fast = arguments.pipeline == "fast"
        sides = settings.sides(arguments.size, plan.epochs, len(found.X_train)) if fast else None
        with comparison.learning(kind, model, plan, sides):
            if arguments.pipeline == "generator":
                with photos.as_folder(found) as folder:
                    history = train_with_generator(
                        model, folder, arguments.size, plan, arguments.seed, settings.augmentation
                    )
            else:
                history = engine.train(
                    model,
                    found.X_train,
                    photo_classifier.targets(found.y_train, len(found.classes)),
                    plan,
                    arguments.seed,
                    augmentation=settings.augmentation,
                    sides=sides,
                    validation_data=comparison.validation_data,
                    checkpoint=report.checkpoint(f"cats_vs_dogs_{kind}"),
                    resume=arguments.resume,
                )
        comparison.judge(kind, model, history, settings)
    comparison.finish(SETTINGS["small"].augmentation)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PICTURE.jpg",
        no_band=photo_classifier.why_no_band(arguments, found),
    )


if __name__ == "__main__":
    cli.run(main)
