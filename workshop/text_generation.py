"""A network that writes: it reads a book character by character, and learns what comes next.

You build a language model as small as they come. An embedding gives each character its features, two LSTM layers one
above the other keep in mind what was read, and a softmax says at every place how likely each character is to be the
next. Such a model is measured in bits per character: how many yes-or-no questions it would still have to ask. Drawing
characters from what it says, again and again, makes it write.

    python -m workshop.text_generation                              # Alice's Adventures in Wonderland, which ships
    python -m workshop.text_generation --data YOUR.txt              # any text in UTF-8
    python -m workshop.text_generation --start "The Queen" --temperature 0.3 0.8
    python -m workshop.text_generation --quick                      # a first look, in seconds

Expected: at most 2.3 bits per character on the last tenth of the book, which it has not seen, where counting which
character follows which two others leaves 2.7; within a minute on two CPU cores. Then `python -m apps.write`.
"""

import argparse
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workshop.kit import cli, device, metrics, plots, training
from workshop.kit import report as reporting
from workshop.kit.data import text
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.plots import charts
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model
from workshop.scratch.nn.network import Network

WINDOW = 32  # characters that the model sees at a time, about six words
CHARACTERS = 1_000_000  # that a default run reads: a short text several times, of a long one the beginning
QUICK_CHARACTERS = 20_000
BATCH_SIZE = 32
LEARNING_RATE = 0.02  # the highest, of a rate that warms up and then falls to zero along a cosine
TEMPERATURES = (0.5, 1.0, 1.5)
KNOWLEDGE = ("nothing: all characters alike", "how frequent each is", "the one before", "the two before")
EXPECTED = 2.3


