"""An image read row by row: recurrent networks, which keep in a state what they have read.

A digit of 28x28 pixels is a sequence of 28 rows. You build three networks that read it from the top: a SimpleRNN, an
LSTM and a GRU. Before that you compute an LSTM's gates by hand, see that NumPy, Keras and PyTorch agree on all three
cells and on their gradients, and look at how far back a gradient reaches: in a SimpleRNN it fades, or it explodes.

    python -m workshop.rnn                              # the three, compared; then look into the folder plots
    python -m workshop.rnn --cell lstm --read last      # one of them, which answers from its last state alone
    python -m workshop.rnn --cell gru --layers 2 --units 32 --clip 1
    python -m workshop.rnn --quick                      # a first look, in seconds
    python -m workshop.rnn --preset course              # two layers of 256, ten epochs: an hour or more on a CPU

Expected, with the defaults on MNIST: SimpleRNN at least 97 % of the test images right, LSTM and GRU at least 98.5 %,
all three within a minute on two CPU cores. The defaults answer from the states after all rows; from the last state
alone (`--read last`) the same epochs leave an LSTM at about 98 %. The preset of the course reads so: 98.73, 99.22 and
99.24 % (SimpleRNN, LSTM, GRU); the course has 97.83, 98.76 and 97.84 %. Without MNIST: scikit-learn's digits.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from workshop.kit import cell_engines, classifier, cli, device, metrics, plots, training, unrolling
from workshop.kit import report as reporting
from workshop.kit.classifier import Settings
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.engine import Engine, Plan
from workshop.kit.lazy import keras
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model
from workshop.scratch.nn.cells import GRU, LSTM, SimpleRNN
from workshop.scratch.nn.layers import Dense
from workshop.scratch.nn.losses import make_loss
from workshop.scratch.nn.network import LAYERS, Network
from workshop.scratch.nn.recurrent import Recurrent

CELLS = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
SETTINGS = {"simple": Settings(3, 0.005, 0.97), "lstm": (gated := Settings(2, 0.014, 0.985)), "gru": gated}
COURSE = {"simple": Settings(10, 5e-4, 0.9783), "lstm": Settings(10, 0.002, 0.9876), "gru": Settings(10, 0.002, 0.9784)}
PRESETS: dict[str | None, dict[str, Any]] = {
    None: {"units": 48, "layers": 1, "read": "all", "settings": SETTINGS},
    "course": {"units": 256, "layers": 2, "read": "last", "settings": COURSE},
}
READS = {"last": "answering from the last state", "all": "answering from all states"}
BATCH_SIZE = 192
STEPS, UNITS = 100, 32  # of the gradients that fade
# An LSTM of one unit to compute by hand: W, U and b of its gates.
BY_HAND = {"i": (1.0, 0.5, 0.0), "f": (0.5, -1.0, 1.0), "g": (2.0, 1.0, 0.0), "o": (1.0, 0.0, 0.5)}


def build(cell: str, arguments: argparse.Namespace) -> Any:
    """Returns a network: (28 rows, 28 pixels) -> recurrent layers -> its last state, or all 28 -> 10 probabilities."""
    layers: list[Any] = [keras.layers.Input((28, 28))]
    for i in range(arguments.layers):
        # A layer that another one reads, and a last one whose states all count, gives back each of its states.
        passes_all = i < arguments.layers - 1 or arguments.read == "all"
        layers.append(getattr(keras.layers, CELLS[cell])(arguments.units, return_sequences=passes_all))
    layers += [keras.layers.Flatten()] if arguments.read == "all" else []
    return keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])


def train(model: Any, X: np.ndarray, y: np.ndarray, plan: Plan, seed: int, **options: Any) -> training.History:
    """Compiles and fits a network on X, bytes (images, 28, 28), and y, their classes; `options` of `training.fit`."""
    optimizer = training.make_optimizer(plan.optimizer, plan.learning_rate, plan.steps)
    optimizer.global_clipnorm = plan.clip
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return training.fit(
        model, X, y, epochs=plan.epochs, batch_size=plan.batch_size, seed=seed, preprocess=scale_pixels, **options
    )


def lstm_of_one_unit(inputs: Sequence[float]) -> float:
    """Returns the state with which the LSTM layer in NumPy ends, with the weights of `BY_HAND`."""
    layer = LSTM(1)
    layer.build((len(inputs), 1), np.random.default_rng(0), np.float64)
    for weight, column in zip(layer.parameters.values(), np.transpose([*BY_HAND.values()]), strict=True):
        weight[...] = column
    return float(layer.forward(np.reshape(inputs, (1, -1, 1)))[0, 0])


def fresh_cells(random: np.random.Generator) -> dict[str, Recurrent]:
    """Returns cells as they are before they learn, and some that differ in one thing."""
    relu, forgets, keeps = SimpleRNN(UNITS, "relu"), LSTM(UNITS), LSTM(UNITS)
    cells: dict[str, Recurrent] = {
        "SimpleRNN, tanh": SimpleRNN(UNITS), "SimpleRNN, relu, U doubled": relu, "GRU": GRU(UNITS),
        "LSTM, forget bias 0": forgets, "LSTM, forget bias 1": LSTM(UNITS), "LSTM, forget bias 3": keeps,
    }  # fmt: skip
    for layer in cells.values():
        layer.build((STEPS, 8), random, np.float64)
    relu.parameters["recurrent_kernel"] *= 2
    for layer, bias in ((forgets, 0), (keeps, 3)):
        layer.parameters["bias"][UNITS : 2 * UNITS] = bias
    return cells


def gradient_by_distance(layer: Recurrent, random: np.random.Generator) -> np.ndarray:
    """Returns the norm of the last state's gradient by each step's input (STEPS,), the last one first and 1."""
    X, direction = random.normal(size=(16, STEPS, 8)), random.normal(size=(16, UNITS))
    layer.forward(X)
    dX = layer.backward(direction)
    norms = np.linalg.norm(dX, axis=2).mean(axis=0)[::-1]
    return np.asarray(norms / norms[0])


def clip_gradients(gradients: dict[str, np.ndarray], limit: float) -> None:
    """Shortens the gradient by all weights together to the norm `limit`; it keeps its direction (Pascanu 2013)."""
    norm = np.sqrt(sum(float(np.sum(gradient**2)) for gradient in gradients.values()))
    for gradient in gradients.values():
        gradient *= min(1.0, limit / norm)


def learn_means(limit: float | None, seed: int) -> list[float]:
    """Returns the losses of a SimpleRNN with relu that learns the mean of 100 numbers, by plain gradient descent.

    U starts as 1.1 times the identity: each step makes the state a tenth larger, all 100 of them 14,000 times.
    """
    random = np.random.default_rng(seed)
    network = Network([SimpleRNN(16, "relu"), Dense(1)], (STEPS, 1), seed, np.float64)
    network.parameters["0/recurrent_kernel"][...] = 1.1 * np.eye(16)
    loss = make_loss("mean_squared_error")
    losses: list[float] = []
    while len(losses) < 60 and np.isfinite(losses).all():
        X = random.uniform(size=(32, STEPS, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            Y = network.forward(X)
            losses.append(network.measure(Y, X.mean(axis=1), loss))
            network.backward(Y, X.mean(axis=1), loss)
            if limit is not None:
                clip_gradients(network.gradients, limit)
            for name, weight in network.parameters.items():
                weight -= 0.03 * network.gradients[name]
    return losses


def look_into_the_cells(report: reporting.Report) -> None:
    """What needs no training: the gates by hand, the libraries, the gradient that fades or explodes, clipping."""
    seed = report.arguments.seed
    random = np.random.default_rng(seed)
    report.section("Two steps of an LSTM of one unit, by hand")
    print(unrolling.lstm_table(inputs := [1.0, -0.5], BY_HAND))
    print(f"The layer in NumPy ends with h = {lstm_of_one_unit(inputs):.4f}.")
    report.section("The cells in NumPy against finite differences, Keras and PyTorch: largest differences")
    headings, cells, worst = cell_engines.compare([LAYERS[kind] for kind in CELLS.values()], random)
    print(f"{metrics.table(headings, cells)}\n{cell_engines.WHERE_WEIGHTS_GO}")
    for name, error in worst.items():
        report.result({f"{name}_test_max_error": error})
        report.expect(f"{name}_test_max_error", highest=1e-5 if name.endswith("forward") else 1e-4)
    report.section(f"How much of the gradient is left so many steps back, in cells of {UNITS} units before training")
    fading = {name: gradient_by_distance(layer, random) for name, layer in fresh_cells(random).items()}
    rows = [[name, *left[[1, 10, 30, STEPS - 1]].tolist()] for name, left in fading.items()]
    print(metrics.table(["", "1", "10", "30", str(STEPS - 1)], rows))
    losses = {"as it is": learn_means(None, seed), "clipped to norm 1": learn_means(1, seed)}
    report.section("Clipping: a SimpleRNN with relu, U = 1.1 I, learns the mean of 100 numbers")
    for name, values in losses.items():
        print(f"gradient {name}: loss {values[0]:.1e}, at step {len(values) - 1} {values[-1]:.1e}")
    if not report.arguments.no_plots:
        figure = unrolling.gradient_figure(fading, losses)
        report.saved(plots.save(figure, report.arguments.plots / "rnn-gradient.png"))


def learn(cell: str, images: ImageSet, report: reporting.Report) -> tuple[training.History, list[object], float]:
    """Builds, trains, measures and saves a network; returns how it learned, its row of the table, its accuracy."""
    arguments, engine, settings = report.arguments, report.engine, report.arguments.settings[cell]
    model = engine.build(cell, arguments, arguments.seed)
    weights = as_model(model).count_params()
    report.section(f"{CELLS[cell]}: {weights:,} weights")
    plan = classifier.plan_of(settings, BATCH_SIZE, len(images.X_train), arguments)._replace(clip=arguments.clip)
    started = time.perf_counter()
    history = engine.train(
        model, images.X_train[..., 0], images.y_train, plan, arguments.seed, resume=arguments.resume,
        checkpoint=report.checkpoint(f"rnn_{cell}"),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    probabilities = training.predict(model, images.X_test[..., 0], preprocess=scale_pixels)
    accuracy = metrics.accuracy(images.y_test, probabilities)
    print(f"{accuracy:.2%} of {len(images.X_test):,} test images right")
    found = {"train_accuracy": history.epochs["accuracy"][-1], "test_accuracy": accuracy}
    prefix = f"{cell}_" if len(arguments.cells) > 1 else ""
    report.result({f"{prefix}{name}": value for name, value in found.items()})
    report.expect(f"{prefix}test_accuracy", settings.expected)
    paths = bundle.save(
        arguments.models, bundle.name_for(f"rnn_{cell}", quick=arguments.quick, standin=images.is_standin), model,
        lesson="rnn", data=images.source, seed=arguments.seed, metrics=found, classes=images.classes,
        inputs=[bundle.Input("image", shape=(28, 28))],
    )  # fmt: skip
    report.saved(*paths)
    return history, [CELLS[cell], f"{weights:,}", f"{seconds:.1f}", f"{accuracy:.2%}"], accuracy


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options."""
    rates = "0.005 simple, 0.014 lstm and gru, falling along a cosine; with --optimizer Keras' own, constant"
    batch = f"{BATCH_SIZE}; 32 with --optimizer"
    parser = cli.lesson_parser(
        docstring, epochs="2 or 3; course 10", batch_size=batch, learning_rate=rates, optimizer="adamw", data="DIR"
    )
    add, number = parser.add_argument, cli.whole_number
    add("--cell", choices=[*CELLS, "all"], default="all", help="(default: all, compared)")
    add("--layers", type=number(1), metavar="N", help="recurrent layers, stacked (default: 1; course 2)")
    add("--units", type=number(1), metavar="N", help="numbers of each layer's state (default: 48; course 256)")
    take = "what answers: the last row's state, or those of all rows (default: all; course last)"
    add("--read", choices=["last", "all"], help=take)
    add("--clip", type=cli.positive_number, metavar="NORM", help="shorten longer gradients to it (default: not at all)")
    add("--preset", choices=["course"], help="two layers of 256 units, 10 epochs, from the last state")
    arguments = cli.parse_lesson(parser, argv)
    own = [f"--{name}" for name in ("layers", "units", "read", "clip") if getattr(arguments, name) is not None]
    arguments.own = f"{', '.join(own)} given" if own else ""
    for name, value in PRESETS[arguments.preset].items():
        if getattr(arguments, name, None) is None:
            setattr(arguments, name, value)
    if arguments.units > 2048 or arguments.layers > 8:
        parser.error(f"--units, --layers: got {arguments.units} and {arguments.layers}, takes up to 2048 and 8")
    arguments.cells = list(CELLS) if arguments.cell == "all" else [arguments.cell]
    return arguments


