"""What the programs that name pictures share: `digit` and `garment`.

A picture becomes what the network knows (`picture`), the network answers, and one line a file says what it saw.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import bundle, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.programs import console, engines

_LONGEST_TITLE = 40  # characters of a file's name that fit above a panel
_SURE = 0.6  # below it the second guess is named as well


def name_pictures(
    module_docstring: str | None,
    argv: Sequence[str] | None,
    *,
    lesson: str,
    model: str,
    classes: Sequence[str],
    read: Callable[[Path], np.ndarray],
) -> None:
    """Runs a program that prints for each picture file its name, a colon, the answer and the probability.

    A file that cannot be used gets its line on stderr; the others are answered all the same.

    Args:
        module_docstring: the program's own.
        argv: the arguments.
        lesson: whose models will do.
        model: the bundle that is used without `--model`.
        classes: the answers of a bare `.h5`, which has no card to name them.
        read: from a file to the image that the network knows, float32 (28, 28), 0 to 1.

    Raises:
        WorkshopError: the model will not do.
        SystemExit: with code 2, a file could not be used.
    """
    parser = console.parser(module_docstring, model)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="pictures of any common format and size")
    parser.add_argument("--show", action="store_true", help="draw what the network saw, as a PNG in the folder plots")
    parser.add_argument("--plots", type=Path, default=Path("plots"), metavar="DIR", help="(default: plots)")
    arguments = parser.parse_args(argv)
    if arguments.show:
        files.check_writable(arguments.plots, "--plots")
    model_path = arguments.model or bundle.find(model)
    images: dict[Path, np.ndarray] = {}
    refused = False
    for path in dict.fromkeys(arguments.files):
        try:
            images[path] = read(path)
        except WorkshopError as error:
            print(f"error: {error}", file=sys.stderr)
            refused = True
    if images:
        loaded = engines.load(model_path, [lesson], arguments.engine)
        console.check_shapes(loaded, inputs=[(28, 28, 1), (28, 28), (784,)], outputs=[len(classes)])
        console.note_unverified(loaded, f"28x28 grey pixels from 0 (ground) to 1, and the classes {', '.join(classes)}")
        names = loaded.card.get("classes") or classes
        if loaded.scaler is not None or len(names) != len(classes):
            raise WorkshopError(f"{loaded.path} is not a model of pixels from 0 to 1 and {len(classes)} classes")
        drawn: list[Path] = []
        for path, image in images.items():
            probabilities = loaded.predict(image[None])[0]
            _check_probabilities(probabilities, loaded.path)
            print(f"{one_line(path)}: {_answer(probabilities, names)}")
            engines.show_side_by_side(loaded, partial(_answer, names=names))
            if arguments.show:
                to = arguments.plots / f"{path.stem}-seen.png"
                while to in drawn:  # two pictures of one name, from two folders
                    to = to.with_stem(f"{to.stem}-again")
                drawn.append(_draw(path, image, probabilities, names, to))
                print(f"  what the network saw: {one_line(to)}")
    if refused:
        raise SystemExit(2)


def _check_probabilities(probabilities: np.ndarray, path: Path) -> None:
    """A bare `.h5` may end in anything; what are no probabilities is not printed as such."""
    if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-3):
        raise WorkshopError(f"{path} answers numbers that are no probabilities: its last layer takes a softmax")


def _answer(probabilities: np.ndarray, names: Sequence[str]) -> str:
    """Returns "7 (99.2 %)", and the second guess too where the first is less than sure: "7 (48.1 %), or 2 (31.0 %)"."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    guesses = [first, second] if probabilities[first] < _SURE else [first]
    return ", or ".join(f"{names[i]} ({console.percent(float(probabilities[i]))})" for i in guesses)


def _draw(path: Path, image: np.ndarray, probabilities: np.ndarray, names: Sequence[str], to: Path) -> Path:
    from workshop.kit import plots

    figure: Any
    figure, axes = plots.subplots(1, 2, width=5)
    seen, chart = axes[0]
    seen.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    seen.set(title="what the network saw", xlabel="pixel", ylabel="pixel")
    seen.grid(False)
    colours = [plots.BLUE if p == probabilities.max() else plots.SKY for p in probabilities]
    bars = chart.barh(range(len(names)), probabilities, color=colours)
    chart.bar_label(
        bars, [console.percent(float(p)) if p >= 0.01 else "" for p in probabilities], padding=4, fontsize=13
    )
    chart.set_yticks(range(len(names)), names)
    chart.invert_yaxis()
    # matplotlib reads what stands between two dollar signs as a formula.
    title = one_line(path.name)[:_LONGEST_TITLE].replace("$", r"\$")
    chart.set(title=title, xlabel="probability", xlim=(0, 1.25), xticks=[0, 0.5, 1])
    chart.set_axisbelow(True)
    chart.grid(axis="y", visible=False)
    return plots.save(figure, to)
