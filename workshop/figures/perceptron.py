"""Figures of the perceptron: a neuron's decision boundary, the boundaries that training finds, and how one moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workshop.kit import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

STYLES = {-1.0: (plots.ORANGE, "o"), 1.0: (plots.BLUE, "^")}  # colours and markers of the classes
LINE_STYLES = (
    (plots.VERMILION, "-", "o"),
    (plots.GREEN, "--", "s"),
    (plots.BLACK, ":", "*"),
    (plots.PURPLE, "-.", "v"),
)


def half_plane(w: np.ndarray) -> np.ndarray:
    """Returns the corners (4, 2) of the region w1 x1 + w2 x2 + b > 0; the first two are on its boundary.

    While both weights are 0 there is no boundary, and the region is the whole plane or nothing.
    """
    far = 1e4  # beyond the limits of any axes
    length = np.linalg.norm(w[:2])
    if length == 0:
        return np.array([[-far, -far], [far, -far], [far, far], [-far, far]]) * (1.0 if w[2] > 0 else np.nan)
    normal = w[:2] / length
    along = np.array([-normal[1], normal[0]])
    foot = -w[2] / length * normal
    ends = np.array([foot - far * along, foot + far * along])
    return np.concatenate([ends, ends[::-1] + far * normal])


def draw_line(axes: Axes, w: np.ndarray, **options: Any) -> Line2D:
    """Draws the line w1 x1 + w2 x2 + b = 0 and returns it; the axes keep their limits."""
    return axes.plot(*half_plane(w)[:2].T, scalex=False, scaley=False, **options)[0]


def draw_samples(
    axes: Axes, X: np.ndarray, y: np.ndarray, features: Sequence[str], classes: Sequence[str], title: str = ""
) -> None:
    """Draws samples of two features, each class in its colour and marker.

    Args:
        axes: the panel.
        X: the samples (n, 2 or more); the first two columns are drawn.
        y: their classes (n,), -1 or 1.
        features: the names of the two features.
        classes: the names of the classes, that of -1 first.
        title: of the panel.
    """
    for value, name in zip(STYLES, classes, strict=True):
        colour, marker = STYLES[value]
        axes.plot(
            *X[y == value, :2].T, marker, color=colour, markersize=8, markeredgecolor="white", label=name, zorder=3
        )
    low, high = X[:, :2].min(axis=0), X[:, :2].max(axis=0)
    margin = 0.08 * (high - low) + 1e-3
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set(xlabel=features[0], ylabel=features[1], title=title)
    axes.grid(False)


def neuron(w: np.ndarray, points: np.ndarray, nets: np.ndarray) -> Figure:
    """Returns a figure of a threshold neuron: its boundary, and points (n, 2) with their net inputs."""
    figure, axes = plots.subplots(width=7.5, height=5)
    axes.fill(*half_plane(w).T, color=STYLES[1.0][0], alpha=0.15, zorder=0, label="w.x + b > 0: output 1")
    draw_line(axes, w, color=plots.BLACK, label="w.x + b = 0")
    for point, net in zip(points, nets, strict=True):
        colour, marker = STYLES[1.0 if net > 0 else -1.0]
        axes.plot(*point, marker, color=colour, markersize=11, markeredgecolor="white")
        axes.annotate(f"{net:g}", point, (8, 8), textcoords="offset points", fontsize=15)
    axes.set(xlabel="x1", ylabel="x2", xlim=(-13, 9), ylim=(-5, 5))
    axes.set_title("The net input {:g} x1 {:+g} x2 {:+g}".format(*w))
    axes.legend(loc="lower right", frameon=True)
    return figure


def orders(
    X: np.ndarray,
    y: np.ndarray,
    features: Sequence[str],
    classes: Sequence[str],
    boundaries: Mapping[str, np.ndarray],
    counts: Mapping[str, np.ndarray],
) -> Figure:
    """Returns a figure: the boundaries that training found, and what each order of the samples costs.

    Args:
        X, y, features, classes: as in `draw_samples`; of more than two features, the boundaries are left out.
        boundaries: the weights by the names of the ways of training.
        counts: by the same names, the epochs and the updates of every order of the samples (orders, 2).
    """
    with_boundaries = len(features) == 2
    figure, axes = plots.subplots(1, 2 if with_boundaries else 1, width=6.2, height=5)
    panels = np.ravel(axes)
    if with_boundaries:
        draw_samples(panels[0], X, y, features, classes, "Decision boundaries")
        for (name, w), (colour, dashes, _) in zip(boundaries.items(), LINE_STYLES, strict=False):
            draw_line(panels[0], w, color=colour, linestyle=dashes, linewidth=2.5, label=name)
        panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=11)
    n_orders = 0
    for (name, pairs), (colour, _, marker) in zip(counts.items(), LINE_STYLES, strict=False):
        n_orders = len(pairs)
        size = 18 if marker == "*" else 9
        panels[-1].plot(*pairs.T, marker, color=colour, markersize=size, markeredgecolor="white", alpha=0.8, label=name)
    panels[-1].set(xlabel="epochs", ylabel="updates", title=f"The same samples in {n_orders} orders")
    panels[-1].legend(frameon=True)
    return figure


def outlier(
    X: np.ndarray,
    y: np.ndarray,
    features: Sequence[str],
    classes: Sequence[str],
    before: np.ndarray,
    after: Mapping[str, Sequence[np.ndarray]],
) -> Figure:
    """Returns a figure: a boundary, and where it is after an epoch with an outlier, which lies far outside of it.

    Args:
        X, y, features, classes: as in `draw_samples`, without the outlier.
        before: the weights before (3,).
        after: for each way of training the weights after the epoch (3,), in one or in several orders of the samples.
    """
    figure, axes = plots.subplots(width=9, height=6)
    draw_samples(axes, X, y, features, classes, "One epoch with an outlier")
    for (name, ends), (colour, dashes, _) in zip(after.items(), LINE_STYLES, strict=False):
        for i, w in enumerate(ends):
            label = (f"{name}, {len(ends)} orders" if len(ends) > 1 else name) if i == 0 else None
            width = 1.3 if len(ends) > 1 else 3
            draw_line(axes, w, color=colour, linestyle=dashes, linewidth=width, label=label)
    draw_line(axes, before, color=plots.BLACK, linewidth=3, label="before")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, fontsize=11)
    return figure


def adaline(
    X: np.ndarray,
    y: np.ndarray,
    features: Sequence[str],
    classes: Sequence[str],
    paths: Mapping[str, np.ndarray],
    mistakes: Mapping[str, Sequence[int]],
) -> Figure:
    """Returns a figure: where two rules converge, or do not, and their mistakes.

    Args:
        X, y, features, classes: as in `draw_samples`; of more than two features, the boundaries are left out.
        paths: for each rule the weights after each epoch (epochs, weights).
        mistakes: by the same names, those in each epoch.
    """
    with_boundaries = len(features) == 2
    figure, axes = plots.subplots(1, 2 if with_boundaries else 1, width=6.2, height=5)
    panels = np.ravel(axes)
    for (name, path), colour in zip(paths.items(), (plots.VERMILION, plots.BLACK), strict=True):
        if with_boundaries:
            for w in path[-10:]:
                draw_line(panels[0], w, color=colour, linewidth=1.2, alpha=0.6)
            draw_line(panels[0], path[-1], color=colour, linewidth=2.5, label=name)
        epochs = np.arange(1, len(mistakes[name]) + 1)
        panels[-1].plot(epochs, mistakes[name], color=colour, linewidth=1.6, label=name)
    if with_boundaries:
        draw_samples(panels[0], X, y, features, classes, "Decision boundaries of the last ten epochs")
        panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=11)
    panels[-1].set(xlabel="epoch", ylabel="mistakes", title="Mistakes in each epoch", xlim=(1, 100))
    panels[-1].set_ylim(bottom=0)
    panels[-1].legend(frameon=True)
    return figure


def learning(
    X: np.ndarray,
    y: np.ndarray,
    features: Sequence[str],
    classes: Sequence[str],
    path: np.ndarray,
    final: np.ndarray,
    updates: int,
    mistakes: int,
    max_frames: int,
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of online training in it, as `animation.save` takes them.

    Every sample of the first epoch is shown, later only those that move the boundary; then the boundary where training
    ended.

    Args:
        X, y, features, classes: as in `draw_samples`, of two features.
        path: the weights after each sample that training looked at, one after the other (visits, 3), from weights 0 on.
        final: the weights where training ended (3,).
        updates: all in all.
        mistakes: in the last epoch.
        max_frames: how many frames there may be before the last one.
    """
    figure, axes = plots.subplots(width=7.5, height=6)

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        draw_samples(axes, X, y, features, classes)
        region = axes.fill(*half_plane(np.zeros(3)).T, color=STYLES[1.0][0], alpha=0.15)[0]
        old = draw_line(axes, np.zeros(3), color=plots.BLACK, linestyle=":", linewidth=1.8)
        line = draw_line(axes, np.zeros(3), color=plots.BLACK, linewidth=3)
        (ring,) = axes.plot([], [], "o", markersize=20, markerfacecolor="none", markeredgewidth=3, zorder=4)
        axes.legend(loc="upper right", frameon=True, fontsize=11)

        def move(w: np.ndarray) -> None:
            corners = half_plane(w)
            region.set_xy(corners)
            line.set_data(*corners[:2].T)

        axes.set_title(f"All weights are 0: every output is {classes[0]}", fontsize=15)
        yield 1.5
        shown = moved = 0
        before = np.zeros(3)
        for visit, w in enumerate(path):
            epoch, i = divmod(visit, len(X))
            is_wrong = not np.array_equal(w, before)
            if shown >= max_frames:
                break
            if epoch > 0 and not is_wrong:
                continue
            ring.set_data(*X[[i], :2].T)
            ring.set_color(plots.VERMILION if is_wrong else plots.GREEN)
            place = f"Epoch {epoch + 1}, sample {i + 1}"
            axes.set_title(f"{place}: {'wrong' if is_wrong else 'right'}", fontsize=15)
            shown += 1
            yield 0.5 if is_wrong else 0.2
            if is_wrong:
                moved += 1
                old.set_data(*half_plane(before)[:2].T)
                move(w)
                before = w
                axes.set_title(f"{place}: update {moved}, the line moves", fontsize=15)
                shown += 1
                yield 0.8
        ring.set_data([], [])
        old.set_data([], [])
        move(final)
        last_epoch = "1 mistake" if mistakes == 1 else f"{mistakes or 'no'} mistakes"
        axes.set_title(f"The end: {updates} updates, {last_epoch}", fontsize=15)
        yield 3.5

    return figure, frames()
