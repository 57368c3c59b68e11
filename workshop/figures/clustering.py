"""Figures of clustering: centres that walk, starts, the elbow, maps of colours and digits, letters; two animations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

MOVES = 7  # frames of a centre on its way
MAX_PANELS = 6
TINT = 0.16  # of a region, beside white


class Step(NamedTuple):
    """The state of k-means after an iteration.

    Attributes:
        centres: (clusters, features).
        labels: for each sample the number of its nearest centre (n,).
        inertia: the sum of the samples' squared distances to their centres, which k-means makes small.
    """

    centres: np.ndarray
    labels: np.ndarray
    inertia: float


def colour(cluster: int) -> str:
    """Returns the colour of a cluster; black is left to the edges of the centres."""
    return plots.COLOURS[:-1][cluster % (len(plots.COLOURS) - 1)]


def marker(cluster: int) -> str:
    """Returns the marker of a cluster; there is one more than colours, so it differs where a colour comes again."""
    return plots.MARKERS[cluster % len(plots.MARKERS)]


def draw_clusters(axes: Axes, X: np.ndarray, labels: np.ndarray, size: float = 8, legend: bool = False) -> None:
    """Draws the points (n, 2) of each cluster in its colour and marker."""
    for cluster in np.unique(labels):
        of_cluster = X[labels == cluster]
        label = f"cluster {cluster + 1}: {len(of_cluster):,}" if legend else None
        style: dict[str, Any] = {
            "color": colour(cluster),
            "markersize": size,
            "markeredgecolor": "white",
            "markeredgewidth": 0.7,
        }
        axes.plot(*of_cluster.T, marker(cluster), label=label, zorder=2, **style)


def draw_centres(axes: Axes, centres: np.ndarray, size: float = 17) -> list[Line2D]:
    """Draws centres (clusters, 2), each with a black edge, in the colour and marker of its cluster."""
    drawn: list[Line2D] = []
    for cluster, centre in enumerate(centres):
        style: dict[str, Any] = {
            "color": colour(cluster),
            "markersize": size,
            "markeredgecolor": plots.BLACK,
            "markeredgewidth": 2.6,
        }
        drawn += axes.plot(*centre[:, None], marker(cluster), zorder=5, **style)
    return drawn


def draw_regions(axes: Axes, centres: np.ndarray) -> AxesImage:
    """Tints the plane by the nearest of the centres (clusters, 2), within the limits of the axes; returns the image."""
    from matplotlib.colors import to_rgb

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, 300), np.linspace(bottom, top, 240))
    distances = np.stack([(x - cx) ** 2 + (y - cy) ** 2 for cx, cy in centres])
    tints = np.array([1 - TINT + TINT * np.array(to_rgb(colour(cluster))) for cluster in range(len(centres))])
    image = tints[distances.argmin(axis=0)]
    return axes.imshow(image, extent=(left, right, bottom, top), origin="lower", aspect="auto", zorder=0)


def frame_points(axes: Axes, X: np.ndarray) -> None:
    """Sets the limits of the axes around points (n, 2), a margin wide."""
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.07 * (high - low) + 1e-3
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set(xlabel="x1", ylabel="x2")
    axes.grid(False)


def draw_paths(axes: Axes, path: np.ndarray) -> None:
    """Draws the paths of the centres, (steps, clusters, 2)."""
    for centre_path in path.swapaxes(0, 1):
        axes.plot(*centre_path.T, "-", color="white", linewidth=4, zorder=3)
        axes.plot(*centre_path.T, ".-", color=plots.BLACK, linewidth=1.6, markersize=7, zorder=4)


def draw_step(axes: Axes, X: np.ndarray, step: Step, path: np.ndarray | None = None) -> None:
    """Draws points (n, 2), the regions of their centres, the centres and their paths."""
    frame_points(axes, X)
    draw_regions(axes, step.centres)
    draw_clusters(axes, X, step.labels)
    if path is not None:
        draw_paths(axes, path)
    draw_centres(axes, step.centres)


def steps(X: np.ndarray, states: Sequence[Step]) -> Figure:
    """Returns a figure of the states of k-means on points (n, 2): of many, the first ones, the last one and some."""
    shown = np.unique(np.round(np.linspace(0, len(states) - 1, MAX_PANELS)).astype(int))
    columns = -(-len(shown) // 2)
    figure, axes = plots.subplots(2, columns, width=4.4, height=3.7, sharex=True, sharey=True)
    for panel, number in zip(axes.flat, shown, strict=False):
        path = np.array([state.centres for state in states[: number + 1]])
        draw_step(panel, X, states[number], path)
        panel.set_title(f"after {number} iterations: {states[number].inertia:.0f}" if number else "the start")
        panel.label_outer()
    axes[0, 0].set_title(f"the start: inertia {states[0].inertia:.0f}")
    for panel in axes.flat[len(shown) :]:
        panel.axis("off")
    figure.suptitle(
        "k-means: each point to its nearest centre, then each centre to the mean of its points", fontsize=16
    )
    return figure


def walk(X: np.ndarray, states: Sequence[Step]) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of k-means in it, as `animation.save` takes them.

    Each iteration first colours the points by their nearest centre, then moves the centres to the means.

    Args:
        X: the points (n, 2).
        states: of k-means, from its start on; the last one moved nothing.
    """
    figure, axes = plots.subplots(1, 2, width=5.25, height=4.8, width_ratios=(1.7, 1))
    plane, curve = axes.flat

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        frame_points(plane, X)
        (points,) = plane.plot(*X.T, "o", color="#888888", markersize=7, markeredgecolor="white", zorder=2)
        inertias = [state.inertia for state in states]
        curve.set(xlabel="iteration", ylabel="inertia", xlim=(-0.3, len(states) - 0.7), ylim=(0, 1.06 * max(inertias)))
        curve.xaxis.get_major_locator().set_params(integer=True)
        (falling,) = curve.plot([], [], "o-", color=plots.BLACK, markersize=7)
        curve.set_title("The inertia falls", fontsize=14)
        centres = draw_centres(plane, states[0].centres)
        plane.set_title("The start: three centres, no clusters yet", fontsize=14)
        yield 1.8
        points.remove()
        paths = [plane.plot([], [], ".-", color=plots.BLACK, linewidth=1.5, markersize=6, zorder=4)[0] for _ in centres]
        drawn: list[Artist] = []
        for number, state in enumerate(states):
            for old in drawn:
                old.remove()
            before = set(plane.lines)
            drawn = [draw_regions(plane, state.centres)]
            draw_clusters(plane, X, state.labels, 7)
            drawn += [line for line in plane.lines if line not in before]
            falling.set_data(range(number + 1), inertias[: number + 1])
            plane.set_title(f"Iteration {number + 1}: each point to its nearest centre", fontsize=14)
            if number == len(states) - 1:
                break
            yield 1.0
            plane.set_title(f"Iteration {number + 1}: each centre to the mean of its points", fontsize=14)
            after = states[number + 1].centres
            for share in np.linspace(0, 1, MOVES + 1)[1:]:
                eased = share * share * (3 - 2 * share)  # slow, fast, slow
                now = (1 - eased) * state.centres + eased * after
                for cluster, (centre, path) in enumerate(zip(centres, paths, strict=True)):
                    centre.set_data(*now[cluster][:, None])
                    path.set_data(*np.array([*(s.centres[cluster] for s in states[: number + 1]), now[cluster]]).T)
                yield 0.08 if share < 1 else 0.5
        plane.set_title("No point changes its cluster: the end", fontsize=14)
        yield 3.5

    return figure, frames()


