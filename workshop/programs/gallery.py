"""What the programs that name pictures share: `digit`, `garment` and `cat_or_dog`.

A picture becomes what the network knows (`mnist_preprocessing`, `photo_decoding`), the network answers, and one line a
file says what it saw. `--show` draws it and, for photographs, what in them decided.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workshop.kit import files, lazy
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines

Shape = tuple[int, ...]
Made = TypeVar("Made")

GREY_28X28 = "28x28 grey pixels from 0 (ground) to 1"  # what digit and garment give a model

_LONGEST_TITLE = 40  # characters of a file's name that fit above a panel
_LONGEST_CLASS = 20  # characters of a class that fit beside a bar
_MOST_NAMED = 10  # classes, in a figure and in a sentence
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601
_SURE = 0.6  # below it the second guess is named as well


def name_pictures(
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
    """Runs a program that prints for each picture file its name, a colon, the answer and the probability.

    A file that cannot be used gets its line on stderr; the others are answered all the same.

    Args:
        module_docstring: the program's own.
        argv: the arguments.
        lessons: whose models will do.
        model: the bundle that is used without `--model`.
        pixels: what the program gives a model, in words.
        check: raises WorkshopError unless a model takes such pixels and answers as many numbers as the program
            understands; returns what the classes are called where no card names them. One output is the probability of
            the second of two.
        read: from a file and the shape of the model's inputs to the image that the network knows, 0 to 1: float32
            (height, width), or RGB (height, width, 3). Raises WorkshopError where the file cannot be used.
        is_explained: whether `--show` also draws which part of a picture speaks for the answer.

    Raises:
        WorkshopError: the model will not do.
        SystemExit: with code 2, a file could not be used.
    """
    parser = console.parser(module_docstring, model)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pictures of any common format and size")
    shows = "what the network saw" + ", and what in it decided" * is_explained
    parser.add_argument("--show", action="store_true", help=f"draw {shows}, as a PNG in the folder plots")
    parser.add_argument("--plots", type=Path, default=Path("plots"), metavar="DIR", help="(default: plots)")
    arguments = parser.parse_args(argv)
    if arguments.show:
        files.check_writable(arguments.plots, "--plots")
    model_path = arguments.model or bundle.find(model)
    given = list(dict.fromkeys(arguments.files))
    # No model is loaded for what is no picture at all. It says how large the others are to be; they are read one by
    # one, so that any number of photographs fits into the memory.
    pictures = [path for path, _ in _usable(given, _check_opens)]
    answered = 0
    if pictures:
        loaded = engines.load(model_path, lessons, arguments.engine)
        names = _names(loaded, check(loaded), pixels)
        network = _network_of(loaded, lessons) if is_explained and arguments.show else None
        drawn: list[Path] = []
        for path, image in _usable(pictures, lambda path: read(path, loaded.input_shape)):
            probabilities = _probabilities(loaded.predict(image[None])[0])
            _check_probabilities(probabilities, loaded)
            print(f"{one_line(path)}: {_answer(probabilities, names)}")
            engines.show_side_by_side(loaded, lambda output: _answer(_probabilities(output), names))
            answered += 1
            if arguments.show:
                heat = _heat(network, image, int(probabilities.argmax()))
                to = arguments.plots / f"{path.stem}-{'seen' if heat is None else 'decided'}.png"
                while to in drawn:  # two pictures of one name, from two folders
                    to = to.with_stem(f"{to.stem}-again")
                drawn.append(_draw(path, image, heat, probabilities, names, to))
                print(f"  {'what the network saw' if heat is None else 'what decided'}: {one_line(to)}")
    if answered < len(given):
        raise SystemExit(2)


@contextmanager
def opened(path: Path) -> Iterator[bytes]:
    """Gives the content of a picture file for the `with` block, and makes one line of what goes wrong in it.

    Raises:
        WorkshopError: the file, or what is decoded of it in the block, cannot be used.
    """
    from workshop.kit.photos import image_file

    failure = ""
    # The decoders write to the screen by themselves, and warn of much that does not matter here.
    with lazy.held_back_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield image_file.read_bytes(path)
        except Exception as error:  # the decoders raise whatever the damaged bytes lead them to
            failure = image_file.why_unusable(error)
    if failure:
        raise WorkshopError(f"{path} {failure}")


def check_28x28(model: Bundle, classes: Sequence[str]) -> Sequence[str]:
    """Raises WorkshopError unless a model takes 28x28 grey pixels and answers a number for each of these classes."""
    console.check_shapes(model, inputs=[(28, 28, 1), (28, 28), (784,)], outputs=[len(classes)])
    return classes


def _check_opens(path: Path) -> None:
    from workshop.kit.photos import image_file

    with opened(path) as content:
        image_file.open_picture(content)


def _usable(paths: Iterable[Path], make: Callable[[Path], Made]) -> Iterator[tuple[Path, Made]]:
    """Yields the files that will do, and what is made of each; says on stderr why the others will not."""
    for path in paths:
        try:
            made = make(path)
        except WorkshopError as error:
            print(f"error: {error}", file=sys.stderr)
        else:
            yield path, made


def _names(loaded: Bundle, assumed: Sequence[str], pixels: str) -> Sequence[str]:
    """Returns the names of a model's classes: its card's, or the assumed ones, which is said."""
    listed = ", ".join(assumed[:_MOST_NAMED]) + ", ..." * (len(assumed) > _MOST_NAMED)
    console.note_unverified(loaded, f"{pixels}, and the classes {listed}")
    names = loaded.card.get("classes") or assumed
    if loaded.scaler is not None or len(names) != len(assumed):
        raise WorkshopError(f"{loaded.path} is not a model of pixels from 0 to 1 and {len(assumed)} classes")
    return names


def _probabilities(output: np.ndarray) -> np.ndarray:
    """Returns the probability of each class; a model of two classes may answer that of the second alone."""
    return np.concatenate([1 - output, output]) if len(output) == 1 else output


def _check_probabilities(probabilities: np.ndarray, model: Bundle) -> None:
    """A bare `.h5` may end in anything; what are no probabilities is not printed as such."""
    if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-3):
        wanted = "sigmoid" if model.outputs == 1 else "softmax"
        raise WorkshopError(f"{model.path} answers numbers that are no probabilities: its last layer takes a {wanted}")


def _answer(probabilities: np.ndarray, names: Sequence[str]) -> str:
    """Returns "7 (99.2 %)", and the second guess too where the first is less than sure: "7 (48.1 %), or 2 (31.0 %)"."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    guesses = [first, second] if probabilities[first] < _SURE else [first]
    return ", or ".join(f"{names[i]} ({console.percent(float(probabilities[i]))})" for i in guesses)


