"""The tables and plots of the lesson on backpropagation: a network's numbers, its training, and the gradient check.

The gradients of a layer are what the lesson's `backward` returns: dE/dout, dout/dnet and delta (samples, outputs),
dE/dw (inputs, outputs) and dE/db (outputs,).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workshop.kit import plots
from workshop.kit.report import format_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Layer = tuple[np.ndarray, np.ndarray]  # weights (inputs, outputs), biases (outputs,)
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Names = Sequence[Sequence[str]]  # of the neurons of each layer, the inputs first
Point = tuple[float, float]

FORWARD_COLOR = "#A6CBE3"  # a pale blue and a pale orange, to be written on
BACKWARD_COLOR = "#F5CFA0"
BIAS_COLOR = "#888888"
NEURON_RADIUS = 0.48


def weight_names(layers: Sequence[Layer]) -> list[list[list[str]]]:
    """Returns the names of the weights, [layer][neuron][input]: w1, w2 ... lead to the first neuron."""
    names = []
    count = 0
    for weights, _ in layers:
        inputs, neurons = weights.shape
        names.append([[f"w{count + i * inputs + j + 1}" for j in range(inputs)] for i in range(neurons)])
        count += weights.size
    return names


def forward_table(
    layers: Sequence[Layer], nets: Sequence[np.ndarray], outputs: Sequence[np.ndarray], neurons: Names
) -> str:
    """Returns a table of the net inputs and the outputs of all neurons.

    Args:
        layers: weights and biases of each.
        nets: the net inputs (1, neurons) of each layer.
        outputs: the input (1, inputs), and the outputs (1, neurons) of each layer.
        neurons: the names of the inputs, and of each layer's neurons.
    """
    rows = []
    for i, (weights, biases) in enumerate(layers):
        for j, name in enumerate(neurons[i + 1]):
            terms = [f"{weight:.2f} * {x:.6g}" for weight, x in zip(weights[:, j], outputs[i][0], strict=True)]
            terms.append(f"{biases[j]:.2f}")
            rows.append([name, " + ".join(terms), f"{nets[i][0, j]:.9f}", f"{outputs[i + 1][0, j]:.9f}"])
    return format_table(["", "weights * inputs + bias", "net", "out = sigmoid(net)"], rows)


def backward_table(
    layers: Sequence[Layer],
    outputs: Sequence[np.ndarray],
    targets: np.ndarray,
    gradients: Sequence[Gradients],
    new_layers: Sequence[Layer],
    neurons: Names,
    learning_rate: float,
) -> str:
    """Returns a table of the factors of dE/dw for each weight, from the last layer to the first.

    Above each layer's table stands how dE/dout comes about: from the target, or from all neurons of the next layer,
    through their weights.

    Args:
        layers, outputs, neurons: as of `forward_table`.
        targets: (1, outputs).
        gradients: of each layer.
        new_layers: the layers after the step.
        learning_rate: of the step, for the heading.
    """
    headings = ["", "dE/dout", "* dout/dnet", "= delta", "* dnet/dw", "= dE/dw", f"w -> w - {learning_rate:g} dE/dw"]
    names = weight_names(layers)
    sources = [f"{output:.6f} - {target:g}" for output, target in zip(outputs[-1][0], targets[0], strict=True)]
    blocks = []
    for i in reversed(range(len(layers))):
        weights, new_weights = layers[i][0], new_layers[i][0]
        (dE_dout,), (dout_dnet,), (delta,), dE_dw, _ = gradients[i]
        rows = []
        for j, neuron in enumerate(neurons[i + 1]):
            blocks.append(f"dE/dout {neuron} = {sources[j]} = {dE_dout[j]:.9f}")
            for k, x in enumerate(outputs[i][0]):
                factors = [f"{value:.9f}" for value in (dE_dout[j], dout_dnet[j], delta[j], x, dE_dw[k, j])]
                rows.append([names[i][j][k], *factors, f"{weights[k, j]:.2f} -> {new_weights[k, j]:.9f}"])
        blocks.append(format_table(headings, rows) + "\n")
        sources = [" + ".join(f"{d:.6f} * {w:.2f}" for d, w in zip(delta, row, strict=True)) for row in weights]
    return "\n".join(blocks).rstrip()


def network(
    layers: Sequence[Layer],
    nets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    targets: np.ndarray,
    gradients: Sequence[Gradients],
    error: float,
    neurons: Names,
) -> Figure:
    """Returns a figure of a small network: on the left the numbers of the forward pass, on the right of the backward.

    Args:
        layers, nets, outputs, neurons: as of `forward_table`.
        targets: (1, outputs).
        gradients: of each layer.
        error: E.
    """
    figure, ((forward, backward),) = plots.subplots(1, 2, width=8.6, height=5.4)
    _draw_weights(forward, backward, layers, gradients)
    for j, name in enumerate(neurons[0]):
        for panel in (forward, backward):
            _draw_neuron(panel, _position(0, j), f"{name}\n{outputs[0][0, j]:.2f}", "white")
    for i, (_, biases) in enumerate(layers):
        _, _, (delta,), _, _ = gradients[i]
        for j, name in enumerate(neurons[i + 1]):
            position = _position(i + 1, j)
            is_upper = j < len(biases) / 2
            _draw_bias(forward, position, biases[j], is_above=is_upper)
            numbers = f"{name}\nnet {nets[i][0, j]:.6f}\nout {outputs[i + 1][0, j]:.6f}"
            _draw_neuron(forward, position, numbers, FORWARD_COLOR)
            _draw_neuron(backward, position, f"{name}\ndelta\n{delta[j]:+.6f}", BACKWARD_COLOR)
    (dE_dout,), *_ = gradients[-1]
    for j, target in enumerate(targets[0]):
        x, y = _position(len(layers), j)
        side = -1 if j < targets.size / 2 else 1
        forward.text(x, y + 0.66 * side, f"target {target:.2f}", ha="center", va="center", fontsize=12)
        backward.text(x, y + 0.6, f"dE/dout {dE_dout[j]:+.6f}", ha="center", fontsize=12)
    forward.set_title(f"Forward pass: weights, net inputs, outputs; E = {error:.6f}")
    backward.set_title("Backward pass: dE/dw, the larger the thicker")
    right = _position(len(layers), 0)[0]
    bottom = _position(0, max(map(len, neurons)) - 1)[1]
    for panel in (forward, backward):
        panel.set(xlim=(-0.6, right + 0.9), ylim=(bottom - 0.95, 1.1))
        panel.set_aspect("equal")
        panel.axis("off")
    return figure


def descent_and_check(errors: Mapping[str, np.ndarray], steps: np.ndarray, differences: np.ndarray) -> Figure:
    """Returns a figure: on the left how the error fell in training, on the right a gradient check.

    Args:
        errors: E after each step (steps + 1,) by the name of its curve: up to three that lie on one another, and last
            one that does not.
        steps: the steps h of finite differences.
        differences: the relative difference between them and backpropagation, for each h.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5, height=4.8)
    styles = [(plots.SKY, 9.0), (plots.BLUE, 5.0), (plots.ORANGE, 2.0)][: len(errors) - 1]
    styles.append((plots.VERMILION, 2.2))
    for (name, curve), (color, line_width) in zip(errors.items(), styles, strict=True):
        left.loglog(np.arange(1, len(curve) + 1), curve, color=color, linewidth=line_width, label=name)
    left.set(xlabel="step, counted from 1", ylabel="E", title="Training the 2-2-2 network")
    left.legend(frameon=False)

    right.loglog(steps, differences, "o-", color=plots.BLUE)
    best = int(np.argmin(differences))
    right.loglog(steps[best], differences[best], "o", color=plots.VERMILION, markersize=12)
    right.annotate(
        f"h = {steps[best]:.0e}",
        (steps[best], differences[best]),
        xytext=(0, -22),
        textcoords="offset points",
        ha="center",
        color=plots.VERMILION,
    )
    right.margins(y=0.15)
    right.text(0.03, 0.94, "h too small: rounding error", transform=right.transAxes)
    right.text(0.97, 0.94, "h too large: truncation error", transform=right.transAxes, ha="right")
    right.set(xlabel="step h of finite differences", ylabel="relative difference", title="Gradient check")
    right.set_ylim(top=10 * float(differences.max()))
    return figure