def starts(X: np.ndarray, worst: Sequence[Step], best: Sequence[Step], ends: Mapping[str, np.ndarray]) -> Figure:
    """Returns a figure: a start that ended badly, one that ended well, and where all starts ended.

    Args:
        X: points (n, 2).
        worst, best: the states of k-means from these starts.
        ends: by the kind of start, the inertia at the end of each run.
    """
    figure, grid = plots.subplots(1, 3, width=5.0, height=4.6)
    axes = grid[0]
    for panel, states, title in zip(axes, (worst, best), ("A bad start ends", "A good start ends"), strict=False):
        draw_step(panel, X, states[-1], np.array([state.centres for state in states]))
        panel.set_title(f"{title} at {states[-1].inertia:.0f}")
    all_ends = np.concatenate(list(ends.values()))
    random = np.random.default_rng(0)  # only spreads the points, so that each is seen
    for row, (inertias, shade, sign) in enumerate(zip(ends.values(), plots.COLOURS, plots.MARKERS, strict=False)):
        spread = row + random.uniform(-0.3, 0.3, len(inertias))
        axes[2].plot(inertias, spread, sign, color=shade, markersize=6, markeredgecolor="white", markeredgewidth=0.5)
        share = np.mean(inertias < 1.01 * all_ends.min())
        axes[2].annotate(f"{share:.1%} at the best", (0.5, row), xycoords=("axes fraction", "data"), ha="center")
    axes[2].set_yticks(range(len(ends)), [name.replace(" ", "\n") for name in ends])
    axes[2].set(xlabel="inertia at the end", xlim=(0, 1.08 * all_ends.max()), ylim=(len(ends) - 0.4, -0.6))
    axes[2].set_title(f"{len(next(iter(ends.values())))} starts of each kind")
    axes[2].grid(axis="y", visible=False)
    return figure


