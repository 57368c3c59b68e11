"""Figures of the perceptron: the line of a neuron, the lines that were found and what they cost, and how one moves.

The samples that they show, and how a training went, are a `Samples` and a `Training` of `two_classes`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from workshop.kit import plots
from workshop.kit.two_classes import Samples, Training

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
STYLES = {-1.0: (plots.ORANGE, "o"), 1.0: (plots.BLUE, "^")}  # colours and shapes of the classes


def half_plane(w: np.ndarray) -> np.ndarray:
    """Returns the corners (4, 2) of where w1 x1 + w2 x2 + b > 0, as far as a picture goes; the first two: the line.

    While both weights are 0 there is no line, and the half is all of the plane, or none of it.
    """
    far, length = 1e4, np.linalg.norm(w[:2])
    if length == 0:
        return np.array([[-far, -far], [far, -far], [far, far], [-far, far]]) * (1.0 if w[2] >= 0 else np.nan)
    normal = w[:2] / length
    along, foot = np.array([-normal[1], normal[0]]), -w[2] / length * normal
    ends = np.array([foot - far * along, foot + far * along])
    return np.concatenate([ends, ends[::-1] + far * normal])


def draw_line(axes: Any, w: np.ndarray, **options: Any) -> Any:
    """Draws the line w1 x1 + w2 x2 + b = 0 and returns it; the axes keep their limits."""
    return axes.plot(*half_plane(w)[:2].T, scalex=False, scaley=False, **options)[0]


def draw_samples(axes: Any, samples: Samples, title: str = "") -> None:
    """Draws samples of two features, each class in its colour and shape."""
    for value, name in zip(STYLES, samples.classes, strict=True):
        colour, marker = STYLES[value]
        shown = samples.X[samples.y == value, :2].T
        axes.plot(*shown, marker, color=colour, markersize=8, markeredgecolor="white", label=name, zorder=3)
    low, high = samples.X[:, :2].min(axis=0), samples.X[:, :2].max(axis=0)
    margin = 0.08 * (high - low) + 1e-3
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    axes.set(xlabel=samples.names[0], ylabel=samples.names[1], title=title)
    axes.grid(False)


def neuron_figure(w: np.ndarray, points: np.ndarray, nets: Sequence[float]) -> Any:
    """Returns a figure of a threshold neuron: its two sides, and points (n, 2) with the sums that they give."""
    figure, axes = plots.subplots(width=7.5, height=5)
    axes.fill(*half_plane(w).T, color=STYLES[1.0][0], alpha=0.15, zorder=0, label="w.x + b > 0: answer 1")
    draw_line(axes, w, color=plots.BLACK, label="w.x + b = 0")
    for point, net in zip(points, nets, strict=True):
        colour, marker = STYLES[1.0 if net >= 0 else -1.0]
        axes.plot(*point, marker, color=colour, markersize=11, markeredgecolor="white")
        axes.annotate(f"{net:g}", point, (8, 8), textcoords="offset points", fontsize=15)
    axes.set(xlabel="x1", ylabel="x2", xlim=(-13, 4), ylim=(-5, 5))
    axes.set_title("{:g} x1 {:+g} x2 {:+g}: what the neuron adds up".format(*w))
    axes.legend(loc="lower right", frameon=True)
    return figure


def orders_figure(samples: Samples, lines: Mapping[str, np.ndarray], counts: Mapping[str, np.ndarray]) -> Any:
    """Returns a figure: the lines that were found, and what the orders cost.

    Args:
        samples: of two features; of more, the lines are left out.
        lines: the weights by the names of the ways that found them.
        counts: by the same names, the epochs and the updates of every order of the samples (orders, 2).
    """
    with_lines = samples.X.shape[1] == 3
    figure, axes = plots.subplots(1, 1 + with_lines, width=6.2, height=5)
    panels = np.ravel(axes)
    styles = list(
        zip((plots.VERMILION, plots.GREEN, plots.BLACK, plots.PURPLE), ("-", "--", ":", "-."), "os*v", strict=True)
    )
    if with_lines:
        draw_samples(panels[0], samples, "The lines found")
        for (name, w), (colour, dashes, _) in zip(lines.items(), styles, strict=False):
            draw_line(panels[0], w, color=colour, linestyle=dashes, linewidth=2.5, label=name)
        panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=11)
    for (name, found), (colour, _, marker) in zip(counts.items(), styles, strict=False):
        size = 18 if marker == "*" else 9
        options = {"color": colour, "markersize": size, "markeredgecolor": "white", "alpha": 0.8}
        panels[-1].plot(*found.T, marker, label=name, **options)
    panels[-1].set(xlabel="epochs", ylabel="updates", title=f"The same samples in {len(found)} orders")
    panels[-1].legend(frameon=True)
    return figure


def adaline_figure(samples: Samples, rules: Mapping[str, Training]) -> Any:
    """Returns a figure: where two rules come to rest, or do not. Of more than two features, the lines are left out."""
    with_lines = samples.X.shape[1] == 3
    figure, axes = plots.subplots(1, 1 + with_lines, width=6.2, height=5)
    panels = np.ravel(axes)
    for (name, one), colour in zip(rules.items(), (plots.VERMILION, plots.BLACK), strict=True):
        if with_lines:
            for w in one.path[-10:]:
                draw_line(panels[0], w, color=colour, linewidth=1.2, alpha=0.6)
            draw_line(panels[0], one.path[-1], color=colour, linewidth=2.5, label=name)
        epochs = np.arange(1, len(one.mistakes) + 1)
        panels[-1].plot(epochs, one.mistakes, color=colour, linewidth=1.6, label=name)
    if with_lines:
        draw_samples(panels[0], samples, "After each of the last ten epochs")
        panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=11)
    panels[-1].set(xlabel="epoch", ylabel="mistakes in the epoch", title="Mistakes, epoch by epoch", xlim=(1, 100))
    panels[-1].set_ylim(bottom=0)
    panels[-1].legend(frameon=True)
    return figure


def animate(axes: Any, samples: Samples, step: Step, training: Training, most: int) -> Iterator[float]:
    """Moves the line sample by sample; yields seconds, as `animation.save` wants it.

    Every sample of the first epoch is shown, later only those that move the line; then the line where training ended.

    Args:
        axes: the panel.
        samples: of two features.
        step: from one sample, its class and the weights to their change.
        training: what is shown, online, in the order of the samples.
        most: how many frames there may be.
    """
    draw_samples(axes, samples)
    side = axes.fill(*half_plane(np.zeros(3)).T, color=STYLES[1.0][0], alpha=0.15)[0]
    old = draw_line(axes, np.zeros(3), color=plots.BLACK, linestyle=":", linewidth=1.8)
    line = draw_line(axes, np.zeros(3), color=plots.BLACK, linewidth=3)
    (ring,) = axes.plot([], [], "o", markersize=20, markerfacecolor="none", markeredgewidth=3, zorder=4)
    axes.legend(loc="upper right", frameon=True, fontsize=11)

    def move(w: np.ndarray) -> None:
        corners = half_plane(w)
        side.set_xy(corners)
        line.set_data(*corners[:2].T)

    axes.set_title("All weights are 0: every answer is " + samples.classes[1], fontsize=15)
    yield 1.5
    frames = updates = 0
    w = np.zeros(3)
    for visit in range(training.epochs * len(samples.X)):
        epoch, i = divmod(visit, len(samples.X))
        change = step(samples.X[[i]], samples.y[[i]], w)
        is_wrong = bool(change.any())
        if frames >= most:
            break
        if epoch > 0 and not is_wrong:
            continue
        ring.set_data(*samples.X[[i], :2].T)
        ring.set_color(plots.VERMILION if is_wrong else plots.GREEN)
        where = f"Epoch {epoch + 1}, sample {i + 1}"
        axes.set_title(f"{where}: {'wrong' if is_wrong else 'right'}", fontsize=15)
        frames += 1
        yield 0.5 if is_wrong else 0.2
        if is_wrong:
            updates += 1
            old.set_data(*half_plane(w)[:2].T)
            w = w + change
            move(w)
            axes.set_title(f"{where}: update {updates}, the line moves", fontsize=15)
            frames += 1
            yield 0.8
    ring.set_data([], [])
    old.set_data([], [])
    move(training.weights)
    wrong = training.mistakes[-1]
    axes.set_title(f"The end: {training.updates} updates, {wrong or 'no'} mistake{'s' * (wrong != 1)}", fontsize=15)
    yield 3.5
