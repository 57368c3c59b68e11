"""House prices: the prediction of a saved model from area, bedrooms and age.

    python -m apps.house_price                                  # asks for them
    python -m apps.house_price 120 3 10                         # predicts at once: 120 m2, 3 bedrooms, 10 years
    python -m apps.house_price --model models/houses.h5 8 12    # a model of the size alone: two houses

The models are those that `python -m workshop.linear_regression` trains, from its tables or from one of your own. The
inputs to ask for are in the model's card or, where it has none, as many as its scaler has columns. Numbers may lie
outside of the range of the training rows, which is noted; several houses are given one after another.
"""

import math
from collections.abc import Sequence

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.programs import console, engines

NAME = "house_price"
LESSONS = ("linear_regression",)


def quantity(number: float, unit: str) -> str:
    """Returns a number with its unit: "120 m2", "12.51 x 10,000 pesos"."""
    text = f"{number:,.2f}".removesuffix(".00") if abs(number) >= 1 else f"{number:.3g}"
    return f"{text} x {unit}" if unit[:1].isdigit() else f"{text} {unit}".rstrip()


def main(argv: Sequence[str] | None = None) -> None:
    """Asks for one house, unless houses are given, and prints a line for each."""
    parser = console.parser(__doc__, NAME)
    help_text = "the inputs of a house, in the model's order; without numbers you are asked"
    parser.add_argument("numbers", nargs="*", type=cli.finite_number, metavar="NUMBER", help=help_text)
    arguments = parser.parse_args(argv)
    path = arguments.model
    inputs = bundle.read_inputs(path, LESSONS) or console.inputs_without_card(path)
    if not inputs and not arguments.numbers:
        raise WorkshopError(
            f"{path} has no card with the inputs to ask for, and no scaler: give the numbers as arguments"
        )
    numbers = arguments.numbers or console.ask_numbers(inputs)
    if inputs and len(numbers) % len(inputs):
        names = ", ".join(column.label for column in inputs)
        raise WorkshopError(f"got {len(numbers)} numbers, takes {len(inputs)} for each house: {names}")

    model = engines.load(path, LESSONS, arguments.engine)
    # Without a card the numbers describe one house, or several where the model takes a single number.
    shapes = [(len(inputs),)] if inputs else [(len(numbers),), (1,)]
    console.check_shapes(model, inputs=shapes, outputs=[1])
    console.note_unverified(model, "numbers in the order and the units that it was trained on")
    import numpy as np

    houses = np.array(numbers).reshape(-1, *model.input_shape)
    inputs = inputs or [bundle.Input("", minimum=-math.inf, maximum=math.inf)] * houses.shape[1]
    for house, (price,) in zip(houses, model.predict(houses), strict=True):
        console.note_outside(house, inputs)
        described = ", ".join(
            f"{column.name} {quantity(value, column.unit)}".strip() for column, value in zip(inputs, house, strict=True)
        )
        prediction = quantity(price, str(model.card.get("output_unit", "")))
        print(f"{described}: {model.card.get('output') or 'prediction'} {prediction}")
    engines.show_side_by_side(model, lambda output: quantity(output[0], str(model.card.get("output_unit", ""))))


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
