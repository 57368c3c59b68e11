"""What the lessons on photographs share: their options, and timing, judging, saving and drawing trained networks."""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from workshop.kit import cli, metrics, plots
from workshop.kit import report as reporting
from workshop.kit.data import images as image_data
from workshop.kit.engine import Plan
from workshop.kit.photos import dataset as photos
from workshop.kit.photos.augmentation import Augmentation
from workshop.kit.plots import charts
from workshop.kit.plots import images as image_plots
from workshop.kit.saving import bundle
from workshop.kit.saving.model import as_model
from workshop.kit.training.history import History

MANY = 1000  # photographs, of which steps enough are made even with larger batches, and with smaller pictures first
_SMALLEST = 32  # pixels, of which five halvings leave one
_QUICK = 40  # photographs of each class and part
_MOST_MEASURED = 2000  # training photographs that the training accuracy is measured on
_MOST_WATCHED = 200  # validation photographs that are looked at after every epoch; at the end all are
_LISTED = 5  # pictures that were left out, on the screen


class Settings(NamedTuple):
    """How a network is trained unless the options say otherwise, and what that reaches.

    Attributes:
        pictures: how many it sees in all; a set of fewer is seen several times.
        learning_rate: the highest, with AdamW, whose rate warms up and then falls along a cosine; else constant.
        optimizer: its name on the command line.
        augmentation: how the pictures are changed at random, or not at all.
        expected: the lowest validation accuracy of a default run on the published photographs; 0 for none.
    """

    pictures: int
    learning_rate: float
    optimizer: str = "adamw"
    augmentation: Augmentation | None = None
    expected: float = 0.0

    def without_augmentation(self) -> "Settings":
        """Returns the settings with the pictures left as they are."""
        return self._replace(augmentation=None)

    def epochs(self, samples: int) -> int:
        """Returns how often so many pictures are seen by default."""
        return min(60, max(3, round(self.pictures / samples)))

    def sides(self, size: int, epochs: int, samples: int) -> list[int] | None:
        """Returns the side of the pictures in each epoch, or None where it is always `size`.

        Of many photographs most epochs are on smaller pictures, whose pixels are half as many: shapes and colours are
        learned from these as well, and the last epochs add what only the whole size shows. Such progressive resizing
        is told of by Howard (fast.ai, 2018) and Tan and Le (EfficientNetV2, 2021).
        """
        if self.augmentation is None or samples < MANY:
            return None
        smaller = max(_SMALLEST, round(0.75 * size))
        return [smaller if epoch < int(0.7 * epochs) else size for epoch in range(epochs)]

    def plan(self, samples: int, batch_size: int, arguments: argparse.Namespace) -> Plan:
        """Returns how a network is trained on so many pictures, by the options or else by these settings."""
        epochs = arguments.epochs or (4 if arguments.quick else self.epochs(samples))
        batch_size = arguments.batch_size or batch_size
        if arguments.optimizer is not None:
            return Plan(arguments.optimizer, arguments.learning_rate, epochs, batch_size)
        steps = epochs * -(-samples // batch_size) if self.optimizer == "adamw" else None
        return Plan(self.optimizer, arguments.learning_rate or self.learning_rate, epochs, batch_size, steps)


def parser(module_docstring: str | None, settings: Mapping[str, Settings], batch_size: int | str) -> cli.Parser:
    """Returns a parser with the options of a lesson that trains these networks on photographs."""
    made = cli.lesson_parser(
        module_docstring,
        epochs=", ".join(f"{one.epochs(280)} {kind}" for kind, one in settings.items()) + " on 280 photographs",
        batch_size=str(batch_size),
        learning_rate=", ".join(f"{one.learning_rate:g} {kind}" for kind, one in settings.items()),
        optimizer=", ".join(f"{one.optimizer} {kind}" for kind, one in settings.items()),
        data="PHOTOS",
    )
    cli.add_precision(made)
    return made


def load(report: reporting.Report, size: int) -> photos.PhotoSet:
    """Loads the lesson's photographs, fewer for a quick run; says which they are and what was left out."""
    found = photos.load_photos(report.arguments.data, size, _QUICK if report.arguments.quick else None)
    report.data(found.source, found.place)
    counts = np.bincount(found.y_train, minlength=len(found.classes))
    print(f"Classes   {', '.join(f'{name} ({count})' for name, count in zip(found.classes, counts, strict=True))}")
    for line in found.left_out[:_LISTED]:
        print(f"Left out  {line}")
    if len(found.left_out) > _LISTED:
        print(f"Left out  {len(found.left_out) - _LISTED:,} more")
    return found


def why_no_band(arguments: argparse.Namespace, found: photos.PhotoSet) -> str:
    """Returns why a run cannot be held against the lesson's expected band, or an empty text where it can."""
    if arguments.data is not None and not arguments.quick:
        return "the photographs are your own"
    return reporting.why_no_band(arguments, found.is_standin)


def targets(y: np.ndarray, classes: int) -> np.ndarray:
    """Returns classes as a network learns them: of two, float32 (samples, 1), 0 or 1; else as they are."""
    return y.astype(np.float32)[:, None] if classes == 2 else y


def probabilities(model: Any, X: np.ndarray) -> np.ndarray:
    """Returns the probability of each class for pictures X, uint8: (samples, classes), for one output too."""
    answers = as_model(model).predict(X, preprocess=image_data.scale_pixels)
    return np.hstack([1 - answers, answers]) if answers.shape[1] == 1 else answers


def for_generator(augmentation: Augmentation) -> dict[str, Any]:
    """Returns the same kinds of changes as Keras' ImageDataGenerator takes them."""
    return {
        "horizontal_flip": augmentation.flip > 0,
        "rotation_range": augmentation.rotation,
        "shear_range": augmentation.shear,
        "width_shift_range": augmentation.shift,
        "height_shift_range": augmentation.shift,
        "zoom_range": augmentation.zoom,
        "brightness_range": (1 - augmentation.contrast, 1 + augmentation.contrast),
        "channel_shift_range": 255 * augmentation.brightness,
    }


def verbosity() -> int:
    """Returns what Keras' `verbose` should be: a bar that moves on a screen, a line an epoch elsewhere."""
    return 1 if sys.stdout.isatty() else 2


class Comparison:
    """Networks trained on the same photographs, one after another.

    Args:
        found: the photographs.
        report: the lesson's.
    """

    def __init__(self, found: photos.PhotoSet, report: reporting.Report) -> None:
        self._found, self._report = found, report
        X, y = found.X_validation, found.y_validation
        if len(X) > _MOST_WATCHED:
            some = np.sort(np.random.default_rng(0).permutation(len(X))[:_MOST_WATCHED])
            X, y = X[some], y[some]
        self.validation_data = (X, targets(y, len(found.classes)))
        self._seconds: dict[str, float] = {}
        self._histories: dict[str, History] = {}
        self._rows: list[list[object]] = []

    @contextmanager
    def learning(self, kind: str, model: Any, plan: Plan, sides: list[int] | None) -> Iterator[None]:
        """Says what begins, and takes the time that an epoch needs."""
        weights = as_model(model).count_params()
        self._report.section(
            f"{kind}: {weights:,} weights, {plan.epochs} epochs of {len(self._found.X_train):,} pictures"
        )
        if sides is not None and sides[0] != sides[-1]:
            print(f"The first {sides.count(sides[0])} epochs are on pictures of {sides[0]}x{sides[0]}")
        started = time.perf_counter()
        yield
        self._seconds[kind] = (time.perf_counter() - started) / plan.epochs

    def judge(self, kind: str, model: Any, history: History, settings: Settings) -> None:
        """Measures a trained network on pictures that it knows and on new ones, saves it and draws its mistakes."""
        found, report, arguments = self._found, self._report, self._report.arguments
        self._histories[kind] = history
        some = np.random.default_rng(0).permutation(len(found.X_train))[:_MOST_MEASURED]
        some.sort()
        train_accuracy = metrics.accuracy(found.y_train[some], probabilities(model, found.X_train[some]))
        answers = probabilities(model, found.X_validation)
        accuracy = metrics.accuracy(found.y_validation, answers)
        print(f"{accuracy:.1%} of {len(found.X_validation):,} validation pictures right")
        measured = {"train_accuracy": train_accuracy, "validation_accuracy": accuracy}
        prefix = "" if arguments.model == kind else f"{kind}_"
        report.result({f"{prefix}{name}": value for name, value in measured.items()})
        if settings.expected:
            report.expect(f"{prefix}validation_accuracy", settings.expected)
        gap = f"{100 * (train_accuracy - accuracy):+.1f}"
        row = [kind, f"{as_model(model).count_params():,}", f"{self._seconds[kind]:.2f}"]
        self._rows.append([*row, f"{train_accuracy:.1%}", f"{accuracy:.1%}", gap])
        report.saved(
            *bundle.save(
                arguments.models,
                bundle.name_for(f"{report.lesson}_{kind}", quick=arguments.quick, standin=found.is_standin),
                model,
                lesson=report.lesson,
                data=found.source,
                seed=arguments.seed,
                inputs=[bundle.Input("picture", shape=found.X_train.shape[1:])],
                classes=found.classes,
                metrics=measured,
            )
        )
        if not arguments.no_plots:
            for name, figure in self._figures(kind, answers).items():
                report.saved(plots.save(figure, arguments.plots / f"{report.lesson}_{kind}-{name}.png"))

    def _figures(self, kind: str, answers: np.ndarray) -> dict[str, Any]:
        found = self._found
        predicted = answers.argmax(axis=1)
        wrong = int(np.sum(predicted != found.y_validation))
        mistakes = metrics.most_confident_mistakes(found.y_validation, answers, 12)
        figures = {}
        if wrong:
            captions = [
                f"{found.classes[found.y_validation[i]]}, said\n{found.classes[predicted[i]]} {answers[i].max():.0%}"
                for i in mistakes
            ]
            heading = f"{kind}: the most confident mistakes, of {wrong} in {len(answers):,}"
            figures["mistakes"] = image_plots.image_grid(found.X_validation[mistakes], captions, heading)
        if len(found.classes) > 2:
            matrix = metrics.confusion_matrix(found.y_validation, predicted, len(found.classes))
            title = f"{kind}: {1 - wrong / len(answers):.1%} of the validation pictures right"
            figures["confusion"] = charts.confusion_matrix(matrix, found.classes, title)
        return figures

    def finish(self, augmentation: Augmentation | None) -> None:
        """Prints the table of all networks; draws how they learned, and pictures as they are changed on the way."""
        report, arguments = self._report, self._report.arguments
        report.section("Compared")
        headings = ["network", "weights", "s an epoch", "training accuracy", "validation accuracy", "gap in points"]
        print(metrics.table(headings, self._rows))
        if arguments.no_plots:
            return
        figure, axes = plots.subplots(width=8)
        curves = {}
        for kind, history in self._histories.items():
            for name, title in (("accuracy", "training"), ("val_accuracy", "validation")):
                values = history.epochs[name]
                curves[f"{kind}, {title}"] = np.arange(1, len(values) + 1), values
        charts.draw_curves(axes, curves, y="accuracy", title="How much they know by heart, and how much of it helps")
        report.saved(plots.save(figure, arguments.plots / f"{report.lesson}-accuracy.png"))
        if augmentation is not None:
            report.saved(plots.save(self._changed(augmentation), arguments.plots / f"{report.lesson}-augmentation.png"))

    def _changed(self, augmentation: Augmentation) -> Any:
        X, y = self._found.X_train, self._found.y_train
        chosen = np.array([np.flatnonzero(y == label)[0] for label in range(min(3, len(self._found.classes)))])
        rows = np.repeat(chosen, 5)
        changed = augmentation.apply(X[rows], *augmentation.draw(rows.astype(np.int32), X.shape[1]))
        pictures, captions = [], []
        for i, row in enumerate(chosen):
            pictures += [X[row], *changed[5 * i : 5 * i + 5]]
            captions += [self._found.classes[y[row]], *["changed"] * 5]
        return image_plots.image_grid(np.stack(pictures), captions, "The same pictures, as the network sees them")
