"""House prices: the prediction of a saved model from area, bedrooms and age.

    python -m apps.house_price                                  # asks for them
    python -m apps.house_price 120 3 10                         # predicts at once: 120 m2, 3 bedrooms, 10 years
    python -m apps.house_price --model models/houses.h5 8 12    # a model of the size alone: two houses

The models are those that `python -m workshop.linear_regression` trains, from its tables or from one of your own, and
those of `python -m workshop.tables` whose target is a number. The inputs to ask for, numbers and texts, are in the
model's card or, where it has none, those that its scaler was fitted on: by their names, where it has them. Numbers may
lie outside of the range of the training rows, which is noted; several houses are given one after another.
"""

import math
from collections.abc import Sequence

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.programs import console, engines

NAME = "house_price"
LESSONS = ("linear_regression", "tables")


def quantity(number: float, unit: str) -> str:
    """Returns a number with its unit: "120 m2", "12.51 x 10,000 pesos"."""
    # The digits of a number beyond 1e15 would be the rounding's.
    text = f"{number:,.2f}".removesuffix(".00") if 1 <= abs(number) <= 1e15 else f"{number:.3g}"
    return f"{text} x {unit}" if unit[:1].isdigit() else f"{text} {unit}".rstrip()


def main(argv: Sequence[str] | None = None) -> None:
    """Asks for one house, unless houses are given, and prints a line for each."""
    parser = console.Parser(__doc__, NAME)
    help_text = "the inputs of a house, in the model's order; without them you are asked"
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help=help_text)
    console.add_scaler(parser)
    arguments = parser.parse_args(argv)
    path = arguments.model
    inputs = bundle.read_inputs(path, LESSONS) or console.inputs_without_card(path, scaler_path=arguments.scaler)
    if not inputs and not arguments.numbers:
        raise WorkshopError(
            f"{path} has no card with the inputs to ask for, and no scaler: give the numbers as arguments"
        )
    # Without a card the numbers describe one house, or several where the model takes a single number.
    columns = inputs or [bundle.Input("", minimum=-math.inf, maximum=math.inf)] * len(arguments.numbers)
    rows = (
        console.check_cells(arguments.numbers, columns, "house") if arguments.numbers else [console.ask_cells(columns)]
    )

    model = engines.load(path, LESSONS, arguments.engine, arguments.scaler)
    shapes = [(len(columns),)] if inputs else [(len(columns),), (1,)]
    console.check_shapes(model, inputs=[model.input_shape] if model.takes_cells else shapes, outputs=[1])
    console.note_unverified(model, "numbers in the order and the units that it was trained on")
    console.note_other_scalers(model)
    if not inputs and model.input_shape == (1,):
        rows, columns = [[number] for number in rows[0]], columns[:1]

    for house, (price,) in zip(rows, model.predict(rows), strict=True):
        console.note_outside(house, columns)
        described = ", ".join(
            f"{column.name} {cell if isinstance(cell, str) else quantity(cell, column.unit)}".strip()
            for column, cell in zip(columns, house, strict=True)
        )
        prediction = quantity(price, str(model.card.get("output_unit", "")))
        print(f"{described}: {model.card.get('output') or 'prediction'} {prediction}")
    engines.show_side_by_side(model, lambda output: quantity(output[0], str(model.card.get("output_unit", ""))))


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
