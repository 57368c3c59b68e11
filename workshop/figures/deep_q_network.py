"""The plots of the lesson `deep_q_network`: trainings, switches, trips on the map, and a trip as an animation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import plots
from workshop.kit.environments import car
from workshop.kit.environments.trips import Driven, Trip
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "0.55"


def training(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Returns the return of the training's trips, with its spread, and the share of new maps reached, by epochs.

    Args:
        histories: by the name of the training; `mean_return`, `low_return`, `high_return` and
            `validation_success_rate` by epochs. The spread is shown of the first two.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7, height=5.6)
    for i, (name, history) in enumerate(histories.items()):
        colour, marker = plots.COLOURS[i], plots.MARKERS[i]
        epochs = np.arange(1, len(history["mean_return"]) + 1)
        if i < 2:
            low, high = history["low_return"], history["high_return"]
            left.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
        left.plot(epochs, history["mean_return"], color=colour, marker=marker, markersize=7)
        right.plot(epochs, history["validation_success_rate"], color=colour, marker=marker, markersize=7, label=name)
    left.set(xlabel="epoch", ylabel="return of a trip", title="While they learn: mean and middle half")
    right.set(xlabel="epoch", ylabel="share of new maps reached", title="Without random actions, on new maps")
    right.set_ylim(-0.03, 1.03)
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(fontsize=12, frameon=False, loc="outside lower center", ncols=2)
    return figure


def driven_table(tested: Mapping[str, Driven]) -> str:
    """Returns a table of what became of drivers on the test maps, by their names."""
    rows = []
    for name, driven in tested.items():
        shares = (driven.reached, driven.crashed, abs(1 - driven.reached - driven.crashed))
        rows.append([name, *(f"{share:.0%}" for share in shares), f"{driven.mean_return:.2f}"])
    return format_table(["on new maps", "reached", "crashed", "out of time", "mean return"], rows)


def progress_table(histories: Mapping[str, Mapping[str, Sequence[float]]], goal: float) -> str:
    """Returns a table of the share of new maps reached after each epoch of trainings, and when it first was `goal`."""
    rows = []
    for name, history in histories.items():
        shares = history["validation_success_rate"]
        first = next((f"{epoch}" for epoch, share in enumerate(shares, 1) if share >= goal), "never")
        rows.append([name, f"{history['loss'][-1]:.4f}", first, *(f"{share:.0%}" for share in shares)])
    return format_table(["training", "last loss", "first", *map(str, range(1, len(shares) + 1))], rows)


def trips(shown: Sequence[Trip], names: Sequence[str] = ()) -> Figure:
    """Returns the ways of cars, each on its map, three in a row.

    Args:
        shown: the trips.
        names: what stands above each.
    """
    titles = [wrap(name, 34) for name in names] or [[] for _ in shown]
    rows, height = -(-len(shown) // 3), 4.2 + 0.35 * max(map(len, titles))  # the map is square, the titles above it
    figure, axes = plots.subplots(rows, min(3, len(shown)), width=4, height=height)
    for panel in np.ravel(axes)[len(shown) :]:
        panel.set_axis_off()
    for panel, trip, title in zip(np.ravel(axes), shown, titles, strict=False):
        _draw_map(panel, trip)
        x, y, _ = trip.path.T
        panel.plot(x, y, color=plots.BLUE, linewidth=2)
        panel.plot(x[0], y[0], "o", color=plots.BLUE, markersize=8)
        panel.set_title("\n".join([*title, f"{trip.ending} after {trip.moves} moves"]))
        if not trip.reached:
            panel.plot(x[-1], y[-1], "X", color=plots.VERMILION, markersize=12, markeredgecolor="white")
    return figure


def trip_table(driven: Mapping[str, Trip]) -> str:
    """Returns a table of how trips ended, by the names of their drivers."""
    return format_table(["driver", "end", "moves"], [[name, trip.ending, trip.moves] for name, trip in driven.items()])


def trip_frames(trip: Trip, q: np.ndarray, most_frames: int) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of a trip, as `animation.save` takes them.

    The map with the car and what its headlights light, their view as the car sees it, and the three Q values.

    Args:
        trip: the trip.
        q: the Q values (moves + 1, 3) that the network predicts at the start and after each move.
        most_frames: the number of frames, at most.
    """
    from matplotlib.colors import ListedColormap

    every = len(trip.path)
    views = car.view(
        trip.path[:, :2], trip.path[:, 2], np.stack([trip.obstacles] * every), np.stack([trip.station] * every)
    )
    figure, ((left, middle, right),) = plots.subplots(1, 3, width=4.2, height=4.4)
    colours = ListedColormap([plots.VERMILION, "white", plots.GREEN])

    def draw() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        _draw_map(left, trip)
        (light,) = left.fill([0], [0], color="#FFE58A", zorder=0)
        (trail,) = left.plot([], [], color=plots.BLUE, linewidth=2)
        (vehicle,) = left.fill([0], [0], color=plots.BLUE, zorder=5)
        rows, columns = views[0].shape
        shown = middle.pcolormesh(views[0][::-1], cmap=colours, vmin=-1.5, vmax=1.5, edgecolors="0.85", linewidth=0.6)
        middle.set(xlim=(0, columns), ylim=(0, rows), aspect="equal")
        middle.grid(False)
        middle.tick_params(which="both", length=0, labelleft=False, labelbottom=False)
        middle.set(xlabel="the car is below, in the middle", title="Its headlights")
        bars = right.bar(range(q.shape[1]), q[0], color=GREY)
        right.set_xticks(range(q.shape[1]), car.ACTIONS)
        reach = np.ptp(q)
        right.set(ylim=(min(0, q.min()) - 0.05 * reach, q.max() + 0.05 * reach), ylabel="Q")
        right.grid(axis="x", visible=False)
        right.set_axisbelow(True)
        last = len(trip.path) - 1
        steps = np.unique(np.linspace(0, last, min(last + 1, most_frames)).astype(int))
        for step in steps:
            x, y, heading = trip.path[step]
            light.set_xy(_turned(x, y, heading, [(0, 10), (10, 10), (10, -10), (0, -10)]))
            vehicle.set_xy(_turned(x, y, heading, [(3, 0), (-2, 1.6), (-2, -1.6)]))
            trail.set_data(*trip.path[: step + 1, :2].T)
            shown.set_array(views[step][::-1])
            best = int(q[step].argmax())
            for i, bar in enumerate(bars):
                bar.set_height(q[step, i])
                bar.set_color(plots.BLUE if i == best else GREY)
            is_last = step == last
            ending = "arrived" if trip.reached else "not arrived"
            right.set_title(ending if is_last else f"The highest Q: {car.ACTIONS[best]}")
            left.set_title(f"Step {step}")
            yield 2.0 if is_last else 0.15

    return figure, draw()


def _draw_map(axes: Any, trip: Trip) -> None:
    """Draws obstacles and station into a panel."""
    from matplotlib.patches import Circle

    for x, y, radius in trip.obstacles:
        axes.add_patch(Circle((x, y), radius, color=GREY))
    axes.add_patch(Circle(tuple(trip.station), car.STATION_RADIUS, color=plots.GREEN))
    axes.set(xlim=(0, car.SIZE), ylim=(0, car.SIZE), aspect="equal", anchor="S")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():  # the wall
        spine.set(visible=True, linewidth=3, color=GREY)


def _turned(x: float, y: float, heading: float, corners: Sequence[tuple[float, float]]) -> np.ndarray:
    """Returns corners, given by how far they lie ahead of and to the left of the car, on the map."""
    ahead, left = np.array(corners, float).T
    cos, sin = np.cos(heading), np.sin(heading)
    return np.stack([x + ahead * cos - left * sin, y + ahead * sin + left * cos], axis=1)
