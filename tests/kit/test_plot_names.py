"""Plots: names from people's files as they are written, in a font that has their letters; the curve of one epoch."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.text import Text

from workshop.figures import cats_vs_dogs, forecasting, metrics, text_generation
from workshop.figures import tables as table_figures
from workshop.kit import plots
from workshop.kit.plots import charts, contours, images
from workshop.kit.plots import figure as figures

NAMES = ["$0M_$1M", "a_b^c", "50% \\alpha", "$\\frac{$", "x$y$z", "_{^}$$"]


def drawn_texts(figure: Any) -> list[str]:
    """Saves a figure; returns its texts, none of which is read as mathematics but powers of ten."""
    plots.save(figure, Path("plot.png"))
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    for text in texts:
        is_power = text.get_text().startswith("$\\mathdefault{")
        assert text.get_parse_math() or not is_power
        assert is_power or "$" not in text.get_text() or not text.get_parse_math()
    return [text.get_text() for text in texts]


def test_every_place_of_a_name() -> None:
    figure, ((left, right),) = plots.subplots(1, 2)
    left.plot([1, 1000], [1, 1e6], label=NAMES[0])
    left.set(title=NAMES[0], xlabel=NAMES[1], ylabel=NAMES[2], yscale="log")
    left.legend(title=NAMES[3])
    left.text(1, 1, NAMES[4])
    left.annotate(NAMES[5], (1, 1))
    right.bar(NAMES, range(len(NAMES)))
    right.set_yticks(range(len(NAMES)), NAMES)
    figure.suptitle(NAMES[0])
    figure.legend(loc="outside lower center", title=NAMES[1])
    texts = drawn_texts(figure)
    assert all(texts.count(name) >= 3 for name in NAMES)
    assert any(text.startswith("$\\mathdefault{10^{") for text in texts)


X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
MATRIX = np.eye(len(NAMES), dtype=int)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.confusion_matrix(MATRIX, NAMES, NAMES[0]),
        lambda: charts.losses({name: ([1, 2], [3, 4]) for name in NAMES}, title=NAMES[3], y=NAMES[0]),
        lambda: contours.boundary_row({NAMES[0]: lambda X: X[:, 0]}, X, y, NAMES[3], names=NAMES, classes=NAMES),
        lambda: images.image_grid(np.zeros((6, 9, 9)), NAMES, NAMES[0]),
        lambda: forecasting.errors({"training": [1.0, 2]}, {"lstm": np.ones(3)}, NAMES[0], NAMES[3]),
        lambda: text_generation.overview(
            ([1, 2], [3, 2]), [("a", 2.0), (NAMES[0], 1.0)], {1.0: np.full(3, 1 / 3)}, ["$", "\\", "^"], NAMES[0]
        ),
        lambda: text_generation.overview(([1], [3]), [("a", 2.0)], {0.5: np.array([0.3, 0.7])}, ["\ufffd", "a"], "a"),
    ],
)
def test_figures_of_names(draw: Any) -> None:
    drawn_texts(draw())


def test_every_figure_goes_through_the_kit() -> None:
    root = Path(plots.__file__).parents[3]
    sources = [path for folder in ("workshop", "apps") for path in (root / folder).rglob("*.py")]
    makers = {path.parent for path in sources if re.search(r"pyplot|\bFigure\(", path.read_text("utf-8"))}
    assert makers <= {Path(plots.__file__).parent}
    for module in (cats_vs_dogs, metrics, table_figures):
        assert "plots" in vars(module)


def test_marks_that_no_font_shows_are_left_out() -> None:
    figure, axes = plots.subplots()
    axes.set_title("a\u200db\ufe0fc\x07d\ud800e")
    axes.set_xticks([0, 1], ["\u200ea", "b\x00"])
    texts = drawn_texts(figure)
    assert {"abc?d?e", "a", "b?"} <= set(texts)


def test_letters_of_a_script_without_a_font_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    figures._said.clear()
    for _ in range(2):
        figure, axes = plots.subplots()
        axes.set_title("\U00013000\U00013001")  # hieroglyphs
        axes.set_xticks([0], ["\U00013000"])
        plots.save(figure, Path("plot.png"))
    said = capsys.readouterr().err
    assert said.count("note: no font on this machine has") in {0, 1} and len(said.splitlines()) <= 1


def test_a_font_that_has_the_letters_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a font that lacks nearly all letters as matplotlib's own, its own is the one to be found."""
    real = figures._characters
    own = font_manager.findfont(font_manager.FontProperties())
    wanted = frozenset("Ж")
    monkeypatch.setattr(figures, "_characters", lambda path, of: set() if path == own else real(path, of))
    figures._fonts.cache_clear()
    families, missing = figures._fonts(wanted)
    assert (len(families), missing) in {(1, ""), (0, "Ж")}
    figures._fonts.cache_clear()


def test_help_draws_nothing() -> None:
    code = "import sys, workshop.kit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_loss_of_a_single_epoch_is_a_point_at_a_whole_number() -> None:
    figure = charts.losses({"one": ([1], [0.5]), "two": ([1, 2], [0.6, 0.4])}, title="Training loss")
    (axes,) = figure.axes
    assert [line.get_marker() for line in axes.lines] == ["o", "None"]
    alone = charts.losses({"one": ([1], [0.5])}, title="Training loss").axes[0]
    low, high = alone.get_xlim()
    assert [tick for tick in alone.get_xticks() if low <= tick <= high] == [1]
