"""Text generation: a small network continues your text, character by character.

    python -m apps.write                                   # asks for the beginning of the text
    python -m apps.write "The Queen said"                  # continues it at once
    python -m apps.write "The Queen said" --temperature 0.3 --length 500
    python -m apps.write --model my.h5 "Once"              # a model of your own text

The model is the one that `python -m workshop.text_generation` trains, on one book: it has learned letters, words and
commas, but no meaning. A higher `--temperature` gives a more varied text, another `--seed` another one.
"""

import itertools
import sys
from collections.abc import Sequence

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.programs import console, engines

NAME = "text_generation"


def main(argv: Sequence[str] | None = None) -> None:
    """Continues the given text, or one typed text after another."""
    parser = console.Parser(__doc__, NAME)
    add = parser.add_argument
    add("text", nargs="?", metavar="TEXT", help="the beginning of the text; without it you are asked")
    add("--length", type=cli.whole_number(1), default=200, metavar="N", help="characters to generate (default: 200)")
    add(
        "--temperature",
        type=cli.positive_number,
        default=0.5,
        metavar="T",
        help="sampling temperature: lower is more predictable (default: 0.5)",
    )
    add("--seed", type=cli.whole_number(0), default=1, metavar="N", help="the same seed, the same text (default: 1)")
    arguments = parser.parse_args(argv)
    path = arguments.model
    bundle.read_inputs(path, [NAME])  # refuses a missing model, or one of another lesson, before the text is asked for
    given = arguments.text
    start = given if given is not None else console.ask_text("How does it begin (an empty line ends)? ")
    if not start and given is None:
        return
    import numpy as np

    from workshop.kit.data import text

    model = engines.load(path, [NAME], arguments.engine)
    if not model.is_verified:
        raise WorkshopError(f"{path} has no card with its characters: train it again")
    vocabulary = text.Vocabulary.from_names(model.card["classes"])
    if model.model.output_shape != (*model.input_shape, len(vocabulary)):
        raise WorkshopError(f"{path} does not predict {len(vocabulary)} characters at every step: train it again")
    random = np.random.default_rng(arguments.seed)
    while start or given is not None:
        if unknown := sorted({character for character in start if character not in vocabulary.characters}):
            print(f"note: never seen in training, taken as unknown: {' '.join(map(repr, unknown))}", file=sys.stderr)
        characters = text.generate(model.model, vocabulary, start, arguments.temperature, random)
        print(start, end="", flush=True)
        for character in itertools.islice(characters, arguments.length):
            print(character, end="", flush=True)
        print()
        # Of a text that is shorter than the window, what follows in it is no prediction of a character.
        last = min(len(start or "\n") + arguments.length - 1, *model.input_shape) - 1
        if given is not None:
            break
        start = console.ask_text("\nHow does it begin? ")
    engines.show_side_by_side(model, lambda output: repr(vocabulary.characters[int(output[last].argmax())]))


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
