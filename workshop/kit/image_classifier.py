"""Tools of the lessons on grey images of ten classes: options, a course's presets, and pixels left unscaled."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import tensorflow
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe

# A course's networks, and how it trains both of them.
COURSE = Recipe(epochs=10, learning_rate=0.001, batch_size=64, optimizer="adam", schedule=False)
PRESETS: dict[str, dict[str, Any]] = {
    "course-dense": {"model": "dense", "hidden_units": [50]},
    "course-cnn": {"model": "cnn", "filters": [8, 16], "padding": "same", "hidden_units": [0]},
}


def parse(
    module_docstring: str | None,
    recipes: Mapping[str, Recipe],
    filters: Sequence[int],
    hidden_units: Mapping[str, int],
    argv: Sequence[str] | None,
) -> argparse.Namespace:
    """Reads the options of a lesson that trains a dense network, a CNN, or both.

    Args:
        module_docstring: the lesson's own.
        recipes: of the networks, by their kinds.
        filters: of the CNN's convolutions by default.
        hidden_units: of the hidden dense layer by default, by the networks' kinds.
        argv: the command line (default: that of the process).

    Returns:
        The options; `kinds` are the networks to train, `recipes` and `hidden_units` theirs, `padding` is that of the
        convolutions, and `not_comparable` is why the result is held against no expected band.
    """
    parser = cli.lesson_parser(module_docstring, recipes, data="DIR")
    cli.add_precision(parser)
    add, number = parser.add_argument, cli.whole_number
    add("--model", choices=[*recipes, "both"], help="(default: both, compared)")
    add("--activation", choices=["relu", "sigmoid", "tanh"], help="(default: relu)")
    layers = "units of the hidden dense layers, one number each; 0: no hidden layer"
    default = ", ".join(f"{units} {kind}" for kind, units in hidden_units.items())
    add("--hidden-units", type=number(0), nargs="+", metavar="N", help=f"{layers} (default: {default})")
    convolutions = "filters of the CNN's convolutions, one to three numbers"
    default = " ".join(map(str, filters))
    add("--filters", type=number(1), nargs="+", metavar="N", help=f"{convolutions} (default: {default})")
    unscaled = "feed pixels of 0 to 255 as they are, a common mistake: the training is slower and less stable, and the "
    unscaled += "model, saved as NAME-unscaled, expects pixels of 0 to 255 from then on"
    add("--no-scaling", action="store_true", help=unscaled)
    course = "a course's network, trained by Adam with rate 0.001, batches of 64 and 10 epochs: 784-50-10, or padded "
    course += "3x3 convolutions of 8 and 16 filters before the output"
    add("--preset", choices=[*PRESETS], help=course)
    looked_at = "draw the first 100 training images, and these with their numbers; then end"
    add("--look", type=number(0), nargs="*", metavar="INDEX", help=looked_at)
    predicted = "show the predicted probabilities of these test images"
    add("--predict", type=number(0), nargs="+", default=[], metavar="INDEX", help=predicted)

    arguments = cli.parse_lesson(parser, argv)
    arguments.not_comparable = cli.given(arguments, "activation", "hidden_units", "filters", "no_scaling")
    defaults = {"model": "both", "activation": "relu", "filters": list(filters), "padding": "valid"}
    settings = defaults | PRESETS.get(arguments.preset, {})
    if arguments.preset and arguments.model not in (None, settings["model"]):
        parser.error(f"--preset {arguments.preset}: got --model {arguments.model}, takes {settings['model']}")
    for name, value in settings.items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    if len(arguments.filters) > 3:
        parser.error(f"--filters: got {len(arguments.filters)} numbers, an image of 28x28 takes one to three")
    own = arguments.hidden_units or []
    if 0 in own and len(own) > 1:
        received = " ".join(map(str, own))
        parser.error(f"--hidden-units: got {received}, takes numbers from 1 up, or 0 alone for no hidden layer")
    arguments.hidden_units = {
        kind: [count for count in own or [units] if count > 0] for kind, units in hidden_units.items()
    }
    arguments.kinds = list(recipes) if arguments.model == "both" else [arguments.model]
    arguments.recipes = dict.fromkeys(recipes, COURSE) if arguments.preset else recipes
    return arguments


def check_indices(option: str, indices: Sequence[int], samples: int, source: str) -> None:
    """Raises WorkshopError unless there is an image of each index among so many, which `source` describes."""
    for index in indices:
        if index >= samples:
            last = f"{samples - 1:,}"
            raise WorkshopError(f"{option}: got {index}, takes the number of an image from 0 to {last}, of {source}")


def run_name(lesson: str, arguments: argparse.Namespace) -> str:
    """Returns the name of a run's files; a preset's is its own, so that what the default run saved stays."""
    return f"{lesson}_{arguments.preset}" if arguments.preset else lesson


def model_name(lesson: str, kind: str, arguments: argparse.Namespace) -> str:
    """Returns the name of a network's files; one for unscaled pixels never replaces one that programs can use."""
    name = run_name(lesson, arguments) if arguments.preset else f"{lesson}_{kind}"
    return f"{name}-unscaled" if arguments.no_scaling else name


def image_input(arguments: argparse.Namespace) -> Input:
    """Returns the network's input as the card of the model describes it."""
    return Input("image", maximum=255.0 if arguments.no_scaling else 1.0, shape=(28, 28, 1))


def unscaled_pixels(images: Any) -> Any:
    """Returns bytes as float32, 0 to 255: NumPy's arrays, or tensors of a `tf.data` pipeline."""
    return images.astype(np.float32) if isinstance(images, np.ndarray) else tensorflow.cast(images, "float32")
