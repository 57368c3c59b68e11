"""The options that the lessons on grey images of ten classes share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workshop.kit import cli

if TYPE_CHECKING:
    from workshop.kit.training import Recipe


def parse(
    module_docstring: str | None,
    recipes: Mapping[str, Recipe],
    filters: Sequence[int],
    hidden_units: str,
    argv: Sequence[str] | None,
) -> argparse.Namespace:
    """Reads the options of a lesson that trains a dense network, a CNN, or both.

    Args:
        module_docstring: the lesson's own.
        recipes: of the networks, by their kinds.
        filters: of the CNN's convolutions by default.
        hidden_units: of the hidden layers by default, in words.
        argv: the command line (default: that of the process).

    Returns:
        The options; `kinds` are the networks to train.
    """
    parser = cli.lesson_parser(module_docstring, recipes, data="DIR")
    cli.add_precision(parser)
    add = parser.add_argument
    add("--model", choices=[*recipes, "both"], default="both", help="(default: both, compared)")
    add("--activation", choices=["relu", "sigmoid", "tanh"], default="relu", help="(default: relu)")
    add("--hidden-units", type=cli.whole_number(1), metavar="N", help=f"of the dense layer (default: {hidden_units})")
    add(
        "--filters",
        type=cli.whole_number(1),
        nargs="+",
        default=list(filters),
        metavar="N",
        help=f"of the CNN's convolutions, one to three (default: {' '.join(map(str, filters))})",
    )
    arguments = cli.parse_lesson(parser, argv)
    if len(arguments.filters) > 3:
        parser.error(f"--filters: got {len(arguments.filters)} numbers, an image of 28x28 takes one to three")
    arguments.kinds = list(recipes) if arguments.model == "both" else [arguments.model]
    return arguments
