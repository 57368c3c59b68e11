"""The console programs' options, and the numbers that they ask for or are given.

Any finite number is answered: the range of the training rows, in the card or in the scaler, is a help for the person
who types, and a number outside of it is noted beside the answer.

A program asks within a third of a second. So nothing heavy is imported here: names, units and ranges come from the
model's card, and the model itself is loaded when it is needed.
"""

import argparse
import dataclasses
import decimal
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from workshop.kit import cli, files
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.files import FilePath
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle, scaler_inputs
from workshop.programs import engines

_MAX_QUOTE = 40  # characters of a refused entry that are shown
_MAX_TEXTS = 12  # of a column of texts that are listed
_MAX_NUMBER = 1e30  # single precision holds 3e38, and weights multiply what they get


class Parser(cli.Parser):
    """A parser with the options that every console program takes; a program adds its own.

    Args:
        module_docstring: the program's docstring, the beginning of `--help`.
        model: the name of the default bundle.
    """

    def __init__(self, module_docstring: str | None, model: str) -> None:
        super().__init__(description=module_docstring)
        self._model = model
        # argparse by itself takes -1e3 for an option, and only -1000 for a number.
        self._negative_number_matcher = re.compile(r"-(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$", re.IGNORECASE)
        self.add_argument(
            "--model",
            type=Path,
            metavar="PATH",
            help=f"a saved model, .h5 or .keras; a name without an ending is looked for in the current folder, in "
            f"models and among the shipped ones (default: {model})",
        )
        self.add_argument(
            "--engine",
            choices=engines.CHOICES,
            help="the engine that predicts; all shows the three side by side (default: numpy, or keras for other "
            "layers)",
        )

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Returns the arguments; `model` is the path of the model, and stderr says which one a bare name stands for."""
        arguments = super().parse_args(args, namespace)
        arguments.model = _find_model(arguments.model, self._model)
        return arguments


def _find_model(given: Path | None, default: str) -> Path:
    """Returns the path of a model that was given by its path, by a bare name or not at all."""
    if given is not None and (given.suffix or given.parent != Path() or given.exists()):
        return given
    path = bundle.find(default if given is None else given.name)
    place = str(path)
    if path.parent == Path():
        place += " in the current folder"
    elif path.parent == files.shipped("models"):
        place = f"{path.name}, which ships with the package"
    print(f"note: the model is {one_line(place)}", file=sys.stderr)
    return path


def add_scaler(made: Parser) -> None:
    """Adds the option that names the scaler of a model without a card."""
    made.add_argument(
        "--scaler",
        type=Path,
        metavar="FILE",
        help="the scaler of a model without a card, as joblib or pickle saved it (default: NAME-scaler.gz, .pkl, "
        ".joblib, .save or .bin beside the model)",
    )


def check_output(path: FilePath, ending: str, option: str) -> None:
    """Raises WorkshopError unless a file with this ending can be written to the path that an option names."""
    path = Path(path)
    if path.suffix.lower() != ending:
        raise WorkshopError(f"{option} {path}: takes the name of a file that ends in {ending}")
    if path.is_dir():
        raise WorkshopError(f"{option} {path}: that is a folder, takes the name of a file")
    files.check_writable(path.parent, option)


def inputs_without_card(
    path: FilePath, assumed: Sequence[bundle.Input] = (), scaler_path: FilePath | None = None
) -> Sequence[bundle.Input]:
    """Returns the inputs of a model without a card: those that its scaler was fitted on, with their names and ranges.

    Args:
        path: the path of the model.
        assumed: its inputs, if it has as many and the scaler does not name them. Without a scaler they are returned as
            they are.
        scaler_path: the file of the scaler; None for the one beside the model, if any.

    Raises:
        WorkshopError: the scaler is damaged or hostile.
    """
    scaler = bundle.read_own_scaler(path, scaler_path)
    if scaler is None:
        return assumed
    inputs = scaler_inputs(scaler)
    if scaler.names or len(assumed) != len(inputs):
        return inputs
    return [
        dataclasses.replace(column, minimum=known.minimum, maximum=known.maximum, values=known.values)
        for column, known in zip(assumed, inputs, strict=True)
    ]


def ask_cells(inputs: Sequence[bundle.Input]) -> list[float | str]:
    """Asks for one cell after another: a number, or for a column of texts one of its texts.

    Raises:
        WorkshopError: the input ended (Ctrl-D).
    """
    return [_ask_text(column) if column.values else ask_number(column) for column in inputs]


def check_cells(given: Sequence[str], inputs: Sequence[bundle.Input], each: str) -> list[list[float | str]]:
    """Returns the rows of cells given as arguments, one after another: a number, or for a column of texts a text.

    Args:
        given: the arguments.
        inputs: the columns of a row.
        each: what a row is, for messages: "house".

    Raises:
        WorkshopError: the last row has fewer cells than the inputs, or a cell that is to be a finite number is none.
    """
    if not given or len(given) % len(inputs):
        names = ", ".join(column.label for column in inputs)
        kind = "values" if any(column.values for column in inputs) else "numbers"
        raise WorkshopError(f"got {len(given)} {kind}, takes {len(inputs)} for each {each}: {names}")
    rows = [given[start : start + len(inputs)] for start in range(0, len(given), len(inputs))]
    return [
        [text if column.values else _checked(text, column) for text, column in zip(row, inputs, strict=True)]
        for row in rows
    ]


def ask_number(column: bundle.Input) -> float:
    """Asks for a finite number, until one is given.

    Raises:
        WorkshopError: the input ended (Ctrl-D).
    """
    while True:
        text = _ask(f"{_described(column)}: ", column.name)
        number = _number(text)
        if number is not None:
            return _as_single(number, column)
        print(_refusal(text))


def check_numbers(given: Sequence[str], inputs: Sequence[bundle.Input]) -> list[float]:
    """Returns the numbers given as arguments, one for each input, in order.

    Raises:
        WorkshopError: there are more or fewer, or one is not a finite number.
    """
    if len(given) != len(inputs):
        names = ", ".join(_described(column) for column in inputs)
        raise WorkshopError(f"got {len(given)} of {len(inputs)} numbers: takes {names}")
    return [_checked(text, column) for text, column in zip(given, inputs, strict=True)]


def _checked(text: str, column: bundle.Input) -> float:
    number = _number(text)
    if number is None:
        raise WorkshopError(f"{column.name}: {_refusal(text)}")
    return _as_single(number, column)


def note_outside(cells: Sequence[float | str], inputs: Sequence[bundle.Input]) -> None:
    """Prints, on stderr, in a sentence which cells the training data had not: numbers out of its range, other texts."""
    outside = []
    for cell, column in zip(cells, inputs, strict=True):
        if column.values:
            if str(cell) not in column.values:
                outside.append(f"{column.label} {one_line(cell)[:_MAX_QUOTE]} is none of {_texts(column)}")
        elif not column.minimum <= float(cell) <= column.maximum:
            outside.append(f"{column.label} {cell:.15g} is outside of {_limits(column)}".strip())
    if outside:
        print(f"note: {' and '.join(outside)}, where the model was trained", file=sys.stderr)


def check_shapes(model: Bundle, inputs: Sequence[tuple[int, ...]], outputs: Sequence[int]) -> None:
    """Raises WorkshopError unless the model has one of these input shapes and one of these numbers of outputs.

    A bare `.h5` can be any model at all, one of several inputs included.
    """
    takes, output_shape = model.model.input_shape, model.model.output_shape
    if takes not in inputs:
        accepted = " or ".join(str(shape) for shape in inputs)
        raise WorkshopError(f"{model.path} takes inputs of {_shape(takes)}, this program gives {accepted}")
    if output_shape not in [(count,) for count in outputs]:
        accepted = " or ".join(str(count) for count in outputs)
        raise WorkshopError(
            f"{model.path} has outputs of {_shape(output_shape)}, this program takes {accepted} outputs"
        )


def _shape(shape: tuple[int, ...] | None) -> str:
    return f"shape {shape}" if shape else "several shapes"


def note_unverified(model: Bundle, assumed: str) -> None:
    """Prints, on stderr, that a model has no card, and what the program assumes about it."""
    if not model.is_verified:
        scaler = f", scaled by {model.scaler_path.name}" if model.scaler_path else ""
        message = f"{model.path} has no card, so it is unverified; assumed: {assumed}{scaler}"
        print(f"note: {one_line(message)}", file=sys.stderr)


def note_other_scalers(model: Bundle) -> None:
    """Prints, on stderr, which files beside a model without a card may hold its scaler, where none bears its name."""
    if model.is_verified or model.scaler is not None:
        return
    others = [
        path.name
        for path in sorted(model.path.absolute().parent.glob("*scaler*"))
        if path.suffix in bundle.SCALER_ENDINGS
    ]
    if others:
        shown = one_line(", ".join(others[:3]))
        print(
            f"note: no scaler is used; of those beside the model ({shown}) name the one it takes by --scaler FILE",
            file=sys.stderr,
        )


def ask_text(prompt: str) -> str:
    """Asks for a line of text; an empty one, or the end of the input (Ctrl-D), gives an empty text."""
    try:
        return input(prompt) if sys.stdin is not None else ""
    except EOFError:
        print()  # the cursor is still behind the prompt
        return ""
    except UnicodeDecodeError as error:
        raise WorkshopError("got bytes that are not UTF-8: set the terminal to UTF-8") from error


def percent(probability: float) -> str:
    """Returns a probability in percent: "97.3 %"."""
    return f"{100 * probability:.1f} %"


def _ask(prompt: str, name: str) -> str:
    ended = f"the input ended where {name} was asked for"
    if sys.stdin is None:
        raise WorkshopError(ended)
    try:
        return input(prompt).strip()
    except EOFError as end:
        print()  # the cursor is still behind the prompt
        raise WorkshopError(ended) from end
    except UnicodeDecodeError:
        return "?"  # bytes that are not UTF-8: no number either, so it is asked again


def _ask_text(column: bundle.Input) -> str:
    while True:
        text = _ask(f"{_described(column)}: ", column.name)
        if text in column.values:
            return text
        print(f"got {repr(text[:_MAX_QUOTE]) if text else 'nothing'}, takes {_texts(column)}")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    is_plain = "_" not in text  # float() also takes "1_0", which nobody writes on purpose
    return number if is_plain and math.isfinite(number) else None


def _as_single(number: float, column: bundle.Input) -> float:
    """Returns a number that a network can compute with: one beyond that is noted, on stderr, and cut."""
    if abs(number) <= _MAX_NUMBER:
        return number
    cut = math.copysign(_MAX_NUMBER, number)
    named = f"{column.label} {number:g}".strip()
    print(f"note: {named} is taken as {cut:g}: networks compute in single precision", file=sys.stderr)
    return cut


def _refusal(text: str) -> str:
    quoted = repr(text) if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]!r}..."
    return f"got {quoted if text else 'nothing'}, takes a finite number, such as 12 or 12.5"


def _described(column: bundle.Input) -> str:
    """Returns "exam 1 (30.06 to 99.82 points)", "size (0.2 to 10 x 10 m2)", or "exam 1 (points)" without a range."""
    if column.values:
        return f"{column.label} ({_texts(column)})"
    if not (math.isfinite(column.minimum) and math.isfinite(column.maximum)):
        return column.label
    times = "x " if column.unit[:1].isdigit() else ""  # a unit of "10 m2" is no number of its own
    return f"{column.name} ({f'{_limits(column)} {times}{column.unit}'.rstrip()})"


def _texts(column: bundle.Input) -> str:
    """Returns "low, med or high"."""
    *others, last = column.values[:_MAX_TEXTS]
    shown = ", ".join(others) + (" or " if others else "") + last
    return shown + (", ..." if len(column.values) > _MAX_TEXTS else "")


def _limits(column: bundle.Input) -> str:
    """Returns "30.06 to 99.82": rounded inwards, so that a limit, when it is typed, is not outside."""
    low, high = (
        # Six digits are enough to type; a limit in single precision has seventeen, most of them noise.
        format(decimal.Context(prec=6, rounding=rounding).create_decimal(repr(limit)).normalize(), "f")
        for limit, rounding in ((column.minimum, decimal.ROUND_CEILING), (column.maximum, decimal.ROUND_FLOOR))
    )
    return f"{low} to {high}"
