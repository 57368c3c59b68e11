"""The lesson `gradient_descent`: the loss surface, which rates diverge and why, momentum, tables and plots."""

from pathlib import Path

import numpy as np
import pytest
from helpers.lesson_runs import Run, claims, start
from PIL import Image

from workshop import gradient_descent
from workshop.figures import gradient_descent as figures
from workshop.gradient_descent import (
    RATES,
    START,
    X,
    Y,
    convergence_factor,
    descend,
    diverges,
    gradient,
    loss,
    minimum,
    stability_limit,
)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run: all tables and plots, and the first steps of the animation."""
    return start(gradient_descent, tmp_path_factory.mktemp("gradient_descent"), "--quick")


# --- The loss surface -------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_curriculum() -> None:
    assert X.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1]]
    assert Y.tolist() == [10.5, 5, 3, 2.5, 1]
    assert START.tolist() == [-3, 2]
    assert RATES == (0.02, 0.03, 0.04, 0.05, 0.06, 0.07)
    assert (gradient_descent.STEPS, gradient_descent.MOMENTUM) == (25, 0.5)


def test_the_loss_is_half_the_sum_of_the_squares() -> None:
    # By hand: the residuals are -8.5, -6, -7, -9.5, -11.
    assert loss(START) == (8.5**2 + 6**2 + 7**2 + 9.5**2 + 11**2) / 2 == 184.25
    many = np.array([[START, [0, 0]], [[-2.15, 8.7], [1, 1]]])
    assert loss(many).shape == (2, 2)
    assert loss(many)[0, 0] == 184.25
    assert loss(many)[1, 0] == pytest.approx(4.2375)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    assert gradient(START).tolist() == [-92.5, -42]
    tiny = 1e-6 * np.eye(2)
    slopes = [(loss(START + step) - loss(START - step)) / 2e-6 for step in tiny]
    assert gradient(START) == pytest.approx(slopes, rel=1e-6)


def test_the_minimum_is_the_fitted_line() -> None:
    assert minimum() == pytest.approx([-2.15, 8.7])
    assert minimum() == pytest.approx(np.polyfit(X[:, 0], Y, 1))
    assert gradient(minimum()) == pytest.approx([0, 0], abs=1e-12)


# --- The paths --------------------------------------------------------------------------------------------------------


def test_the_first_steps_are_right() -> None:
    # With pencil and paper: -0.02 * (-92.5, -42) = (1.85, 0.84); there the residuals are -7.66, -3.31, -2.46, -3.11,
    # -2.76, the gradient is (-28.6, -19.3) and the step (0.572, 0.386).
    path = descend(0.02, steps=2)
    assert path.tolist() == [pytest.approx([-3, 2]), pytest.approx([-1.15, 2.84]), pytest.approx([-0.578, 3.226])]
    # With momentum the second step has half of the first one on top.
    assert descend(0.02, 0.5, 2)[2] == pytest.approx([-0.578 + 0.925, 3.226 + 0.42])


@pytest.mark.parametrize("rate", RATES)
def test_above_the_limit_a_rate_diverges_and_below_it_arrives(rate: float) -> None:
    assert descend(rate).shape == (26, 2)
    assert diverges(descend(rate)) == (rate in (0.06, 0.07)) == (rate > stability_limit())
    assert not diverges(descend(rate, 0.5))
    # The 25 steps tell the truth: so it goes on.
    for momentum in (0.0, 0.5):
        far = np.abs(descend(rate, momentum, 2000)[-1] - minimum()).max()
        assert far > 1e3 if rate > stability_limit(momentum) else far < 1e-9


def test_the_limit_is_two_by_the_largest_eigenvalue() -> None:
    largest = (35 + np.sqrt(35**2 - 4 * 50)) / 2  # of [[30, 10], [10, 5]], by its characteristic polynomial
    assert stability_limit() == pytest.approx(2 / largest) == pytest.approx(0.0596876)
    assert stability_limit(0.5) == pytest.approx(3 / largest) == pytest.approx(0.0895314)
    for momentum in (0.0, 0.5, 0.9):
        limit = stability_limit(momentum)
        assert convergence_factor(0.999 * limit, momentum) < 1 < convergence_factor(1.001 * limit, momentum)


@pytest.mark.parametrize(("rate", "momentum"), [(0.02, 0), (0.05, 0), (0.07, 0), (0.03, 0.5), (0.095, 0.5)])
def test_the_distance_grows_or_shrinks_by_the_factor(rate: float, momentum: float) -> None:
    distance = np.linalg.norm(descend(rate, momentum, 120) - minimum(), axis=1)
    assert (distance[120] / distance[80]) ** (1 / 40) == pytest.approx(convergence_factor(rate, momentum), abs=0.002)


# --- The run ----------------------------------------------------------------------------------------------------------


def test_a_run_is_as_expected(quick_run: Run) -> None:
    names = {f"{way}_{rate:03}_train_mean_squared_error" for way in ("plain", "momentum") for rate in range(20, 80, 10)}
    assert set(quick_run.metrics) == names
    start = 2 * 184.25 / 5
    bands = claims("gradient_descent")
    for name, value in quick_run.metrics.items():
        is_above = name.startswith(("plain_060", "plain_070"))
        assert (value > start) == is_above, name
        assert bands[name] == ((start, np.inf) if is_above else (-np.inf, start))
    assert quick_run.metrics["momentum_070_train_mean_squared_error"] == pytest.approx(2 * 4.2375 / 5, abs=1e-4)
    assert quick_run.lines[0] == "Data      five points, x = 0 to 4"


def test_the_steps_by_hand_and_the_limits_are_printed(quick_run: Run) -> None:
    rows = quick_run.rows
    assert ["0", "0", "-3.0000", "2.0000", "184.2500", "-92.5000", "-42.0000", "5.5500", "2.5200"] in rows
    assert ["0.5", "1", "2.5500", "4.5200", "182.8085", "99.2000", "26.1000", "-3.1770", "-0.3060"] in rows
    assert "dE/dslope = 0*-8.5 + 1*-6 + 2*-7 + 3*-9.5 + 4*-11 = -92.5," in quick_run.output
    assert ["pinv(X)", "y", "-2.1500", "8.7000", "4.2375", "the", "minimum"] in rows
    verdicts = {tuple(row[:2]): row[-1] for row in rows if row and row[-1] in {"diverges", "descends"}}
    assert len(verdicts) == 12
    assert [key for key, verdict in verdicts.items() if verdict == "diverges"] == [("0", "0.06"), ("0", "0.07")]
    assert "Momentum 0: a rate must stay below 2 (1 + 0) / c = 0.0597; diverged: 0.06, 0.07" in quick_run.output
    assert "Momentum 0.5: a rate must stay below 2 (1 + 0.5) / c = 0.0895; diverged: none" in quick_run.output


def test_plots_and_animation_are_drawn(quick_run: Run) -> None:
    answer = quick_run.answer
    names = {Path(name).name for name in answer["files"]}
    assert names == {path.name for path in quick_run.plots.iterdir()}
    assert names == {f"gradient_descent-{name}" for name in ("plain.png", "momentum.png", "errors.png", "walk.gif")}
    assert not any(line.startswith("Model ") for line in quick_run.lines)
    path = quick_run.plots / "gradient_descent-walk.gif"
    assert path.stat().st_size < 1_000_000
    with Image.open(path) as gif:
        assert getattr(gif, "n_frames", 1) == 1 + gradient_descent.QUICK_STEPS
        gif.seek(gradient_descent.QUICK_STEPS)
        assert gif.info["duration"] >= 3000


def test_each_loss_surface_shows_its_path() -> None:
    paths = {rate: descend(rate) for rate in RATES}
    diverging = [diverges(path) for path in paths.values()]
    figure = figures.paths(gradient_descent.loss_surface(), paths, diverging, "blue", "")
    titles = [f"rate {rate:g}: {'diverges' if rate > 0.055 else 'descends'}" for rate in RATES]
    assert [panel.get_title() for panel in figure.axes] == titles
    for panel, path in zip(figure.axes, paths.values(), strict=True):
        assert any(np.array_equal(line.get_xydata(), path) for line in panel.lines)
    assert len({panel.get_xlim() + panel.get_ylim() for panel in figure.axes}) == 1


def test_another_rate_is_in_the_table_and_a_momentum_of_ones_own_has_no_band(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gradient_descent.main(["--learning-rate", "0.02", "--no-plots"])
    output = capsys.readouterr().out
    assert "-1.1500" in output
    assert "As expected for this lesson." in output
    gradient_descent.main(["--momentum", "0.9", "--learning-rate", "0.99", "--no-plots"])
    assert "No expected band: --momentum given." in capsys.readouterr().out
    assert not Path("plots").exists()


@pytest.mark.parametrize("option", ["--learning-rate", "--momentum"])
@pytest.mark.parametrize("value", ["1", "0", "-0.1", "nan", "much"])
def test_a_wrong_rate_or_momentum_is_refused_in_one_line(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        gradient_descent.main([option, value, "--no-plots"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert f"{option}: got {value}, takes a number above 0" in message
    assert len(message.splitlines()) == 1


def test_the_lesson_takes_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gradient_descent.main(["--data", "table.csv"])
    assert "--data" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_animation_is_small(room: Path) -> None:
    gradient_descent.main([])
    assert Path("plots/gradient_descent-walk.gif").stat().st_size < 1_000_000
    with Image.open("plots/gradient_descent-walk.gif") as gif:
        assert getattr(gif, "n_frames", 1) == 26
