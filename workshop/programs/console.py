"""What the console programs share: the option --model, asking for numbers, checking numbers that were given.

A program asks within a third of a second. So nothing heavy is imported here: names, units and ranges come from the
model's card, and the model itself is loaded when there is something to answer.
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

_LONGEST_QUOTE = 40  # characters of a wrong answer that are shown again


def parser(module_docstring: str | None, model: str) -> cli.Parser:
    """Returns a parser with the options that every console program takes; a program adds its own.

    Args:
        module_docstring: the program's own; its text is what `--help` begins with.
        model: the name of the bundle that is used without `--model`.
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
        help="what computes the answer; all shows the three side by side (default: numpy, or keras for other layers)",
    )
    return made


def ask_numbers(inputs: Sequence[bundle.Input]) -> list[float]:
    """Asks for one number after another; see `ask_number`."""
    return [ask_number(one) for one in inputs]


def ask_number(one: bundle.Input) -> float:
    """Asks for a number within a range, again until it is one.

    Raises:
        WorkshopError: the input ended (Ctrl-D).
    """
    while True:
        text = _answer(f"{one.name} ({_range(one)}): ", one.name)
        number = _number_within(text, one)
        if number is not None:
            return number
        print(_refusal(text, one))


def check_numbers(given: Sequence[str], inputs: Sequence[bundle.Input]) -> list[float]:
    """Returns the numbers that were given as arguments, one for each input, in order.

    Raises:
        WorkshopError: there are more or fewer, or one is not a number within its range.
    """
    if len(given) != len(inputs):
        names = ", ".join(f"{one.name} ({_range(one)})" for one in inputs)
        raise WorkshopError(f"got {len(given)} of {len(inputs)} numbers: takes {names}")
    numbers = []
    for text, one in zip(given, inputs, strict=True):
        number = _number_within(text, one)
        if number is None:
            raise WorkshopError(f"{one.name}: {_refusal(text, one)}")
        numbers.append(number)
    return numbers


def check_shapes(model: Bundle, inputs: Sequence[tuple[int, ...]], outputs: Sequence[int]) -> None:
    """Raises WorkshopError unless the model takes one of these input shapes and answers one of these many numbers.

    A bare `.h5` can be any model at all, one of several inputs included.
    """
    takes, answers = model.model.input_shape, model.model.output_shape
    if takes not in inputs:
        accepted = " or ".join(str(shape) for shape in inputs)
        given = f"shape {takes}" if takes else "several shapes"
        raise WorkshopError(f"{model.path} takes inputs of {given}, this program gives {accepted}")
    if answers not in [(count,) for count in outputs]:
        accepted = " or ".join(str(count) for count in outputs)
        raise WorkshopError(
            f"{model.path} answers {answers or 'several tensors'}, this program understands {accepted} numbers"
        )


def note_unverified(model: Bundle, assumed: str) -> None:
    """Says, on stderr, that no card vouches for a model, and what the program takes for granted about it."""
    if not model.is_verified:
        print(f"note: {one_line(model.path)} has no card, so it is unverified; assumed: {assumed}", file=sys.stderr)


def ask_text(prompt: str) -> str:
    """Asks for a line of text; an empty one, or the end of the input (Ctrl-D), gives an empty text."""
    try:
        return input(prompt) if sys.stdin is not None else ""
    except EOFError:
        print()  # the cursor still stands behind the prompt
        return ""
    except UnicodeDecodeError as error:
        raise WorkshopError("got bytes that are no text: type it in UTF-8") from error


def percent(probability: float) -> str:
    """Returns a probability as the programs print it: "97.3 %"."""
    return f"{100 * probability:.1f} %"


def _answer(prompt: str, name: str) -> str:
    ended = f"the input ended where {name} was asked for"
    if sys.stdin is None:
        raise WorkshopError(ended)
    try:
        return input(prompt).strip()
    except EOFError as end:
        print()  # the cursor still stands behind the prompt
        raise WorkshopError(ended) from end
    except UnicodeDecodeError:
        return "?"  # bytes that are no text: no number either, so it is asked again


def _number_within(text: str, one: bundle.Input) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # float() also takes "1_0", which nobody writes on purpose. Neither NaN nor infinity lies in a range.
    return number if "_" not in text and one.minimum <= number <= one.maximum else None


def _refusal(text: str, one: bundle.Input) -> str:
    quoted = repr(text[:_LONGEST_QUOTE]) + "..." * (len(text) > _LONGEST_QUOTE)
    return f"got {quoted if text else 'nothing'}, takes a number from {_range(one)}"


def _range(one: bundle.Input) -> str:
    """Returns "30.06 to 99.82 points": rounded inwards, so that whoever types a limit is not refused."""
    low, high = (
        # Six digits are as many as anyone types; a limit in single precision has seventeen, most of them chance.
        format(decimal.Context(prec=6, rounding=rounding).create_decimal(limit).normalize(), "f")
        for limit, rounding in ((one.minimum, decimal.ROUND_CEILING), (one.maximum, decimal.ROUND_FLOOR))
    )
    return f"{low} to {high} {one.unit}".rstrip()
