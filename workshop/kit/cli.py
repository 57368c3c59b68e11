"""The command line that every lesson takes, read and checked before anything heavy is imported, and how a program ends.

What a lesson says while it runs and at its end is a `Report` of `report`.
"""

import argparse
import importlib.util
import io
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from workshop.kit import files, processes
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import not_installed

if TYPE_CHECKING:
    from workshop.kit.training.recipe import Recipe

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam", "rprop", "adadelta")


# Options that change no metric.
_WITHOUT_EFFECT = {"seed", "models", "plots", "no_plots", "json", "resume", "tensorboard", "jobs", "plain"}

_KERNELS = {"ipykernel_launcher.py", "colab_kernel_launcher.py"}  # the programs that run a notebook's cells


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one line, on stderr, with exit code 2."""

    def __init__(self, **options: Any) -> None:
        # What a student types: `python -m workshop.mnist`, not `mnist.py`.
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        if spec is not None:
            options.setdefault("prog", f"python -m {spec.name.removesuffix('.__main__')}")
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parses the command line; within a notebook, whose kernel has a command line of its own, nothing."""
        if args is None and Path(sys.argv[0]).name in _KERNELS:
            args = []
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Ends the program: `message` says which option got which value, and what it takes."""
        text = str(WorkshopError(message))
        text = text if len(text) <= 500 else f"{text[:500]}..."
        print(f"error: {text} (--help lists the options)", file=sys.stderr)
        raise SystemExit(2)


_LARGEST = 2**31 - 1  # what 32 bits hold: NumPy's seeds and TensorFlow's counters take no more


def whole_number(smallest: int, largest: int = _LARGEST) -> Callable[[str], int]:
    """Returns a parser of whole numbers from `smallest` to `largest`, for `add_argument(type=...)`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if number < smallest:
            raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a whole number from {smallest} up")
        if number > largest:
            limits = f"a whole number up to {largest}" if largest == _LARGEST else f"{smallest} to {largest}"
            raise argparse.ArgumentTypeError(f"got {text[:40]}, takes {limits}")
        return number

    return parse


def _as_number(text: str) -> float:
    """Returns a text as a number, NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive_number(text: str) -> float:
    """Parses a finite number above 0."""
    number = _as_number(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a number above 0")
    return number


def finite_number(text: str) -> float:
    """Parses a finite number of a usable size: a loss squares what it gets, in single precision."""
    number = _as_number(text)
    if not abs(number) <= 1e15:
        raise argparse.ArgumentTypeError(f"got {text}, takes a number from -1e15 to 1e15")
    return number


def number_between(lowest: float, highest: float, *, above: bool = False) -> Callable[[str], float]:
    """Returns a parser of numbers from `lowest` (`above`: without it) to `highest`, for `add_argument(type=...)`."""

    def parse(text: str) -> float:
        number = _as_number(text)
        if not lowest <= number <= highest or (above and number == lowest):
            limits = f"above {lowest:g} and up to {highest:g}" if above else f"from {lowest:g} to {highest:g}"
            raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a number {limits}")
        return number

    return parse


def lesson_parser(
    module_docstring: str | None,
    recipes: "Mapping[str, Recipe] | None" = None,
    *,
    epochs: str | None = None,
    batch_size: str = "",
    learning_rate: str = "",
    optimizer: str = "",
    data: str | None = "FILE",
) -> Parser:
    """Returns a parser with the options that every lesson takes; a lesson adds its own.

    Args:
        module_docstring: the lesson's own; its text is what `--help` begins with.
        recipes: of its models, by their names: the defaults that `--help` names.
        epochs, batch_size, learning_rate, optimizer: the lesson's defaults in words, for `--help`. The options
            themselves are None unless given, because one lesson trains several models, each with its own default.
            A lesson that trains nothing names no epochs, and has no options of training and of saving models.
        data: what `--data` takes, `FILE` (a table) or `DIR` (a folder of images); None: the lesson has no such option.
    """
    if recipes is not None:
        defaults = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "optimizer": optimizer}
        given = {name: text for name, text in defaults.items() if text}
        described = _describe(recipes) | given
        epochs, batch_size = described["epochs"], described["batch_size"]
        learning_rate, optimizer = described["learning_rate"], described["optimizer"]
    parser = Parser(description=module_docstring)
    add = parser.add_argument
    trains = epochs is not None
    help_text = "a first look in seconds; saves as NAME-quick" if trains else "a first look in seconds"
    add("--quick", action="store_true", help=help_text)
    if trains:
        add("--epochs", type=whole_number(1), metavar="N", help=f"passes over the training data (default: {epochs})")
        add("--batch-size", type=whole_number(1), metavar="N", help=f"samples per step (default: {batch_size})")
        add("--learning-rate", type=positive_number, metavar="X", help=f"learning rate (default: {learning_rate})")
        add("--optimizer", choices=OPTIMIZERS, metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (default: {optimizer})")
    same = "the same seed gives the same " + ("model" if trains else "numbers")
    add("--seed", type=whole_number(0), default=1, metavar="N", help=f"{same} (default: 1)")
    if data is not None:
        add("--data", type=Path, metavar=data, help="your own data instead of the lesson's")
    if trains:
        add("--models", type=Path, default=Path("models"), metavar="DIR", help="for saved models (default: models)")
        add_tensorboard(parser)
    add("--plots", type=Path, default=Path("plots"), metavar="DIR", help="where plots are saved (default: plots)")
    add("--no-plots", action="store_true", help="draw no plots")
    if trains:
        add("--resume", action="store_true", help="resume a stopped run from its last finished epoch")
    add("--json", action="store_true", help="print the result as one JSON object on the last line")
    return parser


def _describe(recipes: "Mapping[str, Recipe]") -> dict[str, str]:
    """Returns the defaults of training in words: "5 dense, 2 cnn" or, where all recipes have the same, "64"."""
    described = {}
    for name in ("epochs", "batch_size", "learning_rate", "optimizer"):
        values = {kind: getattr(recipe, name) for kind, recipe in recipes.items()}
        texts = {kind: f"{value:,}" if isinstance(value, int) else str(value) for kind, value in values.items()}
        is_same = len(set(texts.values())) == 1
        described[name] = next(iter(texts.values())) if is_same else ", ".join(f"{t} {k}" for k, t in texts.items())
    own_sizes = {recipe.own_batch_size for recipe in recipes.values()} - {None}
    if own_sizes:
        described["batch_size"] += f"; {own_sizes.pop()} with --optimizer"
    if any(recipe.schedule for recipe in recipes.values()):
        described["learning_rate"] += ", falling along a cosine; with --optimizer its own, constant"
    return described


def add_precision(parser: Parser) -> None:
    """Adds the option `--precision`, which `device.prepare` understands."""
    from workshop.kit.device import PRECISIONS

    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="number format for computing; 16 bits can be faster on a CPU with units for them, and, for larger "
        "networks, on a GPU (default: auto)",
    )


def parse_lesson(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the options of a lesson, and checks what can be checked before training starts.

    `are_defaults` of the result says whether a run with them has the metrics of the lesson's default run, by its seed.

    Raises:
        WorkshopError: a folder cannot be written to.
    """
    arguments = parser.parse_args(argv)
    own = {name for name, value in vars(arguments).items() if value != parser.get_default(name)}
    arguments.are_defaults = own <= _WITHOUT_EFFECT
    if "models" in arguments:
        files.check_writable(arguments.models, "--models")
    if not arguments.no_plots:
        files.check_writable(arguments.plots, "--plots")
    if getattr(arguments, "tensorboard", None) and importlib.util.find_spec("tensorboard") is None:
        raise WorkshopError("--tensorboard: TensorBoard is not installed: python -m pip install tensorboard")
    for name in ("target", "drop"):  # of a table
        given = getattr(arguments, name, None)
        if given and not arguments.data:
            shown = given if isinstance(given, str) else " ".join(given)
            parser.error(f"--{name}: got {shown} without a table of your own: give --data FILE as well")
    return arguments