def _position(layer: int, neuron: int) -> Point:
    """Returns the center of a neuron."""
    return 2.7 * layer, -2.0 * neuron


def _draw_weights(forward: Axes, backward: Axes, layers: Sequence[Layer], gradients: Sequence[Gradients]) -> None:
    """Draws an arrow for each weight: forwards with its value, backwards with dE/dw, which is its thickness."""
    names = weight_names(layers)
    largest = max(float(np.abs(dE_dw).max()) for _, _, _, dE_dw, _ in gradients)
    for i, (weights, _) in enumerate(layers):
        dE_dw = gradients[i][3]
        for (k, j), weight in np.ndenumerate(weights):
            start = _position(i, k)
            end = _position(i + 1, j)
            line_width = 1 + 6 * float(abs(dE_dw[k, j])) / largest
            _draw_edge(forward, start, end, f"{names[i][j][k]} = {weight:.2f}", plots.BLUE, 2.0)
            _draw_edge(backward, end, start, f"{dE_dw[k, j]:+.6f}", plots.VERMILION, line_width)


def _draw_neuron(panel: Axes, position: Point, text: str, color: str) -> None:
    """Draws a neuron with its numbers."""
    from matplotlib.patches import Circle

    panel.add_patch(Circle(position, NEURON_RADIUS, facecolor=color, edgecolor=plots.BLACK, zorder=2))
    panel.text(*position, text, ha="center", va="center", fontsize=11, zorder=4)


def _draw_bias(panel: Axes, position: Point, bias: float, is_above: bool) -> None:
    """Draws the arrow of a bias into a neuron, from above or below, where there is no weight."""
    x, y = position
    side = 1 if is_above else -1
    _draw_arrow(panel, (x, y + 0.95 * side), (x, y + (NEURON_RADIUS + 0.02) * side), BIAS_COLOR, 1.5)
    panel.text(x + 0.1, y + 0.72 * side, f"bias {bias:.2f}", va="center", fontsize=12)


def _draw_edge(panel: Axes, start: Point, end: Point, text: str, color: str, line_width: float) -> None:
    """Draws an arrow from one neuron to another, with its number where it does not lie on another arrow."""
    vector = np.subtract(end, start)
    gap = vector / np.hypot(*vector) * (NEURON_RADIUS + 0.02)
    _draw_arrow(panel, start + gap, end - gap, color, line_width)
    left, right = sorted((np.array(start), np.array(end)), key=lambda point: float(point[0]))
    x, y = left + (0.5 if left[1] == right[1] else 0.32) * (right - left)
    white_box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    panel.text(x, y, text, ha="center", va="center", fontsize=12, zorder=3, bbox=white_box)


def _draw_arrow(panel: Axes, start: np.ndarray | Point, end: np.ndarray | Point, color: str, line_width: float) -> None:
    arrow = {
        "arrowstyle": "-|>",
        "color": color,
        "linewidth": line_width,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 12 + 2 * line_width,
    }
    panel.annotate("", (end[0], end[1]), (start[0], start[1]), arrowprops=arrow)
