"""Backpropagation as with pencil and paper: each number of a small network beside what it is made of."""

from collections.abc import Sequence

import numpy as np

from workshop.kit import metrics
from workshop.kit.gradient_engines import Layer

Names = Sequence[Sequence[str]]  # of the neurons of each layer, the inputs first


def weight_names(layers: Sequence[Layer]) -> list[list[list[str]]]:
    """Returns the names of the weights: [layer][neuron][input], w1, w2 ... through the first neuron, the second ..."""
    names, count = [], 0
    for weights, _ in layers:
        inputs, neurons = weights.shape
        names.append([[f"w{count + i * inputs + j + 1}" for j in range(inputs)] for i in range(neurons)])
        count += weights.size
    return names


def forward_table(layers: Sequence[Layer], outputs: Sequence[np.ndarray], neurons: Names) -> str:
    """Returns a table of the net inputs and the outputs of all neurons.

    Args:
        layers: weights (inputs, outputs) and biases (outputs,) of each.
        outputs: the input (1, inputs), and what each layer makes of it.
        neurons: their names.
    """
    rows = []
    for (weights, biases), (incoming,), (outgoing,), names in zip(
        layers, outputs, outputs[1:], neurons[1:], strict=False
    ):
        for name, into, bias, out in zip(names, weights.T, biases, outgoing, strict=True):
            terms = [f"{weight:.2f} * {x:.6g}" for weight, x in zip(into, incoming, strict=True)]
            rows.append([name, " + ".join([*terms, f"{bias:.2f}"]), f"{into @ incoming + bias:.9f}", f"{out:.9f}"])
    return metrics.table(["", "weights * inputs + bias", "net", "out = sigmoid(net)"], rows)


def backward_table(
    layers: Sequence[Layer], outputs: Sequence[np.ndarray], targets: np.ndarray, neurons: Names, rate: float
) -> str:
    """Returns a table of each weight's slope in its factors, neuron by neuron; arguments as of `forward_table`.

    Where dE/dout comes from stands above: from the target, or from all neurons behind, through their weights.
    """
    slopes = outputs[-1][0] - targets[0]
    sources = [f"{o:.6f} - {t:g}" for o, t in zip(outputs[-1][0], targets[0], strict=True)]
    names = weight_names(layers)
    blocks = []
    for i in reversed(range(len(layers))):
        incoming, outgoing = outputs[i][0], outputs[i + 1][0]
        derivatives = outgoing * (1 - outgoing)
        deltas = slopes * derivatives
        rows = []
        for j, name in enumerate(neurons[i + 1]):
            blocks.append(f"dE/dout {name} = {sources[j]} = {slopes[j]:.9f}")
            for k, x in enumerate(incoming):
                weight, slope = layers[i][0][k, j], deltas[j] * x
                rows.append([
                    names[i][j][k], *(f"{one:.9f}" for one in (slopes[j], derivatives[j], deltas[j], x, slope)),
                    f"{weight:.2f} -> {weight - rate * slope:.9f}",
                ])  # fmt: skip
        headings = ["", "dE/dout", "* dout/dnet", "= delta", "* dnet/dw", "= dE/dw", f"w -> w - {rate:g} dE/dw"]
        blocks.append(metrics.table(headings, rows) + "\n")
        weights = layers[i][0]
        sources = [" + ".join(f"{d:.6f} * {w:.2f}" for d, w in zip(deltas, row, strict=True)) for row in weights]
        slopes = weights @ deltas
    return "\n".join(blocks).rstrip()
