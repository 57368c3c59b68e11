"""A recurrent layer of the NumPy engine, and the same one in Keras and in PyTorch: answers and gradients compared.

The libraries get the weights of the layer of the NumPy engine, whose names and shapes are Keras'. PyTorch has the same
numbers in another order, and `torch_weights` says which. Finite differences stand beside them as the plainest check.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

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
        kinds: the recurrent layers of `workshop.scratch`, whose names are Keras'.
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
