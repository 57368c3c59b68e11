"""What the tests of the three engines share: every model with data for it, the lessons' quick runs, and one thread."""

import contextlib
import functools
import importlib
import json
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from helpers import lesson_runs
from helpers.lesson_runs import Run, assert_no_part_takes_longer, start
from workshop import LESSONS, tables, xor
from workshop.kit.data import images as image_data
from workshop.kit.data import table_encoding
from workshop.kit.data import tables as table_data
from workshop.kit.lazy import nn, torch
from workshop.kit.saving import h5
from workshop.kit.saving.architecture import Architecture
from workshop.kit.training import Recipe, fit_table
from workshop.logistic_regression import load as load_tumours

# Where the lessons of each engine are, below the package `workshop`.
PACKAGES = {"keras": "", "torch": "pytorch.", "numpy": "scratch."}
MIRRORS = ("torch", "numpy")
# The lessons that save models in all three engines, but those whose own tests compare the engines.
_COMPARED_BY_THEIR_OWN = ("autoencoder", "regularization", "rnn")
EACH_LESSON = [
    lesson.name
    for lesson in LESSONS
    if set(lesson.mirrors) == set(MIRRORS) and lesson.trains and lesson.name not in _COMPARED_BY_THEIR_OWN
]
ALL_MIRRORS = [(engine, lesson.name) for lesson in LESSONS for engine in MIRRORS if engine in lesson.mirrors]
IMAGE_LESSONS = ("mnist", "fashion_mnist")
ON_REAL_DATA = (*IMAGE_LESSONS, "tables")  # where something else stands in for the published data
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # for other processes


def module_of(engine: str, lesson: str) -> ModuleType:
    """Returns the module of a lesson in one of the engines."""
    return importlib.import_module(f"workshop.{PACKAGES[engine]}{lesson}")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Lets PyTorch and NumPy compute in one thread, whatever the training loop asks for.

    Threads that wait for each other at every small step take many times as long where other tests run beside.
    """
    import torch
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        patch.setattr(torch, "set_num_threads", lambda threads: None)
        yield
        patch.undo()
        torch.set_num_threads(threads)


def quick_options(lesson: str) -> list[str]:
    """Returns the options of a mirror's run that takes seconds."""
    epochs = dict.fromkeys(EACH_LESSON, "10") | {"tables": "20"} | dict.fromkeys(IMAGE_LESSONS, "1")
    return ["--quick", "--epochs", epochs[lesson]] if lesson in epochs else ["--quick"]


_QUICK_RUNS: dict[tuple[str, str, bool], Run] = {}


def quick_run(engine: str, lesson: str, temporary: pytest.TempPathFactory) -> Run:
    """Returns the quick run of a lesson in one of the engines, made for the first test that asks for it.

    On the real data where the test that asks finds it, else on what stands in for it.
    """
    key = engine, lesson, "WORKSHOP_DATA" in os.environ
    if key[0] == "keras" and not key[2]:
        return lesson_runs.quick_run(lesson, temporary)
    if key not in _QUICK_RUNS:
        folder = temporary.mktemp(f"{engine}-{lesson}")
        _QUICK_RUNS[key] = start(module_of(engine, lesson), folder, *quick_options(lesson), is_drawn=False)
    return _QUICK_RUNS[key]


def assert_same_headings(mirror: Run, lesson: Run) -> None:
    """Compares the headings of a mirror's tables with those of its lesson, but for the ones that name the engine's."""
    headings, expected = (
        [[one for one in row if one not in {"step of train_on_batch", "by autograd"}] for row in run.headings]
        for run in (mirror, lesson)
    )
    assert headings == [row for row in expected if row in headings]


def assert_same_network(mirror: Architecture, lesson: Architecture) -> None:
    """Compares all but the weights: the layers with their activations and other settings, and their shapes."""
    assert mirror.input_shape == lesson.input_shape
    layers, expected = ([(layer.kind, layer.settings) for layer in network.layers] for network in (mirror, lesson))
    assert layers == expected
    shapes, expected_shapes = ([*filter(None, network.weight_shapes())] for network in (mirror, lesson))
    assert shapes == expected_shapes


