"""The report of a run: its data, its sections and, at its end, the result, in words and as one JSON object.

The options that it was given come from `cli`. It also says whether the result lies in the expected band, which is told
of a run with the lesson's defaults only.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop import LESSONS
from workshop.kit import bands, cli, plots, processes
from workshop.kit.errors import WorkshopError
from workshop.kit.files import FilePath
from workshop.kit.plots import animation
from workshop.kit.saving import bundle
from workshop.kit.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBER = 9  # characters of a printed metric: -1.234e-05 is the longest but one


class Report:
    """The progress and the result of one run of a lesson, on the screen and as one JSON object.

    Args:
        lesson: the lesson's name in `workshop.LESSONS`, which has its expected bands.
        arguments: the parsed options.
        engine: the library that computes, as the JSON object names it: "keras", "torch" or "numpy".
        may_share: whether the lesson can share its training with other processes, the first of which alone prints,
            plots and saves.
    """

    def __init__(
        self, lesson: str, arguments: argparse.Namespace, engine: str = "keras", may_share: bool = False
    ) -> None:
        processes.begin(engine, may_share)
        self.lesson = lesson
        self.arguments = arguments
        self._engine_name = engine
        self.metrics: dict[str, float] = {}
        self._started = time.perf_counter()
        self._data: list[str] = []
        self._files: list[Path] = []
        self._checkpoints: list[Path] = []
        self._band_names: dict[str, str] = {}
        self.is_standin = False
        if self._engine_name != "keras" and getattr(arguments, "tensorboard", None):
            raise WorkshopError(f"--tensorboard is a callback of Keras: python -m workshop.{lesson} has it")

    def data(self, source: str, place: str = "", is_standin: bool = False) -> None:
        """Says which data the run uses and where it lies, at its beginning; the former is kept for the JSON object.

        After a stand-in the run's models are saved as `NAME-standin`, and its metrics are held against no band.
        """
        self._data.append(source)
        self.is_standin |= is_standin
        print(f"Data      {source}, {place}" if place else f"Data      {source}")

    def engine(self, text: str) -> None:
        """Says what the run is computed on, as `device.prepare` returns it."""
        print(f"Engine    {text}")

    @property
    def verbose(self) -> int:
        """Keras' `verbose`: 1, a progress bar on a screen; 2, a line an epoch in a file or a pipe."""
        return 1 if sys.stdout.isatty() else 2

    def checkpoint(self, name: str) -> Checkpoint:
        """Returns where the state of training the model `name` is kept, and gone on from; `finish` removes the file.

        It stays until the whole lesson is done: a lesson that is resumed while it trains its second model needs the
        first one's end as well.
        """
        # Each engine has its own: none goes on with what another one began.
        engine = "" if self._engine_name == "keras" else f"-{self._engine_name}"
        path = self.arguments.models / f"{name}{engine}-checkpoint.npz"
        self._checkpoints.append(path)
        return Checkpoint(path, self.arguments.resume)

    def section(self, title: str) -> None:
        """Prints a heading between the parts of a run."""
        print(f"\n{title}\n{'-' * len(title)}")

    def saved(self, *paths: FilePath) -> None:
        """Notes files that the run wrote."""
        self._files += [path for path in map(Path, paths) if path not in self._files]

    def save(self, name: str, model: Any, *, is_standin: bool | None = None, **card: Any) -> None:
        """Saves a model with its card as a bundle, whole or not at all; a quick run and a stand-in save beside it.

        Args:
            name: of the files; a quick run adds `-quick`, data that is a stand-in `-standin`.
            model: of any engine.
            is_standin: whether its data is one (default: whether any of the run's is).
            card: the other arguments of `saving.bundle.save`: inputs, metrics, classes, scaler, threshold.
        """
        standin = self.is_standin if is_standin is None else is_standin
        card = {"lesson": self.lesson, "data": "; ".join(self._data), "seed": self.arguments.seed} | card
        name = bundle.name_for(name, quick=self.arguments.quick, standin=standin)
        if not processes.is_first():
            self.saved(self.arguments.models / f"{name}.h5")  # by the first one
            return
        self.saved(*bundle.save(self.arguments.models, name, model, **card))

    def plots(self, prefix: str, figures: Iterable[tuple[str, "Figure"]]) -> None:
        """Saves figures as `<prefix>-<name>.png`, of a generator, which is not asked for any with `--no-plots`."""
        if self._draws:
            for name, figure in figures:
                self.saved(plots.save(figure, self.arguments.plots / f"{prefix}-{name}.png"))

    @property
    def _draws(self) -> bool:
        return processes.is_first() and not self.arguments.no_plots

    @property
    def last_model(self) -> Path:
        """The `.h5` that was saved last."""
        return [path for path in self._files if path.suffix == ".h5"][-1]

    def result(self, metrics: Mapping[str, float], model: str = "", *, is_only: bool = False, band: str = "") -> None:
        """Notes metrics, by the names that the design asks for: `test_accuracy`, `cnn_test_accuracy`.

        Args:
            metrics: scikit-learn's names behind `train_`, `validation_` or `test_`.
            model: is put in front of the names, in a run that trains several.
            is_only: whether the run trains this model alone; its name is then left out.
            band: of which model's expected bands the metrics are held against, where it is not `model`.
        """
        prefix = f"{model}_" if model and not is_only else ""
        band = band or model
        for name, value in metrics.items():
            self.metrics[f"{prefix}{name}"] = float(value)
            if band:
                self._band_names[f"{band}_{name}"] = f"{prefix}{name}"

    def plot(self, name: str, draw: Callable[..., "Figure"], *arguments: Any, **options: Any) -> None:
        """Draws a figure and saves it as `<name>.png`; with `--no-plots` nothing is computed.

        Args:
            name: of the file, without an ending: "mnist-loss".
            draw: a function that returns a figure, called with the other arguments.
        """
        if self._draws:
            self.saved(plots.save(draw(*arguments, **options), self.arguments.plots / f"{name}.png"))

    def animate(
        self, name: str, draw: Callable[..., tuple["Figure", Iterable[float]]], *arguments: Any, **options: Any
    ) -> None:
        """Draws a figure that changes, by a function that returns it and its frames, and saves it as `<name>.gif`."""
        if self._draws:
            self.saved(animation.save(*draw(*arguments, **options), self.arguments.plots / f"{name}.gif"))

    def _expected(self) -> tuple[dict[str, bands.Band], dict[str, bands.Band]]:
        """Returns what `LESSONS` claims of the run's metrics, and the bands in which they are expected."""
        lesson = next((lesson for lesson in LESSONS if lesson.name == self.lesson), None)
        preset = getattr(self.arguments, "preset", None)
        claims = lesson.bands(self._engine_name, preset) if lesson else {}
        expected = claims
        if getattr(self.arguments, "are_defaults", False):
            data = "; ".join(self._data)
            expected = bands.expected(self.lesson, self._engine_name, preset, data, claims)

        def of_this_run(those: dict[str, bands.Band]) -> dict[str, bands.Band]:
            named = {self._band_names.get(name, name): band for name, band in those.items()}
            return {name: named[name] for name in self.metrics if name in named}

        return of_this_run(claims), of_this_run(expected)

    def finish(self, *, use: str = "", not_comparable: str = "") -> dict[str, float]:
        """Prints the last lines and returns the metrics.

        Args:
            use: the command that uses the saved model.
            not_comparable: the lesson's own reason to hold the result against no expected band: "the table is your
                own". A quick run, a stand-in and options of training are seen here.
        """
        not_comparable = _not_comparable(self.arguments, self.is_standin) or not_comparable
        seconds = time.perf_counter() - self._started
        claims, expected = ({}, {}) if not_comparable else self._expected()
        for path in self._checkpoints if processes.is_first() else ():
            path.unlink(missing_ok=True)
        self.section("Result")
        width = max((len(name) for name in self.metrics), default=0)
        for name, value in self.metrics.items():
            band = f"  expected {bands.describe(expected[name])}" if name in expected else ""
            print(f"{name:{width}}  {f'{value:.4g}':{_NUMBER if band else 0}}{band}")
        if not_comparable:
            print(f"No expected band: {not_comparable}.")
        elif expected:
            print(*self._verdict(claims, expected), sep="\n")
        plots_saved = [path for path in self._files if path.suffix in {".png", ".gif"}]
        models = [path for path in self._files if path not in plots_saved]
        for title, paths in (("Model", models), ("Plots", plots_saved)):
            if paths:
                print(f"{title:9} {', '.join(str(path) for path in paths)}")
        print(f"Time      {seconds:.1f} s")
        if use:
            print(f"Use it    {use}")
        if self.arguments.json:
            print(
                json.dumps(
                    {
                        "lesson": self.lesson,
                        "engine": self._engine_name,
                        "preset": getattr(self.arguments, "preset", None),
                        "data": "; ".join(self._data),
                        "seed": self.arguments.seed,
                        "seconds": round(seconds, 3),
                        "files": [str(path) for path in self._files],
                        # JSON has no infinity and no NaN, which a diverged run gives: they become null.
                        "metrics": {k: v if math.isfinite(v) else None for k, v in self.metrics.items()},
                    }
                )
            )
        sys.stdout.flush()
        return self.metrics

    def _verdict(self, claims: dict[str, bands.Band], expected: dict[str, bands.Band]) -> list[str]:
        """Returns in words whether the lesson's claims hold and, where they do, what lies outside its band."""

        def named(those: dict[str, bands.Band]) -> str:
            shown = []
            for name, band in those.items():
                # A claim may be missed by less than four digits show.
                value = f"{self.metrics[name]:.{8 if bands.is_within(self.metrics[name], band) else 4}g}"
                shown.append(f"{name} is {value}, expected {bands.describe(band)}")
            return "; ".join(shown)

        missed = {name: band for name, band in claims.items() if not band[0] <= self.metrics[name] <= band[1]}
        if missed:
            return [f"Not as expected: {named(missed)}."]
        unusual = {name: band for name, band in expected.items() if not bands.is_within(self.metrics[name], band)}
        return ["As expected for this lesson.", *([f"Unusual, though: {named(unusual)}."] if unusual else [])]


def _not_comparable(arguments: argparse.Namespace, is_standin: bool = False) -> str:
    """Returns why a run cannot be held against the lesson's expected band, or an empty text where it can."""
    if arguments.quick:
        return "a quick run"
    if is_standin:
        return "the data is a stand-in"
    return cli.given(arguments, "epochs", "batch_size", "learning_rate", "optimizer")


def format_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a table as text, its columns aligned; numbers are rounded to four significant digits."""
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [headings, *cells]) for i in range(len(headings))]
    rule = ["-" * width for width in widths]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in [headings, rule, *cells]
    ]
    return "\n".join(line.rstrip() for line in lines)
