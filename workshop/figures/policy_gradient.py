"""The plots of the lesson `policy_gradient`: returns by steps with their spread, flights, and a film of a landing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.figures.deep_q_network import trip_table as trip_table
from workshop.figures.deep_q_network import trips as trips
from workshop.kit import plots
from workshop.kit.environments.lander import Flight
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRES = np.array([10, 20 / 3])  # of the units of x and y
STEPS_A_SECOND = 50
MAX_FRAMES = 40
HULL = np.array([(-14, 17), (-17, 0), (-17, -10), (17, -10), (17, 0), (14, 17)]) / 30  # metres, as the environment's
LEGS = np.array([[(-16, -4), (-24, -18)], [(16, -4), (24, -18)]]) / 30
FLAMES = {1: np.array([(-17, 5), (-30, 5)]) / 30, 2: np.array([(0, -10), (0, -35)]) / 30}
FLAMES[3] = FLAMES[1] * [-1, 1]

Episodes = tuple[Sequence[int], Sequence[float]]  # of a training: the step at which each ended, and its return


def draw_smoothed(axes: Axes, steps: np.ndarray, returns: np.ndarray, window: int, colour: str, label: str) -> None:
    """Draws the mean and the middle half of each `window` episodes that ended one after another."""
    window = max(1, min(window, len(returns) // 4))
    windows = np.lib.stride_tricks.sliding_window_view(returns, window)
    at = steps[window - 1 :]
    low, high = np.quantile(windows, [0.25, 0.75], axis=1)
    axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(at, windows.mean(axis=1), color=colour, label=label)


def spread_out(ended: Sequence[int]) -> np.ndarray:
    """Returns when each episode ended: those of one epoch evenly within it, since only the epoch is known."""
    steps = np.asarray(ended, float)
    ends, first, counts = np.unique(steps, return_index=True, return_counts=True)
    begins = np.concatenate([[0], ends[:-1]])
    epoch = np.searchsorted(ends, steps)
    return begins[epoch] + (ends - begins)[epoch] * (np.arange(len(steps)) - first[epoch] + 1) / counts[epoch]


def car_curves(curves: Mapping[str, Sequence[Episodes]]) -> Figure:
    """Returns the returns of a car's trainings: for each method those of all seeds together."""
    figure, axes = plots.subplots(width=9, height=5)
    colours = (plots.VERMILION, plots.BLUE, plots.GREEN)
    for (name, trained), colour in zip(curves.items(), colours, strict=False):
        steps = np.concatenate([spread_out(ended) for ended, _ in trained])
        returns = np.concatenate([np.asarray(totals, float) for _, totals in trained])
        order = np.argsort(steps, kind="stable")
        draw_smoothed(axes, steps[order], returns[order], 30 * len(trained), colour, name)
    count = max(len(trained) for trained in curves.values())
    axes.set(xlabel="step of all cars", ylabel="return of an episode")
    trainings = "1 training" if count == 1 else f"{count} trainings"
    axes.set_title(f"A car with range sensors: mean and middle half of {trainings}")
    axes.legend(loc="lower right")
    return figure


def lander_curve(episodes: Episodes, title: str, goal: float) -> Figure:
    """Returns the returns of the lander's episodes by the steps of the training."""
    figure, axes = plots.subplots(width=9, height=5)
    steps, returns = spread_out(episodes[0]), np.asarray(episodes[1], float)
    axes.plot(steps, returns, ".", color="#BBBBBB", markersize=3, zorder=1, label="an episode")
    draw_smoothed(axes, steps, returns, 100, plots.BLUE, "mean and middle half of 100")
    axes.axhline(goal, color=plots.BLACK, linestyle="--", linewidth=1.5, label=f"{goal:g}: solved")
    axes.set(xlabel="step of all environments", ylabel="return of an episode in training")
    axes.set(title=f"Learning to land: {title}", ylim=(max(-500, returns.min()), max(320, returns.max())))
    axes.legend(loc="lower right")
    return figure


