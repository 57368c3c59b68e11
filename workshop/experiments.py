"""The workshop's second day: one change at a time, and what each is worth in accuracy and in seconds.

Sigmoids and plain gradient descent read some 89 % of the digits. You climb from there: Adam, relu, more units, a second
hidden layer, more epochs, a CNN. Each rung is a training by itself: they run side by side, in processes, and each is
written down as soon as it is finished, so that a run that was stopped goes on.

    python -m workshop.experiments                     # six rungs of the ladder on MNIST, and the other parts
    python -m workshop.experiments fashion_mnist --full        # all ten rungs, on the garments
    python -m workshop.experiments --part break        # two ways to break it, and what Keras says of them
    python -m workshop.experiments --part rate         # the learning rate times ten until the loss oscillates
    python -m workshop.experiments --part batch        # the batch size doubled while accuracy per second rises

Any lesson's options make a grid, the lesson's name first:

    python -m workshop.experiments mnist --grid model=dense optimizer=sgd,adam activation=sigmoid,relu
    python -m workshop.experiments mnist --grid model=dense hidden_units=0,128,512+128 seed=1,2,3
    python -m workshop.experiments mnist --grid model=dense no_scaling=yes,no --cluster tcp://HOST:8786
    python -m workshop.experiments q_learning --grid part=cliff epsilon=0.05,0.1,0.3

An option is written NAME=VALUE,VALUE,... as `python -m workshop.mnist --help` names it, with _ for -; several numbers
are joined with +, and one that takes no value is yes or no. The rows are in the folder `experiments`: what is there is
not run again, unless you delete the file. They are sorted by the accuracy on test data or, where
none differs, by the next metric that does: of an error the lowest first.

Expected on MNIST: 87 to 92 % at the foot, over 97 % with Adam and relu; about 50 s on two CPU cores. With --full, in 4
minutes: 97.8 % with 1,024 units, 97.8 and 98.1 % after 15 and 30 epochs, 99.1 % with the CNN. The garments' rungs go
from 80 % at the foot to 88.9 % after 30 epochs and 89.6 % with the CNN.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workshop import LESSONS
from workshop.figures import experiments as figures
from workshop.grid.options import check_options, read_grid
from workshop.grid.rows import Row, Rows
from workshop.grid.run import collect, run_grid, shared_options
from workshop.grid.table import show_rows
from workshop.grid.workers import ImageSource, check_dask, choose_jobs, on_images
from workshop.kit import cli, device, files, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.files import FilePath
from workshop.kit.lazy import keras
from workshop.kit.report import Report, format_table
from workshop.kit.saving import bundle

IMAGE_SETS = ("mnist", "fashion_mnist")
PARTS = ("ladder", "break", "rate", "batch")
DEFAULT_PARTS = ("ladder", "break", "rate")
BATCH_SIZE = 32  # Keras' own

# --- The ladder -------------------------------------------------------------------------------------------------------


class Rung(NamedTuple):
    """One network of the ladder and its training.

    Attributes:
        hidden_units: of the dense layers before the last one, which has ten.
        activation: of these layers.
        optimizer: Keras' name; it has Keras' own learning rate.
        epochs: passes over the training images.
        scales_pixels: whether the pixels are numbers from 0 to 1; else from 0 to 255, as they are in the file.
        filters: of 3x3 convolutions before the dense layers, a 2x2 pooling behind each.
    """

    hidden_units: tuple[int, ...] = (128,)
    activation: str = "relu"
    optimizer: str = "adam"
    epochs: int = 5
    scales_pixels: bool = True
    filters: tuple[int, ...] = ()

    @property
    def work(self) -> tuple[bool, int]:
        """The size of the computation in its training, to put rungs in order: largest where there are convolutions."""
        return bool(self.filters), self.epochs * sum(self.hidden_units)

    @property
    def settings(self) -> dict[str, str]:
        """The rung in words, for a table."""
        return {
            "layers": "-".join(map(str, ("CNN" if self.filters else 784, *self.filters, *self.hidden_units, 10))),
            "activation": self.activation,
            "optimizer": self.optimizer,
            "epochs": str(self.epochs),
            "pixels": "0 to 1" if self.scales_pixels else "0 to 255",
        }


# The first three climb; each of the others changes one thing of the third.
LADDER = {
    "sgd": Rung(activation="sigmoid", optimizer="sgd"),
    "adam": Rung(activation="sigmoid"),
    "relu": Rung(),
    "units_512": Rung((512,)),
    "units_1024": Rung((1024,)),
    "two_layers": Rung((128, 128)),
    "epochs_15": Rung(epochs=15),
    "epochs_30": Rung(epochs=30),
    "unscaled": Rung(scales_pixels=False),
    "cnn": Rung(filters=(32, 32)),
}
DEFAULT_RUNGS = ("sgd", "adam", "relu", "units_512", "two_layers", "unscaled")


def keep_pixels(images: Any) -> Any:
    """Returns the pixels as numbers from 0 to 255: what is forgotten where nothing is scaled."""
    return 255 * scale_pixels(images)


def build(rung: Rung) -> keras.Sequential:
    """Returns the network of a rung, from images (28, 28, 1) to ten probabilities."""
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in rung.filters:
        model.add(keras.layers.Conv2D(filters, 3, activation=rung.activation))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for units in rung.hidden_units:
        model.add(keras.layers.Dense(units, activation=rung.activation))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


def train_rung(images: ImageSet, name: str, seed: int, logs: FilePath | None) -> Row:
    """Trains and evaluates one rung; returns what its row of the table has. `logs` is TensorBoard's folder."""
    device.prepare(seed)
    rung = LADDER[name]
    preprocess = scale_pixels if rung.scales_pixels else keep_pixels
    X_train = preprocess(images.X_train)
    with device.scope(seed):
        model = build(rung)
    model.compile(optimizer=rung.optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    started = time.perf_counter()
    # fit_table ends with the weights of model.fit, bit for bit. A step of 32 images takes half a millisecond on one
    # core, and model.fit nearly as long to prepare it.
    history = training.fit_table(
        model,
        X_train,
        images.y_train,
        epochs=rung.epochs,
        batch_size=BATCH_SIZE,
        seed=seed,
        callbacks=training.tensorboard(logs, name),
        verbose=0,
    )
    seconds = time.perf_counter() - started
    _, test_accuracy = model.evaluate(preprocess(images.X_test), images.y_test, batch_size=1000, verbose=0)
    return {
        "weights": str(model.count_params()),
        "train_accuracy": str(history.history["accuracy"][-1]),
        "test_accuracy": str(test_accuracy),
        "seconds": f"{seconds:.2f}",
        "data": images.source,
    }


def half_percent(train: int, test: int) -> str:
    """Returns in words how many images 0.5 % are, and what chance does to a test accuracy of 98 %."""
    chance = 2 * math.sqrt(2 * 0.98 * 0.02 / test)  # two standard errors of the difference of two shares
    return (
        f"0.5 % of the {train:,} training images are {round(0.005 * train):,}, of the {test:,} test images "
        f"{round(0.005 * test):,}. Of two equally good networks, with a test accuracy of 98 %, one "
        f"often seems {chance:.1%} better by chance."
    )


# --- Two ways to break it ---------------------------------------------------------------------------------------------


class Findings(NamedTuple):
    """The result of a part.

    Attributes:
        text: for the screen.
        metrics: for the report.
        curves: for the plot, x and y by the names of the curves.
        chosen: the value that was chosen, by name, and the one that was too much.
    """

    text: str
    metrics: dict[str, float]
    curves: dict[str, tuple[list[float], list[float]]]
    chosen: float


def build_without_flatten() -> keras.Sequential:
    """Returns the network of the third rung, its Flatten forgotten."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def build_with_five_outputs() -> keras.Sequential:
    """Returns the network of the third rung with five output units, though the labels go from 0 to 9."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )


BROKEN: dict[str, tuple[Callable[[], keras.Sequential], str]] = {
    "No Flatten": (
        build_without_flatten,
        "Dense works on the last axis, the one number of a pixel: ten probabilities for each pixel, not for the image.",
    ),
    "Five output units for ten classes": (
        build_with_five_outputs,
        "A label is the number of the unit that ought to be on, and there is no unit 5 to 9. On a GPU the loss is nan.",
    ),
}


def fit_and_catch(model: keras.Sequential, X: np.ndarray, y: np.ndarray) -> str:
    """Returns the message of Keras, in one line, for a network that does not fit the data."""
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    try:
        history = model.fit(X, y, batch_size=BATCH_SIZE, verbose=0)
    except Exception as error:  # each backend raises another
        # TensorFlow names the place in the graph first, then says what is wrong, then names the place again.
        lines = [line for line in str(error).partition("[[{{node")[0].splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[-1].partition('  Label values')[0]}"
    return f"no message; the loss is {history.history['loss'][-1]:.4g}"


def break_it(images: ImageSet, seed: int) -> Findings:
    """Trains two networks that do not fit the data; returns what Keras says, and why.

    Without `device.prepare`: operations that give the same bits each time complain in other words than a student's.
    """
    X, y = scale_pixels(images.X_train[:1000]), images.y_train[:1000]
    texts = []
    for name, (build_broken, reason) in BROKEN.items():
        with device.scope(seed):
            model = build_broken()
        message = fit_and_catch(model, X, y)
        texts.append(f"{name}: outputs of shape {model.output_shape}\n    {message}\n{reason}")
    return Findings("\n\n".join(texts), {}, {}, 0)


# --- The learning rate ------------------------------------------------------------------------------------------------

FIRST_RATE = 0.001
LAST_RATE = 1000.0
RATE_IMAGES = 1000  # all of them in each step, so that the rate alone can make the loss rise
RATE_STEPS = 100
OSCILLATES = 0.15  # from this share of the way upwards


def share_upwards(losses: Sequence[float]) -> float:
    """Returns which share of its way the loss went upwards: 0 where it only falls, 0.5 where it comes to nothing."""
    steps = np.diff(losses)
    length = max(float(np.abs(steps).sum()), 1e-12)
    return float(steps[steps > 0].sum()) / length if np.isfinite(losses).all() else 1.0


def descend(X: np.ndarray, y: np.ndarray, rate: float, seed: int) -> list[float]:
    """Returns the losses of plain gradient descent on the network of the third rung, from the same start each time."""
    with device.scope(seed):
        model = build(LADDER["relu"])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy")
    # fit_table ends with the weights of model.fit, bit for bit, without its overhead of 30 ms an epoch.
    history = training.fit_table(model, X, y, epochs=RATE_STEPS, batch_size=len(X), seed=seed, verbose=0)
    return [float(loss) for loss in history.history["loss"]]


def find_rate(images: ImageSet, seed: int) -> Findings:
    """Takes the learning rate times ten until the loss oscillates, then half of it."""
    device.prepare(seed)
    X, y = scale_pixels(images.X_train[:RATE_IMAGES]), images.y_train[:RATE_IMAGES]
    losses: dict[float, list[float]] = {}
    rate = FIRST_RATE
    while True:
        losses[rate] = descend(X, y, rate, seed)
        if share_upwards(losses[rate]) >= OSCILLATES or rate >= LAST_RATE:
            break
        rate = float(f"{10 * rate:g}")
    chosen = rate / 2
    losses[chosen] = descend(X, y, chosen, seed)
    rows = [
        [f"{tried:g}", values[0], values[-1], f"{share_upwards(values):.0%}", verdict]
        for tried, values in losses.items()
        for verdict in ["oscillates" if tried == rate else "chosen: half of it" if tried == chosen else ""]
    ]
    text = format_table(["learning rate", "first loss", "last loss", "share of increases", ""], rows)
    if losses[rate][-1] < losses[chosen][-1]:
        text += f"\nAt {rate:g} the loss still ends lowest: half of it is the careful choice, not always the quickest."
    curves = {f"{tried:g}": ([*range(1, len(values) + 1)], values) for tried, values in sorted(losses.items())}
    return Findings(text, {"chosen_rate_train_log_loss": losses[chosen][-1]}, curves, chosen)


# --- The batch size ---------------------------------------------------------------------------------------------------


def measure_batch_size(images: ImageSet, X_test: np.ndarray, batch_size: int, seed: int) -> tuple[float, float]:
    """Returns the test accuracy after two epochs of the third rung, and the seconds of the second one.

    In the first one TensorFlow compiles the step.
    """
    batches = training.shuffled_batches(images.X_train, images.y_train, batch_size, seed, scale_pixels)
    with device.scope(seed):
        model = build(LADDER["relu"])
    model.compile(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=device.steps_per_execution(),
    )
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()))
    model.fit(batches, epochs=2, shuffle=False, callbacks=[clock], verbose=0)
    _, accuracy = model.evaluate(X_test, images.y_test, batch_size=1000, verbose=0)
    return accuracy, times[1] - times[0]


