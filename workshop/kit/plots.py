"""Every figure: labelled axes, lines and letters that a projector shows, colours that the colour-blind tell apart.

The figures are made without pyplot, so no window opens and nothing is kept in memory once a picture is saved.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workshop.kit import files

# Okabe and Ito (2008), "Color Universal Design".
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#222222",
)  # fmt: skip
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
_STYLE = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "image.cmap": "gray_r",
}


def subplots(rows: int = 1, columns: int = 1, width: float = 6.0, height: float = 4.5, **options: Any) -> Any:
    """Returns (figure, axes) of the package's style; `width` and `height` are of one panel, in inches.

    Axes are a NumPy array of (rows, columns), or the one Axes where there is one panel.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, axes if rows * columns > 1 else axes[0, 0]


def save(figure: Any, path: Path) -> Path:
    """Saves a figure as PNG and returns the path. A run that is killed leaves no half picture."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    content = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.set_dpi(110)
        FigureCanvasAgg(figure).print_png(content)  # `savefig` draws the figure twice
    files.write_atomically(path, content.getvalue())
    return path


def draw_losses(axes: Any, histories: Mapping[str, Any], *, y: str, title: str, logarithmic: bool = True) -> None:
    """Draws how the training loss fell, for each history of `training.fit` by the name of its model."""
    curves = {name: (history.at, history.fine["loss"]) for name, history in histories.items()}
    draw_curves(axes, curves, y=y, title=title, logarithmic=logarithmic)


def draw_curves(
    axes: Any,
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x: str = "epoch",
    y: str = "loss",
    title: str = "",
    logarithmic: bool = False,
) -> None:
    """Draws named curves (x values, y values) into one panel."""
    for (label, (x_values, y_values)), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(x_values, y_values, color=colour, linewidth=2.2, label=label)
    # Curves that are nowhere above 0 have no logarithm to show.
    if logarithmic and any(np.any(np.asarray(values) > 0) for _, values in curves.values()):
        axes.set_yscale("log")
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_boundary(
    axes: Any,
    probability: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str] = ("x1", "x2"),
    classes: Sequence[str] = ("0", "1"),
    title: str = "",
    output: str = "",
    is_alone: bool = True,
) -> Any:
    """Draws a two-class model of two inputs: its probability as a shade, the boundary at 0.5, and the samples.

    Args:
        axes: the panel.
        probability: from points (n, 2), in the units of X, to the probability of class 1 (n,).
        X: samples (n, 2).
        y: their classes (n,), 0 or 1.
        names: of the two inputs, units included.
        classes: of the two classes.
        title: of the panel.
        output: what the shade shows, where it is not the probability of the second class.
        is_alone: whether the panel gets a colour bar and a legend of its own.

    Returns:
        The shade, for a colour bar.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.08 * (high - low)
    sides = [np.linspace(a, b, 200) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    values = np.asarray(probability(grid.reshape(-1, 2).astype(np.float32))).reshape(200, 200)
    values = np.clip(values, 0, 1)  # a linear output leaves the range
    shade = axes.contourf(*sides, values, levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.5, vmin=0, vmax=1)
    axes.contour(*sides, values, levels=[0.5], colors=BLACK, linewidths=2)
    # The colours of the samples are those of the map's two ends, darker; the shapes tell them apart as well.
    for value, colour, marker in ((0, "#7F3B08", "o"), (1, "#2D004B", "^")):
        axes.plot(*X[y == value].T, marker, color=colour, markersize=6, markeredgecolor="white", label=classes[value])
    axes.set(xlabel=names[0], ylabel=names[1], title=title)
    axes.grid(False)
    if is_alone:
        axes.figure.colorbar(shade, ax=axes, label=output or f"probability of {classes[1]}", ticks=[0, 0.5, 1])
        axes.legend(loc="upper right", frameon=True)
    return shade


def confusion_matrix(matrix: np.ndarray, classes: Sequence[str], title: str) -> Any:
    """Returns a figure of a confusion matrix: rows the true classes, columns the predicted ones."""
    size = max(5.0, 0.75 * len(classes) + 1.5)
    figure, axes = subplots(width=size + 1, height=size)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column]:
            colour = "white" if share[row, column] > 0.5 else BLACK
            axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center", color=colour, fontsize=10)
    ticks = range(len(classes))
    is_long = max(len(name) for name in classes) > 3
    axes.set_xticks(ticks, classes, rotation=45 if is_long else 0, ha="right" if is_long else "center")
    axes.set_yticks(ticks, classes)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    axes.grid(False)
    return figure