def pilot_table(flown: Mapping[str, Sequence[Flight]]) -> str:
    """Returns a table of what the flights of each pilot returned, and how many landed."""
    rows = []
    for pilot, flights in flown.items():
        returns = [flight.total for flight in flights]
        landed = sum(flight.has_landed for flight in flights)
        rows.append([pilot, f"{np.mean(returns):.1f}", f"{np.std(returns):.1f}", f"{landed} of {len(flights)}"])
    return format_table(["pilot", "mean return", "deviation", "landed"], rows)


def flights(flown: Mapping[str, Sequence[Flight]]) -> Figure:
    """Returns the ways of the pilots to the ground, a panel each, in their first 25 flights."""
    figure, axes = plots.subplots(1, len(flown), width=6, height=5, sharex=True, sharey=True)
    for panel, (name, pilot_flights) in zip(np.ravel(axes), flown.items(), strict=True):
        for flight in pilot_flights[:25]:
            path = flight.states[:, :2] * METRES
            colour = plots.BLUE if flight.has_landed else plots.VERMILION
            panel.plot(*path.T, color=colour, linewidth=1, alpha=0.7)
            panel.plot(*path[-1], "o" if flight.has_landed else "X", color=colour, markersize=6)
        panel.plot([-2, 2], [-0.6, -0.6], color=plots.BLACK, linewidth=5, solid_capstyle="butt")
        mean = np.mean([flight.total for flight in pilot_flights])
        panel.set(title=f"{name}: mean return {mean:.0f}", xlabel="x (m)", xlim=(-10, 10), ylim=(-4, 12))
    np.ravel(axes)[0].set_ylabel("height above the pad (m)")
    handles = [
        np.ravel(axes)[0].plot([], [], marker, color=colour, label=text)[0]
        for marker, colour, text in (("o", plots.BLUE, "landed"), ("X", plots.VERMILION, "did not land"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def landing(flight: Flight, probabilities: np.ndarray, actions: Sequence[str]) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of a flight, as `animation.save` takes them.

    Args:
        flight: the episode.
        probabilities: of the policy (steps, actions).
        actions: their names.
    """
    figure, axes = plots.subplots(1, 2, width=5, height=4.4, width_ratios=[3, 1.2])
    view, chart = axes.flat

    def turned(shape: np.ndarray, state: np.ndarray) -> np.ndarray:
        cos, sin = np.cos(state[4]), np.sin(state[4])
        return shape @ np.array([[cos, sin], [-sin, cos]]) + state[:2] * METRES

    def draw() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        ground = flight.ground * METRES
        view.fill_between(*ground.T, -8, color="#999999", linewidth=0)
        view.plot([-2, 2], [-0.6, -0.6], color=plots.GREEN, linewidth=5, solid_capstyle="butt")
        view.set(xlim=(-10, 10), ylim=(-4, 11), xlabel="x (m)", ylabel="height above the pad (m)", aspect="equal")
        view.grid(False)
        (hull,) = view.fill(*HULL.T, color=plots.PURPLE)
        legs = [view.plot([], [], color=plots.BLACK, linewidth=2.5)[0] for _ in LEGS]
        (flame,) = view.plot([], [], color=plots.ORANGE, linewidth=5)
        bars = chart.barh(actions, probabilities[0])
        chart.set(xlabel="probability", xlim=(0, 1))
        chart.invert_yaxis()
        last = len(flight.actions) - 1
        steps_a_frame = max(5, -(-last // MAX_FRAMES))
        for step in [*range(0, last, steps_a_frame), last]:
            state, action = flight.states[step], flight.actions[step]
            hull.set_xy(turned(HULL, state))
            for leg, shape in zip(legs, LEGS, strict=True):
                leg.set_data(*turned(shape, state).T)
            flame.set_data(*turned(FLAMES[action], state).T if action in FLAMES else ([], []))
            for i, (bar, probability) in enumerate(zip(bars, probabilities[step], strict=True)):
                bar.set_width(probability)
                bar.set_color(plots.VERMILION if i == action else plots.BLUE)
            view.set_title(f"step {step + 1}: return {round(float(flight.rewards[: step + 1].sum()))}")
            yield 2.0 if step == last else steps_a_frame / STEPS_A_SECOND

    return figure, draw()