def double_batch_size(images: ImageSet, seed: int) -> Findings:
    """Doubles the batch size from 32 while the accuracy per second rises."""
    device.prepare(seed)
    X_test = scale_pixels(images.X_test)
    sizes: list[float] = []
    accuracies: list[float] = []
    per_second: list[float] = []
    rows: list[list[object]] = []
    size = BATCH_SIZE
    while size <= len(images.X_train):
        accuracy, seconds = measure_batch_size(images, X_test, size, seed)
        sizes.append(size)
        accuracies.append(accuracy)
        per_second.append(accuracy / seconds)
        steps = math.ceil(len(images.X_train) / size)
        rows.append([size, f"{steps:,}", f"{accuracy:.2%}", f"{seconds:.2f}", f"{accuracy / seconds:.2%}"])
        if len(sizes) > 1 and per_second[-1] <= per_second[-2]:
            break
        size *= 2
    best = int(np.argmax(per_second))
    headings = ["batch size", "steps per epoch", "test accuracy", "seconds per epoch", "accuracy per second"]
    table = format_table(headings, rows)
    text = (
        f"{table}\nOf these, {sizes[best]:g} has the highest accuracy per second, and "
        f"{sizes[int(np.argmax(accuracies))]:g} the highest accuracy: with larger batches an epoch has fewer steps."
    )
    curves = {"test accuracy": (sizes, accuracies), "accuracy per second": (sizes, per_second)}
    metrics = {"batch_32_test_accuracy": accuracies[0], "batch_chosen_test_accuracy": accuracies[best]}
    return Findings(text, metrics, curves, sizes[best])


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; `grid` becomes the combinations, `parts` what is to be run."""
    parser = cli.lesson_parser(docstring, data="DIR")
    add = parser.add_argument
    add("lesson", nargs="?", metavar="LESSON", help="mnist (default) or fashion_mnist; with --grid any other")
    add("--part", choices=[*PARTS, "all"], help=f"(default: {', '.join(DEFAULT_PARTS)})")
    add("--full", action="store_true", help="all ten rungs of the ladder, instead of six")
    add("--grid", nargs="+", metavar="NAME=VALUE,...", help="run the lesson with every combination of these options")
    text = "processes side by side (default: 2; 1 with --quick and on a stand-in)"
    add("--jobs", type=cli.whole_number(1), metavar="N", help=text)
    add("--cluster", metavar="ADDRESS", help="address of a Dask scheduler whose workers run the rows")
    cli.add_tensorboard(parser)
    add("--results", type=Path, default=Path("experiments"), metavar="DIR", help="for the rows (default: experiments)")
    known, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(f"got {' '.join([*unknown, *filter(None, [known.lesson])])}, takes a lesson's name and options")
    arguments = cli.parse_lesson(parser, argv)
    arguments.lesson = arguments.lesson or "mnist"
    lessons = [lesson.name for lesson in LESSONS if lesson.name != "experiments"] if arguments.grid else IMAGE_SETS
    if arguments.lesson not in lessons:
        others = "" if arguments.grid else "; with --grid NAME=VALUE,... any lesson but experiments"
        parser.error(f"got {arguments.lesson}, takes {', '.join(lessons)}{others}")
    if arguments.grid:
        for option in ("data", "full", "part", "tensorboard"):
            if getattr(arguments, option):
                parser.error(f"--{option} applies to the ladder; a grid takes its lesson's own options, as NAME=VALUE")
        arguments.grid = read_grid(arguments.grid)
        check_options(arguments.lesson, arguments.grid, shared_options(arguments))
    if arguments.cluster and arguments.jobs:
        parser.error("use either --jobs or --cluster: a cluster runs one job per worker")
    if arguments.cluster:
        check_dask()
    files.check_writable(arguments.results, "--results")
    arguments.parts = PARTS if arguments.part == "all" else (arguments.part,) if arguments.part else DEFAULT_PARTS
    return arguments


def run_ladder(report: Report, images: ImageSet) -> None:
    """Trains the rungs and the other parts side by side, and shows what each found."""
    arguments = report.arguments
    source = ImageSource(images.name, arguments.data, arguments.quick, images.source) if arguments.cluster else images
    rungs = [*LADDER] if arguments.full else [*DEFAULT_RUNGS]
    keys = {rung: {"rung": rung, "seed": str(arguments.seed), **LADDER[rung].settings} for rung in rungs}
    # Writing logs takes time, and a rung that has its row is not trained again: rows with logs are kept apart.
    ladder = f"{images.name}-ladder-tensorboard" if arguments.tensorboard else f"{images.name}-ladder"
    name = bundle.name_for(ladder, quick=arguments.quick, standin=images.is_standin)
    rows = Rows(arguments.results / f"{name}.csv", [*keys["sgd"]])
    parts = {"break": break_it, "rate": find_rate, "batch": double_batch_size}
    tasks: dict[str, Callable[[], Row | Findings]] = {
        part: functools.partial(on_images, parts[part], source, arguments.seed)
        for part in arguments.parts
        if part in parts
    }
    if "ladder" in arguments.parts:
        # Those that take longest come first: in the end no process waits for the other.
        for rung in sorted(rungs, key=lambda name: LADDER[name].work, reverse=True):
            tasks[rung] = functools.partial(on_images, train_rung, source, rung, arguments.seed, arguments.tensorboard)
    report.section("Training, side by side")
    findings = collect(report, rows, keys, tasks)
    prefix = "" if images.name == "mnist" else "fashion_"

    if "ladder" in arguments.parts:
        report.section(f"The ladder on {images.source}")
        by_rung = {rung: row for rung in rungs if (row := rows.find(keys[rung])) is not None}
        columns = ["rung", *LADDER["sgd"].settings, "weights"]
        plot = f"experiments-{images.name}"
        show_rows(report, by_rung, columns, "test_accuracy", plot, f"The ladder on {images.source}")
        sigmoid, relu = float(by_rung["adam"]["seconds"]), float(by_rung["relu"]["seconds"])
        print(f"Relu takes {relu:.1f} s where sigmoid takes {sigmoid:.1f} s: {relu / sigmoid:.2f} of the time.")
        print(half_percent(len(images.X_train), len(images.X_test)))
        print(f"The rows are in {rows.path}")
        for rung, row in by_rung.items():
            measured = {metric: float(row[metric]) for metric in ("train_accuracy", "test_accuracy")}
            report.result(measured, model=f"{prefix}{rung}")
    titles = {
        "break": "Two ways to break it",
        "rate": "The learning rate: times ten until the loss oscillates, then half of it",
        "batch": "The batch size: doubled while the accuracy per second rises",
    }
    for part, part_findings in sorted(findings.items(), key=lambda item: PARTS.index(item[0])):
        report.section(titles[part])
        print(part_findings.text)
        report.result({f"{prefix}{metric}": value for metric, value in part_findings.metrics.items()})
    if "rate" in findings:
        report.plot("experiments-rate", figures.learning_rates, findings["rate"].curves, findings["rate"].chosen)
    if "batch" in findings:
        report.plot("experiments-batch", figures.batch_sizes, findings["batch"].curves, findings["batch"].chosen)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains side by side, compares and plots; returns the metrics."""
    arguments = parse(__doc__, argv)
    report = Report("experiments", arguments)
    if arguments.grid:
        choose_jobs(report)
        run_grid(report)
    else:
        images = load_image_set(arguments.lesson, arguments.data, quick=arguments.quick)
        report.data(images.source, images.place, images.is_standin)
        choose_jobs(report)
        run_ladder(report, images)
    return report.finish()


if __name__ == "__main__":
    # The processes know this module by its name: what is defined in `__main__` would have to be sent to them.
    from workshop import experiments

    cli.run(experiments.main, stopped="stopped; the same command goes on with the rows that are missing")
