"""Transfer learning: a network that was pre-trained on other images, fine-tuned on your photos, which are few.

The backbone of a network, its convolutions, is trained on other images first. Three ways to go on are compared on the
same 10, 50 and all photos of each class. `frozen`: the backbone stays as it is, and a new head, the last layer, is
trained on its outputs. `finetuned`: from there on the backbone is trained too, at a lower learning rate. `scratch`: the
same network, its weights drawn at random, is trained on your photos alone, for as many epochs.

    python -m workshop.transfer_learning                            # cats and dogs; then look into the folder plots
    python -m workshop.transfer_learning --data PHOTOS              # your own classes: a folder, a .zip or a .tar
    python -m workshop.transfer_learning --by-name                  # the breeds, which the files' names begin with
    python -m workshop.transfer_learning --backbone imagenet        # MobileNet and ImageNet; takes minutes
    python -m workshop.transfer_learning --quick                    # a first look, in seconds

Where ImageNet's weights cannot be had, the backbone is trained on ten kinds of drawn animals first, none a cat or a
dog, in the same run, within a minute on two CPU cores in all. That transfers to similar images. On drawn cats and dogs,
fine-tuned against scratch (seeds 1, 2 and 3 on average): 88 and 67 % right with 10 of each class to train on, 97 and
94 % with 50, 99 and 98 % with all. Drawings have no fur, so for photos one wants ImageNet's weights: without them 74
and 72 %, 79 and 78 %, 85 and 85 %. Expected then of fine-tuning on 280 photos: at least 75 % of 120 new ones.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workshop import cats_vs_dogs
from workshop.figures import transfer_learning as figures
from workshop.kit import cli, device, photo_classifier, training
from workshop.kit.data import imagenet, synthetic_animals
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.lazy import keras
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.photos.dataset import by_name
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    import keras

METHODS = ("frozen", "finetuned", "scratch")
SIZES = {"here": 96, "imagenet": 160}  # of the images in pixels, by the backbone
RECIPES = {
    "here": PhotoRecipe(images=1600, learning_rate=0.003, batch_size=16, augmentation=Augmentation()),
    # Twenty-five times the work for each photo.
    "imagenet": PhotoRecipe(images=300, learning_rate=0.001, batch_size=16, augmentation=Augmentation()),
}
MAX_EPOCHS = 25  # a small set is not seen more often: by then it is memorised
# The learning rate of fine-tuning, as a share of that from scratch. A backbone that was pre-trained on drawings has
# more to change than one that was pre-trained on photos.
FINETUNING_RATE = {"here": 0.3, "imagenet": 0.1}
FIRST_FINETUNED = "conv_dw_12"  # of MobileNet's layers
HEAD = Recipe(epochs=100, learning_rate=0.003, batch_size=16, optimizer="adam", schedule=False)
PRETRAINING = PhotoRecipe(epochs=3, learning_rate=0.003, batch_size=16)
ANIMALS, QUICK_ANIMALS = 800, 200  # drawings for the pre-training


def build(kind: str, size: int, classes: int) -> keras.Sequential:
    """Returns a network: the backbone, the average of each of its channels, dropout and the head."""
    if kind == "here":
        return cats_vs_dogs.build_small(size, classes)
    shape = (size, size, 3)
    mobilenet = keras.applications.MobileNet(include_top=False, weights=None, input_shape=shape)
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Rescaling(2.0, offset=-1.0),  # MobileNet was trained on pixels from -1 to 1
            *mobilenet.layers[1:],
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(0.2),
            cats_vs_dogs.output_layer(classes),
        ]
    )


def freeze(model: keras.Sequential) -> None:
    """Freezes what fine-tuning leaves as it is: of MobileNet all before block 12, and every batch normalisation.

    With `trainable = False` a BatchNormalization normalises by the statistics of a million photos, not by those of a
    batch. The small backbone was pre-trained on drawings, so nothing of it is frozen.
    """
    names = [layer.name for layer in model.layers]
    if FIRST_FINETUNED not in names:
        return
    first = names.index(FIRST_FINETUNED)
    for i, layer in enumerate(model.layers):
        layer.trainable = i >= first and not isinstance(layer, keras.layers.BatchNormalization)


def compile_model(model: keras.Sequential, recipe: Recipe) -> None:
    """Compiles a network, or its head, for the targets of `photo_classifier.targets`."""
    classes = max(2, model.output_shape[-1])  # of two classes there is one output
    model.compile(optimizer=recipe.make_optimizer(), loss=photo_classifier.loss(classes), metrics=["accuracy"])


def train_head(model: keras.Sequential, X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace) -> None:
    """Trains the last two layers, dropout and the head, on the outputs of the frozen backbone, computed once."""
    backbone = keras.Model(model.inputs[0], model.layers[-3].output)
    features = backbone.predict(training.photo_batches(X, y, 32, seed=None), verbose=0).astype(np.float32)
    head = keras.Sequential([keras.Input(features.shape[1:]), *model.layers[-2:]])
    compile_model(head, HEAD)
    # A step takes 0.1 ms, and `fit` would spend 30 ms an epoch on itself.
    training.fit_table(
        head,
        features,
        y,
        epochs=HEAD.epochs,
        batch_size=HEAD.batch_size,
        seed=arguments.seed,
        plain=arguments.plain,
    )


def train(
    model: keras.Sequential, X: np.ndarray, y: np.ndarray, recipe: PhotoRecipe, report: Report, name: str
) -> None:
    """Trains all layers of a network that are not frozen.

    Args:
        model: built.
        X, y: the photos, (n, size, size, 3), and their targets.
        recipe: of the training.
        report: with the options.
        name: of the checkpoint.
    """
    compile_model(model, recipe)
    batches = training.photo_batches(X, y, recipe.batch_size, report.arguments.seed, recipe.augmentation)
    model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        callbacks=[
            *training.tensorboard(report.arguments.tensorboard, name),
            training.Resume(report.checkpoint(f"transfer_learning_{name}"), batches),
        ],
        verbose=report.verbose,
    )


def draw_animals(arguments: argparse.Namespace, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the drawn animals of the pre-training, (n, size, size, 3), and their kinds (n,)."""
    count = QUICK_ANIMALS if arguments.quick else ANIMALS
    # The small network takes any size, and larger drawings show no more.
    return synthetic_animals.draw(count, min(size, SIZES["here"]), arguments.seed)


