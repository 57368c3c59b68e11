"""Text generation: a network reads a book character by character and learns to predict the next one.

You build a language model as small as they come. An embedding gives each character its features, two LSTM layers one
above the other keep what was read in their states, and a softmax predicts at every step how likely each character is to
be the next. Such a model is measured in bits per character: the mean negative log-likelihood, to the base 2. Sampling
a character from the prediction, appending it and predicting again generates text.

    python -m workshop.text_generation                              # Alice's Adventures in Wonderland, which ships
    python -m workshop.text_generation --data YOUR.txt              # any text in UTF-8
    python -m workshop.text_generation --start "The Queen" --temperature 0.3 0.8
    python -m workshop.text_generation --quick                      # a first look, in seconds

Expected: at most 2.3 bits per character on the last tenth of the book, which is held out, where counting which
character follows which two others leaves 2.7; within a minute on two CPU cores. Then `python -m apps.write`.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.figures import text_generation as figures
from workshop.kit import cli, device, training
from workshop.kit.data import text
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving.bundle import Input
from workshop.kit.training import Recipe
from workshop.scratch.nn.network import Network

if TYPE_CHECKING:
    import keras

WINDOW = 32  # characters that the model sees at a time, about six words
MAX_CHARACTERS = 1_000_000  # of a default run: a short text several times, of a long one the beginning
QUICK_CHARACTERS = 20_000
TEMPERATURES = (0.5, 1.0, 1.5)
CONTEXTS = (
    "none: all characters equally likely",
    "character frequencies",
    "previous character",
    "previous two characters",
)


def split(whole: str, arguments: argparse.Namespace) -> tuple[text.Vocabulary, np.ndarray, np.ndarray]:
    """Splits a text: nine tenths to train on, of a long text as much as a minute allows; the last tenth is held out.

    Returns:
        The vocabulary of the training text, and the numbers of the characters of both parts.
    """
    end = len(whole) * 9 // 10
    limit = QUICK_CHARACTERS if arguments.quick else MAX_CHARACTERS
    train_text = whole[:end]
    if arguments.epochs is None and end > 1.2 * limit:
        print(f"Note      trains on the first {limit:,} characters of {end:,}; --epochs 1 reads them all")
        train_text = whole[:limit]
    vocabulary = text.Vocabulary.of(train_text)
    held_out = vocabulary.encode(whole[end:][: limit // 5])
    print(f"Text      {len(vocabulary) - 1} different characters; {len(held_out):,} characters are held out")
    if unknown := int(np.sum(held_out == 0)):
        print(f"Note      {unknown} of those never occur in the training text: all are encoded as 'unknown'")
    return vocabulary, vocabulary.encode(train_text), held_out


def make_recipe(windows: int, arguments: argparse.Namespace) -> Recipe:
    """Returns the recipe for so many windows, with as many epochs as read `MAX_CHARACTERS`."""
    recipe = Recipe(
        epochs=max(1, round(MAX_CHARACTERS / (windows * WINDOW))),
        learning_rate=0.02,
        batch_size=16 if arguments.quick else 32,
        quick_epochs=1,
    )
    return recipe.with_options(arguments, samples=windows)


def build_lstm(characters: int, units: int, layers: int) -> keras.Sequential:
    """Returns the model: numbers of characters (steps,) -> probabilities of the next one (steps, characters)."""
    model = keras.Sequential([keras.Input((WINDOW,), dtype="int32")])
    # Keras would draw the features between -0.05 and 0.05: so close that the LSTM needs hundreds of steps to tell two
    # characters apart.
    initializer = keras.initializers.RandomNormal(stddev=1.0)
    model.add(keras.layers.Embedding(characters, units // 2, embeddings_initializer=initializer))
    for _ in range(layers):
        model.add(keras.layers.LSTM(units, return_sequences=True))  # a prediction at every step
    model.add(keras.layers.Dense(characters, activation="softmax"))
    return model


def bits_by_counting(train: np.ndarray, held_out: np.ndarray, before: int, characters: int) -> float:
    """Returns the bits per character of a model that counts which character follows which `before` others.

    Every count is larger by 0.1 than what was seen, so that no character is impossible (Lidstone 1920).

    Args:
        train, held_out: numbers of characters.
        before: characters that the prediction depends on.
        characters: in the vocabulary.
    """
    base = characters ** np.arange(before, -1, -1)
    seen, new = (sliding_window_view(numbers.astype(np.int64), before + 1) @ base for numbers in (train, held_out))

    def count(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        values, counts = np.unique(codes, return_counts=True)
        indices = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
        return np.where(values[indices] == wanted, counts[indices], 0)

    contexts = count(seen // characters, new // characters)
    return float(-np.mean(np.log2((count(seen, new) + 0.1) / (contexts + 0.1 * characters))))


def compare(train: np.ndarray, held_out: np.ndarray, characters: int, model_bits: float) -> list[tuple[str, float]]:
    """Returns what each prediction depends on and its bits per character: by counting, and last by the model."""
    bits = [math.log2(characters), *(bits_by_counting(train, held_out, before, characters) for before in range(3))]
    return [*zip(CONTEXTS, bits, strict=True), (f"LSTM, up to {WINDOW} characters", model_bits)]


def print_samples(model: Network, vocabulary: text.Vocabulary, arguments: argparse.Namespace) -> None:
    """Prints a generated text for each temperature."""
    for temperature in arguments.temperature:
        random = np.random.default_rng(arguments.seed)
        print(f"\n[temperature {temperature:g}]\n{arguments.start}", end="", flush=True)
        generated = text.generate(model, vocabulary, arguments.start, temperature, random)
        for character in itertools.islice(generated, arguments.length):
            print(character, end="", flush=True)
        print()


def predict_next(model: Network, vocabulary: text.Vocabulary, start: str) -> dict[float, np.ndarray]:
    """Returns the probabilities of the character after a text, at each of `TEMPERATURES`."""
    probabilities = model.forward(vocabulary.encode(start)[None])[0, -1]
    return {temperature: text.apply_temperature(probabilities, temperature) for temperature in TEMPERATURES}


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring,
        epochs=f"enough to read {MAX_CHARACTERS:,} characters",
        batch_size="32 windows",
        learning_rate="0.02, falling along a cosine; with --optimizer its own, constant",
        optimizer="adamw",
    )
    add = parser.add_argument
    add("--units", type=cli.whole_number(2), default=128, metavar="N", help="units in each LSTM layer (default: 128)")
    add("--layers", type=cli.whole_number(1), default=2, metavar="N", help="LSTM layers, stacked (default: 2)")
    add("--start", default="Alice ", metavar="TEXT", help="the text that samples begin with (default: 'Alice ')")
    add("--length", type=cli.whole_number(1), metavar="N", help="characters of a sample (default: 300, quick 80)")
    wildness = "sampling temperature: lower is more predictable (default: 0.5 1 1.5)"
    add("--temperature", type=cli.positive_number, nargs="+", default=TEMPERATURES, metavar="T", help=wildness)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.units > 2048 or arguments.layers > 8:
        parser.error(f"--units, --layers: got {arguments.units} and {arguments.layers}, takes up to 2048 and 8")
    arguments.length = arguments.length or (80 if arguments.quick else 300)
    return arguments


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates and saves the model, and generates text; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("text_generation", arguments)
    whole, source = text.read(arguments.data)
    report.data(source)
    report.engine(device.prepare(arguments.seed))
    vocabulary, train, held_out = split(whole, arguments)
    X, y = text.windows(train, WINDOW)  # each target is the next character, so y is X one step later
    X_test, y_test, weights = text.evaluation_windows(held_out, WINDOW)

    report.section(f"{arguments.layers} LSTM layers of {arguments.units}")
    recipe = make_recipe(len(X), arguments)
    batches = training.shuffled_batches(X, y, recipe.batch_size, arguments.seed)
    with device.scope(arguments.seed):
        model = build_lstm(len(vocabulary), arguments.units, arguments.layers)
    model.summary()
    model.compile(
        optimizer=recipe.make_optimizer(),  # AdamW; its learning rate warms up, then falls along a cosine
        loss="sparse_categorical_crossentropy",  # the mean over all steps
        weighted_metrics=["accuracy"],  # by the sample weights of `evaluate`; `fit` has none
        steps_per_execution=device.steps_per_execution(),
    )
    losses = training.StepLosses()  # the loss within the epochs, for the plot
    model.fit(
        batches,
        epochs=recipe.epochs,
        shuffle=False,  # the batches come shuffled, each epoch anew
        callbacks=[
            *training.tensorboard(arguments.tensorboard, "lstm"),
            losses,
            training.Resume(report.checkpoint("text_generation"), batches, keep=[losses]),
        ],
        verbose=report.verbose,
    )

    report.section("Bits per character, on held-out text")
    # The weights leave out the first half of each window, where the model has read too little to predict well.
    test_loss, test_accuracy = model.evaluate(X_test, y_test, sample_weight=weights, batch_size=500, verbose=0)
    bits = test_loss / math.log(2)
    rows = compare(train, held_out, len(vocabulary), bits)
    print(format_table(["information used", "bits per character"], [[name, f"{n:.3f}"] for name, n in rows]))
    metrics = {"bits_test_log_loss": bits, "test_accuracy": test_accuracy}
    report.result(metrics)
    report.save(
        "text_generation",
        model,
        inputs=[Input("numbers of characters", shape=(WINDOW,), maximum=len(vocabulary) - 1)],
        classes=vocabulary.names(),
        metrics=metrics,
        output="next character",
    )

    report.section("Generated text, by the NumPy engine from the saved file")
    reader = Network.from_h5(report.last_model)
    print_samples(reader, vocabulary, arguments)
    epochs, values = losses.curve
    start = arguments.start[-WINDOW:] or "\n"
    probabilities = predict_next(reader, vocabulary, start)
    curve = (epochs, np.array(values) / math.log(2))
    report.plot("text_generation", figures.overview, curve, rows, probabilities, vocabulary.names(), start)
    not_comparable = "the text is your own" if arguments.data else ""
    return report.finish(use=f"python -m apps.write --model {report.last_model}", not_comparable=not_comparable)


if __name__ == "__main__":
    cli.run(main)
