"""A network of dense sigmoid layers in Keras and in PyTorch: they differentiate, and plain gradient descent follows.

Both compute in float64, minimise E = 1/2 sum (t - o)^2, learn the weights and leave the biases as they are.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from workshop.kit.lazy import keras, torch
from workshop.kit.lazy import tensorflow as tf

Layer = tuple[np.ndarray, np.ndarray]  # weights (inputs, outputs), biases (outputs,)


class Run(NamedTuple):
    """What an engine computes while it trains.

    Attributes:
        outputs: of each layer, (samples, outputs), before the first step.
        gradients: dE/dw of each layer, (inputs, outputs), before the first step.
        first, last: the weights of each layer, after one step and after all.
        errors: E before each step, and after the last: (steps + 1,).
    """

    outputs: list[np.ndarray]
    gradients: list[np.ndarray]
    first: list[np.ndarray]
    last: list[np.ndarray]
    errors: np.ndarray


def by_keras(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray, rate: float, steps: int) -> Run:
    """Trains a Sequential model with a GradientTape: all steps in one compiled loop, for a call of it takes longest.

    Args:
        layers: where it starts.
        X, T: samples (samples, inputs) and what is to come out, (samples, outputs).
        rate: of learning.
        steps: two or more, each with all samples.
    """
    model = keras.Sequential([keras.layers.Input(X.shape[1:], dtype="float64")])
    for weights, biases in layers:
        model.add(keras.layers.Dense(len(biases), "sigmoid", dtype="float64"))
        model.layers[-1].set_weights([weights, biases])
    kernels = [layer.kernel for layer in model.layers]
    inputs = tf.constant(X)

    def error_and_gradients() -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            E = 0.5 * tf.reduce_sum((T - model(inputs)) ** 2)
        return E, tape.gradient(E, kernels)

    @tf.function
    def descend(steps: Any) -> Any:
        errors = tf.TensorArray(tf.float64, steps)
        for i in tf.range(steps):
            E, gradients = error_and_gradients()
            errors = errors.write(i, E)
            for kernel, gradient in zip(kernels, gradients):  # noqa: B905 (the compiler knows no `strict`)
                kernel.assign_sub(rate * gradient)
        return errors.stack()

    outputs = [inputs]
    for layer in model.layers:
        outputs.append(layer(outputs[-1]))
    gradients = error_and_gradients()[1]
    errors = [descend(tf.constant(1))]
    first = [layer.get_weights()[0] for layer in model.layers]
    errors += [descend(tf.constant(steps - 1)), [error_and_gradients()[0]]]
    last = [layer.get_weights()[0] for layer in model.layers]
    return Run(_arrays(outputs[1:]), _arrays(gradients), first, last, np.concatenate(errors))


def by_torch(layers: Sequence[Layer], X: np.ndarray, T: np.ndarray, rate: float, steps: int) -> Run:
    """Trains tensors that require a gradient with autograd, in a plain loop; arguments as of `by_keras`."""
    weights = [torch.tensor(start, requires_grad=True) for start, _ in layers]
    biases = [torch.tensor(bias) for _, bias in layers]
    inputs, targets = torch.tensor(X), torch.tensor(T)
    errors, states = [], {}
    for i in range(steps + 1):
        outputs = [inputs]
        for weight, bias in zip(weights, biases, strict=True):
            outputs.append(torch.sigmoid(outputs[-1] @ weight + bias))
        E = 0.5 * torch.sum((targets - outputs[-1]) ** 2)
        gradients = torch.autograd.grad(E, weights)
        errors.append(E.item())
        if i in (0, 1, steps):
            states[i] = _arrays(outputs[1:]), _arrays(gradients), _arrays(weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= rate * gradient
    return Run(*states[0][:2], states[1][2], states[steps][2], np.array(errors))


def _arrays(tensors: Sequence[Any]) -> list[np.ndarray]:
    """Returns copies: the weights go on changing where they are."""
    return [np.array(tensor.detach() if hasattr(tensor, "detach") else tensor) for tensor in tensors]


ENGINES: dict[str, Callable[..., Run]] = {"keras": by_keras, "torch": by_torch}
