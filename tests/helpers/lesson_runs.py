"""A lesson's run in this process: what starts it, what it leaves behind, and a table of one's own to give it.

The tests of all lessons use it, in any engine. What only the comparisons of the engines need is in `helpers.engines`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from workshop import LESSONS
from workshop.kit import plots
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle
from workshop.kit.training.checkpoint import Checkpoint, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_AXES = 12  # of a plot that are looked at
THAT_TRAIN = [lesson.name for lesson in LESSONS if lesson.trains]
# Of the JSON object in a run's last line.
KEYS = {"lesson", "engine", "preset", "data", "seed", "seconds", "files", "metrics"}
IN_PYTORCH = {"banknotes", "pytorch_basics"}  # lessons in PyTorch alone, without Keras


class Run(NamedTuple):
    """What a run left behind.

    Attributes:
        metrics: what `main` returned.
        output: what it printed.
        folder: where the folders `models` and `plots` are that it wrote to.
        drawn: what its plots show, in words: see `describe`.
        at_once: how many characters it had printed each time it did not leave the last ones in a buffer.
    """

    metrics: dict[str, float]
    output: str
    folder: Path
    drawn: Sequence[str] = ()
    at_once: Sequence[int] = ()

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def plots(self) -> Path:
        return self.folder / "plots"

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line."""
        return [line.split() for line in self.lines]

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object of the last line."""
        found = json.loads(self.lines[-1])
        assert isinstance(found, dict)
        return found

    @property
    def titles(self) -> list[str]:
        """The titles of its parts, and what it says of the weights that it kept, without the numbers."""
        underlined = [line for line, below in itertools.pairwise(self.lines) if re.fullmatch("-+", below)]
        kept = [line for line in self.lines if line.startswith("Kept ")]
        return [re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "#", line) for line in underlined + kept if "  " not in line]

    @property
    def trainings(self) -> Counter[str]:
        """How many trainings it shows the end of in each of its parts, by the parts' titles."""
        counts: Counter[str] = Counter()
        title = ""
        for line, below in itertools.pairwise(self.lines):
            if re.fullmatch("-+", below):
                title = line.partition(":")[0]
            # Keras counts the epochs of small tables and, where they are longer, the steps of each.
            counts[title] += bool(re.match(r" *\d+/\d+ (epochs in |- .*/epoch)|Epoch (\d+)/\2$", line))
        return +counts

    @property
    def headings(self) -> list[list[str]]:
        """The headings of its tables, each table's without the empty ones."""
        underlined = [line for line, below in itertools.pairwise(self.lines) if re.fullmatch("-+(  +-+)+", below)]
        return [re.split("  +", line.strip()) for line in underlined]

    def table(self, *headings: str) -> list[list[str]]:
        """Returns the cells of the table whose first headings these are, as far as the next empty line or text."""
        cells = [re.split("  +", line.strip()) for line in self.lines]
        start = next(i for i, row in enumerate(cells) if row[: len(headings)] == [*headings]) + 2
        return list(itertools.takewhile(lambda row: len(row) > 1, cells[start:]))

    @property
    def seconds(self) -> list[float]:
        """The seconds of all tables that have a column of them."""
        seconds = []
        for i, line in enumerate(self.lines):
            heading = re.search("(?:^|  )(seconds(?: by hand)?)(?=  |$)", line)
            if heading and re.fullmatch("[- ]*-", self.lines[i + 1]):
                rows = itertools.takewhile(str.strip, self.lines[i + 2 :])
                cells = (re.match(r"\d+(\.\d+)?", row[heading.start(1) :]) for row in rows)
                seconds += [float(cell[0]) for cell in cells if cell]
        return seconds

    @property
    def told_seconds(self) -> list[float]:
        """The seconds that its sentences tell of its parts: "5 epochs in 1.2 s"."""
        lines = (line for line in self.lines[:-1] if not line.startswith("Time "))
        return [float(found) for line in lines for found in re.findall(r"(?<![\d.])(\d+(?:\.\d+)?) s\b", line)]

    def load(self, name: str) -> Bundle:
        """Returns a model that the run saved."""
        return bundle.load(self.models / f"{name}.h5", [self.answer["lesson"]])


def claims(lesson: str, engine: str = "keras", preset: str | None = None) -> dict[str, tuple[float, float]]:
    """Returns what a lesson claims of the metrics of a run, (lowest, highest) by their names."""
    (claiming,) = (known for known in LESSONS if known.name == lesson)
    return claiming.bands(engine, preset)


def assert_claims(metrics: Mapping[str, float], lesson: str, engine: str = "keras", preset: str | None = None) -> None:
    """Fails where a metric of a run is not as the lesson claims; a run of a part has some of them."""
    claimed = claims(lesson, engine, preset)
    measured = claimed.keys() & metrics.keys()
    assert measured
    assert {name: metrics[name] for name in measured if not claimed[name][0] <= metrics[name] <= claimed[name][1]} == {}


