"""The shared part of the programs that classify images: `digit`, `garment` and `cat_or_dog`.

An image is preprocessed like the training data (`mnist_preprocessing`, `photos.decoding`), the network predicts, and a
line for each file is printed. `--show` draws the network's input and, for photos, the part that decided.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from workshop.kit import files, plots
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.photos import image_file
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines
from workshop.programs.probabilities import take_probabilities

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workshop.scratch.nn.network import Network

Shape = tuple[int, ...]
Result = TypeVar("Result")

GREY_28X28 = "28x28 grey pixels from 0 (background) to 1"  # the inputs from digit and garment

_MAX_TITLE = 40  # characters of a file's name that fit above a panel
_MAX_CLASS_NAME = 20  # characters that fit beside a bar
_MAX_CLASSES = 10  # in a plot and in a sentence
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601
_CONFIDENT = 0.6  # below this probability the second class is named as well


def classify_images(
    module_docstring: str | None,
    argv: Sequence[str] | None,
    *,
    lessons: Sequence[str],
    model: str,
    pixels: str,
    check: Callable[[Bundle], Sequence[str]],
    read: Callable[[Path, Shape], np.ndarray],
    is_explained: bool = False,
) -> None:
    """Runs a program that prints for each image file its name, a colon, the predicted class and its probability.

    An unusable file gets its line on stderr; the others are classified all the same.

    Args:
        module_docstring: the program's docstring.
        argv: the arguments.
        lessons: the lessons whose models are accepted.
        model: the name of the default bundle.
        pixels: the model's inputs, in words.
        check: raises WorkshopError unless a model's inputs and outputs fit the program; returns the names of the
            classes for a model without a card. A single output is the probability of the second of two classes.
        read: returns the image in a file, preprocessed for inputs of a shape, 0 to 1: float32 (height, width), or RGB
            (height, width, 3). Raises WorkshopError for an unusable file.
        is_explained: whether `--show` also draws the part of an image that decided.

    Raises:
        WorkshopError: the model is refused.
        SystemExit: with code 2, a file is unusable.
    """
    parser = console.Parser(module_docstring, model)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="images of any common format and size")
    shown = "the network's input, and the part of it that decided" if is_explained else "the network's input"
    parser.add_argument("--show", action="store_true", help=f"draw {shown}, as a PNG in the folder plots")
    parser.add_argument("--plots", type=Path, default=Path("plots"), metavar="DIR", help="(default: plots)")
    arguments = parser.parse_args(argv)
    if arguments.show:
        files.check_writable(arguments.plots, "--plots")
    given = list(dict.fromkeys(arguments.files))
    # Files are checked before the model is loaded, which says the size of its inputs. They are read one by one, so
    # that any number of photos fits into the memory.
    images = [path for path, _ in _usable(given, _check_opens)]
    classified = 0
    if images:
        from workshop.scratch.nn import gradcam

        loaded = take_probabilities(engines.load(arguments.model, lessons, arguments.engine))
        names = class_names(loaded, check(loaded), pixels)
        network = _numpy_network(loaded, lessons) if is_explained and arguments.show else None
        # A lesson's `--no-scaling` trains on pixels of 0 to 255, as they are in a file.
        white = loaded.inputs[0].maximum if loaded.inputs else 1
        drawn: list[Path] = []
        for path, image in _usable(images, lambda path: read(path, loaded.input_shape)):
            inputs = image * np.float32(white)
            probabilities = _probabilities(loaded.predict(inputs[None])[0])
            check_probabilities(probabilities, loaded)
            print(f"{one_line(path)}: {_prediction(probabilities, names)}")
            engines.show_side_by_side(loaded, lambda output: _prediction(_probabilities(output), names))
            classified += 1
            if arguments.show:
                heat = None if network is None else gradcam.grad_cam(network, inputs, int(probabilities.argmax()))
                to = arguments.plots / f"{path.stem}-{'seen' if heat is None else 'decided'}.png"
                while to in drawn:  # two files of one name, from two folders
                    to = to.with_stem(f"{to.stem}-again")
                drawn.append(_draw(path, image, heat, probabilities, names, to))
                print(f"  {'the input' if heat is None else 'the part that decided'}: {one_line(to)}")
    if classified < len(given):
        raise SystemExit(2)


def check_28x28(model: Bundle, classes: Sequence[str]) -> Sequence[str]:
    """Returns the classes; raises WorkshopError unless a model takes 28x28 grey pixels and has an output for each."""
    console.check_shapes(model, inputs=[(28, 28, 1), (28, 28), (784,)], outputs=[len(classes)])
    return classes


def _check_opens(path: Path) -> None:
    with image_file.refusing(path):
        image_file.open_image(image_file.read_bytes(path))


def _usable(paths: Iterable[Path], make: Callable[[Path], Result]) -> Iterator[tuple[Path, Result]]:
    """Yields the usable files, each with the result of `make`; prints on stderr why the others are unusable."""
    for path in paths:
        try:
            result = make(path)
        except WorkshopError as error:
            print(f"error: {error}", file=sys.stderr)
        else:
            yield path, result


def class_names(loaded: Bundle, assumed: Sequence[str], pixels: str) -> Sequence[str]:
    """Returns the names of a model's classes: its card's, or the assumed ones, which is noted."""
    listed = ", ".join(assumed[:_MAX_CLASSES])
    if len(assumed) > _MAX_CLASSES:
        listed += ", ..."
    console.note_unverified(loaded, f"{pixels}, and the classes {listed}")
    names = loaded.card.get("classes") or assumed
    if loaded.scaler is not None or len(names) != len(assumed):
        raise WorkshopError(f"{loaded.path} is not a model of pixels from 0 to 1 and {len(assumed)} classes")
    return names


def _probabilities(output: np.ndarray) -> np.ndarray:
    """Returns the probability of each class; a model of two classes may have that of the second as its only output."""
    return np.concatenate([1 - output, output]) if len(output) == 1 else output


def check_probabilities(probabilities: np.ndarray, model: Bundle) -> None:
    """Raises WorkshopError unless these are probabilities: a bare `.h5` may have any last layer."""
    if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-3):
        activation = "sigmoid" if model.model.output_shape[-1] == 1 else "softmax"
        raise WorkshopError(f"{model.path} has outputs that are no probabilities: its last layer takes a {activation}")


def _prediction(probabilities: np.ndarray, names: Sequence[str]) -> str:
    """Returns "7 (99.2 %)", with the second class too where the first is uncertain: "7 (48.1 %), or 2 (31.0 %)"."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    classes = [first, second] if probabilities[first] < _CONFIDENT else [first]
    return ", or ".join(f"{names[i]} ({console.percent(float(probabilities[i]))})" for i in classes)