def assert_tells_the_same(mirror: Run, lesson: Run) -> None:
    """Compares the parts, tables and times that a mirror has, what it says of them and saves, with its lesson's."""
    titles = [title.removesuffix(": # weights") for title in mirror.titles]
    assert titles == [title for title in lesson.titles if title in titles]
    assert_same_headings(mirror, lesson)
    assert_no_part_takes_longer(mirror)
    own = {"engine", "metrics", "versions", "sha256", "seed"}  # all else in a card is the lesson's
    for path in sorted(mirror.models.glob("*.json")):
        card, theirs = (json.loads((run.models / path.name).read_text("utf-8")) for run in (mirror, lesson))
        assert card.keys() == theirs.keys()
        assert {key: card[key] for key in card.keys() - own} == {key: theirs[key] for key in theirs.keys() - own}
        described, expected = (h5.read((run.models / path.name).with_suffix(".h5")) for run in (mirror, lesson))
        assert_same_network(described, expected)


def brighter_in_the_middle(random: np.random.Generator, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns small images of two classes, which only their middle tells apart, to learn from.

    Returns:
        The images (samples, 32, 32, 3) as bytes, and their classes 0 and 1 in turn (samples, 1), float32.
    """
    X = random.integers(0, 200, (samples, 32, 32, 3)).astype(np.uint8)
    classes = np.arange(samples) % 2
    X[classes == 1, 8:24, 8:24] += 55
    return X, classes.astype(np.float32)[:, None]


# --- Every model, with data for it ------------------------------------------------------------------------------------


class Samples(NamedTuple):
    """What a model is asked, and the true answers.

    Attributes:
        X: inputs in their own units, samples first: cells of a table, images as bytes.
        y: targets as the lesson trains on them: (samples, outputs), or the numbers of the classes.
        part: which metrics in the model's card are for these samples, "train" or "test".
    """

    X: Any
    y: np.ndarray
    part: str


def applicants() -> Samples:
    X, y = table_data.read_table(table_data.shipped_table("admission")).split_two_classes()
    return Samples(X, y[:, None], "train")


def houses() -> Samples:
    X, y = table_data.read_table(table_data.shipped_table("houses")).split_numbers()
    return Samples(X, y[:, None], "train")


def houses_of_the_test() -> Samples:
    from sklearn.model_selection import train_test_split

    X, y = table_data.read_table(table_data.shipped_table("housing")).split_numbers()
    _, X, _, y = train_test_split(X, y, test_size=0.2, random_state=1)
    return Samples(X, y[:, None], "test")


def tumours() -> Samples:
    from sklearn.model_selection import train_test_split

    cases = load_tumours(None)
    X, y = cases.X, cases.y
    _, X, _, y = train_test_split(X, y, test_size=0.25, stratify=y, random_state=1)
    return Samples(X, y[:, None], "test")


def corners() -> Samples:
    return Samples(xor.X_CORNERS, xor.Y_CORNERS[:, None], "train")


def near_the_corners() -> Samples:
    X, y = xor.noisy_points(40, 0.1, np.random.default_rng(1))
    return Samples(X, y[:, None], "train")


def rows(table: str) -> Samples:
    found = table_encoding.find(table, tables.STANDINS[table])
    task = table_encoding.prepare(found, 1, None, {})
    y = np.eye(len(task.classes), dtype=np.float32)[task.y] if task.classes else task.y[:, None]
    return Samples([found.rows[i][:-1] for i in task.test], y[task.test], "test")


@functools.cache
def image_set(name: str, folder: str | None) -> image_data.ImageSet:
    """Returns an image set; `folder` is that of the real data, which makes the difference between two calls."""
    return image_data.load_image_set(name)


def images(name: str) -> Samples:
    found = image_set(name, os.environ.get("WORKSHOP_DATA"))
    return Samples(found.X_test, found.y_test, "test")


class Case(NamedTuple):
    """A model and what it is tested with.

    Attributes:
        lesson: whose model it is.
        loss: that the lesson trains it with, by Keras' name.
        samples: its test data or, where there is none, its training data.
        step: how many samples make a step. A CNN gets two, for the reason that `settled_order` in test_engines.py has.
        rates: of SGD (momentum, whose steps add up to ten times their size, gets a tenth of it), and of RMSprop and
            Adam. So high that the weights move by much more than what may part them, and so low that nothing diverges.
        learns_from: other samples to learn from, where `samples` leave nothing to learn.
    """

    lesson: str
    loss: str
    samples: Callable[[], Samples]
    step: int
    rates: tuple[float, float]
    learns_from: Callable[[], Samples] | None = None

    def recipe(self, optimizer: str, samples: int) -> Recipe:
        """Returns how the model is trained for 50 steps, or so many more that the last epoch is whole."""
        rate = self.rates[optimizer in ("rmsprop", "adam")] / (10 if optimizer == "momentum" else 1)
        epochs = -(-50 // -(-samples // self.step))
        return Recipe(epochs, rate, batch_size=self.step, optimizer=optimizer, schedule=False)

    @property
    def torch_loss(self) -> Any:
        """The loss in PyTorch, which takes logits for cross-entropies."""
        if self.loss == "mean_squared_error":
            return nn.MSELoss()
        return nn.BCEWithLogitsLoss() if self.loss == "binary_crossentropy" else nn.CrossEntropyLoss()


def train(engine: str, case: Case, model: Any, X: np.ndarray, y: np.ndarray, recipe: Recipe, seed: int) -> list[float]:
    """Trains a model as its lesson does in this engine; returns the losses of the epochs.

    Args:
        engine: in Keras it is compiled as the lesson compiles it; the mirrors have a loop of their own.
        case: the model's.
        model: loaded, with the weights to start from.
        X, y: what goes in, images as bytes, and targets.
        recipe: how it is trained.
        seed: of the order of the samples.
    """
    if engine == "keras":
        model.compile(recipe.make_optimizer(), case.loss)
        inputs = image_data.scale_pixels(X) if X.dtype == np.uint8 else X
        history = fit_table(model, inputs, y, epochs=recipe.epochs, batch_size=recipe.batch_size, seed=seed, verbose=0)
        return list(history.history["loss"])
    lesson = module_of(engine, case.lesson)
    if engine == "numpy":
        from workshop.scratch.nn.state import TrainingState as NumpyState

        state: Any = NumpyState(None, recipe, verbose=0)
        lesson.train(model, X, y, seed, state)
        return list(state.history["loss"])
    from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
    from workshop.pytorch.kit.state import TrainingState

    samples = ArrayDataset(X, y, image_data.scale_pixels if X.dtype == np.uint8 else None)
    batches = SeededBatches(len(samples), recipe.batch_size, seed)
    loader = torch.utils.data.DataLoader(samples, sampler=batches, batch_size=None)
    state = TrainingState(None, recipe, model, verbose=0)
    lesson.train(with_logits(model.module, case), loader, state)
    return list(state.history["loss"])


def with_logits(module: Any, case: Case) -> Any:
    """Returns a network that was loaded as the lesson's own class is: it takes its channels first and gives logits."""
    from workshop.pytorch.kit.layout import ChannelsFirst

    layers = [layer for layer in module if not isinstance(layer, ChannelsFirst)]
    return nn.Sequential(*layers if case.loss == "mean_squared_error" else layers[:-1])


CASES = {
    "admission": Case("admission", "binary_crossentropy", applicants, 8, (0.3, 0.01)),
    "houses": Case("linear_regression", "mean_squared_error", houses, 2, (0.01, 0.05)),
    "house_price": Case("linear_regression", "mean_squared_error", houses_of_the_test, 8, (0.02, 10.0)),
    "logistic_regression": Case("logistic_regression", "binary_crossentropy", tumours, 8, (0.2, 0.01)),
    # The corners are known by heart: their losses are of 1e-13, their gradients nothing but rounding.
    "xor": Case("xor", "mean_squared_error", corners, 8, (0.2, 0.01), near_the_corners),
    "concrete": Case("tables", "mean_squared_error", functools.partial(rows, "concrete"), 8, (1e-5, 0.005)),
    "car": Case("tables", "categorical_crossentropy", functools.partial(rows, "car"), 8, (0.05, 0.001)),
    **{
        f"{name}_{kind}": Case(
            name,
            "sparse_categorical_crossentropy",
            functools.partial(images, name),
            2 if kind == "cnn" else 8,
            (0.01, 0.0005),
        )
        for name in IMAGE_LESSONS
        for kind in ("dense", "cnn")
    },
}


def in_its_own_units(samples: Samples) -> Any:
    """Returns inputs as a console program has them: pixels from 0 to 1, cells of a table."""
    return image_data.scale_pixels(samples.X) if getattr(samples.X, "dtype", None) == np.uint8 else samples.X


def assert_same_answers(answers: dict[str, np.ndarray]) -> None:
    """They differ by less than 1e-5 of the output, or of 1 where it is smaller: a price of 4,000 has no more digits."""
    assert {answer.dtype for answer in answers.values()} == {np.dtype(np.float32)}
    stacked = np.stack([*answers.values()]).astype(np.float64)
    assert (np.ptp(stacked, axis=0) <= 1e-5 * np.maximum(1, np.abs(stacked).max(axis=0))).all()