def describe(figure: Figure) -> Iterator[str]:
    """Yields a line for each of the first axes of a figure: its texts, how much is drawn of what, and the means."""
    for axes in figure.axes[:MAX_AXES]:
        legend = axes.get_legend()
        names = [text.get_text() for text in legend.get_texts()] if legend else []
        points = [len(np.asarray(line.get_xdata())) for line in axes.lines]
        images = ["x".join(map(str, np.asarray(image.get_array()).shape)) for image in axes.images]
        counts = f"{len(axes.patches)} patches, {len(axes.collections)} collections, {len(axes.texts)} texts"
        texts = " | ".join([axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), *names])
        yield f"axes {texts}: lines of {points} points, images {images}, {counts}"
        bars = [patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)]
        drawn = [line.get_ydata() for line in axes.lines] + [image.get_array() for image in axes.images] + [bars]
        arrays = [np.ma.masked_invalid(np.asarray(values, np.float64)) for values in drawn]
        means = [array.mean() for array in arrays if array.size]
        if means:
            yield f"means {' '.join(f'{mean:.4g}' for mean in means[:MAX_AXES])}"


class Output(io.StringIO):
    """What is printed, and how many characters of it were there each time it was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once: list[int] = []

    def flush(self) -> None:
        super().flush()
        self.at_once.append(self.tell())


def start(lesson: ModuleType, folder: Path, *options: str, is_drawn: bool = True, **given: Any) -> Run:
    """Runs a lesson, in the engine whose module it is, and returns what it left behind.

    Args:
        lesson: the module; what it prints is caught, and its last line is the JSON object.
        folder: it saves models in the folder `models` of this one, and plots in `plots`.
        options: what else is typed behind its name.
        is_drawn: whether its plots become files; what they show is noted in any case.
        given: other arguments of its `main`, such as an engine.
    """
    output = Output()
    # One that trains nothing has no option for models.
    saves = ["--models", str(folder / "models")] if lesson.__name__.rpartition(".")[2] in THAT_TRAIN else []
    drawn: list[str] = []
    save = plots.save

    def note(figure: Figure, path: Path) -> Path:
        drawn.extend([f"plot {path.name}", *describe(figure)])
        return save(figure, path) if is_drawn else path

    with contextlib.redirect_stdout(output), mock.patch.object(plots, "save", note):
        metrics = lesson.main(["--json", *saves, "--plots", str(folder / "plots"), *options], **given)
    assert isinstance(metrics, dict)  # a notebook takes what `main` returns, {} where nothing is measured
    return Run(metrics, output.getvalue(), folder, drawn, output.at_once)


def assert_no_part_takes_longer(run: Run) -> None:
    """Compares the seconds that a run tells of its parts with those of the whole; some are printed without decimals."""
    assert all(0 <= seconds <= run.answer["seconds"] + 0.5 for seconds in run.seconds + run.told_seconds)


def stop_after(saves: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Runs the work and presses Ctrl-C when the checkpoints of so many epochs were written."""
    save, count = Checkpoint.save, itertools.count(1)

    def interrupting(checkpoint: Checkpoint, state: Callable[[], State], at_once: bool = False) -> None:
        save(checkpoint, state, at_once=True)
        if next(count) >= saves:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", interrupting)
        with pytest.raises(KeyboardInterrupt):
            work()


@contextlib.contextmanager
def without_published_data(folder: Path) -> Iterator[None]:
    """Lets runs use what stands in for the published data sets: for a fixture of a file, which comes before `room`.

    Args:
        folder: an empty one, where Keras finds no data that was downloaded before.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        patch.setenv("https_proxy", "http://127.0.0.1:9")
        patch.delenv("WORKSHOP_DATA", raising=False)
        yield


def start_as_the_first(lesson: str, folder: Path, *options: str) -> Run:
    """Runs a lesson in Keras as if it were the first of this process, so that it saves the same bytes each time."""
    import keras

    # Keras numbers the layers of a process, and their names are in the .h5.
    keras.utils.clear_session(free_memory=False)
    return start(importlib.import_module(f"workshop.{lesson}"), folder, *options)


def quick_run(lesson: str, temporary: pytest.TempPathFactory) -> Run:
    """Returns the lesson's quick run, made by the first test that asks for it, in whichever worker that is."""
    shared = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of the folders of all workers
    folder = shared / f"quick-{lesson}"
    done = folder / "run.json"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker is at it, or was
        deadline = time.monotonic() + 200
        while not done.exists():
            assert time.monotonic() < deadline, f"the quick run of {lesson} failed in the other worker"
            time.sleep(0.05)
        metrics, output, drawn, at_once = json.loads(done.read_text("utf-8"))
        return Run(metrics, output, folder, drawn, at_once)
    try:
        run = start_as_the_first(lesson, folder, "--quick")
    except BaseException:  # skipped too, without PyTorch: nobody waits for what will not come
        shutil.rmtree(folder)
        raise
    (folder / "run").write_text(json.dumps([run.metrics, run.output, run.drawn, run.at_once]), "utf-8")
    (folder / "run").rename(done)
    return run


def write_table(path: Path, header: str, rows: np.ndarray) -> Path:
    """Writes a table of numbers, (rows, columns), below a line of names with commas between."""
    lines = [",".join(f"{cell:g}" for cell in row) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path
