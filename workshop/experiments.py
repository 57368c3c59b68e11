"""The workshop's second day: one change at a time, and what each is worth in accuracy and in seconds.

Sigmoids and plain gradient descent read some 89 % of the digits. You climb from there: Adam, relu, more units, a second
hidden layer, more epochs, a CNN. Each rung is a training by itself: they run side by side, in processes, and each is
written down as soon as it is finished, so that a run that was stopped goes on.

    python -m workshop.experiments                     # six rungs of the ladder on MNIST, and the other parts
    python -m workshop.experiments fashion_mnist --full        # all ten rungs, on the garments
    python -m workshop.experiments --part break        # two ways to break it, and what Keras says of them
    python -m workshop.experiments --part rate         # the learning rate times ten until the loss oscillates
    python -m workshop.experiments --part batch        # the batch size doubled while accuracy per second gains

Any lesson's options make a grid, the lesson's name first:

    python -m workshop.experiments mnist --grid model=dense optimizer=sgd,adam activation=sigmoid,relu
    python -m workshop.experiments mnist --grid model=dense hidden_units=0,128,512+128 seed=1,2,3
    python -m workshop.experiments mnist --grid model=dense no_scaling=yes,no --cluster tcp://HOST:8786

An option is written NAME=VALUE,VALUE,... as `python -m workshop.mnist --help` names it, with _ for -; several numbers
are joined with +, and one that takes no value is yes or no. The rows are in the folder `experiments`: what is there is
not run again, unless you delete the file. Expected on MNIST: 87 to 92 % at the foot, over 97 % with Adam and
relu. About 50 s on two CPU cores; with --full 4 minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import importlib
import importlib.util
import io
import itertools
import json
import math
import os
import re
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from workshop import LESSONS
from workshop.figures import experiments as figures
from workshop.kit import cli, device, files, training
from workshop.kit.data.images import ImageSet, load_image_set, scale_pixels
from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.report import Report, format_table
from workshop.kit.saving import bundle

T = TypeVar("T")
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

Row = dict[str, str]  # of a table: the cells by the names of the columns, as they are in a CSV


class ImageSource(NamedTuple):
    """Where another machine finds the images: as a lesson would there.

    Attributes:
        name: of the set.
        folder: that `--data` names.
        quick: whether the first images are enough.
        title: of the set that was found here, which it must be there.
    """

    name: str
    folder: Path | None
    quick: bool
    title: str


@functools.cache
def load_here(source: ImageSource) -> ImageSet:
    """Loads the images on a machine of a cluster, once for all rows that it trains."""
    images = load_image_set(source.name, source.folder, quick=source.quick)
    if images.source != source.title:
        raise WorkshopError(
            f"--cluster: a worker found {images.source}, not {source.title}: set WORKSHOP_DATA to a folder there"
        )
    return images


def on_images(task: Callable[..., T], source: ImageSet | ImageSource, *given: Any) -> T:
    """Runs a task on the images that came with it or, on a machine of a cluster, are found there."""
    return task(load_here(source) if isinstance(source, ImageSource) else source, *given)


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


def train_rung(images: ImageSet, rung: Rung, seed: int) -> Row:
    """Trains and evaluates one rung; returns what its row of the table has."""
    device.prepare(seed)
    preprocess = scale_pixels if rung.scales_pixels else keep_pixels
    batches = training.shuffled_batches(images.X_train, images.y_train, BATCH_SIZE, seed, preprocess)
    with device.scope(seed):
        model = build(rung)
    model.compile(
        optimizer=rung.optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=device.steps_per_execution(),
    )
    started = time.perf_counter()
    history = model.fit(batches, epochs=rung.epochs, shuffle=False, verbose=0)
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
        f"{round(0.005 * test):,}. Of two networks as good as each other, with 98 % of the test images right, one "
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
        said = fit_and_catch(model, X, y)
        texts.append(f"{name}: outputs of shape {model.output_shape}\n    {said}\n{reason}")
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
    way = max(float(np.abs(steps).sum()), 1e-12)
    return float(steps[steps > 0].sum()) / way if np.isfinite(losses).all() else 1.0


def descend(X: np.ndarray, y: np.ndarray, rate: float, seed: int) -> list[float]:
    """Returns the losses of plain gradient descent on the network of the third rung, from the same start each time."""
    with device.scope(seed):
        model = build(LADDER["relu"])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="sparse_categorical_crossentropy")
    # model.fit takes the same arguments and ends with the same weights, but each epoch needs 30 ms for itself.
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
    table = format_table(["learning rate", "first loss", "last loss", "way upwards", ""], rows)
    curves = {f"{tried:g}": ([*range(1, len(values) + 1)], values) for tried, values in sorted(losses.items())}
    return Findings(table, {"chosen_rate_train_log_loss": losses[chosen][-1]}, curves, chosen)


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
    """Doubles the batch size from 32 while the accuracy per second gains."""
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
    headings = ["batch size", "steps an epoch", "test accuracy", "seconds an epoch", "accuracy a second"]
    table = format_table(headings, rows)
    text = (
        f"{table}\nOf these {sizes[best]:g} has the most accuracy a second, and {sizes[int(np.argmax(accuracies))]:g} "
        f"the most accuracy: a large batch makes fewer steps in an epoch."
    )
    curves = {"test accuracy": (sizes, accuracies), "accuracy a second": (sizes, per_second)}
    metrics = {"batch_32_test_accuracy": accuracies[0], "batch_chosen_test_accuracy": accuracies[best]}
    return Findings(text, metrics, curves, sizes[best])


# --- Any lesson's options as a grid -----------------------------------------------------------------------------------

# The grid itself decides on these: a row saves no model over a good one, and writes its own table.
RESERVED = ("help", "models", "plots", "no_plots", "json", "resume", "quick", "tensorboard")


def read_grid(words: Sequence[str]) -> list[Row]:
    """Returns every combination of the values in words such as "optimizer=sgd,adam".

    Raises:
        WorkshopError: a word is of another form, or names an option that the grid decides on.
    """
    values: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        found = [value for value in text.split(",") if value]
        if not (re.fullmatch("[a-z][a-z0-9_]*", name) and equals and found):
            raise WorkshopError(f"--grid: got {word}, takes NAME=VALUE,VALUE,... such as optimizer=sgd,adam")
        if name in values or name in RESERVED:
            why = "a grid names an option once" if name in values else "a grid decides on it by itself"
            raise WorkshopError(f"--grid: got {word}, but {why}")
        values[name] = [*dict.fromkeys(found)]
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def as_options(row: Mapping[str, str]) -> list[str]:
    """Returns the options of a combination as they are typed: ["--hidden-units", "128", "64", "--no-scaling"]."""
    options = []
    for name, value in row.items():
        if value != "no":
            options.append(f"--{name.replace('_', '-')}")
        if value not in ("yes", "no"):
            options += re.split(r"(?<!\d[eE])\+", value)  # 1e+3 is one number
    return options


def check_options(lesson: str, rows: Iterable[Row], extra: Sequence[str]) -> None:
    """Has the lesson's own parser read every combination, before anything runs.

    Raises:
        WorkshopError: it refuses one.
    """
    module = importlib.import_module(f"workshop.{lesson}")
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                try:
                    module.parse(module.__doc__, [*as_options(row), *extra, "--models", folder, "--no-plots"])
                    continue
                except SystemExit:
                    pass
            reason = said.getvalue().removeprefix("error: ").partition(" (--help lists")[0]
            raise WorkshopError(f"--grid: {reason} (python -m workshop.{lesson} --help lists the options)")


def run_lesson(lesson: str, options: Sequence[str]) -> Row:
    """Runs a lesson with its models in a folder that is then deleted; returns what its row of the table has."""
    module = importlib.import_module(f"workshop.{lesson}")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        try:
            module.main([*options, "--models", folder, "--no-plots", "--json"])
        except (WorkshopError, SystemExit) as error:  # one row that fails leaves the others alone
            text = said.getvalue() if isinstance(error, SystemExit) else str(error)
            return {"error": text.strip()}
    answer = json.loads(output.getvalue().splitlines()[-1])
    measured = {name: "nan" if value is None else str(value) for name, value in answer["metrics"].items()}
    return {**measured, "seconds": f"{answer['seconds']:.2f}", "data": answer["data"]}


def choose_metric(rows: Sequence[Row]) -> str:
    """Returns the metric that rows are sorted by: the first on test data that all have, an accuracy before others."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    for ending in ("test_accuracy", "validation_accuracy", "test_", "validation_", "train_"):
        for name in names:
            if ending in name:
                return name
    return "seconds"