def given(arguments: argparse.Namespace, *names: str) -> str:
    """Returns which of these options were given: "--x, --y given", or "". The others are None, or False."""
    values = {f"--{name.replace('_', '-')}": getattr(arguments, name, None) for name in names}
    own = [option for option, value in values.items() if value is not None and value is not False]
    return f"{', '.join(own)} given" if own else ""


def add_resume(parser: Parser) -> None:
    """Adds `--resume` with its folder, and `--tensorboard`, for a lesson that trains and saves no model."""
    parser.add_argument("--models", type=Path, default=Path("models"), metavar="DIR", help="for checkpoints (models)")
    parser.add_argument("--resume", action="store_true", help="resume a stopped run")
    add_tensorboard(parser)


def add_tensorboard(parser: Parser) -> None:
    """Adds the option `--tensorboard`, which `training.tensorboard` understands."""
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write logs for TensorBoard")


def add_plain(parser: Parser) -> None:
    """Adds the option `--plain`, which `training.fit_table` understands."""
    parser.add_argument("--plain", action="store_true", help="train with plain model.fit: the same model, slower")


def run(
    main: Callable[[], object],
    stopped: str = "stopped; a lesson goes on with --resume, and the models saved before are unchanged",
) -> NoReturn:
    """Runs a program's `main` and ends the process: 0 done, 2 bad input in one line, 130 stopped with Ctrl-C.

    Args:
        main: the program.
        stopped: what Ctrl-C is answered with.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the screen cannot show
    try:
        main()
        sys.stdout.flush()
        status = 0
    except WorkshopError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except ModuleNotFoundError as error:
        if error.name != "torch":  # the one library that a mirror imports by itself
            raise
        print(f"error: {not_installed('torch')}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # whoever read our output has left (`... | head`)
        status = 0
    except OSError as error:
        # What the kit writes says more. This is the disk under the output (`... > file`), or a library's own file.
        print(f"error: {WorkshopError(error)}", file=sys.stderr)
        status = 2
    except Exception as error:
        if processes.is_lost(error):
            print(f"error: {processes.LostProcessError()}", file=sys.stderr, flush=True)
            os._exit(2)  # what is left to do at the end would wait for the one that is lost
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's name
            raise
        print(
            "error: not enough memory: close other programs, or take --quick or a smaller --batch-size", file=sys.stderr
        )
        status = 2
    try:
        sys.stdout.flush()
    except OSError:
        # Nobody takes the rest of the output. Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(status)
