"""What the lessons on grey images share: their options, and judging, saving and drawing a trained network."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import cli, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import images as image_data
from workshop.kit.engine import Plan
from workshop.kit.plots import charts
from workshop.kit.plots import images as image_plots
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model

FEW_IMAGES_EPOCHS = 20  # a stand-in has under 2,000 images: more passes make enough steps
QUICK_EPOCHS = 8


class Settings(NamedTuple):
    """How a network is trained unless the options say otherwise, and what that reaches.

    Attributes:
        epochs: passes over the training images.
        learning_rate: the highest, of a rate that warms up and then falls to zero along a cosine.
        expected: the lowest test accuracy of a default run on the published data.
    """

    epochs: int
    learning_rate: float
    expected: float


def parse(
    module_docstring: str | None,
    settings: Mapping[str, Settings],
    batch_size: int,
    filters: Sequence[int],
    hidden_units: str,
    argv: Sequence[str] | None,
) -> argparse.Namespace:
    """Reads the options of a lesson that trains a dense network, a CNN, or both."""
    rates = ", ".join(f"{one.learning_rate:g} {kind}" for kind, one in settings.items())
    parser = cli.lesson_parser(
        module_docstring,
        epochs=", ".join(f"{one.epochs} {kind}" for kind, one in settings.items()),
        batch_size=f"{batch_size}; 32 with --optimizer",
        learning_rate=f"{rates}, falling along a cosine; with --optimizer Keras' own, constant",
        optimizer="adamw",
        data="DIR",
    )
    cli.add_precision(parser)
    add = parser.add_argument
    add("--model", choices=["dense", "cnn", "both"], default="both", help="(default: both, compared)")
    add("--activation", choices=["relu", "sigmoid", "tanh"], default="relu", help="(default: relu)")
    add("--hidden-units", type=cli.whole_number(1), metavar="N", help=f"of the dense layer (default: {hidden_units})")
    add(
        "--filters",
        type=cli.whole_number(1),
        nargs="+",
        default=list(filters),
        metavar="N",
        help=f"of the CNN's convolutions, one to three (default: {' '.join(map(str, filters))})",
    )
    arguments = cli.parse_lesson(parser, argv)
    if len(arguments.filters) > 3:
        parser.error(f"--filters: got {len(arguments.filters)} numbers, an image of 28x28 takes one to three")
    arguments.kinds = list(settings) if arguments.model == "both" else [arguments.model]
    return arguments


def load_images(report: reporting.Report) -> image_data.ImageSet:
    """Loads the lesson's images, fewer for a quick run, and says which they are."""
    images = image_data.load_image_set(report.lesson, report.arguments.data)
    if report.arguments.quick:
        images = images.first(1000, 500)
    report.data(images.source, images.place)
    return images


