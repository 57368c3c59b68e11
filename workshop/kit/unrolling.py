"""What the lesson on recurrent layers needs beside its own: the same layers in Keras and PyTorch, and its figures.

The libraries get the weights of a layer of the NumPy engine, whose names and shapes are Keras'. PyTorch has the same
numbers in another order, and `torch_weights` says which.
"""

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from workshop.kit import metrics, plots
from workshop.kit.lazy import keras, load, nn, torch
from workshop.kit.lazy import tensorflow as tf

_TORCH = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}
# Where PyTorch has a gate's block, by its place in Keras. Exchanging two is undone by exchanging them once more, so
# that the same list leads back.
_GATES = {"SimpleRNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}

WHERE_WEIGHTS_GO = """\
NumPy and Keras have the gates side by side, PyTorch one below the other. In a GRU they begin with the update gate,
PyTorch with the reset gate. PyTorch adds two biases, of x W and of h U: one is enough, and the other one zero. In a GRU
the reset gate comes between them, so Keras has two as well, as rows: that is reset_after=True, its default. With False,
as a GRU was first published, the reset gate comes before the product h U, and PyTorch has none such."""

Weights = Mapping[str, np.ndarray]


def lstm_table(inputs: Sequence[float], weights: Mapping[str, Sequence[float]]) -> str:
    """Returns a table of an LSTM of one unit, every number beside what it is made of.

    Args:
        inputs: one number a step.
        weights: W, U and b of the gates i, f and o and the candidate g.
    """
    rows: list[list[object]] = []
    h = c = 0.0
    for step, x in enumerate(inputs, 1):
        gates = {}
        for name, (W, U, b) in weights.items():
            net = x * W + h * U + b
            gates[name] = math.tanh(net) if name == "g" else 1 / (1 + math.exp(-net))
            function = "tanh" if name == "g" else "s"
            terms = f"{function}({x:g} * {W:g} + {h:.4f} * {U:g} + {b:g}) = {function}({net:.4f})"
            rows.append([step, name, f"{function}(x W + h U + b)", terms, f"{gates[name]:.4f}"])
        i, f, g, o = (gates[name] for name in "ifgo")
        terms, c = f"{f:.4f} * {c:.4f} + {i:.4f} * {g:.4f}", f * c + i * g
        rows.append([step, "c", "f c + i g", terms, f"{c:.4f}"])
        h = o * math.tanh(c)
        rows.append([step, "h", "o tanh(c)", f"{o:.4f} * tanh({c:.4f})", f"{h:.4f}"])
    return metrics.table(["step", "", "", "s: sigmoid", "value"], rows)


def keras_gradients(
    kind: str, weights: Weights, X: np.ndarray, direction: np.ndarray, lengths: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Returns what Keras' layer answers, and the gradients of the sum of the answer times `direction`.

    Args:
        kind: "SimpleRNN", "LSTM" or "GRU".
        weights: kernel (features, gates * units), recurrent_kernel (units, gates * units) and bias.
        X: sequences (samples, steps, features); zeros behind the end of a shorter one.
        direction: in the shape of the answer, (samples, units) for the last state, or of all (samples, steps, units).
        lengths: of the sequences, where they differ; a Masking layer then tells the steps that are all zeros.

    Returns:
        The answer, and the gradients by X and by each of the weights.
    """
    layer = getattr(keras.layers, kind)(len(weights["recurrent_kernel"]), return_sequences=direction.ndim == 3)
    layer.build(X.shape)
    layer.set_weights(list(weights.values()))
    inputs = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        answer = layer(inputs if lengths is None else keras.layers.Masking(mask_value=0)(inputs))
        total = tf.reduce_sum(answer * tf.constant(direction))
    return [np.asarray(one) for one in (answer, *tape.gradient(total, [inputs, *layer.trainable_variables]))]


def torch_weights(kind: str, weights: Weights) -> dict[str, np.ndarray]:
    """Returns the weights under PyTorch's names: gates below each other, GRU's first two exchanged, two biases.

    Both biases are added, so one is enough and the other one zeros. In a GRU the reset gate lies between them, which is
    why Keras' has two rows as well.
    """
    ordered = {
        name: np.concatenate([np.split(value, len(_GATES[kind]), axis=-1)[i] for i in _GATES[kind]], axis=-1)
        for name, value in weights.items()
    }
    first, second = ordered["bias"] if kind == "GRU" else (ordered["bias"], np.zeros_like(ordered["bias"]))
    return {
        "weight_ih_l0": ordered["kernel"].T,
        "weight_hh_l0": ordered["recurrent_kernel"].T,
        "bias_ih_l0": first,
        "bias_hh_l0": second,
    }


def torch_gradients(
    kind: str, weights: Weights, X: np.ndarray, direction: np.ndarray, lengths: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Returns what `keras_gradients` returns; sequences of different lengths go in packed, without the zeros."""
    module = getattr(nn, _TORCH[kind])(X.shape[2], direction.shape[-1], batch_first=True)
    module.load_state_dict({name: torch.tensor(value) for name, value in torch_weights(kind, weights).items()})
    inputs = torch.tensor(X, requires_grad=True)
    packing: Any = load("torch.nn.utils.rnn")
    if lengths is None:
        states, last = module(inputs)
    else:
        states, last = module(packing.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False))
    hidden = last[0] if kind == "LSTM" else last  # an LSTM has two states, of which one is shown
    answer = states if direction.ndim == 3 else hidden[0]
    (answer * torch.tensor(direction)).sum().backward()
    found = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    biases = [found["bias_ih_l0"], found["bias_hh_l0"]] if kind == "GRU" else found["bias_ih_l0"]
    in_torch = [found["weight_ih_l0"].T, found["weight_hh_l0"].T, np.array(biases)]
    gates = _GATES[kind]
    back = [np.concatenate([np.split(one, len(gates), axis=-1)[i] for i in gates], axis=-1) for one in in_torch]
    return [answer.detach().numpy(), inputs.grad.numpy(), *back]


LIBRARIES: dict[str, Callable[..., list[np.ndarray]]] = {"keras": keras_gradients, "torch": torch_gradients}


def answer_and_gradients(layer: Any, X: np.ndarray, direction: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Returns what `keras_gradients` returns, of a recurrent layer of the NumPy engine; `options` are of `forward`."""
    answer = layer.forward(X, **options)
    dX = layer.backward(direction)
    return [answer, dX, *(layer.gradients[name] for name in layer.parameters)]


def differences_check(layer: Any, X: np.ndarray, direction: np.ndarray, random: np.random.Generator) -> float:
    """Returns by how much backpropagation through time differs from (E(w + e) - E(w - e)) / 2e, at places drawn."""
    worst = 0.0
    gradients = answer_and_gradients(layer, X, direction)[1:]
    for values, gradient in zip([X, *layer.parameters.values()], gradients, strict=True):
        for index in zip(*(random.integers(0, size, 10) for size in values.shape), strict=True):
            kept, sums = values[index], []
            for e in (1e-5, -1e-5):
                values[index] = kept + e
                sums.append(float(np.sum(layer.forward(X) * direction)))
            values[index] = kept
            worst = max(worst, abs((sums[0] - sums[1]) / 2e-5 - gradient[index]))
    return worst


def compare(
    kinds: Sequence[type], random: np.random.Generator, lengths: Sequence[int] = (10, 7, 3, 5)
) -> tuple[list[str], list[list[str]], dict[str, float]]:
    """Compares cells of the NumPy engine with finite differences and with the libraries that are there.

    NumPy computes in 64 bits and the libraries in 32, as in the lessons. Each cell answers with its last state, with
    all of them, and with the last ones of sequences of these lengths: by a mask in NumPy, behind a Masking layer in
    Keras, packed in PyTorch.

    Args:
        kinds: classes of `workshop.scratch.recurrent`, whose names are Keras'.
        random: draws weights and sequences.
        lengths: of the sequences.

    Returns:
        The headings and the rows of a table, and the largest difference by the name of what is compared.
    """
    libraries = {name: compute for name, compute in LIBRARIES.items() if importlib.util.find_spec(name)}
    if keras.config.backend() != "tensorflow":
        del libraries["keras"]  # its gradients are asked for in TensorFlow's way
    steps, features, units = max(lengths), 6, 8
    names = ["differences", *(f"{name}_{part}" for name in libraries for part in ("forward", "gradient"))]
    rows, found = [], []
    for kind, reads in product(kinds, ("last state", "all states", f"lengths {', '.join(map(str, lengths))}")):
        is_masked = reads.startswith("lengths")
        layer = kind(units, return_sequences=reads == "all states")
        shape = layer.build((steps, features), random, np.float64)
        layer.parameters["bias"] += random.normal(0, 0.5, layer.parameters["bias"].shape)
        X = random.normal(size=(len(lengths), steps, features))
        direction = random.normal(size=(len(lengths), *shape))
        errors = [differences_check(layer, X, direction, random)]
        mask = np.arange(steps) < np.array(lengths)[:, None]
        if is_masked:
            X *= mask[..., None]
        ours = answer_and_gradients(layer, X, direction, **({"mask": mask} if is_masked else {}))
        weights = {name: value.astype(np.float32) for name, value in layer.parameters.items()}
        for compute in libraries.values():
            theirs = compute(
                kind.__name__,
                weights,
                X.astype(np.float32),
                direction.astype(np.float32),
                lengths if is_masked else None,
            )
            errors += [_difference(theirs[part], ours[part]) for part in (slice(1), slice(1, None))]
        found.append(errors)
        rows.append([kind.__name__, reads, *(f"{error:.1e}" for error in errors)])
    headings = ["cell", "answers with", *(name.replace("_", ", ") for name in names)]
    return headings, rows, dict(zip(names, np.max(found, axis=0).tolist(), strict=True))


def _difference(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Returns the largest difference of two lists of arrays, as a share of each array's largest number or of 1."""
    return max(
        float(np.abs(one - other).max() / max(1.0, np.abs(other).max()))
        for one, other in zip(found, expected, strict=True)
    )


def beliefs(network: Any, X: np.ndarray) -> np.ndarray:
    """Returns how likely a network takes each class to be, after each row of X: (images, rows, classes).

    One that answers from its last state is asked to answer from each of its states. To one that answers from all
    together, the rows that it has not read yet are given as zeros.

    Args:
        network: of the NumPy engine: recurrent layers, a Flatten layer or none, a Dense layer.
        X: (images, rows, columns), pixels from 0 to 1.
    """
    *recurrent, dense = [layer for layer in network.layers if layer.parameters]
    is_last = not recurrent[-1].return_sequences
    recurrent[-1].return_sequences = True
    states = X
    for layer in recurrent:
        states = layer.forward(states)
    recurrent[-1].return_sequences = not is_last
    if is_last:
        return np.asarray(dense.forward(states))
    images, rows, units = states.shape
    read = np.tril(np.ones((rows, rows), X.dtype))[:, :, None]
    return np.asarray(dense.forward((states[:, None] * read).reshape(images, rows, rows * units)))


def gradient_figure(fading: Mapping[str, np.ndarray], losses: Mapping[str, Sequence[float]]) -> Any:
    """Returns a figure: how much of the gradient arrives how many steps back, and what clipping does where it grows.

    Args:
        fading: for each cell the gradient's norm by distance (steps,), 1 at the last step.
        losses: by the name of the run; a loss that is no longer finite ends its curve.
    """
    figure, ((left, right),) = plots.subplots(1, 2, width=7.2, height=5)
    for (name, norms), colour, marker in zip(fading.items(), plots.COLOURS, plots.MARKERS, strict=False):
        left.plot(norms, color=colour, marker=marker, markevery=(12, 25), markersize=8, label=name)
    left.set_yscale("log")
    left.set(xlabel="steps back from the end", ylabel="norm of the gradient (at the end: 1)")
    left.set(title="How far back does the blame reach?")
    left.legend(fontsize=12, frameon=False, loc="lower left")
    top = 1e4 * max(value for values in losses.values() for value in values if np.isfinite(value))
    for (name, values), colour, marker in zip(losses.items(), (plots.VERMILION, plots.BLUE), ("X", "o"), strict=True):
        is_lost = not np.isfinite(values[-1])
        label = f"gradient {name}" + f": no number at step {len(values) - 1}" * is_lost
        marks = {"marker": marker, "markevery": 1 if is_lost else 10, "markersize": 9}
        shown = np.where(np.isfinite(values), values, top)
        right.plot(shown, color=colour, linestyle="--" if is_lost else "-", label=label, **marks)
    right.set_yscale("log")
    right.set(
        xlabel="training step", ylabel="loss (mean squared error)", title="relu, U = 1.1 I: clipping the gradient"
    )
    right.legend(fontsize=12, frameon=False)
    return figure


def comparison_figure(histories: Mapping[str, Any], accuracies: Mapping[str, float], heading: str) -> Any:
    """Returns a figure: how the cells learned, and how many of the test images they have wrong."""
    figure, ((left, right),) = plots.subplots(1, 2, width=6.5)
    plots.draw_losses(left, histories, y="training loss (cross-entropy)", title="Learning")
    wrong = [100 * (1 - accuracy) for accuracy in accuracies.values()]
    bars = right.bar(range(len(wrong)), wrong, 0.6, color=plots.COLOURS[: len(wrong)])
    right.bar_label(bars, [f"{one:.2f} %" for one in wrong], padding=3, fontsize=14)
    right.set_xticks(range(len(wrong)), list(accuracies))
    right.set(ylabel="test images wrong (%)", title="Mistakes")
    right.margins(x=0.3 if len(wrong) == 1 else 0.05, y=0.15)
    right.set_axisbelow(True)
    right.grid(axis="x", visible=False)
    figure.suptitle(heading, fontsize=16)
    return figure


def belief_figure(
    images: np.ndarray, beliefs: Mapping[str, np.ndarray], labels: np.ndarray, classes: Sequence[str]
) -> Any:
    """Returns a figure: images as they are read from the top, and beside each row what a network then thinks.

    Args:
        images: (samples, rows, columns).
        beliefs: for each cell the probabilities after each row (samples, rows, classes).
        labels: the true classes (samples,).
        classes: their names.
    """
    figure, axes = plots.subplots(len(images), 1 + len(beliefs), width=3.3, height=3.2, sharey=True)
    axes = np.reshape(axes, (len(images), 1 + len(beliefs)))
    for i, (panels, image, label) in enumerate(zip(axes, images, labels, strict=True)):
        panels[0].imshow(image, cmap="gray_r", aspect="auto")
        panels[0].set(title=f"a {classes[label]}", ylabel="rows read", xlabel="pixel")
        for panel, (name, probabilities) in zip(panels[1:], beliefs.items(), strict=True):
            shade = panel.imshow(probabilities[i], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            panel.set(title=name, xlabel="which digit?")
            panel.set_xticks(range(len(classes)), classes)
        for panel in panels:
            panel.grid(False)
    bar = figure.colorbar(shade, ax=list(axes.flat), ticks=[0, 0.5, 1], fraction=0.03, pad=0.01)
    bar.set_label("probability", size=14)
    figure.suptitle("What the networks think of a digit after each of its rows", fontsize=16)
    return figure