KERAS = Engine("keras", __doc__, device.prepare, device.seeded(build), train)


def main(argv: Sequence[str] | None = None, engine: Engine = KERAS) -> dict[str, float]:
    """Looks into the cells, trains, compares, saves and draws; returns the metrics."""
    arguments = parse(engine.docstring, argv)
    report = reporting.Report("rnn", arguments, engine)
    images = load_image_set("mnist", arguments.data)
    images = images.first(1000, 500) if arguments.quick else images
    report.data(images.source, images.place)
    print(f"Engine    {engine.prepare(arguments.seed)}")
    if engine is KERAS:
        look_into_the_cells(report)
    histories, rows, accuracies, thought = {}, [], {}, {}
    X = scale_pixels(images.X_test[:3, ..., 0])
    for cell in arguments.cells:
        histories[CELLS[cell]], row, accuracies[CELLS[cell]] = learn(cell, images, report)
        rows.append(row)
        thought[CELLS[cell]] = unrolling.beliefs(Network.from_h5(report.last_model), X)
    title = f"{arguments.layers} x {arguments.units} units, {READS[arguments.read]}"
    report.section(title)
    print(metrics.table(["cell", "weights", "seconds", "test images right"], rows))
    if not arguments.no_plots:
        compared = unrolling.comparison_figure(histories, accuracies, title)
        rows_read = unrolling.belief_figure(X, thought, images.y_test[:3], images.classes)
        for name, figure in (("rnn", compared), ("rnn-rows", rows_read)):
            report.saved(plots.save(figure, arguments.plots / f"{name}.png"))
    use = f"python -m apps.digit --model {report.last_model} YOUR-PICTURE.png"
    return report.finish(use=use, no_band=reporting.why_no_band(arguments, images.is_standin) or arguments.own)


if __name__ == "__main__":
    cli.run(main)
