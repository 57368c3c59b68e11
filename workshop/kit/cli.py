"""The command line that every lesson takes, read and checked before anything heavy is imported."""

import argparse
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from workshop.kit import files
from workshop.kit.errors import WorkshopError

if TYPE_CHECKING:
    from workshop.kit.engine import Engine

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam")


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses in one line, on stderr, with exit code 2."""

    def __init__(self, **options: Any) -> None:
        # What a student types: `python -m workshop.mnist`, not `mnist.py`.
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        if spec is not None:
            options.setdefault("prog", f"python -m {spec.name.removesuffix('.__main__')}")
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Ends the program: `message` says which option got which value, and what it takes."""
        said = str(WorkshopError(message))
        said = said if len(said) <= 500 else f"{said[:500]}..."
        print(f"error: {said} (--help lists the options)", file=sys.stderr)
        raise SystemExit(2)


_LARGEST = 2**31 - 1  # what 32 bits hold: NumPy's seeds and TensorFlow's counters take no more


def whole_number(smallest: int) -> Callable[[str], int]:
    """Returns a parser of whole numbers from `smallest` up to `_LARGEST`, for `add_argument(type=...)`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = smallest - 1
        if not smallest <= number <= _LARGEST:
            up = f"from {smallest} up" if number < smallest else f"up to {_LARGEST}"
            raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a whole number {up}")
        return number

    return parse


def positive_number(text: str) -> float:
    """Parses a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"got {text[:40]}, takes a number above 0")
    return number