def build(characters: int, units: int, layers: int) -> Any:
    """Returns the model: numbers of characters (steps,) -> probabilities of the next one (steps, characters)."""
    # Keras would draw the features between -0.05 and 0.05: so close that the LSTM needs hundreds of steps to tell two
    # characters apart.
    spread = keras.initializers.RandomNormal(stddev=1.0)
    return keras.Sequential(
        [
            keras.layers.Input((WINDOW,), dtype="int32"),
            keras.layers.Embedding(characters, units // 2, embeddings_initializer=spread),
            *[keras.layers.LSTM(units, return_sequences=True) for _ in range(layers)],
            keras.layers.Dense(characters, activation="softmax"),
        ]
    )


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits the model on X and y, numbers of characters (windows, steps); `options` of `training.fit`."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    return training.fit(model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, **options)


def bits_by_counting(learned: np.ndarray, held_out: np.ndarray, before: int, characters: int) -> float:
    """Returns the bits per character of a model that counts which character follows which `before` others.

    Every one of them is counted a tenth of a time more than it was seen, so that none is impossible (Lidstone 1920).
    """
    base = characters ** np.arange(before, -1, -1)
    seen, new = (sliding_window_view(part.astype(np.int64), before + 1) @ base for part in (learned, held_out))

    def count(codes: np.ndarray, of: np.ndarray) -> np.ndarray:
        values, counts = np.unique(codes, return_counts=True)
        places = np.minimum(np.searchsorted(values, of), len(values) - 1)
        return np.where(values[places] == of, counts[places], 0)

    contexts = count(seen // characters, new // characters)
    return float(-np.mean(np.log2((count(seen, new) + 0.1) / (contexts + 0.1 * characters))))


def compare(learned: np.ndarray, held_out: np.ndarray, characters: int) -> list[tuple[str, float]]:
    """Returns what can be known by counting, and the bits per character that it leaves."""
    counted = [bits_by_counting(learned, held_out, before, characters) for before in range(3)]
    return list(zip(KNOWLEDGE, [math.log2(characters), *counted], strict=True))


def show_samples(model: Network, vocabulary: text.Vocabulary, arguments: argparse.Namespace) -> None:
    """Prints what the model writes at each temperature."""
    for temperature in arguments.temperature:
        random = np.random.default_rng(arguments.seed)
        written = text.write(model, vocabulary, arguments.start, temperature, random)
        print(f"\n[temperature {temperature:g}]\n{arguments.start}", end="", flush=True)
        for _ in range(arguments.length):
            print(next(written), end="", flush=True)
        print()


def draw(
    history: training.History, rows: Sequence[tuple[str, float]], answer: np.ndarray, names: list[str], title: str
) -> Any:
    """Returns a figure: how the model learned, what it knows against counting, an answer at three temperatures."""
    figure, ((left, middle, right),) = plots.subplots(1, 3)
    bits = np.array(history.fine["loss"]) / math.log(2)
    charts.draw_curves(
        left, {"LSTM": (history.at, bits)}, y="bits per character, training", title="Learning what comes next"
    )
    left.plot(history.at[-1], bits[-1], "o", color=plots.BLUE)  # all there is of a run that was reported once
    places = np.arange(len(rows))
    middle.barh(places, [bits for _, bits in rows], color=[*[plots.SKY] * (len(rows) - 1), plots.BLUE])
    middle.set_yticks(places, [knows.partition(":")[0] for knows, _ in rows])
    middle.invert_yaxis()
    for place, (_, value) in zip(places, rows, strict=True):
        middle.text(value, place, f" {value:.2f}", va="center")
    middle.set(
        xlabel="bits per character, held-out text", title="What is known, what is left", xlim=(0, 1.2 * rows[0][1])
    )
    likely = np.argsort(-answer)[:8]
    for number, (temperature, colour) in enumerate(zip(TEMPERATURES, plots.COLOURS, strict=False)):
        weights = np.power(np.maximum(answer, 1e-30), 1 / temperature)
        right.bar(
            np.arange(8) + 0.27 * (number - 1), (weights / weights.sum())[likely], 0.27, color=colour,
            label=f"temperature {temperature:g}",
        )  # fmt: skip
    right.set_xticks(np.arange(8), [{" ": "space"}.get(names[i], names[i]) for i in likely])
    right.set(xlabel="next character", ylabel="probability", title=title)
    right.legend(fontsize=13, frameon=False)
    middle.set_axisbelow(True)
    right.set_axisbelow(True)
    return figure


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    parser = cli.lesson_parser(
        docstring,
        epochs=f"as many as read {CHARACTERS:,} characters",
        batch_size=f"{BATCH_SIZE} windows",
        learning_rate=f"{LEARNING_RATE}, falling along a cosine; with --optimizer Keras' own, constant",
        optimizer="adamw",
    )
    add = parser.add_argument
    add("--units", type=cli.whole_number(2), default=128, metavar="N", help="of each LSTM layer (default: 128)")
    add("--layers", type=cli.whole_number(1), default=2, metavar="N", help="LSTM layers, stacked (default: 2)")
    add("--start", default="Alice ", metavar="TEXT", help="how the samples begin (default: 'Alice ')")
    add("--length", type=cli.whole_number(1), metavar="N", help="characters of a sample (default: 300, quick 80)")
    take = "of the samples: below 1 safer, above 1 wilder (default: 0.5 1 1.5)"
    add("--temperature", type=cli.positive_number, nargs="+", default=TEMPERATURES, metavar="T", help=take)
    arguments = cli.parse_lesson(parser, argv)
    if arguments.units > 2048 or arguments.layers > 8:
        parser.error(f"--units, --layers: got {arguments.units} and {arguments.layers}, takes up to 2048 and 8")
    arguments.length = arguments.length or (80 if arguments.quick else 300)
    return arguments


def plan_of(windows: int, arguments: argparse.Namespace) -> Plan:
    """Returns how the model is trained on so many windows."""
    epochs = arguments.epochs or max(1, round(CHARACTERS / (windows * WINDOW)))
    if arguments.quick and not arguments.epochs:
        epochs = 1
    batch_size = arguments.batch_size or (BATCH_SIZE // 2 if arguments.quick else BATCH_SIZE)
    if arguments.optimizer is not None:
        return Plan(arguments.optimizer, arguments.learning_rate, epochs, batch_size)
    return Plan(
        "adamw", arguments.learning_rate or LEARNING_RATE, epochs, batch_size, epochs * -(-windows // batch_size)
    )


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Trains, measures, writes, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("text_generation", arguments, engine)
    whole, source = text.read(arguments.data)
    report.data(source)
    # Nine tenths are learned from, and the last one is kept back; of a long text, as much as the minute allows.
    end = len(whole) * 9 // 10
    most = QUICK_CHARACTERS if arguments.quick else CHARACTERS
    if arguments.epochs is None and end > 1.2 * most:
        print(f"Note      learns from the first {most:,} characters of {end:,}; --epochs 1 reads them all")
        learned_text = whole[:most]
    else:
        learned_text = whole[:end]
    vocabulary = text.Vocabulary.of(learned_text)
    learned, held_out = vocabulary.encode(learned_text), vocabulary.encode(whole[end:][: most // 5])
    print(f"Engine    {engine.prepare(arguments.seed)}")
    print(f"Text      {len(vocabulary) - 1} different characters; {len(held_out):,} of them are kept back")
    if unknown := int(np.sum(held_out == 0)):
        print(f"Note      {unknown} of those never occur in what is learned from: all of them stand as one, unknown")

    X, y = text.windows(learned, WINDOW)
    model = engine.build(len(vocabulary), arguments.units, arguments.layers, arguments.seed)
    report.section(f"{arguments.layers} LSTM layers of {arguments.units}: {as_model(model).count_params():,} weights")
    history = engine.train(
        model, X, y, plan_of(len(X), arguments), arguments.seed, resume=arguments.resume,
        checkpoint=report.checkpoint("text_generation"),
    )  # fmt: skip

    report.section("Bits per character, on text that was kept back")
    bits, accuracy = text.bits_per_character(as_model(model), held_out)
    rows = [*compare(learned, held_out, len(vocabulary)), (f"LSTM, up to {WINDOW} before", bits)]
    print(
        metrics.table(["what is known of a text", "bits per character"], [[name, f"{one:.3f}"] for name, one in rows])
    )
    report.result({"bits_test_log_loss": bits, "test_accuracy": accuracy})
    report.expect("bits_test_log_loss", highest=EXPECTED)
    name = bundle.name_for("text_generation", quick=arguments.quick)
    found = {"bits_test_log_loss": bits, "test_accuracy": accuracy}
    inputs = [bundle.Input("numbers of characters", shape=(WINDOW,), maximum=len(vocabulary) - 1)]
    report.saved(
        *bundle.save(
            arguments.models, name, model, lesson="text_generation", data=source, seed=arguments.seed, inputs=inputs,
            metrics=found, classes=vocabulary.names(), output="next character",
        )
    )  # fmt: skip

    report.section("What it writes, read from the saved file by the NumPy engine")
    reader = Network.from_h5(report.last_model)
    show_samples(reader, vocabulary, arguments)
    if not arguments.no_plots:
        start = arguments.start[-WINDOW:] or "\n"
        answer = reader.forward(vocabulary.encode(start)[None])[0, -1]
        figure = draw(history, rows, answer, vocabulary.names(), f"What follows {start!r}")
        report.saved(plots.save(figure, arguments.plots / "text_generation.png"))
    own = "the text is your own" if arguments.data else ""
    return report.finish(
        use=f"python -m apps.write --model {report.last_model}", no_band=reporting.why_no_band(arguments) or own
    )


if __name__ == "__main__":
    cli.run(main)
