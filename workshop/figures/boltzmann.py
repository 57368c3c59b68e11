"""Figures of the lesson on Boltzmann machines: digits and filters as images, curves, ratings, and two animations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns images (n, side * side) side by side in one, with a pixel of 0 between them."""
    side = round(np.sqrt(images.shape[1]))
    rows = -(-len(images) // columns)
    padded = np.zeros((rows * columns, side + 1, side + 1))
    padded[: len(images), :side, :side] = images.reshape(-1, side, side)
    whole = padded.reshape(rows, columns, side + 1, side + 1).swapaxes(1, 2)
    return whole.reshape(rows * (side + 1), columns * (side + 1))[:-1, :-1]


def draw_filters(axes: Axes, weights: np.ndarray, columns: int, largest: float) -> None:
    """Draws the weights of hidden units (units, pixels): purple switches a unit on, orange off."""
    axes.imshow(mosaic(weights, columns), cmap="PuOr", vmin=-largest, vmax=largest, interpolation="nearest")
    axes.axis("off")


def reconstructions(images: np.ndarray, reconstructed: np.ndarray) -> Figure:
    """Returns a figure of images (n, pixels) from 0 to 1, their reconstructions, and the differences."""
    figure, axes = plots.subplots(3, 1, width=12, height=1.55)
    panels = (("test images", images), ("reconstructions, through the hidden units and back", reconstructed))
    for panel, (title, rows) in zip(axes.flat, panels, strict=False):
        panel.imshow(mosaic(rows, len(rows)), cmap="gray_r", vmin=0, vmax=1)
        panel.set_title(title, loc="left")
    difference = mosaic(reconstructed - images, len(images))
    axes.flat[2].imshow(difference, cmap="PuOr", vmin=-1, vmax=1)
    axes.flat[2].set_title("the difference: purple ink that was added, orange ink that is missing", loc="left")
    for panel in axes.flat:
        panel.axis("off")
    return figure


def filters(weights: np.ndarray, activity: np.ndarray) -> Figure:
    """Returns a figure of the weights of the hundred most active hidden units, and of how often units are on.

    Args:
        weights: (units, pixels).
        activity: the share of the images for which each unit is on (units,).
    """
    figure, axes = plots.subplots(1, 2, width=6.6, height=6.2, width_ratios=(1.35, 1))
    shown = np.argsort(-weights.std(axis=1), kind="stable")[:100]
    draw_filters(axes.flat[0], weights[shown], 10, 0.6 * np.abs(weights[shown]).max())
    axes.flat[0].set_title(f"Filters of {len(shown)} hidden units: purple pixels switch the unit on")
    axes.flat[1].hist(activity, bins=np.linspace(0, 1, 21), color=plots.BLUE, edgecolor="white")
    axes.flat[1].set(xlabel="share of the test images for which a unit is on", ylabel="hidden units")
    axes.flat[1].set_title("How often hidden units are on")
    return figure


def gap_table(histories: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Returns a table of the free-energy gaps of machines, by what they were trained on; see `free_energy`."""
    rows = [
        [name, run["epochs"][-1], f"{run['gaps'][0]:.2f}", f"{run['gaps'][-1]:.2f}"] for name, run in histories.items()
    ]
    return format_table(["trained on", "epochs", "free-energy gap before", "after"], rows)


def free_energy(all_images: Mapping[str, Sequence[float]], few_images: Mapping[str, Sequence[float]]) -> Figure:
    """Returns a figure of the free-energy gaps of two machines, by their `epochs` and `gaps`."""
    figure, grid = plots.subplots(1, 2, width=5.8, height=4.4)
    gaps = np.array([*all_images["gaps"], *few_images["gaps"]])
    panels = (
        ("All images", all_images, plots.BLUE, "o-"),
        ("Few images: it memorises", few_images, plots.VERMILION, "^-"),
    )
    for panel, (title, history, colour, look) in zip(grid.flat, panels, strict=True):
        panel.axhline(0, color="#888888", linewidth=1.2)
        panel.plot(history["epochs"], history["gaps"], look, color=colour, markersize=7)
        panel.set(title=title, xlabel="epoch", ylim=(min(-5, 1.1 * gaps.min()), max(5, 1.1 * gaps.max())))
    grid.flat[0].set_ylabel("free energy: held-out less\ntraining images")
    return figure


MACHINES = ("contrastive divergence", "persistent chains")


def samples(*chains: Mapping[int, np.ndarray]) -> Figure:
    """Returns a figure of chains from noise.

    Args:
        chains: of one machine or two, for each step the pixels (chains, pixels).
    """
    steps = list(chains[0])
    shown = [steps[round(i)] for i in np.linspace(0, len(steps) - 1, min(6, len(steps)))]
    figure, axes = plots.subplots(len(shown), len(chains), width=7, height=1.05)
    for row, step in zip(axes, shown, strict=True):
        for panel, of_machine in zip(row, chains, strict=True):
            few = of_machine[step][:8]
            panel.imshow(mosaic(few, len(few)), cmap="gray_r", vmin=0, vmax=1)
            panel.axis("off")
        row[0].set_title(f"step {step:,}", loc="left", fontsize=12)
    if len(chains) == len(MACHINES):
        for panel, name in zip(axes[0], MACHINES, strict=True):
            panel.set_title(f"Trained by {name}")
    figure.suptitle("Chains from noise: samples from the machine", fontsize=16)
    return figure


def sampling(*chains: Mapping[int, np.ndarray]) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of chains that start from noise, as `animation.save` takes them.

    Args:
        chains: of two machines, for each step the pixels (chains, pixels).
    """
    figure, axes = plots.subplots(1, 2, width=4.6, height=4.3)

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        for panel, of_machine, name in zip(axes.flat, chains, MACHINES, strict=True):
            panel.imshow(mosaic(of_machine[0], 5), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
            panel.axis("off")
            panel.set_title(f"Trained by {name}")
        for number, step in enumerate(chains[0]):
            for panel, of_machine in zip(axes.flat, chains, strict=True):
                # Eight greys: the animation stays small.
                panel.images[0].set_data(np.rint(7 * mosaic(of_machine[step], 5)) / 7)
            figure.suptitle("The start: noise" if step == 0 else f"Step {step:,} of the chain", fontsize=16)
            yield 3.0 if number == len(chains[0]) - 1 else 1.2 if number == 0 else 0.6

    return figure, frames()


def growing(
    epochs: Sequence[float], errors: Sequence[float], weights: Sequence[np.ndarray]
) -> tuple[Figure, Iterator[float]]:
    """Returns a figure and the frames of filters that grow, with the error of reconstructions beside them.

    Args:
        epochs, errors: of each frame the epochs passed and the error then.
        weights: of each frame (units, pixels).
    """
    figure, axes = plots.subplots(1, 2, width=5.2, height=4.7, width_ratios=(1.25, 1))
    left, right = axes.flat

    def frames() -> Iterator[float]:
        """Changes the axes and yields for how many seconds they are shown."""
        # Each frame has a scale of its own: the first weights are a hundredth of the last ones. Few colours keep the
        # animation small.
        scaled = [np.rint(15 * np.clip(W / np.quantile(np.abs(W), 0.998), -1, 1)) / 15 for W in weights]
        draw_filters(left, scaled[0], 8, 1.0)
        (curve,) = right.plot([], [], "o-", color=plots.BLUE, markersize=6)
        right.set(
            xlabel="epoch", ylabel="mean squared error", xlim=(0, 1.03 * epochs[-1]), ylim=(0, 1.05 * max(errors))
        )
        right.set_title("Reconstructed test images")
        for number, (passed, filters) in enumerate(zip(epochs, scaled, strict=True)):
            left.images[0].set_data(mosaic(filters, 8))
            left.set_title(f"Filters after {passed:.2f} epochs")
            curve.set_data(epochs[: number + 1], errors[: number + 1])
            yield 3.0 if number == len(weights) - 1 else 0.9 if number == 0 else 0.4

    return figure, frames()


def likelihood_table(likelihoods: Mapping[str, np.ndarray], every: int) -> str:
    """Returns a table of the mean of ln P at first, after a tenth of the training and at its end; see `exact`."""
    steps = every * (len(next(iter(likelihoods.values()))) - 1)
    tenth = steps // 10 // every
    rows = [[name, *(f"{values[i]:.3f}" for i in (0, tenth, -1))] for name, values in likelihoods.items()]
    return format_table(["mean ln P", "at first", f"after {every * tenth} steps", f"after {steps}"], rows)


def error_table(ks: Sequence[int], errors: Mapping[str, Sequence[float]]) -> str:
    """Returns a table of the error of CD-k by k, a column for each machine; see `exact`."""
    rows = [[k, *(f"{values[i]:.2%}" for values in errors.values())] for i, k in enumerate(ks)]
    return format_table(["k", *errors], rows)


def exact(
    likelihoods: Mapping[str, np.ndarray],
    every: int,
    best: float,
    ks: np.ndarray,
    errors: Mapping[str, Sequence[float]],
) -> Figure:
    """Returns a figure of the small machine: its likelihood while it is trained, and the error of CD-k.

    Args:
        likelihoods: by the way of training, the mean of ln P, each `every` steps.
        every: see there.
        best: that no machine exceeds.
        ks: (n,).
        errors: by the machine, of the direction that CD-k takes, as a share of the exact gradient's length.
    """
    figure, grid = plots.subplots(1, 2, width=6.0, height=4.6)
    left, right = grid.flat
    left.axhline(best, color="#888888", linestyle="--", linewidth=1.6, label="the best possible")
    looks = zip(likelihoods.items(), plots.COLOURS, ("-", "--", ":"), strict=False)
    for (name, values), colour, dashes in looks:
        left.plot(every * np.arange(len(values)), values, dashes, color=colour, label=name)
    left.set(xlabel="step", ylabel="mean ln P of the patterns", title="Trained with the exact gradient, or with chains")
    left.legend(loc="lower right")
    for (name, shares), colour, sign in zip(errors.items(), plots.COLOURS, plots.MARKERS, strict=False):
        right.plot(ks, shares, sign + ("" if "chains" in name else "-"), color=colour, markersize=9, label=name)
    right.set(
        xscale="log",
        yscale="log",
        xlabel="k, steps of the chain",
        title="CD-k approaches the exact gradient as k grows",
    )
    right.set_ylabel("relative error of the direction")
    right.set_ylim(bottom=1e-5)  # below it is rounding
    right.legend(loc="lower left")
    return figure


def rating_table(errors: Mapping[str, Sequence[float]]) -> str:
    """Returns a table of the errors of predictions by their names, over the splits, and which is the smallest."""
    winners = np.argmin(list(errors.values()), axis=0)
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    rows = [
        [name, f"{means[name]:.4f}", f"{np.std(values):.4f}", int(np.count_nonzero(winners == i))]
        for i, (name, values) in enumerate(errors.items())
    ]
    first, second, *_ = sorted(means, key=means.__getitem__)
    behind = means[second] / means[first] - 1
    table = format_table(["prediction", "error", "spread", "best in splits"], rows)
    return f"{table}\nThe smallest error: {first}. Next: {second}, {behind:.1%} higher."


def ratings(matrix: np.ndarray, names: tuple[str, str], errors: Mapping[str, Sequence[float]]) -> Figure:
    """Returns a figure of a matrix of ratings, most of them missing, and of the errors of predictions.

    Args:
        matrix: (users, items), NaN where there is none.
        names: of the rows and of the columns.
        errors: by the prediction, the error in each split.
    """
    figure, grid = plots.subplots(1, 2, width=6.4, height=5.4, width_ratios=(1, 1.15))
    left, right = grid.flat
    values = np.unique(matrix[np.isfinite(matrix)])
    shown = left.imshow(matrix, cmap="viridis", aspect="auto", interpolation="nearest")
    left.set(xlabel=names[1], ylabel=names[0], title="Ratings: white is missing")
    left.grid(False)
    figure.colorbar(shown, ax=left, label="rating", ticks=values if len(values) < 8 else None)
    order = sorted(errors, key=lambda name: -float(np.mean(errors[name])))
    spread = np.random.default_rng(0)  # only spreads the points, so that each is seen
    for row, name in enumerate(order):
        colour = plots.VERMILION if "machine" in name else plots.BLUE
        jitter = row + spread.uniform(-0.18, 0.18, len(errors[name]))
        right.plot(errors[name], jitter, "o", color=colour, alpha=0.5, markersize=7, markeredgecolor="white")
        mean = float(np.mean(errors[name]))
        right.plot([mean, mean], [row - 0.3, row + 0.3], color=plots.BLACK)
        right.annotate(f"{mean:.3f}", (mean, row + 0.32), ha="center", va="bottom", fontsize=12)
    right.set_yticks(range(len(order)), order)
    right.set(xlabel="RMSE, held-out ratings", ylim=(-0.7, len(order) - 0.5))
    right.set_title("Each point is one split; the bar is the mean")
    right.grid(axis="y", visible=False)
    return figure


def few_labels_table(results: Mapping[str, Mapping[int, Sequence[float]]]) -> str:
    """Returns a table of accuracies and their spread, and how often the first kind beats the second."""
    first, second, *_ = results.values()
    rows: list[list[object]] = []
    for count in first:
        means = {name: float(np.mean(of_labels[count])) for name, of_labels in results.items()}
        cells = [f"{means[name]:.1%} ± {np.std(of_labels[count]):.1%}" for name, of_labels in results.items()]
        won = np.count_nonzero(np.array(first[count]) > np.array(second[count]))
        rows.append([count, *cells, f"{won} of {len(second[count])}", max(means, key=means.__getitem__)])
    return format_table(["labels", *results, "pre-trained beats random", "the best"], rows)


def few_labels(results: Mapping[str, Mapping[int, Sequence[float]]]) -> Figure:
    """Returns a figure of accuracies by the number of labels.

    Args:
        results: by the kind of network and the number of labels, the accuracy of each seed.
    """
    figure, axes = plots.subplots(width=8.5, height=5.2)
    looks = zip(results.items(), plots.COLOURS, plots.MARKERS, ("-", "--", ":"), strict=False)
    for place, ((name, of_labels), colour, sign, dashes) in enumerate(looks):
        counts = np.array(list(of_labels), float)
        shifted = counts * 1.03 ** (place - 1)  # side by side, so that each is seen
        for x, accuracies in zip(shifted, of_labels.values(), strict=True):
            axes.plot([x] * len(accuracies), accuracies, sign, color=colour, alpha=0.35, markersize=6)
        means = [np.mean(accuracies) for accuracies in of_labels.values()]
        axes.plot(shifted, means, sign + dashes, color=colour, markersize=10, label=name)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,.0f}" for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="labels", ylabel="test accuracy", title="The same network: pre-trained, or from random weights")
    axes.yaxis.get_major_locator().set_params(steps=[1, 2, 5, 10])  # whole percents
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="lower right")
    return figure