def pretrain(report: Report, size: int) -> list[np.ndarray]:
    """Trains a network on drawn animals, none a cat or a dog; returns the weights of its backbone."""
    X, y = draw_animals(report.arguments, size)
    kinds = synthetic_animals.KINDS
    report.section(f"Backbone: {PRETRAINING.epochs} epochs of {len(X):,} drawn animals of {len(kinds)} kinds")
    with device.scope(report.arguments.seed):
        model = build("here", X.shape[1], len(kinds))
    train(model, X, y, PRETRAINING.for_samples(len(X)), report, "backbone")
    report.plot("transfer_learning-animals", figures.animals, X[: len(kinds)], kinds)
    return model.get_weights()[:-2]


def find_weights(arguments: argparse.Namespace) -> imagenet.Weights | None:
    """Returns the weights of ImageNet, or None where the backbone is to be trained here."""
    if arguments.backbone == "here" or (arguments.backbone == "auto" and arguments.quick and not arguments.weights):
        print("Backbone  trained here, on drawn animals")
        return None
    weights = imagenet.find(arguments.weights)
    if weights is None and arguments.backbone == "imagenet":
        raise WorkshopError(f"--backbone imagenet: its weights cannot be had here: give --weights {imagenet.NAME}")
    if weights is None:
        print("Backbone  no ImageNet weights here: a backbone trained on drawn animals instead")
    return weights


def choose_counts(arguments: argparse.Namespace, y: np.ndarray, classes: Sequence[str]) -> list[int | str]:
    """Returns the numbers of photos of each class to compare at: those that every class has, and "all" at the end."""
    wanted = arguments.photos or ([10] if arguments.quick else [10, 50, "all"])
    available = np.bincount(y, minlength=len(classes))
    smallest = int(available.argmin())
    counts: list[int | str] = []
    for count in sorted({number for number in wanted if isinstance(number, int)}):
        if count > available[smallest]:
            print(f"Left out  {count} of each class: {one_line(classes[smallest])} has {available[smallest]}")
        elif count * len(classes) < len(y) or "all" not in wanted:  # else it is the same as all
            counts.append(count)
    return [*counts, "all"] if "all" in wanted or not counts else counts


def subsample(y: np.ndarray, count: int | str, seed: int) -> np.ndarray:
    """Returns the rows of so many photos of each class, the first of a shuffle that the seed decides."""
    order = np.random.default_rng(seed).permutation(len(y))
    if count == "all":
        return order
    return np.concatenate([order[y[order] == label][:count] for label in np.unique(y)])