# --- The rows, in a file ----------------------------------------------------------------------------------------------


class Rows:
    """The finished rows of a table, in a CSV file that each is appended to.

    A run that is killed loses the rows that were being trained, and no other.

    Args:
        path: of the file. What is in it is read; half a line at its end is left out.
        key: the columns that tell one row from another; they come first.

    Raises:
        WorkshopError: the file is another table.
    """

    def __init__(self, path: Path, key: Sequence[str]) -> None:
        self.path, self.key = path, [*key]
        self.rows: list[Row] = []
        self._columns: list[str] = []  # of the file, where a line can be appended to it
        if path.exists():
            self._read()

    def _read(self) -> None:
        with contextlib.suppress(UnicodeDecodeError):
            text, _, half = self.path.read_text("utf-8").rpartition("\n")
            columns, *lines = [*csv.reader(text.splitlines())] or [self.key]
            if columns[: len(self.key)] == self.key and all(len(cells) == len(columns) for cells in lines):
                self.rows = [{name: cell for name, cell in zip(columns, cells, strict=True) if cell} for cells in lines]
                self._columns = [] if half else columns
                return
        raise WorkshopError(
            f"{self.path} is no table of {', '.join(self.key)}, ... with as many cells in each line: "
            f"move it away, or take another --results"
        )

    def find(self, key: Mapping[str, str]) -> Row | None:
        """Returns the row with these cells, or None where it is not there yet."""
        return next((row for row in self.rows if all(row.get(name) == key[name] for name in self.key)), None)

    def append(self, row: Row) -> None:
        """Adds a row, and waits until it is on the disk."""
        self.rows.append(row)
        columns = [*dict.fromkeys([*self._columns, *(name for row in self.rows for name in row)])]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        if columns == self._columns:
            writer.writerow(row)
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        else:  # the first row, one with another metric than those before it, or the one after half a line
            writer.writeheader()
            writer.writerows(self.rows)
            files.write_atomically(self.path, text.getvalue().encode())
            self._columns = columns