def _numpy_network(loaded: Bundle, lessons: Sequence[str]) -> Network | None:
    """Returns the model in the NumPy engine, for `gradcam`; None, with a note, where it does not know a layer."""
    from workshop.scratch.nn import gradcam

    try:
        network = cast("Network", engines.load(loaded.path, lessons, "numpy").model)
        gradcam.count_image_layers(network)
    except WorkshopError as error:
        print(f"note: the part that decided cannot be drawn: {error}", file=sys.stderr)
        return None
    return network


def _draw(
    path: Path, image: np.ndarray, heat: np.ndarray | None, probabilities: np.ndarray, names: Sequence[str], to: Path
) -> Path:
    figure, axes = plots.subplots(1, 2 if heat is None else 3, width=5)
    panels = axes[0]
    panels[0].imshow(image, cmap="gray_r", vmin=0, vmax=1)  # RGB ignores the colormap
    panels[0].set_title("the network's input")
    if heat is not None:
        _draw_heat(panels[1], image, heat, names[int(probabilities.argmax())][:_MAX_CLASS_NAME])
    for panel in panels[:-1]:
        panel.set(xlabel="pixel", ylabel="pixel")
        panel.grid(False)
    _draw_bars(panels[-1], probabilities, names)
    panels[-1].set_title(one_line(path.name)[:_MAX_TITLE])
    return plots.save(figure, to)


def _draw_heat(panel: Axes, image: np.ndarray, heat: np.ndarray, class_name: str) -> None:
    """Draws a heat map over an RGB image."""
    # In grey: its own colors would mix with those of the heat map.
    panel.imshow(image @ _BRIGHTNESS, cmap="gray", vmin=0, vmax=1)
    # Perceptually uniform, from dark to light: readable for color-blind people.
    shade = panel.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.5)
    bar: Any = panel.figure.colorbar(shade, ax=panel, ticks=[0, 1], shrink=0.8)
    bar.solids.set_alpha(1)
    bar.set_label(f"evidence for {class_name}", size=13)
    bar.set_ticklabels(["none", "most"], size=13)
    panel.set_title(f"evidence for {class_name}" if heat.any() else f"no evidence for {class_name}")


def _draw_bars(chart: Axes, probabilities: np.ndarray, names: Sequence[str]) -> None:
    """Draws a bar for each class, or for the most probable ones of many."""
    shown = np.sort(np.argsort(-probabilities, kind="stable")[:_MAX_CLASSES])
    values = [float(probabilities[i]) for i in shown]
    colors = [plots.BLUE if value == max(values) else plots.SKY for value in values]
    bars = chart.barh(range(len(shown)), values, color=colors)
    chart.bar_label(bars, [console.percent(p) if p >= 0.01 else "" for p in values], padding=4, fontsize=13)
    chart.set_yticks(range(len(shown)), [names[i][:_MAX_CLASS_NAME] for i in shown])
    chart.invert_yaxis()
    chart.set(xlabel="probability", xlim=(0, 1.25), xticks=[0, 0.5, 1])
    chart.set_axisbelow(True)
    chart.grid(axis="y", visible=False)