def finite_number(text: str) -> float:
    """Parses a finite number of a usable size: a loss squares what it gets, in single precision."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= 1e15:
        raise argparse.ArgumentTypeError(f"got {text}, takes a number from -1e15 to 1e15")
    return number


def lesson_parser(
    module_docstring: str | None,
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
        epochs, batch_size, learning_rate, optimizer: the lesson's defaults in words, for `--help`. The options
            themselves are None unless given, because one lesson trains several models, each with its own default.
            A lesson that trains nothing names no epochs, and has no options of training and of saving models.
        data: what `--data` takes, `FILE` (a table) or `DIR` (a folder of images); None: the lesson has no such option.
    """
    parser = Parser(description=module_docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    trains = epochs is not None
    add("--quick", action="store_true", help="a first look in seconds" + "; saves as NAME-quick" * trains)
    if trains:
        add("--epochs", type=whole_number(1), metavar="N", help=f"passes over the training data (default: {epochs})")
        add("--batch-size", type=whole_number(1), metavar="N", help=f"samples a step (default: {batch_size})")
        add("--learning-rate", type=positive_number, metavar="X", help=f"(default: {learning_rate})")
        add("--optimizer", choices=OPTIMIZERS, metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (default: {optimizer})")
    same = "the same seed gives the same " + ("model" if trains else "numbers")
    add("--seed", type=whole_number(0), default=1, metavar="N", help=f"{same} (default: 1)")
    if data is not None:
        add("--data", type=Path, metavar=data, help="your own data instead of the lesson's")
    if trains:
        add("--models", type=Path, default=Path("models"), metavar="DIR", help="for the models saved (default: models)")
    add("--plots", type=Path, default=Path("plots"), metavar="DIR", help="where pictures are saved (default: plots)")
    add("--no-plots", action="store_true", help="draw no pictures")
    if trains:
        add("--resume", action="store_true", help="go on with a run that was stopped, from its last finished epoch")
    add("--json", action="store_true", help="print the result as one JSON object on the last line")
    return parser


def add_precision(parser: Parser) -> None:
    """Adds the option `--precision`, which `device.prepare` understands."""
    from workshop.kit.device import PRECISIONS

    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of multiplications; 16 bits are faster on a GPU, and on a CPU with units for them (default: auto)",
    )


def parse_lesson(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the options of a lesson, and checks what can be checked before training starts.

    Raises:
        WorkshopError: a folder cannot be written to.
    """
    arguments = parser.parse_args(argv)
    if "models" in arguments:
        files.check_writable(arguments.models, "--models")
    if not arguments.no_plots:
        files.check_writable(arguments.plots, "--plots")
    return arguments


class Report:
    """What a lesson says at its end: the result, whether it is as expected, and where everything is.

    Args:
        lesson: the lesson's name.
        arguments: the parsed options.
        engine: what builds and trains its models or, of a lesson that trains none, the name of what computes.
    """

    def __init__(self, lesson: str, arguments: argparse.Namespace, engine: "Engine | str") -> None:
        self.lesson = lesson
        self.arguments = arguments
        self.engine: Any = engine
        self._engine_name = engine if isinstance(engine, str) else engine.name
        self.metrics: dict[str, float] = {}
        self._started = time.perf_counter()
        self._data: list[str] = []
        self._files: list[Path] = []
        self._checkpoints: list[Path] = []
        self._missed: list[str] = []
        self._bands_held = 0

    def data(self, source: str, place: str = "") -> None:
        """Says which data the run uses and where it lies, at its beginning; the former is kept for the JSON object."""
        self._data.append(source)
        print(f"Data      {source}" + f", {place}" * bool(place))

    def checkpoint(self, name: str) -> Path:
        """Returns where the state of training the model `name` is kept; `finish` removes it.

        It stays until the whole lesson is done: a lesson that is resumed while it trains its second model needs the
        first one's end as well.
        """
        # Each engine has its own: none goes on with what another one began.
        engine = "" if self._engine_name == "keras" else f"-{self._engine_name}"
        path = self.arguments.models / f"{name}{engine}-checkpoint.npz"
        self._checkpoints.append(path)
        return path

    def section(self, title: str) -> None:
        """Prints a heading between the parts of a run."""
        print(f"\n{title}\n{'-' * len(title)}")

    def saved(self, *paths: Path) -> None:
        """Notes files that the run wrote."""
        self._files += [path for path in paths if path not in self._files]

    @property
    def last_model(self) -> Path:
        """The `.h5` that was saved last."""
        return [path for path in self._files if path.suffix == ".h5"][-1]

    def result(self, metrics: Mapping[str, float]) -> None:
        """Notes metrics, by the names that the design asks for: `test_accuracy`, `cnn_test_accuracy`."""
        self.metrics.update({name: float(value) for name, value in metrics.items()})

    def expect(self, name: str, lowest: float = -math.inf, highest: float = math.inf) -> None:
        """Holds a metric against the band that the lesson reaches with its defaults on its own data."""
        value = self.metrics[name]
        if lowest <= value <= highest:
            self._bands_held += 1
        else:
            band = f"at least {lowest:g}" if highest == math.inf else f"{lowest:g} to {highest:g}"
            band = f"at most {highest:g}" if lowest == -math.inf else band
            self._missed.append(f"{name} is {value:.4g}, expected {band}")

    def finish(self, *, use: str = "", no_band: str = "") -> dict[str, float]:
        """Prints the last lines and returns the metrics.

        Args:
            use: the command that uses the saved model.
            no_band: why the result is held against no expected band ("a quick run"), where it is not.
        """
        seconds = time.perf_counter() - self._started
        for path in self._checkpoints:
            path.unlink(missing_ok=True)
        self.section("Result")
        width = max((len(name) for name in self.metrics), default=0)
        for name, value in self.metrics.items():
            print(f"{name:{width}}  {value:.4g}")
        if no_band:
            print(f"No expected band: {no_band}.")
        elif self._missed:
            print("Not as expected: " + "; ".join(self._missed) + ".")
        elif self._bands_held:
            print("As expected for this lesson.")
        pictures = [path for path in self._files if path.suffix in {".png", ".gif"}]
        models = [path for path in self._files if path not in pictures]
        for title, paths in (("Model", models), ("Pictures", pictures)):
            if paths:
                print(f"{title:9} {', '.join(str(path) for path in paths)}")
        print(f"Time      {seconds:.1f} s")
        if use:
            print(f"Use it    {use}")
        if self.arguments.json:
            print(
                json.dumps(
                    {
                        "lesson": self.lesson,
                        "engine": self._engine_name,
                        "data": "; ".join(self._data),
                        "seed": self.arguments.seed,
                        "seconds": round(seconds, 3),
                        "files": [str(path) for path in self._files],
                        # JSON has no infinity and no NaN, which a diverged run gives: they become null.
                        "metrics": {k: v if math.isfinite(v) else None for k, v in self.metrics.items()},
                    }
                )
            )
        sys.stdout.flush()
        return self.metrics


def why_no_band(arguments: argparse.Namespace, is_standin: bool = False) -> str:
    """Returns why a run cannot be held against the lesson's expected band, or an empty text where it can."""
    if arguments.quick:
        return "a quick run"
    if is_standin:
        return "the data is a stand-in"
    own = [
        f"--{name.replace('_', '-')}"
        for name in ("epochs", "batch_size", "learning_rate", "optimizer")
        if getattr(arguments, name, None) is not None
    ]
    return f"{', '.join(own)} given" if own else ""


def run(
    main: Callable[[], object],
    stopped: str = "stopped; a lesson goes on with --resume, and the models saved before are as they were",
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