# --- Side by side -----------------------------------------------------------------------------------------------------

CONNECT_SECONDS = 10
_one_at_a_time = threading.Lock()


def run_task(name: str, task: Callable[[], T], cores: int | None) -> tuple[str, T]:
    """Runs a task in whatever process it was sent to; returns its name as well, as the next one may be done before.

    Args:
        name: of the task.
        task: prepared with its arguments.
        cores: how many it may use; None, all there are.
    """
    # The screen and Keras' seed are the process's: a worker of Dask that has several threads takes one at a time.
    with _one_at_a_time, contextlib.redirect_stdout(io.StringIO()):
        if keras.config.backend() == "tensorflow":  # this imports Keras, before any clock is started
            # It takes the networks of one process, each compiled once, for one that is compiled too often.
            tensorflow.get_logger().setLevel("ERROR")
            if cores is not None:  # the other backends are told by joblib
                with contextlib.suppress(RuntimeError):  # this process has computed before, with as many cores
                    tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
        try:
            return name, task()
        finally:
            keras.utils.clear_session()  # the next network is built in the memory of this one


def side_by_side(tasks: Mapping[str, Callable[[], T]], arguments: argparse.Namespace) -> Iterator[tuple[str, T]]:
    """Yields the result of each task, with its name, as soon as it is finished.

    Raises:
        WorkshopError: no scheduler or no worker answers, or a process was ended by the system.
    """
    from joblib import Parallel, delayed, parallel_config

    if not tasks:
        return
    with contextlib.ExitStack() as stack:
        backend = {"backend": "loky", "n_jobs": arguments.jobs}
        if arguments.cluster:
            backend = {"backend": "dask", "n_jobs": -1, "client": stack.enter_context(connect(arguments.cluster))}
        # A process that has grown is replaced by a new one, which is no reason to warn.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        # A row is sent when there is a process for it, and no more than one: what is finished comes back at once.
        with parallel_config(**backend):
            parallel = Parallel(batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")
        try:
            yield from parallel(delayed(run_task)(name, task, arguments.cores) for name, task in tasks.items())
        except BrokenProcessPool as error:
            raise WorkshopError(
                "a process was ended from outside, perhaps for want of memory: the same command goes on with what is "
                "missing, and takes less with --jobs 1"
            ) from error


@contextlib.contextmanager
def connect(address: str) -> Iterator[Any]:
    """Connects to the scheduler of Dask at an address.

    Raises:
        WorkshopError: there is none, or it has no workers.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkshopError(
            f"--cluster {address}: no scheduler answers there; `dask scheduler` starts one and prints its address, "
            f"such as tcp://HOST:8786"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise WorkshopError(
                f"--cluster {address}: the scheduler has no workers; `dask worker {address} --nthreads 1` starts one"
            )
        yield client


# --- The run ----------------------------------------------------------------------------------------------------------


def parse(docstring: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the options of the command line; `grid` becomes the combinations, `parts` what is to be run."""
    parser = cli.lesson_parser(docstring, data="DIR")
    add = parser.add_argument
    add("lesson", nargs="?", metavar="LESSON", help="mnist (default) or fashion_mnist; with --grid any that trains")
    add("--part", choices=[*PARTS, "all"], help=f"(default: {', '.join(DEFAULT_PARTS)})")
    add("--full", action="store_true", help="all ten rungs of the ladder, instead of six")
    add("--grid", nargs="+", metavar="NAME=VALUE,...", help="run the lesson with every combination of these options")
    text = "processes side by side (default: 2; 1 with --quick and on a stand-in)"
    add("--jobs", type=cli.whole_number(1), metavar="N", help=text)
    add("--cluster", metavar="ADDRESS", help="of a Dask scheduler, whose workers run the rows")
    add("--results", type=Path, default=Path("experiments"), metavar="DIR", help="for the rows (default: experiments)")
    known, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(f"got {' '.join([*unknown, *filter(None, [known.lesson])])}, takes a lesson's name and options")
    arguments = cli.parse_lesson(parser, argv)
    arguments.lesson = arguments.lesson or "mnist"
    lessons = [lesson.name for lesson in LESSONS if lesson.trains] if arguments.grid else IMAGE_SETS
    if arguments.lesson not in lessons:
        others = "" if arguments.grid else "; with --grid NAME=VALUE,... any lesson that trains"
        parser.error(f"got {arguments.lesson}, takes {', '.join(lessons)}{others}")
    if arguments.grid:
        for option, given in (("data", arguments.data), ("full", arguments.full), ("part", arguments.part)):
            if given:
                parser.error(f"--{option} is of the ladder; a grid has its lesson's own options, as NAME=VALUE")
        arguments.grid = read_grid(arguments.grid)
        check_options(arguments.lesson, arguments.grid, shared_options(arguments))
    if arguments.cluster and arguments.jobs:
        parser.error("--jobs is of this machine, --cluster has as many as it has workers: leave out one of the two")
    if arguments.cluster and importlib.util.find_spec("distributed") is None:
        raise WorkshopError('--cluster: Dask is not installed: python -m pip install "dask[distributed]"')
    files.check_writable(arguments.results, "--results")
    arguments.parts = PARTS if arguments.part == "all" else (arguments.part,) if arguments.part else DEFAULT_PARTS
    return arguments


def shared_options(arguments: argparse.Namespace) -> list[str]:
    """Returns the options that every row of a grid has besides its own."""
    seed = [] if "seed" in arguments.grid[0] else ["--seed", str(arguments.seed)]
    return [*seed, *(["--quick"] if arguments.quick else [])]


def choose_jobs(report: Report) -> None:
    """Chooses how many processes run side by side, and says where."""
    arguments, cores = report.arguments, os.cpu_count() or 1
    arguments.cores = None  # all there are
    if arguments.cluster:
        report.engine(f"Keras on the workers of {arguments.cluster}")
        return
    if arguments.jobs is None:  # a process imports Keras first, which takes longer than a quick run
        arguments.jobs = 1 if arguments.quick or report.is_standin else min(2, cores)
    if arguments.jobs == 1:
        report.engine(f"Keras, CPU cores: {cores}")
        return
    arguments.cores = max(1, cores // arguments.jobs)
    report.engine(f"Keras in {arguments.jobs} processes, CPU cores each: {arguments.cores}")


def collect(
    report: Report, rows: Rows, keys: Mapping[str, Row], tasks: Mapping[str, Callable[[], Row | Findings]]
) -> dict[str, Findings]:
    """Runs the tasks that are not done yet, writes each row when it is finished, and returns what is no row.

    Args:
        report: of the run.
        rows: those that are there already, and the file.
        keys: for each task that makes a row, the cells that it begins with.
        tasks: what is to be run, the longest first.
    """
    missing = {name: task for name, task in tasks.items() if name not in keys or rows.find(keys[name]) is None}
    if len(missing) < len(tasks):
        print(f"{len(tasks) - len(missing)} rows are in {rows.path} and not run again; without the file they are")
    findings: dict[str, Findings] = {}
    done = itertools.count(1)
    for name, result in side_by_side(missing, report.arguments):
        if isinstance(result, Findings):
            findings[name] = result
            said = "done"
        else:
            rows.append({**keys[name], **result})
            said = result.get("error") or describe(result)
        print(f"{next(done)} of {len(missing)}  {name}: {said}", flush=True)
    return findings


def describe(row: Row) -> str:
    """Returns in words how a row ended."""
    metric = choose_metric([row])
    return f"{metric.replace('_', ' ')} {as_cell(metric, row[metric])}, {row['seconds']} s"


def as_cell(column: str, text: str) -> str:
    """Returns a cell of the CSV as the table on the screen shows it."""
    if column.endswith("accuracy"):
        return f"{float(text):.2%}"
    if column == "weights":
        return f"{int(text):,}"
    is_measured = column == "seconds" or re.search("train_|validation_|test_", column)
    return f"{float(text):.4g}" if is_measured else text


def show_rows(
    report: Report, found: Mapping[str, Row], columns: Sequence[str], metric: str, name: str, title: str
) -> list[Row]:
    """Prints rows as a table, the best first, and draws them; returns them in this order.

    Args:
        report: of the run.
        found: the rows by their names in the plot.
        columns: of the table, before the metrics.
        metric: that the rows are sorted by.
        name: of the plot's file.
        title: of the plot.
    """
    is_error = metric.endswith(("_error", "_loss"))
    names = sorted(found, key=lambda name: float(found[name][metric]) * (1 if is_error else -1))
    best_first = [found[name] for name in names]
    on_training = re.sub("validation_|test_", "train_", metric)
    has_both = on_training != metric and all(on_training in row for row in best_first)
    shown = [*columns, *([on_training] if has_both else []), metric, "seconds"]
    headings = [column.replace("_", " ") for column in shown]
    print(format_table(headings, [[as_cell(column, row[column]) for column in shown] for row in best_first]))

    def numbers(column: str) -> list[float]:
        return [float(row[column]) for row in best_first]

    trains = numbers(on_training) if has_both else None
    score = re.sub("validation_|test_", "", metric).replace("_", " ")
    report.plot(name, figures.scores, names, numbers("seconds"), numbers(metric), trains, score, title)
    return best_first


def run_ladder(report: Report, images: ImageSet) -> None:
    """Trains the rungs and the other parts side by side, and shows what each found."""
    arguments = report.arguments
    source = ImageSource(images.name, arguments.data, arguments.quick, images.source) if arguments.cluster else images
    rungs = [*LADDER] if arguments.full else [*DEFAULT_RUNGS]
    keys = {rung: {"rung": rung, "seed": str(arguments.seed), **LADDER[rung].settings} for rung in rungs}
    name = bundle.name_for(f"{images.name}-ladder", quick=arguments.quick, standin=images.is_standin)
    rows = Rows(arguments.results / f"{name}.csv", [*keys["sgd"]])
    parts = {"break": break_it, "rate": find_rate, "batch": double_batch_size}
    tasks: dict[str, Callable[[], Row | Findings]] = {
        part: functools.partial(on_images, parts[part], source, arguments.seed)
        for part in arguments.parts
        if part in parts
    }
    if "ladder" in arguments.parts:
        for rung in reversed(rungs):  # those that take longest come first: in the end no process waits for the other
            tasks[rung] = functools.partial(on_images, train_rung, source, LADDER[rung], arguments.seed)
    report.section("Training, side by side")
    findings = collect(report, rows, keys, tasks)
    prefix = "" if images.name == "mnist" else "fashion_"

    if "ladder" in arguments.parts:
        report.section(f"The ladder on {images.source}")
        found = {rung: row for rung in rungs if (row := rows.find(keys[rung])) is not None}
        columns = ["rung", *LADDER["sgd"].settings, "weights"]
        plot = f"experiments-{images.name}"
        show_rows(report, found, columns, "test_accuracy", plot, f"The ladder on {images.source}")
        sigmoid, relu = float(found["adam"]["seconds"]), float(found["relu"]["seconds"])
        print(f"Relu takes {relu:.1f} s where sigmoid takes {sigmoid:.1f} s: {relu / sigmoid:.2f} of the time.")
        print(half_percent(len(images.X_train), len(images.X_test)))
        print(f"The rows are in {rows.path}")
        for rung, row in found.items():
            measured = {metric: float(row[metric]) for metric in ("train_accuracy", "test_accuracy")}
            report.result(measured, model=f"{prefix}{rung}")
    titles = {
        "break": "Two ways to break it",
        "rate": "The learning rate: times ten until the loss oscillates, then half of it",
        "batch": "The batch size: doubled while the accuracy a second gains",
    }
    for part, found_by_part in sorted(findings.items(), key=lambda item: PARTS.index(item[0])):
        report.section(titles[part])
        print(found_by_part.text)
        report.result({f"{prefix}{metric}": value for metric, value in found_by_part.metrics.items()})
    if "rate" in findings:
        report.plot("experiments-rate", figures.learning_rates, findings["rate"].curves, findings["rate"].chosen)
    if "batch" in findings:
        report.plot("experiments-batch", figures.batch_sizes, findings["batch"].curves, findings["batch"].chosen)


def run_grid(report: Report) -> None:
    """Runs a lesson with every combination of options, and shows which was best."""
    arguments = report.arguments
    lesson, options, extra = arguments.lesson, [*arguments.grid[0]], shared_options(arguments)
    combinations = {" ".join(f"{name}={value}" for name, value in row.items()): row for row in arguments.grid}
    keys = {name: {"seed": str(arguments.seed), **row} for name, row in combinations.items()}
    name = bundle.name_for("-".join([lesson, *options]), quick=arguments.quick)
    rows = Rows(arguments.results / f"{name}.csv", [*keys[next(iter(keys))]])
    tasks = {
        name: functools.partial(run_lesson, lesson, [*as_options(row), *extra]) for name, row in combinations.items()
    }
    report.section(f"Training, side by side: {lesson} with {len(tasks)} combinations of options")
    collect(report, rows, keys, tasks)

    found = {name: row for name in tasks if (row := rows.find(keys[name])) is not None}
    finished = {name: row for name, row in found.items() if "error" not in row}
    report.section(f"The grid of {lesson}")
    for source in dict.fromkeys(row["data"] for row in finished.values() if "data" in row):
        report.data(source)
    if finished:
        metric = choose_metric([*finished.values()])
        best, *_ = show_rows(report, finished, options, metric, f"experiments-{lesson}-grid", f"The grid of {lesson}")
        report.result({metric: float(best[metric])}, model="best")
    for name in found.keys() - finished.keys():
        print(f"No result: {name}: {found[name]['error']}")
    print(f"The rows are in {rows.path}")


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
