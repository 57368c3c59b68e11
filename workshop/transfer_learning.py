"""Transfer learning: what a network learned from other pictures helps it to name yours, of which there are few.

The backbone of a network, its convolutions, learned from other pictures first. Three ways to go on are compared on the
same 10, 50 and all pictures of each class. `frozen`: the backbone stays as it is, and a new head, the last layer,
learns from what it answers. `finetuned`: from there on the backbone learns too, at a lower rate. `scratch`: the same
network, knowing nothing, learns from your pictures alone, in as many epochs.

    python -m workshop.transfer_learning                            # cats and dogs; then look into the folder plots
    python -m workshop.transfer_learning --data PHOTOS              # your own classes: a folder, a .zip or a .tar
    python -m workshop.transfer_learning --by-name                  # the breeds, which the files' names begin with
    python -m workshop.transfer_learning --backbone imagenet        # MobileNet and ImageNet; takes minutes
    python -m workshop.transfer_learning --quick                    # a first look, in seconds

Where ImageNet's weights cannot be had, the backbone learns from ten kinds of drawn animals first, none a cat or a dog,
in the same run, within a minute on two CPU cores in all. What it knows then helps with what is like it. Of drawn cats
and dogs, fine-tuned against scratch (seeds 1, 2 and 3 on average): 88 and 67 % right with 10 of each class to learn
from, 97 and 94 % with 50, 99 and 98 % with all. Drawings know little of fur, so for photographs one wants ImageNet's
weights: without them 74 and 72 %, 79 and 78 %, 85 and 85 %. Expected then of fine-tuning on 280 photographs: at least
75 % of 120 new ones.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop import cats_vs_dogs
from workshop.kit import cli, device, metrics, photo_classifier, plots, subsets, training
from workshop.kit import report as reporting
from workshop.kit.data import imagenet, synthetic_animals
from workshop.kit.data.images import scale_pixels
from workshop.kit.engine import Engine, Plan
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras
from workshop.kit.photo_classifier import Settings
from workshop.kit.photos import dataset as photos
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.plots import images as image_plots
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model

METHODS = ("frozen", "finetuned", "scratch")
SETTINGS = {
    "here": Settings(pictures=1600, learning_rate=0.003, augmentation=Augmentation()),
    # Twenty-five times the work for each picture.
    "imagenet": Settings(pictures=300, learning_rate=0.001, augmentation=Augmentation()),
}
# Fine-tuning takes this share of the rate. What knows drawings alone has more to change than what knows photographs.
LOW_RATE = {"here": 0.3, "imagenet": 0.1}
FIRST_FINETUNED = "conv_dw_12"  # of MobileNet
SIZES = {"here": 96, "imagenet": 160}  # the pictures' side in pixels
BATCH_SIZE = 16
EXPECTED = 0.75  # of the fine-tuned network, on all 280 photographs
HEAD = Plan("adam", 0.003, epochs=100, batch_size=16)
ANIMALS, QUICK_ANIMALS, ANIMAL_EPOCHS = 800, 200, 3  # what a backbone learns from where there is no ImageNet


def build(kind: str, size: int, classes: int) -> Any:
    """Returns a network: the backbone, the average of its answers over all places, dropout and the head."""
    if kind == "here":
        return cats_vs_dogs.build_small(size, classes)
    shape = (size, size, 3)
    backbone = keras.applications.MobileNet(include_top=False, weights=None, input_shape=shape).layers[1:]
    # MobileNet learned from pixels from -1 to 1.
    layers = [keras.layers.Input(shape), keras.layers.Rescaling(2.0, offset=-1.0), *backbone]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2), cats_vs_dogs.answer(classes)]
    return keras.Sequential(layers)


def train(
    model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, *, part: str = "all", **options: Any
) -> training.History:
    """Fits a part of a network on X, pictures as bytes, and y: "all" of it, its "end", or its "head".

    `options` are those of `photo_training.fit`.
    """
    if part == "head":
        return train_head(model, X, y, plan, seed, **options)
    model.trainable = True
    if part == "end":
        freeze(model)
    return cats_vs_dogs.train(model, X, y, plan, seed, **options)


def train_head(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Fits the last two layers. The backbone's answers do not change, so they are computed once."""
    backbone = keras.Model(model.inputs[0], model.layers[-3].output)
    answers = as_model(backbone).predict(X, preprocess=scale_pixels)
    head = keras.Sequential([keras.layers.Input(answers.shape[1:]), *model.layers[-2:]])
    cats_vs_dogs.compile_model(head, plan, y.ndim)
    return training.fit(head, answers, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def freeze(model: Any) -> None:
    """Freezes what fine-tuning leaves as it is: of MobileNet all before block 12, and every normalisation.

    With `trainable=False` a BatchNormalization normalises by what it learned from a million photographs, not by the few
    of a batch. The small backbone knows drawings alone, so nothing of it is frozen.
    """
    names = [layer.name for layer in model.layers]
    if FIRST_FINETUNED not in names:
        return
    first = names.index(FIRST_FINETUNED)
    for i, layer in enumerate(model.layers):
        layer.trainable = i >= first and not isinstance(layer, keras.layers.BatchNormalization)


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


def pretrain(report: reporting.Report, engine: Engine, size: int) -> list[np.ndarray]:
    """Trains a backbone on drawn animals, none a cat or a dog; returns its weights."""
    arguments = report.arguments
    count, kinds = QUICK_ANIMALS if arguments.quick else ANIMALS, synthetic_animals.KINDS
    report.section(f"Backbone: {ANIMAL_EPOCHS} epochs of {count:,} drawn animals of {len(kinds)} kinds")
    size = min(size, SIZES["here"])  # the small network takes any size, and large drawings show no more
    X, y = synthetic_animals.draw(count, size, arguments.seed)
    steps = ANIMAL_EPOCHS * -(-count // BATCH_SIZE)
    plan = Plan("adamw", SETTINGS["here"].learning_rate, ANIMAL_EPOCHS, BATCH_SIZE, steps)
    model = engine.build("here", size, len(kinds), arguments.seed)
    checkpoint = report.checkpoint("transfer_learning_backbone")
    engine.train(model, X, y, plan, arguments.seed, checkpoint=checkpoint, resume=arguments.resume)
    if not arguments.no_plots:
        figure = image_plots.image_grid(X[: len(kinds)], kinds, "What the backbone learned to tell apart", 5)
        report.saved(plots.save(figure, arguments.plots / "transfer_learning-animals.png"))
    return list(model.get_weights()[:-2])


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = photo_classifier.parser(docstring, SETTINGS, BATCH_SIZE)
    add = parser.add_argument
    help_text = "auto: ImageNet's where its weights can be had, else one trained here (default: auto)"
    add("--backbone", choices=["auto", "imagenet", "here"], default="auto", help=help_text)
    add("--weights", type=Path, metavar="FILE", help="ImageNet's weights of MobileNet, as Keras publishes them (.h5)")
    help_text = "how many of each class (default: 10 50 all)"
    add("--pictures", type=subsets.count_or_all, nargs="+", metavar="N", help=help_text)
    add("--by-name", action="store_true", help="take the classes from the files' names: Abyssinian_12.jpg")
    help_text = f"the pictures' side (default: {SIZES['here']} pixels, {SIZES['imagenet']} with ImageNet's weights)"
    add("--size", type=cli.whole_number(32), metavar="N", help=help_text)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.size and arguments.size > 512:
        parser.error(f"--size: got {arguments.size}, takes 32 to 512")
    if arguments.weights and arguments.backbone == "here":
        parser.error("--weights: got --backbone here too, which trains its own")
    return arguments


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def save(report: reporting.Report, model: Any, found: photos.PhotoSet, source: str, accuracy: float) -> None:
    """Saves the fine-tuned network."""
    arguments = report.arguments
    name = bundle.name_for(report.lesson, quick=arguments.quick, standin=found.is_standin)
    written = bundle.save(
        arguments.models, name, model, lesson=report.lesson, data=f"{found.source}; backbone: {source}",
        seed=arguments.seed, inputs=[bundle.Input("picture", shape=found.X_train.shape[1:])], classes=found.classes,
        metrics={"validation_accuracy": accuracy},
    )  # fmt: skip
    report.saved(*written)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("transfer_learning", arguments, engine)
    weights = find_weights(arguments)
    backbone = "imagenet" if weights else "here"
    size = arguments.size or SIZES[backbone]
    found = photo_classifier.load(report, size)
    found = subsets.by_name(found) if arguments.by_name else found
    classes, seed = len(found.classes), arguments.seed
    source = weights.source if weights else "drawn animals (stand-in for ImageNet)"
    report.data(f"backbone: {source}", str(weights.place) if weights else "")
    wanted = arguments.pictures or ([10] if arguments.quick else [10, 50, "all"])
    counts = subsets.sizes(wanted, found.y_train, found.classes)
    print(f"Engine    {engine.prepare(seed, arguments.precision)}")
    if weights:
        weights.check([array.shape for array in engine.build(backbone, size, classes, seed).get_weights()[:-2]])
    learned = weights.arrays if weights else pretrain(report, engine, size)
    curves: dict[str, dict[float, float]] = {method: {} for method in METHODS}
    rows: list[list[object]] = []
    settings, seconds = SETTINGS[backbone], dict.fromkeys(METHODS, 0.0)
    for count in counts:
        chosen = subsets.choose(found.y_train, count, seed)
        X, y = found.X_train[chosen], photo_classifier.targets(found.y_train[chosen], classes)
        # Twenty pictures are not seen more than 25 times: by then they are known by heart.
        plan = settings._replace(pictures=min(settings.pictures, 25 * len(X))).plan(len(X), BATCH_SIZE, arguments)
        low = plan._replace(learning_rate=(plan.learning_rate or settings.learning_rate) * LOW_RATE[backbone])
        for method in METHODS:
            report.section(f"{method}: {count} of each class, {len(X):,} pictures")
            started = time.perf_counter()
            if method != "finetuned":  # which goes on from the frozen one
                model = engine.build(backbone, size, classes, seed)
            if method == "frozen":
                model.set_weights([*learned, *model.get_weights()[-2:]])
                engine.train(model, X, y, HEAD, seed, part="head")
            else:
                engine.train(
                    model, X, y, low if method == "finetuned" else plan, seed,
                    part="end" if method == "finetuned" else "all", augmentation=settings.augmentation,
                    checkpoint=report.checkpoint(f"transfer_learning_{count}_{method}"), resume=arguments.resume,
                )  # fmt: skip
            seconds[method] = time.perf_counter() - started + seconds["frozen"] * (method == "finetuned")
            answers = photo_classifier.probabilities(model, found.X_validation)
            curves[method][len(X) / classes] = accuracy = metrics.accuracy(found.y_validation, answers)
            rows.append([count, method, f"{seconds[method]:.1f}", f"{accuracy:.1%}"])
            number = "" if count == "all" else f"{count}_"
            report.result({f"{method}_{number}validation_accuracy": accuracy})
            if method == "finetuned" and count == counts[-1]:
                save(report, model, found, source, accuracy)
    report.section("Compared")
    print(metrics.table(["pictures of each class", "method", "seconds", "validation accuracy"], rows))
    if not arguments.no_plots:
        figure = subsets.draw_accuracy(curves, f"The backbone: {source}")
        report.saved(plots.save(figure, arguments.plots / "transfer_learning-accuracy.png"))
    if backbone == "here" and not (arguments.pictures or arguments.quick or arguments.by_name):
        report.expect("finetuned_validation_accuracy", EXPECTED)
    return report.finish(
        use=f"python -m apps.cat_or_dog --model {report.last_model} YOUR-PICTURE.jpg",
        no_band=photo_classifier.why_no_band(arguments, found),
    )


if __name__ == "__main__":
    cli.run(main)
