"""The console programs' options, and the numbers that they ask for or are given.

A program asks within a third of a second. So nothing heavy is imported here: names, units and ranges come from the
model's card, and the model itself is loaded when it is needed.
"""

import argparse
import decimal
import sys
from collections.abc import Sequence
from pathlib import Path

from workshop.kit import cli
from workshop.kit.errors import WorkshopError, one_line
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle
from workshop.programs import engines

_MAX_QUOTE = 40  # characters of a refused entry that are shown


def parser(module_docstring: str | None, model: str) -> cli.Parser:
    """Returns a parser with the options that every console program takes; a program adds its own.

    Args:
        module_docstring: the program's docstring, the beginning of `--help`.
        model: the name of the default bundle.
    """
    made = cli.Parser(description=module_docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help=f"a saved model (default: {model}.h5 in the folder models, else the one that ships)",
    )
    made.add_argument(
        "--engine",
        choices=engines.CHOICES,
        help="the engine that predicts; all shows the three side by side (default: numpy, or keras for other layers)",
    )
    return made


def ask_numbers(inputs: Sequence[bundle.Input]) -> list[float]:
    """Asks for one number after another; see `ask_number`."""
    return [ask_number(wanted) for wanted in inputs]


def ask_number(wanted: bundle.Input) -> float:
    """Asks for a number within a range, until one is given.

    Raises:
        WorkshopError: the input ended (Ctrl-D).
    """
    while True:
        text = _ask(f"{wanted.name} ({_range(wanted)}): ", wanted.name)
        number = _number_within(text, wanted)
        if number is not None:
            return number
        print(_refusal(text, wanted))


def check_numbers(given: Sequence[str], inputs: Sequence[bundle.Input]) -> list[float]:
    """Returns the numbers given as arguments, one for each input, in order.

    Raises:
        WorkshopError: there are more or fewer, or one is not a number within its range.
    """
    if len(given) != len(inputs):
        names = ", ".join(f"{wanted.name} ({_range(wanted)})" for wanted in inputs)
        raise WorkshopError(f"got {len(given)} of {len(inputs)} numbers: takes {names}")
    numbers = []
    for text, wanted in zip(given, inputs, strict=True):
        number = _number_within(text, wanted)
        if number is None:
            raise WorkshopError(f"{wanted.name}: {_refusal(text, wanted)}")
        numbers.append(number)
    return numbers


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
        print(f"note: {one_line(model.path)} has no card, so it is unverified; assumed: {assumed}", file=sys.stderr)


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


def _number_within(text: str, wanted: bundle.Input) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # float() also takes "1_0", which nobody writes on purpose. Neither NaN nor infinity lies in a range.
    return number if "_" not in text and wanted.minimum <= number <= wanted.maximum else None


def _refusal(text: str, wanted: bundle.Input) -> str:
    quoted = repr(text) if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]!r}..."
    return f"got {quoted if text else 'nothing'}, takes a number from {_range(wanted)}"


def _range(wanted: bundle.Input) -> str:
    """Returns "30.06 to 99.82 points": rounded inwards, so that a typed limit is not refused."""
    low, high = (
        # Six digits are enough to type; a limit in single precision has seventeen, most of them noise.
        format(decimal.Context(prec=6, rounding=rounding).create_decimal(limit).normalize(), "f")
        for limit, rounding in ((wanted.minimum, decimal.ROUND_CEILING), (wanted.maximum, decimal.ROUND_FLOOR))
    )
    return f"{low} to {high} {wanted.unit}".rstrip()
