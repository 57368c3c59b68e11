"""Grad-CAM by the NumPy engine: the same map as Keras' gradients give, and hot at the object."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workshop.kit.errors import WorkshopError
from workshop.kit.lazy import keras, tensorflow
from workshop.kit.saving import keras_h5
from workshop.scratch.nn.convolution import Conv2D
from workshop.scratch.nn.gradcam import grad_cam
from workshop.scratch.nn.layers import Activation, Dense, Layer
from workshop.scratch.nn.network import Network
from workshop.scratch.nn.pooling import GlobalAveragePooling2D, MaxPooling2D
from workshop.scratch.nn.regularization import BatchNormalization, Dropout
from workshop.scratch.nn.reshaping import Flatten

RANDOM = np.random.default_rng


def small(last: Sequence[Layer]) -> list[Layer]:
    """As the small network of the lesson: it normalises its batches and averages over all positions."""
    return [
        Conv2D(6, 3, strides=2, padding="same", use_bias=False),
        BatchNormalization(),
        Activation("relu"),
        MaxPooling2D(),
        Conv2D(8, 3, padding="same", use_bias=False),
        BatchNormalization(),
        Activation("relu"),
        GlobalAveragePooling2D(),
        Dropout(0.2),
        *last,
    ]


def workshop(last: Sequence[Layer]) -> list[Layer]:
    """As the network of the workshop: it pools after its last convolution too, and has a weight for every position."""
    return [
        Conv2D(6, 3, activation="relu"),
        MaxPooling2D(),
        Conv2D(8, 3, activation="relu"),
        MaxPooling2D(),
        Flatten(),
        Dense(10, "relu"),
        *last,
    ]


def as_if_trained(layers: Sequence[Layer], size: int) -> Network:
    """Moves all weights, and the moving averages, off their first values."""
    network = Network(layers, (size, size, 3), seed=1)
    for name, value in network.weights.items():
        noise = RANDOM(len(name)).normal(0, 0.2, value.shape)
        value += np.abs(noise) if name.endswith("variance") else noise
    return network


def map_by_keras(network: Network, image: np.ndarray, label: int) -> np.ndarray:
    """The same formula with TensorFlow's gradients and resizing, on the `.h5` that the network is saved as."""
    model: Any = keras_h5.from_bytes(network.to_h5(), Path("model.h5"))
    layers = model.keras.layers
    outputs = image[None]
    with tensorflow.GradientTape() as tape:
        for layer in layers:
            if isinstance(layer, keras.layers.Flatten | keras.layers.GlobalAveragePooling2D):
                maps = outputs
                tape.watch(maps)
            is_last_activation = layer is layers[-1] and isinstance(layer, keras.layers.Activation)
            if layer is layers[-1] and isinstance(layer, keras.layers.Dense):
                outputs = outputs @ layer.kernel + layer.bias
            elif not is_last_activation:
                outputs = layer(outputs, training=False)
        logit = outputs[0, label] if outputs.shape[1] > 1 else outputs[0, 0] * (1 if label else -1)
    weights = tensorflow.reduce_mean(tape.gradient(logit, maps), axis=(1, 2))
    heat = tensorflow.nn.relu(tensorflow.reduce_sum(maps * weights, axis=-1, keepdims=True))
    heat /= tensorflow.maximum(tensorflow.reduce_max(heat), 1e-30)
    return np.asarray(tensorflow.image.resize(heat, image.shape[:2]))[0, :, :, 0]


@pytest.mark.parametrize(
    "layers",
    [small([Dense(1, "sigmoid")]), small([Dense(2), Activation("softmax")]), workshop([Dense(3, "softmax")])],
    ids=["small, a sigmoid", "small, a softmax by itself", "workshop, a softmax"],
)
def test_the_map_is_the_one_that_keras_gradients_give(layers: list[Layer]) -> None:
    network = as_if_trained(layers, 30)
    image = RANDOM(5).random((30, 30, 3), np.float32)
    before = network.predict(image[None])
    seen = []
    for label in range(max(2, network.output_shape[0])):
        heat = grad_cam(network, image, label)
        assert heat.shape == (30, 30) and heat.dtype == np.float32
        assert heat == pytest.approx(map_by_keras(network, image, label), abs=1e-5)
        seen.append(heat)
    assert max(heat.max() for heat in seen) > 0.8
    assert not np.array_equal(seen[0], seen[1])
    # The network is left as it was: it predicts, and trains, as before.
    assert np.array_equal(network.predict(image[None]), before)
    last = layers[-1].activation if isinstance(layers[-1], Dense) else layers[-1]
    assert isinstance(last, Activation) and not last.passes_on


def finds_bright_squares(outputs: int) -> Network:
    """Its one map is bright where a window of 5x5 pixels is; that supports the second class."""
    activation = "sigmoid" if outputs == 1 else "softmax"
    network = Network(
        [
            Conv2D(1, 5, padding="same", activation="relu"),
            MaxPooling2D(),
            GlobalAveragePooling2D(),
            Dense(outputs, activation),
        ],
        (40, 40, 3),
    )
    weights = np.array([[9.0]]) if outputs == 1 else np.array([[-9.0, 9.0]])
    network.set_weights([np.full((5, 5, 3, 1), 1 / 75), np.array([-0.5]), weights, np.zeros(outputs)])
    return network


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_map_is_hot_where_the_square_is(outputs: int) -> None:
    image = np.zeros((40, 40, 3), np.float32)
    image[22:34, 5:17] = 1
    heat = grad_cam(finds_bright_squares(outputs), image, 1)
    assert heat[24:32, 7:15].min() > 0.8
    far = np.ones((40, 40), bool)
    far[20:36, 3:19] = False
    assert heat[far].max() == 0
    # Nothing in it supports the other class.
    assert grad_cam(finds_bright_squares(outputs), image, 0).max() == 0


def test_a_network_without_image_layers_has_no_map() -> None:
    image = np.zeros((8, 8, 3), np.float32)
    for layers in ([Flatten(), Dense(1, "sigmoid")], [Conv2D(2, 3)]):
        with pytest.raises(WorkshopError, match="no convolutions that end in a Flatten"):
            grad_cam(Network(layers, (8, 8, 3)), image, 0)
