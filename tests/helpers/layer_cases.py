"""What the tests of single layers share: Keras' layer, its description, and its gradients in every engine."""

from typing import Any

import numpy as np
import torch
from torch import nn

from workshop.kit.lazy import keras, tensorflow
from workshop.kit.saving.architecture import Architecture, layer_from
from workshop.pytorch.kit.model import TorchModel, from_architecture, to_architecture
from workshop.scratch.nn.layers import Layer
from workshop.scratch.nn.network import Network


def described(layer: Any, X: np.ndarray) -> Architecture:
    """Returns the description of a layer of Keras for samples X; all of its weights are drawn."""
    random = np.random.default_rng(1)
    if not layer.built:
        layer.build(X.shape)
    layer.set_weights(
        [
            random.uniform(0.5, 1.5, weight.shape) if "variance" in weight.path else random.normal(0, 0.7, weight.shape)
            for weight in layer.weights
        ]
    )
    architecture = Architecture(X.shape[1:], [layer_from(type(layer).__name__, layer.get_config())])
    names = architecture.weight_shapes()[0]
    architecture.layers[0].weights = dict(zip(names, layer.get_weights(), strict=True))
    return architecture


def keras_gradients(
    layer: Any, X: np.ndarray, direction: np.ndarray, mask: np.ndarray | None = None
) -> list[np.ndarray]:
    """Returns the gradients of the sum of outputs times `direction`, by X and by the weights in their order."""
    inputs = tensorflow.constant(X)
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs) if mask is None else layer(inputs, mask=tensorflow.constant(mask))
        total = tensorflow.reduce_sum(outputs * tensorflow.constant(direction))
    gradients = tape.gradient(total, [inputs, *layer.trainable_variables])
    # That of an Embedding is a list of rows, and there is none by whole numbers.
    return [
        np.zeros_like(X) if gradient is None else tensorflow.convert_to_tensor(gradient).numpy()
        for gradient in gradients
    ]


def numpy_gradients(layer: Layer, X: np.ndarray, direction: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Returns what `keras_gradients` returns."""
    layer.forward(X, **options)
    dX = layer.backward(direction)
    return [dX, *(layer.gradients[name] for name in layer.parameters)]


def torch_gradients(module: nn.Module, X: np.ndarray, direction: np.ndarray) -> list[np.ndarray]:
    """Returns what `keras_gradients` returns; `module` loses its weights."""
    module.eval()
    inputs = torch.tensor(X, requires_grad=True)
    (module(inputs) * torch.tensor(direction)).sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None
                parameter.copy_(parameter.grad)  # in the place of the weights, which the reader knows how to lay out
    (read,) = to_architecture(module, X.shape[1:]).layers
    of_weights = [weight for name, weight in read.weights.items() if not name.startswith("moving")]
    return [np.zeros_like(X) if inputs.grad is None else inputs.grad.numpy(), *of_weights]


def assert_close(gradients: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    """Each differs by less than a share of its largest number."""
    for gradient, true in zip(gradients, expected, strict=True):
        assert gradient.shape == true.shape
        assert np.abs(gradient - true).max() <= tolerance * max(np.abs(true).max(), 1e-3)


def assert_the_same_in_each_engine(layer: Any, X: np.ndarray, is_differentiable: bool = True) -> None:
    """Compares what a layer of Keras returns, and its gradients by X and by its weights, with both other engines.

    Args:
        layer: of Keras.
        X: samples.
        is_differentiable: whether TensorFlow has the gradients of the layer.
    """
    architecture = described(layer, X)
    expected = keras.ops.convert_to_numpy(layer(X))
    assert architecture.shapes()[-1] == expected.shape[1:] and np.ptp(expected) > 0.2
    direction = np.random.default_rng(2).normal(size=expected.shape).astype(np.float32)
    network, module = Network.from_architecture(architecture), from_architecture(architecture)
    assert network.output_shape == expected.shape[1:]
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(TorchModel(module, X.shape[1:]).predict(X), expected, rtol=1e-5, atol=1e-5)
    if is_differentiable:
        by_keras = keras_gradients(layer, X, direction)
        assert_close(numpy_gradients(network.layers[0], X, direction), by_keras, 1e-4)
        assert_close(torch_gradients(module, X, direction), by_keras, 1e-4)
    # In 64 bits the two that can compute in them are equal.
    X, direction = X.astype(np.float64), direction.astype(np.float64)
    exact, module = Network.from_architecture(architecture, np.float64), from_architecture(architecture, torch.float64)
    outputs = module.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(outputs, exact.predict(X), rtol=1e-12, atol=1e-12)
    gradients = numpy_gradients(exact.layers[0], X, direction)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients[1:])
    is_rounded = "hard_sigmoid" in str(layer.get_config())  # PyTorch has its 1/6 in single precision
    assert_close(torch_gradients(module, X, direction), gradients, 1e-7 if is_rounded else 1e-11)
    # The first layer of a network is spared the work for the gradient by X; those by its weights are the same.
    first = exact.layers[0]
    spared = first.backward(direction, needs_input_gradient=False)
    assert_close([first.gradients[name] for name in first.parameters], gradients[1:], 1e-12)
    if X.shape != direction.shape and any("kernel" in name for name in first.parameters):
        assert spared.shape != X.shape