def _network_of(loaded: Bundle, lessons: Sequence[str]) -> Any:
    """Returns the model as the NumPy engine has it, whose layers can be asked what decided; None if it has it not."""
    from workshop.scratch.nn import gradcam

    try:
        network: Any = engines.load(loaded.path, lessons, "numpy").model
        gradcam.count_image_layers(network)
    except WorkshopError as error:
        print(f"note: there is no picture of what decided: {error}", file=sys.stderr)
        return None
    return network


def _heat(network: Any, image: np.ndarray, label: int) -> np.ndarray | None:
    """Returns where an image speaks for an answer, as `gradcam.grad_cam` does; None where there is no network."""
    from workshop.scratch.nn import gradcam

    return None if network is None else gradcam.grad_cam(network, image, label)


def _draw(
    path: Path, image: np.ndarray, heat: np.ndarray | None, probabilities: np.ndarray, names: Sequence[str], to: Path
) -> Path:
    from workshop.kit import plots

    figure: Any
    figure, axes = plots.subplots(1, 2 if heat is None else 3, width=5)
    panels = axes[0]
    panels[0].imshow(image, cmap="gray_r", vmin=0, vmax=1)  # colours stay as they are
    panels[0].set_title("what the network saw")
    if heat is not None:
        _draw_heat(panels[1], image, heat, _plain(names[int(probabilities.argmax())], _LONGEST_CLASS))
    for panel in panels[:-1]:
        panel.set(xlabel="pixel", ylabel="pixel")
        panel.grid(False)
    _draw_bars(panels[-1], probabilities, names)
    panels[-1].set_title(_plain(one_line(path.name), _LONGEST_TITLE))
    return plots.save(figure, to)


def _draw_heat(panel: Any, image: np.ndarray, heat: np.ndarray, answer: str) -> None:
    """Draws over an RGB image where it speaks for an answer."""
    # In grey: colours of its own would mix with those of the heat.
    panel.imshow(image @ _BRIGHTNESS, cmap="gray", vmin=0, vmax=1)
    # Even to the eye, from dark to light: whoever tells colours apart badly sees the same.
    shade = panel.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.5)
    bar = panel.figure.colorbar(shade, ax=panel, ticks=[0, 1], shrink=0.8)
    bar.solids.set_alpha(1)
    bar.set_label(f"speaks for {answer}", size=13)
    bar.set_ticklabels(["not at all", "most"], size=13)
    panel.set_title(f"the part that speaks for {answer}" if heat.any() else f"no part speaks for {answer}")


def _draw_bars(chart: Any, probabilities: np.ndarray, names: Sequence[str]) -> None:
    """Draws a bar for each class, or for the most probable ones where there are many."""
    from workshop.kit import plots

    shown = np.sort(np.argsort(-probabilities, kind="stable")[:_MOST_NAMED])
    values = [float(probabilities[i]) for i in shown]
    colours = [plots.BLUE if value == max(values) else plots.SKY for value in values]
    bars = chart.barh(range(len(shown)), values, color=colours)
    chart.bar_label(bars, [console.percent(p) if p >= 0.01 else "" for p in values], padding=4, fontsize=13)
    chart.set_yticks(range(len(shown)), [_plain(names[i], _LONGEST_CLASS) for i in shown])
    chart.invert_yaxis()
    chart.set(xlabel="probability", xlim=(0, 1.25), xticks=[0, 0.5, 1])
    chart.set_axisbelow(True)
    chart.grid(axis="y", visible=False)


def _plain(text: str, longest: int) -> str:
    """Returns a text for a figure; matplotlib reads what stands between two dollar signs as a formula."""
    return text[:longest].replace("$", r"\$")