def elbow(clusters: np.ndarray, inertias: np.ndarray, silhouettes: np.ndarray, best: int) -> Figure:
    """Returns a figure of the inertia and the silhouette by the number of clusters.

    Args:
        clusters, inertias: (n,).
        silhouettes: (n,), NaN of one cluster.
        best: the number of the highest silhouette.
    """
    figure, grid = plots.subplots(1, 2, width=5.6, height=4.4)
    axes = grid[0]
    panels = (("inertia", inertias, plots.BLUE), ("mean silhouette", silhouettes, plots.VERMILION))
    for panel, (name, values, shade) in zip(axes, panels, strict=True):
        panel.axvline(best, color="#888888", linestyle="--", linewidth=1.6)
        panel.plot(clusters, values, "o-", color=shade, markersize=9)
        panel.set(xlabel="number of clusters", ylabel=name, xticks=clusters)
        panel.set_ylim(bottom=min(0, 1.1 * np.nanmin(values)))
    axes[0].set_title("The elbow: where the inertia begins to fall slowly")
    axes[1].set_title(f"The silhouette is highest at {best}")
    return figure


def net(
    X: np.ndarray,
    snapshots: Mapping[int, np.ndarray],
    errors: Sequence[tuple[float, float]],
    shape: tuple[int, int],
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of a map that unfolds over points, as `animation.save` takes them.

    Args:
        X: points (n, 2).
        snapshots: by the samples shown, the units (units, 2).
        errors: the quantisation and the topographic error of each.
        shape: rows and columns of the map.
    """
    figure, axes = plots.subplots(1, 2, width=5.25, height=4.8, width_ratios=(1.7, 1))
    plane, curve = axes.flat

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        frame_points(plane, X)
        plane.plot(*X.T, "o", color=plots.SKY, markersize=7, markeredgecolor="white", zorder=1)
        threads = [plane.plot([], [], color=plots.BLACK, linewidth=1.2, zorder=3)[0] for _ in range(sum(shape))]
        (knots,) = plane.plot([], [], "o", color=plots.VERMILION, markersize=5, zorder=4)
        shown = np.array(list(snapshots)) + 1
        curves = []
        looks = (("quantisation error", plots.BLUE, "-"), ("topographic error", plots.VERMILION, "--"))
        for name, shade, dashes in looks:
            curves.append(curve.plot([], [], dashes, color=shade, label=name)[0])
        curve.set(xlabel="samples shown", xscale="log", xlim=(1, shown[-1]), ylim=(0, 1.05 * np.max(errors)))
        curve.set_title("Both errors fall", fontsize=14)
        curve.legend(fontsize=11, loc="upper right", frameon=True)
        for number, (step, units) in enumerate(snapshots.items()):
            grid = units.reshape(*shape, 2)
            for thread, line in zip(threads, [*grid, *grid.swapaxes(0, 1)], strict=True):
                thread.set_data(*line.T)
            knots.set_data(*units.T)
            for line, values in zip(curves, np.transpose(errors[: number + 1]), strict=True):
                line.set_data(shown[: number + 1], values)
            plane.set_title(f"A net of {shape[0]}x{shape[1]} units, {step:,} samples shown", fontsize=14)
            yield 3.5 if number == len(snapshots) - 1 else 1.5 if number == 0 else 0.22

    return figure, frames()


def draw_ridges(axes: Axes, distances: np.ndarray, title: str) -> None:
    """Draws the mean distance of each unit to its neighbours on the map (rows, columns): dark is near."""
    axes.imshow(distances, cmap="gray")
    axes.set(xticks=[], yticks=[], title=title)


def colours(snapshots: Mapping[int, np.ndarray], shape: tuple[int, int], distances: np.ndarray) -> Figure:
    """Returns a figure of a map of colours while it is trained, and of the distances on it at the end.

    Args:
        snapshots: by the samples shown, the units (units, 3): red, green and blue, 0 to 1.
        shape: rows and columns of the map.
        distances: of each unit at the end to its neighbours (rows, columns).
    """
    figure, axes = plots.subplots(2, 3, width=4.8, height=3.5)
    listed = list(snapshots.items())
    shown = [listed[0], *listed[-4:]]
    for panel, (step, units) in zip(axes.flat, shown, strict=False):
        panel.imshow(units.reshape(*shape, 3).clip(0, 1), interpolation="nearest")
        panel.set_title(f"{step:,} colours shown" if step else "the start: dark, unordered")
        panel.set(xticks=[], yticks=[])
    draw_ridges(axes.flat[-1], distances, "Distance to the neighbours: dark is near")
    figure.suptitle("A map of colours: similar colours end up side by side", fontsize=16)
    return figure


def digits(images: np.ndarray, names: np.ndarray, shape: tuple[int, int], distances: np.ndarray) -> Figure:
    """Returns a figure of a map of digits: its units as images, and their names over the distances between them.

    Args:
        images: the units (units, height, width).
        names: the class of each unit (units,).
        shape: rows and columns of the map.
        distances: of each unit to its neighbours (rows, columns).
    """
    figure, grid = plots.subplots(1, 2, width=7.6, height=6.2)
    axes = grid[0]
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    height, width = framed.shape[1:]
    mosaic = framed.reshape(*shape, height, width).swapaxes(1, 2).reshape(shape[0] * height, shape[1] * width)
    axes[0].imshow(mosaic, cmap="gray_r", vmin=0)
    axes[0].set(xticks=[], yticks=[], title="The units: what each of them stands for")
    draw_ridges(axes[1], distances, "Labelled afterwards; dark: near its neighbours")
    middle = (distances.min() + distances.max()) / 2
    for unit, name in enumerate(names):
        row, column = divmod(unit, shape[1])
        shade = "white" if distances[row, column] < middle else "black"
        axes[1].text(column, row, str(name), ha="center", va="center", fontsize=16, color=shade)
    return figure


def errors(courses: Mapping[str, tuple[Sequence[int], np.ndarray]]) -> Figure:
    """Returns a figure of the maps' errors while they are trained.

    Args:
        courses: by the map's name, the samples shown (n,) and the quantisation and topographic errors then (n, 2).
    """
    figure, grid = plots.subplots(1, 2, width=5.6, height=4.4)
    axes = grid[0]
    for (name, (shown, values)), shade, sign in zip(courses.items(), plots.COLOURS, plots.MARKERS, strict=False):
        # A map of digits has long distances and one of colours short ones: each is measured by its own first.
        for panel, course in zip(axes, (values[:, 0] / values[0, 0], values[:, 1]), strict=True):
            panel.plot(shown, course, sign + "-", color=shade, markersize=9, label=name)
    axes[0].set(title="Quantisation error", ylabel="share of the initial error")
    axes[1].set(title="Topographic error", ylabel="share of the samples")
    for panel in axes:
        panel.set_xscale("symlog", linthresh=10)
        panel.set(xlabel="samples shown", xlim=(-0.5, None), ylim=(0, 1.05))
    axes[0].legend()
    return figure


def vigilance(vigilances: np.ndarray, counts: np.ndarray) -> Figure:
    """Returns a figure of the number of clusters by the vigilance.

    Args:
        vigilances: (n,).
        counts: the clusters in each order of the samples (n, orders); the first is the alphabet's.
    """
    figure, axes = plots.subplots(width=8, height=5)
    low, high = counts.min(axis=1), counts.max(axis=1)
    axes.fill_between(
        vigilances, low, high, color=plots.SKY, alpha=0.35, label=f"in {counts.shape[1] - 1} other orders"
    )
    axes.plot(vigilances, counts[:, 0], "o-", color=plots.BLUE, markersize=10, label="letters from A to Z")
    for x, count in zip(vigilances, counts[:, 0], strict=True):
        axes.annotate(f"{count}", (x, count), (-6, 8), textcoords="offset points", ha="right")
    axes.set(xlabel="vigilance", ylabel="clusters", ylim=(0, 1.12 * counts.max()))
    axes.set_title("ART1: the more vigilant, the more clusters of 26 letters")
    axes.legend(loc="upper left")
    return figure


def letters(prototypes: Mapping[float, Mapping[str, np.ndarray]]) -> Figure:
    """Returns a figure of the prototypes of ART1, each under the letters of its cluster.

    Args:
        prototypes: by the vigilance and by the letters of the cluster, (35,) of 0 and 1.
    """
    height, width = 7, 5
    most = max(len(of_vigilance) for of_vigilance in prototypes.values())
    lines_above = max(-(-len(members) // 5) for of_vigilance in prototypes.values() for members in of_vigilance)
    figure, axes = plots.subplots(len(prototypes), 1, width=max(13, 0.8 * most), height=1.75)
    for panel, (value, of_vigilance) in zip(np.ravel(axes), prototypes.items(), strict=True):
        for place, (members, pixels) in enumerate(of_vigilance.items()):
            left = place * (width + 2.5)
            extent = (left, left + width, 0, height)
            panel.imshow(1 - pixels.reshape(height, width), cmap="gray", vmin=0, vmax=1.15, extent=extent)
            lines = "\n".join(members[i : i + 5] for i in range(0, len(members), 5))
            panel.text(left + width / 2, height + 0.5, lines, ha="center", va="bottom", fontsize=12)
        panel.set(xlim=(-0.5, most * (width + 2.5)), ylim=(-0.3, height + 1 + 1.9 * lines_above))
        count = "1 cluster" if len(of_vigilance) == 1 else f"{len(of_vigilance)} clusters"
        panel.set_title(f"vigilance {value:g}: {count}", loc="left", fontsize=14)
        panel.axis("off")
    figure.suptitle("The prototypes: the pixels that all letters of a cluster have", fontsize=16)
    return figure


def table(points: np.ndarray, centres: np.ndarray, labels: np.ndarray, explained: np.ndarray, title: str) -> Figure:
    """Returns a figure of the rows of a table in two dimensions.

    Args:
        points: the rows' principal components (n, 1 or 2).
        centres: those of the clusters' centres (clusters, 1 or 2).
        labels: the cluster of each row (n,).
        explained: the share of the variance that each component holds.
        title: of the figure.
    """
    figure, axes = plots.subplots(width=9, height=6.2)
    if points.shape[1] == 1:  # one column: the rows are spread upwards, so that each is seen
        spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(points))
        points = np.column_stack([points, spread])
        centres = np.column_stack([centres, np.zeros(len(centres))])
    draw_clusters(axes, points, labels, 7, legend=True)
    draw_centres(axes, centres, 15)
    axes.set(xlabel=f"first principal component ({explained[0]:.0%} of the variance)", title=title)
    axes.set_ylabel(f"second ({explained[1]:.0%})" if len(explained) > 1 else "random spread, for visibility")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