def plan_of(settings: Settings, batch_size: int, samples: int, arguments: argparse.Namespace) -> Plan:
    """Returns how a network is trained on so many samples, by the options or else the lesson's settings."""
    epochs = arguments.epochs or (settings.epochs if samples > 2000 else FEW_IMAGES_EPOCHS)
    if arguments.quick and not arguments.epochs:
        epochs = QUICK_EPOCHS
    if arguments.optimizer is not None:
        # An optimizer of one's own choice runs as Keras runs it: a constant rate, batches of 32.
        return Plan(arguments.optimizer, arguments.learning_rate, epochs, arguments.batch_size or 32)
    batch_size = arguments.batch_size or batch_size
    rate = arguments.learning_rate or settings.learning_rate
    return Plan("adamw", rate, epochs, batch_size, epochs * -(-samples // batch_size))


def compare(
    images: image_data.ImageSet,
    settings: Mapping[str, Settings],
    batch_size: int,
    report: reporting.Report,
    *,
    title: str,
) -> None:
    """Builds, trains and judges the networks that the options want, and draws how they learned."""
    arguments, engine = report.arguments, report.given
    histories = {}
    for kind in arguments.kinds:
        model = engine.build(kind, arguments, arguments.seed)
        report.section(f"{kind}: {as_model(model).count_params():,} weights")
        histories[kind] = engine.train(
            model,
            images.X_train,
            images.y_train,
            plan_of(settings[kind], batch_size, len(images.X_train), arguments),
            arguments.seed,
            checkpoint=report.checkpoint(f"{report.lesson}_{kind}"),
            resume=arguments.resume,
        )
        judge(kind, model, histories[kind], images, settings[kind].expected, report)
    if not arguments.no_plots:
        figure, axes = plots.subplots(width=8)
        charts.draw_losses(axes, histories, y="training loss (cross-entropy)", title=title)
        report.saved(plots.save(figure, arguments.plots / f"{report.lesson}-loss.png"))


def judge(
    kind: str,
    model: Any,
    history: training.History,
    images: image_data.ImageSet,
    expected: float,
    report: reporting.Report,
) -> None:
    """Measures a trained network on the test images, saves it as a bundle and draws its pictures."""
    arguments, lesson = report.arguments, report.lesson
    probabilities = training.predict(model, images.X_test, preprocess=image_data.scale_pixels)
    accuracy = metrics.accuracy(images.y_test, probabilities)
    print(f"{accuracy:.2%} of {len(images.X_test):,} test images right")
    prefix = f"{kind}_" if len(arguments.kinds) > 1 else ""
    report.result({f"{prefix}train_accuracy": history.epochs["accuracy"][-1], f"{prefix}test_accuracy": accuracy})
    report.expect(f"{prefix}test_accuracy", expected)
    report.saved(
        *bundle.save(
            arguments.models,
            bundle.name_for(f"{lesson}_{kind}", quick=arguments.quick, standin=images.is_standin),
            model,
            lesson=lesson,
            data=images.source,
            seed=arguments.seed,
            inputs=[bundle.Input("image", shape=(28, 28, 1))],
            classes=images.classes,
            metrics={"train_accuracy": history.epochs["accuracy"][-1], "test_accuracy": accuracy},
        )
    )
    if arguments.no_plots:
        return
    figures = draw(kind, model, images, probabilities)
    report.saved(*[plots.save(one, arguments.plots / f"{lesson}_{kind}-{name}.png") for name, one in figures.items()])


def through_the_network(model: Any, image: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Returns what each layer makes of one image, uint8 (28, 28, 1): the layers' names and their outputs."""
    pixels = image_data.scale_pixels(image[None])
    return [("image", pixels[0]), *((name, output[0]) for name, output in as_model(model).stages(pixels))]


def draw(kind: str, model: Any, images: image_data.ImageSet, probabilities: np.ndarray) -> dict[str, Any]:
    """Returns figures: confusion matrix, most confident mistakes, one image's way through the network, filters."""
    title = {"cnn": "CNN", "dense": "Dense network"}[kind]
    predicted = probabilities.argmax(axis=1)
    accuracy = metrics.accuracy(images.y_test, probabilities)
    matrix = metrics.confusion_matrix(images.y_test, predicted, len(images.classes))
    mistakes = metrics.most_confident_mistakes(images.y_test, probabilities, 18)
    between = " taken for " if max(map(len, images.classes)) < 3 else "\ntaken for "
    captions = [
        f"{images.classes[images.y_test[i]]}{between}{images.classes[predicted[i]]}\n{probabilities[i].max():.1%}"
        for i in mistakes
    ]
    heading = f"{title}: the most confident mistakes, of {int(np.sum(predicted != images.y_test))}"
    figures = {}
    if len(mistakes):
        figures["mistakes"] = image_plots.image_grid(images.X_test[mistakes, ..., 0], captions, heading)
    figures |= {
        "confusion": charts.confusion_matrix(
            matrix, images.classes, f"{title}: {accuracy:.2%} of the test images right"
        ),
        "layers": image_plots.layer_by_layer(
            through_the_network(model, images.X_test[0]), f"{title}: one image, layer by layer", images.classes
        ),
    }
    if kind == "cnn":
        figures["filters"] = image_plots.filters(model.get_weights()[0], "The filters that the first layer learned")
    return figures
