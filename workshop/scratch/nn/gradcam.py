"""Grad-CAM: a map of the regions of an image that raise the score of a class.

Selvaraju and others 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391. The last layer whose output is an image still has positions, and already features of the classes: its
output A (height, width, channels) is one feature map a channel. The importance of map k for the logit y of the class is
the gradient, averaged over all positions: a_k = mean over i and j of dy / dA_ijk. The maps are summed with these
weights, and negative values, which lower the logit, are cut off: heat = max(0, sum over k of a_k A_k).
"""

from collections.abc import Sequence

import numpy as np

from workshop.kit.errors import WorkshopError
from workshop.scratch.nn.half_precision import HalfPrecision
from workshop.scratch.nn.layers import Activation, Dense, Layer
from workshop.scratch.nn.network import Network


def grad_cam(network: Network, image: np.ndarray, label: int) -> np.ndarray:
    """Returns the heat map of a class on an image.

    Args:
        network: an image classifier: convolutions, then one vector. The gradients in its layers are overwritten.
        image: (height, width, channels), preprocessed for the network.
        label: the number of the class; with one output, 0 or 1.

    Returns:
        float32 (height, width), 0 to 1: 1 where the class is supported most; 0 everywhere if nowhere.

    Raises:
        WorkshopError: no layer of the network outputs images.
    """
    last = count_image_layers(network)
    # Inference mode: normalised by the moving averages, nothing dropped.
    maps = np.asarray(image, network.dtype)[None]
    for layer in network.layers[:last]:
        maps = layer.forward(maps)
    weights = _gradient(network.layers[last:], maps, label).mean(axis=(0, 1))
    heat = np.maximum(maps[0] @ weights, 0)
    if heat.max() > 0:
        heat = heat / heat.max()
    return _resize(heat, *image.shape[:2])


def count_image_layers(network: Network) -> int:
    """Returns the number of layers before the one that turns images into vectors.

    Raises:
        WorkshopError: there is no such layer, or none before it.
    """
    ends = ("Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
    count = next((i for i, layer in enumerate(network.layers) if layer.kind in ends), 0)
    if count == 0 or len(network.input_shape) != 3:
        raise WorkshopError("the network has no convolutions that end in a Flatten or a global pooling layer")
    return count


def _gradient(layers: Sequence[Layer], maps: np.ndarray, label: int) -> np.ndarray:
    """Returns dy / dA (height, width, channels) for the maps A (1, height, width, channels) and the layers after."""
    outputs = maps
    for layer in layers:
        outputs = layer.forward(outputs)
    gradient = np.zeros_like(outputs)
    if outputs.shape[1] == 1:
        # The logit of a sigmoid is the second class's; with its sign turned, the first's.
        gradient[0, 0] = 1 if label else -1
    else:
        gradient[0, label] = 1
    # The gradient of the logit, not of the probability, which saturates where the network is confident: the last
    # activation passes its gradient on.
    activation = layers[-1].activation if isinstance(layers[-1], Dense | HalfPrecision) else layers[-1]
    if isinstance(activation, Activation):
        activation.passes_on = True
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    if isinstance(activation, Activation):
        activation.passes_on = False
    return gradient[0]


def _resize(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(heat.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