def image_grid(images: np.ndarray, titles: Sequence[str], heading: str, columns: int = 6) -> Any:
    """Returns a figure of grey images (n, height, width), each under its title."""
    rows = max(1, -(-len(images) // columns))
    figure, axes = subplots(rows, columns, width=1.9, height=2.3)
    for panel in axes.flat:
        panel.axis("off")
    for panel, image, title in zip(axes.flat, images, titles, strict=False):
        panel.imshow(image, cmap="gray_r")
        panel.set_title(title, fontsize=11)
    figure.suptitle(heading)
    return figure


def layer_by_layer(
    stages: Sequence[tuple[str, np.ndarray]], heading: str, classes: Sequence[str], most: int = 16
) -> Any:
    """Returns a figure of one image on its way through a network.

    Args:
        stages: for each layer its name and what it answered, (height, width, channels) or (units,).
        heading: above all.
        classes: the names of the last layer's units.
        most: how many channels of a layer are drawn.
    """
    figure, axes = subplots(len(stages), 1, width=13, height=1.5)
    for panel, (name, output) in zip(axes[:, 0], stages, strict=True):
        if output.ndim == 3:
            # The channels side by side, with a white column between them.
            shown = output[..., :most] / max(float(output.max()), 1e-9)
            strip = np.pad(shown, ((0, 0), (0, 2), (0, 0))).transpose(0, 2, 1).reshape(len(output), -1)
        else:
            strip = output[None, :]
        # A thin strip of single units would be stretched to nothing with square pixels.
        panel.imshow(strip, aspect="equal" if output.ndim == 3 else "auto", cmap="gray_r", interpolation="nearest")
        shape = " x ".join(str(size) for size in output.shape)
        extra = f", the first {most}" if output.ndim == 3 and output.shape[-1] > most else ""
        panel.set_title(f"{name}: {shape}{extra}", fontsize=12, loc="left")
        panel.set_xticks([])
        if output.shape == (len(classes),):
            panel.set_xticks(range(len(classes)), classes)
        panel.spines[:].set_visible(False)
        panel.set_yticks([])
        panel.grid(False)
    figure.suptitle(heading)
    return figure


def filters(kernels: np.ndarray, heading: str) -> Any:
    """Returns a figure of a convolution's kernels (height, width, 1, filters): dark is positive, orange negative."""
    count = kernels.shape[-1]
    figure, axes = subplots(-(-count // 8), 8, width=1.2, height=1.2)
    largest = float(np.abs(kernels).max())
    for panel in axes.flat:
        panel.axis("off")
    for panel, kernel in zip(axes.flat, np.moveaxis(kernels[:, :, 0], -1, 0), strict=False):
        panel.imshow(kernel, cmap="PuOr", vmin=-largest, vmax=largest)
    figure.suptitle(heading)
    return figure


def boundary_row(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    X: np.ndarray,
    y: np.ndarray,
    heading: str,
    *,
    names: Sequence[str] = ("x1", "x2"),
    classes: Sequence[str] = ("0", "1"),
    output: str = "",
) -> Any:
    """Returns a figure of several models' boundaries side by side, with one legend and one colour bar.

    Args:
        models: for each panel its title, and from points (n, 2) to the probability of class 1 (n,).
        X, y, names, classes, output: as `draw_boundary` takes them.
        heading: above all.
    """
    import matplotlib

    figure, axes = subplots(1, len(models), width=4.4, height=4.8, sharey=True)
    panels = np.ravel(axes)
    with matplotlib.rc_context(_STYLE):
        for panel, (title, probability) in zip(panels, models.items(), strict=True):
            shade = draw_boundary(
                panel, probability, X, y, names=names, classes=classes, title=title, output=output, is_alone=False
            )
            panel.label_outer()
        label = output or f"probability of {classes[1]}"
        figure.colorbar(shade, ax=list(panels), label=label, ticks=[0, 0.5, 1], pad=0.01, fraction=0.1 / len(panels))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.suptitle(heading, fontsize=16)
    return figure


def draw_line(
    axes: Any,
    x_values: np.ndarray,
    y_values: np.ndarray,
    weight: float,
    bias: float,
    *,
    x: str = "x",
    y: str = "y",
    title: str = "",
) -> None:
    """Draws points and the line weight * x + bias through them into one panel."""
    ends = np.array([x_values.min(), x_values.max()])
    equation = f"y = {weight:.3g} x {'-' if bias < 0 else '+'} {abs(bias):.3g}"
    axes.plot(ends, weight * ends + bias, color=VERMILION, linewidth=2.2, label=equation)
    axes.plot(x_values, y_values, "o", color=BLUE, markersize=8, markeredgecolor="white", label="data")
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_bowl(
    axes: Any,
    cost: Callable[[np.ndarray], np.ndarray],
    paths: Mapping[str, np.ndarray],
    points: Mapping[str, np.ndarray],
    *,
    x: str = "first weight",
    y: str = "second weight",
    title: str = "",
) -> None:
    """Draws the cost of two weights as contours, with ways down and single points on it.

    Args:
        axes: the panel.
        cost: from weights (..., 2) to their cost (...).
        paths: named rows of weights (n, 2), drawn as lines with their start marked.
        points: named weights (n, 2), drawn as single marks.
        x, y: names of the two weights.
        title: of the panel.
    """
    everything = np.concatenate([*paths.values(), *points.values()])
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = np.maximum(0.15 * (high - low), 0.1)
    sides = [np.linspace(a, b, 100) for a, b in zip(low - margin, high + margin, strict=True)]
    heights = cost(np.stack(np.meshgrid(*sides), axis=-1))
    # Logarithmic steps: near its lowest point a bowl is flat, and even steps would show nothing there.
    levels = np.geomspace(max(heights.min(), 1e-6 * heights.max()), heights.max(), 12)
    axes.contour(*sides, heights, levels=levels, cmap="Blues_r", linewidths=1.2)
    styles = list(zip((VERMILION, GREEN, PURPLE, BLACK), MARKERS, strict=False))
    for (label, path), (colour, _) in zip(paths.items(), styles, strict=False):
        axes.plot(*path.T, ".-", color=colour, linewidth=2.2, markersize=8, label=label)
        axes.plot(*path[0], "o", color=colour, markersize=7)
    for (label, marks), (colour, marker) in zip(points.items(), reversed(styles), strict=False):
        axes.plot(*marks.T, marker, color=colour, markersize=9, markeredgecolor="white", label=label)
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(False)
    axes.legend(fontsize=12, frameon=True)


def draw_predictions(
    axes: Any, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], *, of: str = "y", title: str = ""
) -> None:
    """Draws predicted against true values: for each name in `pairs` the true ones (n,) and the predicted (n,)."""
    for (label, (true, predicted)), colour, marker in zip(pairs.items(), COLOURS, MARKERS, strict=False):
        axes.plot(true, predicted, marker, color=colour, markersize=7, markeredgecolor="white", label=label)
    everything = np.concatenate([np.ravel(values) for pair in pairs.values() for values in pair])
    ends = [everything.min(), everything.max()]
    axes.plot(ends, ends, "--", color=BLACK, linewidth=1.5, label="predicted = true")
    axes.set(xlabel=f"true {of}", ylabel=f"predicted {of}", title=title)
    axes.legend(fontsize=13, frameon=False)


def draw_bars(
    axes: Any,
    bars: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    *,
    value: str = "{:.3g}",
    y: str = "",
    title: str = "",
) -> None:
    """Draws bars side by side with their values, formatted by `value`, on top: for each name a bar in each group."""
    width = 0.8 / len(bars)
    for i, ((label, heights), colour) in enumerate(zip(bars.items(), COLOURS, strict=False)):
        at = np.arange(len(groups)) + (i - (len(bars) - 1) / 2) * width
        drawn = axes.bar(at, heights, 0.92 * width, color=colour, label=label)
        axes.bar_label(drawn, fmt=value, fontsize=13, padding=2)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(ylabel=y, title=title)
    axes.margins(y=0.2)
    axes.set_axisbelow(True)
    axes.grid(axis="x", visible=False)
    axes.legend(fontsize=13, frameon=False, loc="upper center", ncols=len(bars))