def get_recipes(backbone: str, arguments: argparse.Namespace, samples: int) -> dict[str, PhotoRecipe]:
    """Returns the recipes of fine-tuning and of training from scratch on so many photos."""
    recipe = replace(RECIPES[backbone], images=min(RECIPES[backbone].images, MAX_EPOCHS * samples))
    scratch = recipe.with_options(arguments, samples)
    rate = (scratch.learning_rate or recipe.rate) * FINETUNING_RATE[backbone]
    return {"finetuned": replace(scratch, learning_rate=rate), "scratch": scratch}


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    sizes = f"{SIZES['here']}, {SIZES['imagenet']} with ImageNet's weights"
    parser = photo_classifier.parser(docstring, RECIPES, sizes, "16")
    cli.add_plain(parser)
    add = parser.add_argument
    help_text = "auto: ImageNet's where its weights can be had, else one trained here (default: auto)"
    add("--backbone", choices=["auto", "imagenet", "here"], default="auto", help=help_text)
    add("--weights", type=Path, metavar="FILE", help="ImageNet's weights of MobileNet, as Keras publishes them (.h5)")
    help_text = "how many of each class (default: 10 50 all)"
    add("--photos", "--pictures", type=count_or_all, nargs="+", metavar="N", help=help_text)
    add("--by-name", action="store_true", help="take the classes from the files' names: Abyssinian_12.jpg")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.weights and arguments.backbone == "here":
        parser.error("--weights: got --backbone here too, which trains its own")
    return arguments


def count_or_all(text: str) -> int | str:
    """Parses an element of `--photos`."""
    return text if text == "all" else cli.whole_number(2)(text)


def why_no_band(arguments: argparse.Namespace, backbone: str) -> str:
    """Returns why a run is held against no expected band, or an empty text; `report.finish` knows more reasons."""
    if arguments.data:
        return "the photos are your own"
    if arguments.by_name or arguments.photos:
        return f"{'--by-name' if arguments.by_name else '--photos'} given"
    return "the backbone was trained on ImageNet" if backbone == "imagenet" else ""


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("transfer_learning", arguments)
    weights = find_weights(arguments)
    backbone = "imagenet" if weights else "here"
    size = arguments.size or SIZES[backbone]
    photos = photo_classifier.load(report, size)
    photos = by_name(photos) if arguments.by_name else photos
    source = weights.source if weights else "drawn animals (stand-in for ImageNet)"
    report.data(f"backbone: {source}", str(weights.place) if weights else "")
    counts = choose_counts(arguments, photos.y_train, photos.classes)
    classes = len(photos.classes)
    report.engine(device.prepare(arguments.seed, arguments.precision))

    model = build(backbone, size, classes)
    model.summary()
    if weights:
        weights.check([array.shape for array in model.get_weights()[:-2]])
    backbone_weights = weights.arrays if weights else pretrain(report, size)
    validation_photos = training.photo_batches(
        photos.X_validation, photo_classifier.targets(photos.y_validation, classes), 32, seed=None
    )
    curves: dict[str, dict[float, float]] = {method: {} for method in METHODS}
    results: list[tuple[int | str, str, float, float]] = []
    for count in counts:
        rows = subsample(photos.y_train, count, arguments.seed)
        X, y = photos.X_train[rows], photo_classifier.targets(photos.y_train[rows], classes)
        recipes = get_recipes(backbone, arguments, samples=len(X))
        seconds = dict.fromkeys(METHODS, 0.0)
        for method in METHODS:
            report.section(f"{method}: {count} of each class, {len(X):,} photos")
            started = time.perf_counter()
            if method != "finetuned":  # which goes on from the frozen network
                with device.scope(arguments.seed):
                    model = build(backbone, size, classes)
            if method == "frozen":
                model.set_weights([*backbone_weights, *model.get_weights()[-2:]])
                train_head(model, X, y, arguments)
                compile_model(model, HEAD)  # for `evaluate`
            elif method == "finetuned":
                freeze(model)
                train(model, X, y, recipes["finetuned"], report, f"{count}_finetuned")
            else:
                train(model, X, y, recipes["scratch"], report, f"{count}_scratch")
            seconds[method] = time.perf_counter() - started
            if method == "finetuned":
                seconds[method] += seconds["frozen"]

            _, accuracy = model.evaluate(validation_photos, verbose=0)
            print(f"{accuracy:.1%} of {len(photos.X_validation):,} validation photos right")
            curves[method][len(X) / classes] = accuracy
            results.append((count, method, seconds[method], accuracy))
            number = "" if count == "all" else f"{count}_"
            report.result({f"{method}_{number}validation_accuracy": accuracy})
            if method == "finetuned" and count == counts[-1]:
                report.save(
                    "transfer_learning",
                    model,
                    inputs=[Input("image", shape=X.shape[1:])],
                    classes=photos.classes,
                    metrics={"validation_accuracy": accuracy},
                )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot("transfer_learning-accuracy", figures.accuracies, curves, source)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        no_band=why_no_band(arguments, backbone),
    )


if __name__ == "__main__":
    cli.run(main)
