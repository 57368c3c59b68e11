"""What the programs that name pictures share: `digit` and `garment`.

A picture becomes what the network knows (`picture`), the network answers, and one line a file says what it saw.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workshop.kit import bundle, console, files
from workshop.kit.errors import WorkshopError


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
    images: dict[Path, np.ndarray] = {}
    refused = False
    for path in dict.fromkeys(arguments.files):
        try:
            images[path] = read(path)
        except WorkshopError as error:
            print(f"error: {error}", file=sys.stderr)
            refused = True
    if images:
        loaded = bundle.load(arguments.model or bundle.find(model), [lesson])
        console.check_shapes(loaded, inputs=[(28, 28, 1), (28, 28), (784,)], outputs=[len(classes)])
        console.note_unverified(loaded, f"28x28 grey pixels from 0 (ground) to 1, and the classes {', '.join(classes)}")
        names = loaded.card.get("classes") or classes
        for (path, image), probabilities in zip(
            images.items(), loaded.predict(np.stack([*images.values()])), strict=True
        ):
            _check_probabilities(probabilities, loaded.path)
            best = int(probabilities.argmax())
            print(f"{path}: {names[best]} ({console.percent(float(probabilities[best]))})")
            if arguments.show:
                print(f"  what the network saw: {_draw(path, image, probabilities, names, arguments.plots)}")
    if refused:
        raise SystemExit(2)


def _check_probabilities(probabilities: np.ndarray, path: Path) -> None:
    """A bare `.h5` may end in anything; what are no probabilities is not printed as such."""
    if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-3):
        raise WorkshopError(f"{path} answers numbers that are no probabilities: its last layer takes a softmax")


def _draw(path: Path, image: np.ndarray, probabilities: np.ndarray, names: Sequence[str], folder: Path) -> Path:
    from workshop.kit import plots

    figure: Any
    figure, axes = plots.subplots(1, 2, width=5)
    axes[0, 0].imshow(image, cmap="gray_r", vmin=0, vmax=1)
    axes[0, 0].set(title="what the network saw", xlabel="pixel", ylabel="pixel")
    axes[0, 0].grid(False)
    colours = [plots.BLUE if p == probabilities.max() else plots.SKY for p in probabilities]
    axes[0, 1].barh(range(len(names)), probabilities, color=colours)
    axes[0, 1].set_yticks(range(len(names)), names)
    axes[0, 1].invert_yaxis()
    axes[0, 1].set(title=path.name, xlabel="probability", xlim=(0, 1))
    return plots.save(figure, folder / f"{path.stem}-seen.png")
